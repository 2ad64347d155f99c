"""What a function is given to measure, as the arrays of a file that the library holds."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Mapping

import numpy as np

from .errors import DataError, UsageError

_MODEL, _NO_MODEL = ".onnx", (".pt", ".pth", ".pkl", ".keras", ".h5", ".pb", ".tflite", ".joblib")
_ARRAYS = (".npz", ".npy", ".safetensors")


@dataclass
class Given:
    """A table or a model file.

    Attributes
    ----------
    kind
        ``table`` or ``model``.
    file
        The path, or ``memory:`` with the name of what is in memory.
    target
        The column to predict where the data say it by themselves.
    arrays
        Columns, by the name of the file and their own.
    options
        What the data bring along beside what the user sets.
    """

    kind: str
    file: str
    target: str | None = None
    arrays: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.file.removeprefix("memory:")


def given(data: Any, more: tuple[Any, ...], target: str | None) -> Given:
    """Tells what the arguments of a function are."""
    if isinstance(data, (str, os.PathLike)):
        if more:
            raise UsageError(
                f"{data!r} is a file; its target is a column: give target='NAME' in place of an array."
            )
        return _file(os.fspath(data))  # type: ignore[arg-type]
    if hasattr(data, "named_parameters"):
        raise UsageError(
            f"The {type(data).__name__} is a module of PyTorch: eigenstep.torch.diagnose(model, loss_fn, batch) "
            "measures it where it lies, and so does eigenstep.torch.spectrum."
        )
    if _is_estimator(data):
        from ._sklearn import fitted

        return fitted(data, more, target)
    if len(more) > 1:
        raise UsageError(
            f"{len(more) + 1} positional arguments are too many: give X and y, or a fitted estimator, X and y."
        )
    return table("X, y" if more else _frame_name(data), data, more[0] if more else None, target)


def table(name: str, X: Any, y: Any = None, target: str | None = None) -> Given:
    """A table of columns in memory; without ``y`` the target is one of them."""
    X, y = (part.detach().cpu().numpy() if hasattr(part, "detach") else part for part in (X, y))
    columns = _columns(X, "X" if y is not None else name)
    if y is None:
        return Given("table", f"memory:{name}", target, _arrays(name, columns))
    _check_order(X, y)
    values = _target(y)
    own = target or _series_name(y)
    label = (
        own
        if own is not None and own not in columns
        else next(word for word in ("y", "target", "target y", "the target y") if word not in columns)
    )
    if target is not None and label != target:
        raise UsageError(
            f"X has a column {target!r} too, so that the target cannot be called so; leave target out."
        )
    if not columns:
        raise DataError("X has no columns; give one feature or more.")
    count = len(next(iter(columns.values())))
    if len(values) != count:
        raise DataError(f"X has {count} rows, and y {len(values)}; give as many of both.")
    return Given("table", f"memory:{name}", label, _arrays(name, {**columns, label: values}))


def _arrays(name: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{name}/{column}": values for column, values in columns.items()}


def _file(path: str) -> Given:
    lower = path.lower()
    if lower.endswith(_NO_MODEL):
        raise UsageError(
            f"{path} is neither a table nor an ONNX model; export the model to ONNX (in PyTorch: "
            "torch.onnx.export), or use eigenstep.torch in the program that has it."
        )
    if lower.endswith(_ARRAYS):
        raise UsageError(
            f"{path} holds arrays and no table: read it and give them, as X and y, or give a model (ONNX) with "
            f"data={path!r}."
        )
    return Given("model" if _is_model(path) else "table", path)


def _is_model(path: str) -> bool:
    """By its name or its first bytes, which are the version of the format."""
    if path.lower().endswith(_MODEL):
        return True
    if path.lower().endswith(".csv") or not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            start = file.read(2)
    except OSError:
        return False
    return len(start) == 2 and start[0] == 8 and 1 <= start[1] <= 30


def _is_estimator(data: Any) -> bool:
    return hasattr(data, "fit") and hasattr(data, "get_params")


def _frame_name(data: Any) -> str:
    return "df" if _is_frame(data) else "data"


def _is_frame(data: Any) -> bool:
    return hasattr(data, "columns") and hasattr(data, "__getitem__")


def _is_series(data: Any) -> bool:
    return hasattr(data, "dtype") and hasattr(data, "name") and not hasattr(data, "columns")


def _series_name(data: Any) -> str | None:
    name = getattr(data, "name", None) if _is_series(data) else None
    if name is None and _is_frame(data) and len(data.columns) == 1:
        name = data.columns[0]
    return None if name is None or str(name) == "" else str(name)


def _columns(data: Any, name: str) -> dict[str, Any]:
    """Columns by name, in order."""
    if isinstance(data, Mapping) or _is_frame(data):
        labels = list(data) if isinstance(data, Mapping) else list(data.columns)
        words = [str(label) for label in labels]
        twice = next((word for index, word in enumerate(words) if word in words[:index]), None)
        if twice is not None:
            raise DataError(f"Two columns of {name} are called {twice!r}; rename one.")
        if isinstance(data, Mapping) or len(set(map(type, labels))) > 1 or not hasattr(data, "iloc"):
            return {word: _column(word, data[label]) for word, label in zip(words, labels)}
        return {word: _column(word, data.iloc[:, index]) for index, word in enumerate(words)}
    if _is_series(data):
        return {_series_name(data) or name: _column(name, data)}
    array = _array(name, data)
    if array.dtype.names:
        return {word: _column(word, array[word]) for word in array.dtype.names}
    if array.ndim == 1:
        return {"x0": _column(name, array)}
    if array.ndim != 2:
        raise DataError(
            f"{name} has the shape {array.shape}, and a table has samples by features; reshape it, as "
            f"{name}.reshape(len({name}), -1)."
        )
    return {f"x{index}": _column(f"x{index}", array[:, index]) for index in range(array.shape[1])}


def _array(name: str, data: Any) -> np.ndarray:
    if hasattr(data, "toarray"):
        data = data.toarray()
    if hasattr(data, "detach"):
        data = data.detach().cpu()
    if isinstance(data, np.ma.MaskedArray):
        data = data.astype(float).filled(np.nan) if data.dtype.kind in "biuf" else data.astype(object).filled(None)
    try:
        array = np.asarray(data)
    except ValueError:
        raise DataError(
            f"The rows of {name} are of different lengths; give as many numbers in each."
        ) from None
    if (
        array.dtype == object
        and array.ndim == 1
        and any(isinstance(row, (list, tuple, np.ndarray)) for row in array)
    ):
        raise DataError(f"The rows of {name} are of different lengths; give as many numbers in each.")
    if array.ndim == 0:
        raise UsageError(f"{name} is {data!r}; give an array, a frame, a path or a fitted estimator.")
    return array


def _column(name: str, values: Any) -> np.ndarray:
    """Numbers, or words with None where one is missing."""
    kind = getattr(values, "dtype", None)
    if kind is not None and not isinstance(kind, np.dtype):
        values = _of_extension(values)
    array = _array(name, values)
    if array.ndim != 1:
        raise DataError(f"The column {name!r} has the shape {array.shape}; give one value per row.")
    if array.dtype.kind == "O":
        return _of_objects(name, array)
    if array.dtype.kind in "SU":
        return array.astype(object)
    if array.dtype.kind in "mM":
        return np.array([None if np.isnat(value) else str(value) for value in array], dtype=object)
    if array.dtype.kind == "c":
        raise DataError(f"The column {name!r} holds complex numbers; give its real and imaginary parts.")
    return array


def _of_extension(values: Any) -> Any:
    """A column of a type of pandas' own (nullable, categorical, of words, with a zone), or of another library's."""
    if not hasattr(values, "astype"):
        return values.to_numpy() if hasattr(values, "to_numpy") else values
    if hasattr(values, "cat"):
        values = values.astype(values.cat.categories.dtype)
    kind = str(getattr(values, "dtype", ""))
    if kind.lower().startswith(("int", "uint", "float", "boolean", "bool", "double")):
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(values.astype(object), dtype=object)


def _of_objects(name: str, array: np.ndarray) -> np.ndarray:
    missing = [_is_missing(value) for value in array]
    if all(lost or isinstance(value, (int, float, np.number, bool, Decimal)) for value, lost in zip(array, missing)):
        return np.array([np.nan if lost else float(value) for value, lost in zip(array, missing)])
    if any(isinstance(value, (list, tuple, dict, np.ndarray)) for value in array):
        raise DataError(f"The column {name!r} holds lists; give one value per row.")
    return np.array([None if lost else str(value) for value, lost in zip(array, missing)], dtype=object)


def _is_missing(value: Any) -> bool:
    return (
        value is None
        or isinstance(value, (float, np.floating))
        and bool(np.isnan(value))
        or type(value).__name__ in ("NAType", "NaTType")
    )


def _target(y: Any) -> np.ndarray:
    """A target; truth values and words are classes."""
    if _is_frame(y):
        if len(y.columns) != 1:
            raise DataError(_one_target(len(y.columns)))
        y = y[y.columns[0]]
    kind = getattr(y, "dtype", None)
    values = y if kind is not None and not isinstance(kind, np.dtype) else _array("y", y)
    if getattr(values, "ndim", 1) == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if getattr(values, "ndim", 1) != 1:
        count = values.shape[1] if values.ndim == 2 else None
        raise DataError(
            _one_target(count)
            if count is not None
            else f"y has the shape {values.shape}; give one value per row."
        )
    is_categorical = hasattr(values, "cat") and hasattr(values, "astype")
    column = _column("y", values)
    if column.dtype.kind == "b" or is_categorical and column.dtype.kind in "iuf":
        lost = column != column
        return np.array([None if gone else _word(value) for value, gone in zip(column, lost)], dtype=object)
    return column


def _word(value: Any) -> str:
    value = value.item() if isinstance(value, np.generic) else value
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _one_target(count: int) -> str:
    return (
        f"y has {count} columns, and a table has one target; of one-hot classes give y.argmax(axis=1), else one "
        "column at a time."
    )


def _check_order(X: Any, y: Any) -> None:
    """Refuses a frame and a series with the same rows in another order, which would go together wrongly."""
    own, other = getattr(X, "index", None), getattr(y, "index", None)
    if (
        own is None
        or other is None
        or not hasattr(own, "equals")
        or len(own) != len(other)
        or own.equals(other)
    ):
        return
    if set(own) == set(other):
        raise DataError("The rows of y are in another order than those of X: give y.loc[X.index].")
