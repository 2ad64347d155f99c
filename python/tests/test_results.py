"""Results: their types, tables, figures, pages."""

from __future__ import annotations

import copy
import dataclasses
import importlib.util
import inspect
import pickle
import re
import sys
import typing
from html.parser import HTMLParser

import numpy as np
import pytest
from program import ROOT

import eigenstep
from eigenstep import _keywords, _options
from eigenstep._schema import _hints, key_of
from eigenstep._wording import Wording

random = np.random.default_rng(1)
X = random.normal(size=(60, 4)) * [1, 1, 10, 100]
LABELS = np.array(["<b>low</b>", "mid", "high & dry"])[random.integers(0, 3, 60)]
Y = X @ [1.0, 2, 0.1, 0.02] + random.normal(size=60)


@pytest.fixture(scope="module")
def results() -> dict[str, typing.Any]:
    return {
        "diagnosis": eigenstep.diagnose(X, LABELS, lr=0.1, batch=16, max_iterations=60, effort=0.2),
        "regression": eigenstep.diagnose(X, Y, lr=1e-4, max_iterations=60, at=2),
        "network": eigenstep.diagnose(
            X[:, :2], Y, model="mlp", hidden=(4,), effort=0.1, trials=False, lr=0.01
        ),
        "spectrum": eigenstep.spectrum(
            X, LABELS, density=True, trace=True, diagonal=True, per_layer=True, intervals=True, count=3
        ),
        "training": eigenstep.train(
            X,
            LABELS,
            lr=0.1,
            epochs=4,
            batch=16,
            held_out=0.2,
            standardise=True,
            track=["sharpness"],
            guard="warn",
        ),
        "sweep": eigenstep.sweep(
            X,
            Y,
            lr=(1e-4, 10, 6),
            steps=10,
            standardise=True,
            range_test=True,
            auto=True,
            seeds=2,
            batch=16,
        ),
        "lab": eigenstep.labs.run("bowls", small=True, largest=10),
    }


def missing(kind: type, value: typing.Any, place: str) -> list[str]:
    """Keys of a report that its dataclass does not have."""
    found = {key_of(item): item for item in dataclasses.fields(kind) if not item.name.startswith("_")}
    lines = []
    for key, part in value.items():
        if key not in found:
            lines.append(f"{place}.{key}")
            continue
        lines += inside(_hints(kind)[found[key].name], part, f"{place}.{key}")
    return lines


def inside(hint: typing.Any, value: typing.Any, place: str) -> list[str]:
    options = [part for part in (hint, *typing.get_args(hint)) if part is not type(None)]
    for option in options:
        if dataclasses.is_dataclass(option):
            values = value if isinstance(value, list) else [value]
            return [line for part in values if part is not None for line in missing(option, part, place)]
    return [line for part in options[1:] for line in inside(part, value, place)] if len(options) > 1 else []


def test_every_key_has_its_field(results):
    for name, result in results.items():
        report = {key: value for key, value in result.to_dict().items() if key != "schema"}
        if name == "lab":
            report = {key: value for key, value in report.items() if key not in result.values}
        assert missing(type(result), report, name) == []


def test_dataclasses_are_those_of_the_swift_types(monkeypatch):
    script = ROOT / "python/tools/reports.py"
    if not (ROOT / "Sources").is_dir():
        pytest.skip("the Swift sources are not here")
    spec = importlib.util.spec_from_file_location("reports", script)
    tool = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "reports", tool)
    spec.loader.exec_module(tool)
    types = tool.Types()
    for module in tool.MODULES:
        assert (tool.PACKAGE / f"{module}.py").read_text() == tool.render(module, types), module


def test_values_are_those_of_the_report(results):
    found, report = results["diagnosis"], results["diagnosis"].to_dict()
    assert found.curvature.largest.upper_bound == report["curvature"]["largest"]["upperBound"]
    assert found.largest_eigenvalue == report["curvature"]["largest"]["value"]
    assert (
        found.prescriptions[0].measured.gradient_equivalents
        == report["prescriptions"][0]["measured"]["gradientEquivalents"]
    )
    assert isinstance(found.findings, tuple) and isinstance(found.findings[0].evidence, dict)
    assert found.mini_batches.batch == 16
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.stage = "start"
    spectrum = results["spectrum"]
    assert float(spectrum.largest[0]) == spectrum.to_dict()["largest"][0]["value"]
    assert spectrum.largest[0] + 1 > spectrum.upper_bound - 1


def test_text_is_as_wide_as_it_is_asked(results):
    for result in results.values():
        for width in (80, 110):
            lines = result.text(width).split("\n")
            long = [line for line in lines if len(line) > width + 3 and "eigenstep." not in line]
            assert long == []
        assert repr(result) == result.text()


def test_no_flag_and_no_file_in_memory_is_named(results):
    for result in results.values():
        for text in (result.text(80), str({**result.to_dict(), "request": None})):
            assert not re.search(r"(?<![-\w])--[a-z]", text), re.search(r".{40}--[a-z].{20}", text, re.S)
            assert "memory:" not in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("such as --l2 1e-3, and diagnose again.", "such as l2=1e-3, and diagnose again."),
        ("With --effort 10 every run goes on.", "With effort=10 every run goes on."),
        ("use --precision float64 to see further.", 'use precision="float64" to see further.'),
        ("  widen --lr to smaller ones.", "  widen lr to smaller ones."),
        ("first with --at N", "first with at=N"),
        ("such as --l2\n      1e-3, and", "such as\n      l2=1e-3, and"),
        ("so try --lr 1e-5:0.1:24.", 'so try lr="1e-5:0.1:24".'),
        ("give --batch 1,024.", "give batch=1024."),
        ("let --guard lower-rate do it", 'let guard="lower-rate" do it'),
        ("counts the rows; --drop id removes it.", 'counts the rows; drop="id" removes it.'),
        ("--drop 'a b' removes it", 'drop="a b" removes it'),
        (
            "--keep a,b leaves the rows out, --missing mean fills",
            'keep="a,b" leaves the rows out, missing="mean" fills',
        ),
        ("leave it out with --drop.", "leave it out with drop."),
        ("a--b and 3 --- 4", "a--b and 3 --- 4"),
    ],
)
def test_flags_are_keywords(text, expected):
    assert Wording().text(text) == expected


def test_frames(results):
    pandas = pytest.importorskip("pandas")
    trials = results["diagnosis"].to_frame()
    assert list(trials.id) == [item.id for item in results["diagnosis"].prescriptions]
    assert len(results["diagnosis"].to_frame("findings")) == len(results["diagnosis"].findings)
    values = results["spectrum"].to_frame()
    assert list(values.value) == [*results["spectrum"].largest, *results["spectrum"].smallest]
    assert results["spectrum"].to_frame("density").weight.sum() == pytest.approx(1)
    course = results["training"].to_frame()
    assert list(course["pass"]) == [0, 1, 2, 3, 4] and course.training_loss.is_monotonic_decreasing
    assert list(results["sweep"].to_frame().rate) == [item.rate for item in results["sweep"].rates]
    assert results["lab"].to_frame().is_passed.all() and results["lab"].is_passed
    assert isinstance(results["network"].to_frame("layers"), pandas.DataFrame)
    with pytest.raises(eigenstep.errors.UsageError, match="choose one of trials"):
        results["diagnosis"].to_frame("trial")
    nothing = eigenstep.diagnose(X, Y, trials=False)
    assert list(nothing.to_frame("layers").columns)[0] == "layer"


class Checker(HTMLParser):
    """Whether every element is closed, and which there are."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_pages_are_whole_and_escaped(results):
    for name, result in results.items():
        page, checker = result._repr_html_(), Checker()
        checker.feed(page)
        assert checker.open == [] and {"table", "details", "pre"} <= checker.seen
        assert ("svg" in checker.seen) == (name != "lab")
    marked = eigenstep.diagnose(
        {"<script>alert(1)</script>": X[:, 3], "a & b": X[:, 0], "y": Y}, target="y", trials=False
    )
    assert "<script>" not in marked._repr_html_() and "&lt;script&gt;" in marked._repr_html_()


def test_figures(results):
    graphs = pytest.importorskip("plotly.graph_objects")
    for name in ("diagnosis", "spectrum", "training", "sweep"):
        assert isinstance(results[name].figure(), graphs.Figure)
    figure = results["sweep"].figure()
    assert figure.layout.xaxis.type == "log"
    np.testing.assert_array_equal(figure.data[0].x, [item.rate for item in results["sweep"].rates])
    with pytest.raises(eigenstep.errors.UsageError, match="nothing to draw"):
        results["lab"].figure()


@pytest.mark.parametrize(
    ("package", "call"),
    [("pandas", lambda result: result.to_frame()), ("plotly", lambda result: result.figure())],
)
def test_what_is_not_installed_is_said(results, monkeypatch, package, call):
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(eigenstep.errors.UnavailableError, match=f"pip install {package}"):
        call(results["sweep"])


def test_results_of_operators(results):
    matrix = np.diag([5.0, 3, 1, -2])
    pairs = eigenstep.eigenpairs(matrix, count=2, which="both")
    assert list(pairs.to_frame().value) == pytest.approx([5, 3, -2, 1])
    assert eigenstep.density(matrix).to_frame().weight.sum() == pytest.approx(1)
    assert "<svg" in pairs._repr_html_() and pickle.loads(pickle.dumps(pairs)).values == pytest.approx(
        pairs.values
    )
    with pytest.raises(eigenstep.errors.UsageError, match="no table"):
        eigenstep.trace(matrix).to_frame()


def test_results_outlive_copies_and_processes(results):
    for result in results.values():
        again = pickle.loads(pickle.dumps(result))
        assert again.to_dict() == result.to_dict() and again.text(80) == result.text(80)
        assert copy.deepcopy(result).text(70) == result.text(70)
    again = pickle.loads(pickle.dumps(results["spectrum"]))
    assert again.largest[0].residual == results["spectrum"].largest[0].residual


def test_keywords_are_typed_and_documented():
    for function in (eigenstep.diagnose, eigenstep.spectrum, eigenstep.train, eigenstep.sweep):
        name = function.__name__
        options = set(_options.options_of(name))
        typed = set(typing.get_type_hints(getattr(_keywords, f"{name.capitalize()}Keywords")))
        assert typed - {"y"} == options
        assert options < set(inspect.signature(function).parameters)
        assert all(f"    {option}\n" in function.__doc__ for option in options)


def test_labs():
    labs = eigenstep.labs.labs()
    assert [lab.name for lab in labs] == eigenstep.labs.names() and "bowls" in eigenstep.labs.names()
    found = labs[0].run(small=True, largest=5)
    assert found.parameters["largest"] == 5 and found.setting == "small" and found.is_passed
    # Steps of descent at 2 / (k + 1) from (1, 1), until the gradient is short.
    for row in found.values["rows"]:
        k, x, steps = row["conditionNumber"], np.ones(2), 0
        while True:
            gradient = np.array([k, 1]) * x
            steps += 1
            if np.linalg.norm(gradient) < found.parameters["tolerance"]:
                break
            x = x - 2 / (k + 1) * gradient
        assert row["iterations"] == steps
    with pytest.raises(eigenstep.errors.UsageError, match="did you mean bowls"):
        eigenstep.labs.run("bowl")
    with pytest.raises(eigenstep.errors.UsageError, match="no parameter 'x'"):
        eigenstep.labs.run("bowls", x=1)
