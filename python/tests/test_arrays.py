"""Functions on arrays and frames against the command on the same table in a file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from program import ROOT, differences, report

import eigenstep

pandas = pytest.importorskip("pandas")
WINE = ROOT / "Examples/wine.csv"


@pytest.fixture(scope="module")
def wine() -> "pandas.DataFrame":
    return pandas.read_csv(WINE)


@pytest.fixture()
def regression() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    X = random.normal(size=(60, 3)) * [1, 10, 100]
    return X, X @ [1.0, -2.0, 0.5] + random.normal(size=60)


def write(path: Path, X: np.ndarray, y: np.ndarray) -> Path:
    frame = pandas.DataFrame(X, columns=[f"x{index}" for index in range(X.shape[1])])
    frame["y"] = y
    frame.to_csv(path, index=False, float_format="%.17g")
    return path


def test_a_frame_has_the_command_s_diagnosis(wine):
    of_command = report("diagnose", WINE, "--target", "class", "--lr", "0.1", "--l2", "1e-3", "--no-trials")
    found = eigenstep.diagnose(wine, target="class", lr=0.1, l2=1e-3, trials=False)
    assert differences(found.to_dict(), of_command) == []
    assert found.finding("ill-conditioned-feature-scales") is not None


def test_arrays_have_the_command_s_diagnosis(regression, tmp_path):
    X, y = regression
    file = write(tmp_path / "table.csv", X, y)
    of_command = report(
        "diagnose",
        file,
        "--target",
        "y",
        "--lr",
        "1e-5",
        "--optimizer",
        "momentum:momentum=0.8",
        "--no-trials",
    )
    for problem in [(X, y), (X.tolist(), y.tolist()), (np.asfortranarray(X), y.astype(">f8"))]:
        found = eigenstep.diagnose(*problem, lr=1e-5, optimizer="momentum:momentum=0.8", trials=False)
        assert differences(found.to_dict(), of_command) == []
    of_file = eigenstep.diagnose(
        file, target="y", lr=1e-5, optimizer={"name": "momentum", "momentum": 0.8}, trials=False
    )
    assert differences(of_file.to_dict(), of_command) == []


@pytest.mark.parametrize("words", [[], ["--batch", "16"]])
def test_trials_are_the_command_s(regression, tmp_path, words):
    X, y = regression
    file = write(tmp_path / "table.csv", X[:, :2], y)
    of_command = report(
        "diagnose", file, "--target", "y", "--lr", "1e-3", "--max-iterations", "300", *words
    )
    options = {"batch": 16} if words else {}
    found = eigenstep.diagnose(X[:, :2], y, lr=1e-3, max_iterations=300, **options)
    assert differences(found.to_dict(), of_command) == []
    assert len([item for item in found.prescriptions if item.measured is not None]) > 5
    assert (found.mini_batches is None) == (not words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"model": "mlp", "hidden": (6, 4), "activation": "relu", "seed": 3},
            ["--model", "mlp:6,4:relu", "--seed", "3"],
        ),
        ({"intercept": False, "reduction": "sum"}, ["--no-intercept", "--reduction", "sum"]),
        (
            {"drop": ["x1"], "optimizer": "adam", "beta2": 0.99, "lr": 0.01, "at": 5},
            ["--drop", "x1", "--optimizer", "adam", "--beta2", "0.99", "--lr", "0.01", "--at", "5"],
        ),
        (
            {"features": "x0,x2", "standardise": True, "weight_decay": 0.1},
            ["--features", "x0,x2", "--standardise", "--weight-decay", "0.1"],
        ),
        (
            {"optimizer": "adam", "weight_decay": 0.1, "lr": 1e-3},
            ["--optimizer", "adam", "--weight-decay", "0.1", "--lr", "1e-3"],
        ),
        (
            {"precision": np.float32, "tolerance": 1e-4, "effort": 0.5, "memory": "512MiB"},
            ["--precision", "float32", "--tolerance", "1e-4", "--effort", "0.5", "--memory", "512MiB"],
        ),
    ],
)
def test_keywords_mean_what_the_options_do(regression, tmp_path, options, words):
    X, y = regression
    of_command = report("diagnose", write(tmp_path / "t.csv", X, y), "--target", "y", "--no-trials", *words)
    found = eigenstep.diagnose(X, y, trials=False, **options)
    assert differences(found.to_dict(), of_command) == []
    # What was asked for is the same but for the file.
    asked, said = found.to_dict()["request"], of_command["request"]
    for request in (asked, said):
        del request["problem"]["table"]["file"]
    assert asked == said


def test_a_spectrum_is_the_command_s(wine):
    of_command = report(
        "spectrum",
        WINE,
        "--target",
        "class",
        "--count",
        "3",
        "--density",
        "--trace",
        "--per-layer",
        "--intervals",
        "--operator",
        "gauss-newton",
    )
    found = eigenstep.spectrum(
        wine,
        target="class",
        count=3,
        density=True,
        trace=True,
        per_layer=True,
        intervals=True,
        operator="gauss-newton",
    )
    assert differences(found.to_dict(), of_command) == []


def test_eigenvalues_are_those_of_least_squares(regression):
    X, y = regression
    design = np.column_stack([X, np.ones(len(X))])
    expected = np.sort(np.linalg.eigvalsh(design.T @ design / len(X)))
    found = eigenstep.spectrum(X, y, model="linear", count=2, diagonal=True)
    np.testing.assert_allclose(found.largest, expected[::-1][:2], rtol=1e-9)
    np.testing.assert_allclose(found.smallest, expected[:2], rtol=1e-7)
    np.testing.assert_allclose(found.diagonal_entries, np.diag(design.T @ design / len(X)), rtol=1e-12)
    assert all(pair.residual <= 1e-8 * expected[-1] and pair.is_converged for pair in found.largest)


def test_a_training_is_the_command_s(wine):
    options = [
        "--optimizer",
        "adam",
        "--lr",
        "0.05",
        "--epochs",
        "5",
        "--batch",
        "32",
        "--standardise",
        "--held-out",
        "0.25",
        "--track",
        "sharpness",
        "--schedule",
        "cosine",
        "--clip-norm",
        "1",
        "--guard",
        "warn",
    ]
    of_command = report("train", WINE, "--target", "class", *options)
    found = eigenstep.train(
        wine,
        target="class",
        optimizer="adam",
        lr=0.05,
        epochs=5,
        batch=32,
        standardise=True,
        held_out=0.25,
        track="sharpness",
        schedule="cosine",
        clip_norm=1,
        guard="warn",
    )
    assert differences(found.to_dict(), of_command) == []
    assert found.after.loss < found.before.loss
    assert {name: array.shape for name, array in found.parameters.items()} == {
        "weights": (13, 3),
        "bias": (3,),
    }
    assert set(found.parameters_of_given_columns) == {"weights", "bias"}


def test_trained_parameters_have_the_loss_that_is_told(regression):
    X, y = regression
    found = eigenstep.train(X, y, lr=0.5, steps=50, standardise=True, model="linear")
    weights, bias = found.parameters_of_given_columns["weights"], found.parameters_of_given_columns["bias"]
    errors = X @ weights[:, 0] + bias - y
    assert np.mean(errors**2) / 2 == pytest.approx(found.after.loss, rel=1e-9)


def test_held_out_arrays_are_those_of_a_file(regression, tmp_path):
    X, y = regression
    file, other = write(tmp_path / "a.csv", X[:40], y[:40]), write(tmp_path / "b.csv", X[40:], y[40:])
    of_command = report(
        "train", file, "--target", "y", "--lr", "1e-5", "--steps", "20", "--held-out", other
    )
    found = eigenstep.train(X[:40], y[:40], lr=1e-5, steps=20, held_out=(X[40:], y[40:]))
    assert differences(found.to_dict(), of_command) == []
    assert found.held_out.samples == 20


def test_a_sweep_is_the_command_s(wine):
    of_command = report(
        "sweep",
        WINE,
        "--target",
        "class",
        "--lr",
        "1e-3:10:8",
        "--steps",
        "20",
        "--standardise",
        "--range-test",
    )
    found = eigenstep.sweep(
        wine, target="class", lr=(1e-3, 10, 8), steps=20, standardise=True, range_test=True
    )
    assert differences(found.to_dict(), of_command) == []
    same = eigenstep.sweep(wine, target="class", lr="1e-3:10:8", steps=20, standardise=True)
    assert [rate.mean for rate in same.rates] == [rate.mean for rate in found.rates]


def test_a_model_file_takes_arrays_for_its_data():
    digits = np.load(ROOT / "Examples/digits.npz")
    arrays = {name: digits[name] for name in digits.files}
    model = ROOT / "Examples/digits.onnx"
    options = {"loss": "cross-entropy", "count": 2, "which": "largest", "samples": 64}
    of_file = eigenstep.spectrum(model, data=ROOT / "Examples/digits.npz", **options)
    of_arrays = eigenstep.spectrum(model, data=arrays, **options)
    assert list(of_arrays.largest) == list(of_file.largest)
    assert of_arrays.problem.samples == 64


def test_words_name_columns_and_the_call_that_trains(regression):
    X, y = regression
    frame = pandas.DataFrame(X, columns=["age", "income", "debt"])
    found = eigenstep.diagnose(frame, pandas.Series(y, name="price"), lr=0.1)
    finding = found.finding("ill-conditioned-feature-scales")
    assert "debt" in finding.sentence and "age" in finding.sentence
    assert found.problem.target == "price" and found.problem.name == "X, y"
    assert "memory:" not in found.text() and "memory:" not in str(found.findings)
    assert found.command.startswith("eigenstep.train(X, y, standardise=True, ")
    assert found.command in found.text(60)
    # It does what it says.
    trained = eval(found.command, {"eigenstep": eigenstep, "X": frame, "y": y})  # noqa: S307
    action = found.advice.action
    assert trained.length.steps == action.figures.steps
    assert trained.after.loss == pytest.approx(action.figures.loss, rel=1e-6)


def test_the_call_for_a_frame_and_for_a_file(regression, tmp_path):
    file = write(tmp_path / "table.csv", *regression)
    frame, options = pandas.read_csv(file), {
        "lr": 0.1,
        "drop": ["x1"],
        "l2": 0.01,
        "target": "y",
        "seed": 2,
    }
    of_frame, of_file = eigenstep.diagnose(frame, **options), eigenstep.diagnose(str(file), **options)
    assert of_frame.command.startswith(
        'eigenstep.train(df, target="y", drop="x1", l2=0.01, standardise=True, '
    )
    assert of_file.command == of_frame.command.replace("train(df,", f'train("{file}",')
    assert not re.search(r"(?<!-)--[a-z]", of_file.text())
    trained = eval(of_file.command, {"eigenstep": eigenstep})  # noqa: S307
    assert trained.after.loss == pytest.approx(of_file.advice.action.figures.loss, rel=1e-6)
    # A training that goes wrong names the call that says why.
    lost = eigenstep.train(frame, target="y", lr=10.0, steps=50, drop="x1")
    assert any(
        '`eigenstep.diagnose(df, target="y", drop="x1", lr=10)`' in sentence for sentence in lost.next
    )


def test_progress_is_told():
    stages: list[str] = []
    random = np.random.default_rng(7)
    eigenstep.diagnose(
        random.normal(size=(50, 4)),
        random.normal(size=50),
        progress=lambda stage, share: stages.append(stage),
    )
    assert stages and all("memory:" not in stage for stage in stages)


def test_rates_of_groups_and_rates_of_entries(regression, tmp_path):
    X, y = regression
    options = {"lr": 1e-5, "steps": 10, "model": "linear"}
    file = write(tmp_path / "table.csv", X, y)
    of_command = report(
        "train", file, "--target", "y", "--model", "linear", "--lr", "1e-5", "--steps", "10", "--rate", "bias*=0.5x",
        "--rate", "weights=2e-5",
    )
    ways = [{"bias*": "0.5x", "weights": 2e-5}, ["bias*=0.5x", "weights=2e-5"]]
    for rate in ways:
        assert differences(eigenstep.train(X, y, rate=rate, **options).to_dict(), of_command) == []
    factors = {"weights": np.array([[1.0], [0.5], [0.0]]), "bias": np.array([1.0])}
    found = eigenstep.train(X, y, rate_file=factors, **options)
    assert found.parameters["weights"][2, 0] == 0 and found.parameters["weights"][0, 0] != 0
