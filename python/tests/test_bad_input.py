"""Wrong but honest use: one sentence with the offending name and the next step."""

from __future__ import annotations

import re

import numpy as np
import pytest

import eigenstep
from eigenstep.errors import DataError, EigenstepError, MissingFileError, UsageError

random = np.random.default_rng(0)
X, y = random.normal(size=(30, 3)), random.normal(size=30)


def sentence(kind: type[EigenstepError], function, *data, **options) -> str:
    with pytest.raises(kind) as raised:
        function(*data, **options)
    text = str(raised.value)
    assert text.endswith((".", "?")) and "\n" not in text and "memory:" not in text
    return text


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ((X[:4], y), "X has 4 rows, and y 30"),
        ((X[:0], y[:0]), "no rows"),
        ((X[:, :0], y), "X has no columns"),
        ((np.where(X > 2, np.inf, X) * np.inf, y), "`x0`"),
        ((X, np.column_stack([y, y])), "y has 2 columns"),
        ((X.reshape(30, 3, 1), y), "X has the shape (30, 3, 1)"),
        (([[1, 2], [3]], [1, 2]), "different lengths"),
        ((X + 1j, y), "complex"),
        ((X, np.full(30, np.nan)), "y"),
        ((X, np.full(30, np.inf)), "`y`"),
    ],
)
def test_data(data, part):
    assert part in sentence(DataError, eigenstep.diagnose, *data)


def test_missing_numbers_are_rows_left_out_and_told():
    holed = X.copy()
    holed[3, 1] = np.nan
    found = eigenstep.diagnose(holed, y, trials=False)
    assert found.problem.samples == 29
    assert any(reading.id == "rows-left-out" for reading in found.problem.readings)
    text = sentence(DataError, eigenstep.diagnose, holed, y, missing="refuse")
    assert "`x1`" in text and "row 3 (counted from 0)" in text


def test_a_huge_number_is_told():
    huge = X.copy()
    huge[0, 0] = 1e300
    try:
        found = eigenstep.diagnose(huge, y, trials=False)
    except DataError as error:
        assert "finite" in str(error) or "large" in str(error)
    else:
        assert found.finding("non-finite") is not None


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"learning_rate": 0.1}, ["did you mean lr?"]),
        ({"optimiser": "adam"}, ["did you mean optimizer?"]),
        ({"epochs": 3}, ["diagnose takes no epochs", "train"]),
        ({"lr": -1}, ["lr is -1", "above 0"]),
        ({"lr": float("nan")}, ["lr is nan", "finite"]),
        ({"lr": "fast"}, ["lr has a value", "number"]),
        ({"lr": [1, 2]}, ["lr is [1, 2]"]),
        ({"optimizer": "adm"}, ["did you mean adam?"]),
        ({"optimizer": "adam:beta3=1"}, ["beta3"]),
        ({"optimizer": "adam:beta2"}, ["'beta2'", "no name and number"]),
        ({"optimizer": {"beta2": 0.9}}, ["no name"]),
        ({"momentum": 0.9}, ["momentum"]),
        ({"model": "softmx"}, ["softmx", "softmax"]),
        ({"model": "linear", "loss": "cross-entropy"}, ['loss="cross-entropy"', 'model="softmax"']),
        ({"hidden": (0,)}, ["hidden is (0,)"]),
        ({"model": "linear", "hidden": (4,)}, ["hidden", "mlp"]),
        ({"drop": "x7"}, ["`x7`", "x0, x1, x2"]),
        ({"at": 3}, ["at is 3, which needs lr"]),
        ({"sampling": "shuffle"}, ["sampling is shuffle, which needs batch"]),
        ({"batch": 31, "lr": 0.1}, ["batch=31"]),
        ({"threads": 100_000}, ["threads is 100000"]),
        ({"memory": "much"}, ["memory is 'much'"]),
        ({"data": "x.npz"}, ["data is for model files"]),
        ({"missing": "ignore"}, ["missing is 'ignore'", "leave-out"]),
        ({"effort": 0}, ["effort is 0"]),
        ({"start": {"weights": np.zeros((2, 1)), "bias": np.zeros(1)}}, ["'weights'", "[2, 1]", "[3, 1]"]),
        ({"start": {"weights": np.zeros((3, 1))}}, ["'bias'"]),
        ({"start": 3}, ["start is 3"]),
    ],
)
def test_options(options, parts):
    text = sentence(EigenstepError, eigenstep.diagnose, X, y, **options)
    for part in parts:
        assert part in text, text
    assert not re.search(r"--[a-z]|training\.|problem\.", text), text


def test_of_other_functions():
    assert "give it, or `epochs`" in sentence(UsageError, eigenstep.train, X, y, lr=0.1)
    assert "lr is missing" in sentence(UsageError, eigenstep.train, X, y, steps=3)
    assert "batch" in sentence(UsageError, eigenstep.train, X, y, lr=0.1, steps=3, accumulate=2)
    assert "(1e-4, 10, 64)" in sentence(UsageError, eigenstep.sweep, X, y)
    assert "(1e-4, 10, 64)" in sentence(UsageError, eigenstep.sweep, X, y, lr=0.1)
    assert "upper rate of lr" in sentence(UsageError, eigenstep.sweep, X, y, lr=(1, 0.1), steps=3)
    assert "density" in sentence(UsageError, eigenstep.spectrum, X, y, error=0.1)
    assert "count is 0" in sentence(UsageError, eigenstep.spectrum, X, y, count=0)
    assert "head.*" in sentence(UsageError, eigenstep.train, X, y, lr=0.1, steps=1, rate="head")


def test_of_files_and_frames(tmp_path):
    assert "nowhere.csv" in sentence(MissingFileError, eigenstep.diagnose, "nowhere.csv")
    assert "torch.onnx.export" in sentence(UsageError, eigenstep.diagnose, "model.pt")
    assert "data='d.npz'" in sentence(UsageError, eigenstep.diagnose, "d.npz")
    assert "target='NAME'" in sentence(UsageError, eigenstep.diagnose, "d.csv", y)
    assert "give an array" in sentence(UsageError, eigenstep.diagnose, 3)
    columns = {"a": X[:, 0], "b": X[:, 1], "price": y}
    assert "a, b, price" in sentence(DataError, eigenstep.diagnose, columns)
    assert "did you mean `price`?" in sentence(DataError, eigenstep.diagnose, columns, target="prise")


def test_pandas_with_rows_in_another_order():
    pandas = pytest.importorskip("pandas")
    frame, series = pandas.DataFrame(X), pandas.Series(y).sample(frac=1, random_state=0)
    assert "y.loc[X.index]" in sentence(DataError, eigenstep.diagnose, frame, series)
    found = eigenstep.diagnose(frame, series.loc[frame.index], trials=False)
    assert found.problem.gradient_norm == eigenstep.diagnose(X, y, trials=False).problem.gradient_norm
    twice = pandas.DataFrame(X, columns=["a", "a", "b"])
    assert "'a'" in sentence(DataError, eigenstep.diagnose, twice, y)
