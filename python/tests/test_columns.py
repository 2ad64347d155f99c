"""Columns and targets of whatever kind a program has them in."""

from __future__ import annotations

import numpy as np
import pytest
from program import ROOT

import eigenstep

pandas = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def wine() -> "pandas.DataFrame":
    return pandas.read_csv(ROOT / "Examples/wine.csv")


@pytest.fixture()
def regression() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    X = random.normal(size=(60, 3)) * [1, 10, 100]
    return X, X @ [1.0, -2.0, 0.5] + random.normal(size=60)


def test_columns_of_pandas_own_types(tmp_path):
    random = np.random.default_rng(5)
    count = 80
    frame = pandas.DataFrame(
        {
            "plain": random.normal(size=count),
            "nullable": pandas.array(
                [None if index % 20 == 0 else index % 7 for index in range(count)], dtype="Int64"
            ),
            "colour": pandas.Categorical(random.choice(["red", "green", "blue"], size=count)),
            "word": random.choice(["yes", "no"], size=count),
            "flag": random.random(count) > 0.5,
            "when": pandas.date_range("2026-01-01", periods=count),
            "mixed": [None if index == 3 else index / 3 for index in range(count)],
        }
    )
    frame["label"] = random.choice(["cat", "dog"], size=count)
    found = eigenstep.diagnose(frame, target="label", trials=False, missing="mean")
    assert found.problem.model == "softmax"
    readings = {reading.id: reading for reading in found.problem.readings}
    assert readings["dates-left-out"].names == ("when",)
    # plain, nullable, mixed; of three colours, of yes and no, of the flag.
    assert found.problem.features >= 6
    one = eigenstep.diagnose(frame[["plain", "flag"]], frame["label"] == "cat", trials=False)
    assert one.problem.model == "softmax" and one.problem.loss_name == "cross-entropy"


@pytest.mark.parametrize(
    "name",
    ["a/b", "x.columns", 'say "so"', "größe, m²", "it's", "two  words", "memory:x", "0", "-1", "tab\tname"],
)
def test_columns_of_any_name(regression, name):
    X, y = regression
    words = np.where(X[:, 0] > 0, "up", "down")
    plain = eigenstep.diagnose({"p": X[:, 1], "q": words, "y": y}, target="y", trials=False)
    found = eigenstep.diagnose({"p": X[:, 1], name: words, "y": y}, target="y", trials=False)
    assert found.problem.gradient_norm == plain.problem.gradient_norm
    other = eigenstep.diagnose({name: X[:, 1], "q": words, "y": y}, target="y", trials=False, keep=[name])
    assert other.problem.gradient_norm == plain.problem.gradient_norm
    dropped = eigenstep.diagnose({name: X[:, 1], "q": words, "y": y}, target="y", trials=False, drop=[name])
    assert dropped.problem.features == plain.problem.features - 1
    predicted = eigenstep.diagnose({"p": X[:, 1], "q": words, name: y}, target=name, trials=False)
    assert predicted.problem.gradient_norm == plain.problem.gradient_norm


def test_a_held_out_frame_has_its_target(wine):
    found = eigenstep.train(
        wine.iloc[::2], target="class", held_out=wine.iloc[1::2], lr=0.5, steps=20, standardise=True
    )
    assert found.held_out.samples == 89 and found.held_out.after.accuracy > 0.9


def test_many_columns_and_kinds_of_numbers():
    random = np.random.default_rng(8)
    X = random.integers(0, 200, size=(300, 64))
    y = random.integers(0, 10, size=300)
    wanted = eigenstep.spectrum(X.astype(float), y, count=1, which="largest", model="softmax").largest[0]
    for kind in (np.uint8, np.int16, np.uint64, np.float32, object):
        found = eigenstep.spectrum(X.astype(kind), y, count=1, which="largest", model="softmax").largest[0]
        assert found == wanted


def test_arrays_of_other_libraries(regression, wine, tmp_path):
    X, y = regression
    wanted = eigenstep.diagnose(X, y, trials=False)
    sparse = pytest.importorskip("scipy.sparse")
    assert eigenstep.diagnose(sparse.csr_matrix(X), y, trials=False).problem == wanted.problem
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"x0": X[:, 0], "x1": X[:, 1], "x2": X[:, 2]})
    found = eigenstep.diagnose(frame, polars.Series("y", y), trials=False)
    assert found.problem == wanted.problem
    of_wine = eigenstep.diagnose(polars.DataFrame(wine.to_dict("list")), target="class", trials=False)
    assert (
        of_wine.problem.gradient_norm
        == eigenstep.diagnose(wine, target="class", trials=False).problem.gradient_norm
    )
    words = polars.DataFrame(
        {"w": ["a", None, "b", "a"] * 5, "v": [1.0, 2.0, None, 4.0] * 5, "y": [0.5, 1, 2, 3] * 5}
    )
    told = eigenstep.diagnose(words, target="y", trials=False, missing="mean")
    assert any('keep="w" leaves the rows out' in reading.sentence for reading in told.problem.readings)


def test_classes_by_words_by_numbers_and_by_truth_values():
    random = np.random.default_rng(6)
    X = random.normal(size=(40, 2))
    truth = X[:, 0] + random.normal(size=40) > 0
    reports = [
        eigenstep.diagnose(X, y, model="logistic", trials=False)
        for y in (
            truth,
            truth.astype(int),
            np.where(truth, "b", "a"),
            pandas.Series(truth).astype("category"),
        )
    ]
    assert len({found.largest_eigenvalue for found in reports}) == 1
    assert len({found.problem.gradient_norm for found in reports}) == 1


def test_masked_entries_are_missing() -> None:
    generator = np.random.default_rng(0)
    x = np.ma.masked_array(generator.normal(size=(40, 2)), mask=False)
    y = x.data @ [1.0, 2.0]
    x[3, 0] = 1e6
    x[3, 0] = np.ma.masked
    plain = np.delete(x.data, 3, axis=0)
    found = eigenstep.spectrum(x, y, model="linear")
    wanted = eigenstep.spectrum(plain, np.delete(y, 3), model="linear")
    assert found.largest[0] == pytest.approx(wanted.largest[0], rel=1e-6)


def test_decimals_are_numbers() -> None:
    from decimal import Decimal

    values = np.random.default_rng(1).normal(size=30)
    frame = {"a": [Decimal(str(value)) for value in values], "b": values**2}
    assert eigenstep.spectrum(frame, target="b", model="linear").largest
