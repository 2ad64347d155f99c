"""Fitted estimators of scikit-learn as the models that they are, at their fitted parameters.

The objective is the estimator's own, divided so that the losses of the samples are averaged: what ``fit``
minimises is a multiple of it, with the same minimum.
"""

from __future__ import annotations

import warnings
from typing import Any, Callable

import numpy as np

from ._data import Given, table
from .errors import DataError, UsageError

_KNOWN = (
    "LinearRegression, Ridge, LogisticRegression, SGDClassifier and SGDRegressor with a loss of logarithms or squares, "
    "MLPClassifier, MLPRegressor, and pipelines that end in one of them"
)


def fitted(estimator: Any, more: tuple[Any, ...], target: str | None) -> Given:
    """The estimator's model and start, with the data that its last step sees."""
    if len(more) != 2:
        raise UsageError("An estimator needs the data that it was fitted to: give the estimator, X and y.")
    X, y = more
    names = None
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps") and hasattr(estimator, "named_steps"):
            before, estimator = estimator[:-1], estimator.steps[-1][1]
            if len(before):
                X = before.transform(X)
                names = _names_out(before)
        else:
            break
    kind = next((base.__name__ for base in type(estimator).__mro__ if base.__name__ in _READERS), None)
    if kind is None or not type(estimator).__module__.startswith("sklearn.") and not _is_derived(estimator):
        raise UsageError(
            f"{type(estimator).__name__} is no estimator that can be measured; there are {_KNOWN}."
        )
    if not hasattr(estimator, "coef_") and not hasattr(estimator, "coefs_"):
        raise UsageError(f"The {type(estimator).__name__} is not fitted; call its fit(X, y) first.")
    columns, values = _matrix(estimator, X, names)
    found = _READERS[kind](estimator, np.asarray(y), len(values))
    result = table(
        type(estimator).__name__,
        dict(zip(columns, values.T)),
        _y(estimator, y, found.pop("classes", None)),
        target or getattr(y, "name", None) or "y",
    )
    start = found.pop("start")
    options: dict[str, Any] = {"keep": columns, "missing": "refuse", "start": start}
    result.options = {**options, **{name: value for name, value in found.items() if value is not None}}
    return result


def _is_derived(estimator: Any) -> bool:
    return any(base.__module__.startswith("sklearn.") for base in type(estimator).__mro__)


def _names_out(before: Any) -> list[str] | None:
    try:
        return [str(name) for name in before.get_feature_names_out()]
    except Exception:  # noqa: BLE001 - a step that has no names, of whatever library
        return None


def _matrix(estimator: Any, X: Any, names: list[str] | None) -> tuple[list[str], np.ndarray]:
    if names is None and hasattr(X, "columns"):
        names = [str(name) for name in X.columns]
    values = X.toarray() if hasattr(X, "toarray") else X
    try:
        values = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(
            f"{type(estimator).__name__} takes numbers, and X holds others; give what it was fitted to."
        ) from None
    if values.ndim != 2:
        raise DataError(f"X has the shape {values.shape}; give samples by features.")
    count = getattr(estimator, "n_features_in_", values.shape[1])
    if values.shape[1] != count:
        raise DataError(
            f"X has {values.shape[1]} columns, and the {type(estimator).__name__} was fitted to {count}; give those."
        )
    if names is None or len(names) != count or len(set(names)) != count:
        names = [f"x{index}" for index in range(count)]
    return names, values


def _y(estimator: Any, y: Any, classes: Any) -> Any:
    """Classes by their place among the estimator's, so that outputs are in its order."""
    if classes is None:
        values = np.asarray(y)
        return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    values = np.asarray(y).ravel()
    places = {label: index for index, label in enumerate(classes.tolist())}
    unknown = next((label for label in values.tolist() if label not in places), None)
    if unknown is not None:
        raise DataError(
            f"y holds {unknown!r}, which is no class of the {type(estimator).__name__}: it was fitted to "
            f"{', '.join(map(str, classes.tolist()[:20]))}."
        )
    absent = next((label for label in classes.tolist() if label not in set(values.tolist())), None)
    if absent is not None:
        raise DataError(
            f"y lacks the class {absent!r} that the {type(estimator).__name__} was fitted to; give rows of every "
            "class."
        )
    return np.array([places[label] for label in values.tolist()])


def _refuse(estimator: Any, reason: str) -> UsageError:
    return UsageError(f"The {type(estimator).__name__} {reason}")


def _no_weights(estimator: Any) -> None:
    if getattr(estimator, "class_weight", None) is not None:
        raise _refuse(
            estimator, "weighs classes (class_weight), which the loss here does not; fit it without."
        )


def _linear_start(estimator: Any, outputs: int) -> dict[str, np.ndarray]:
    coefficients = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
    if coefficients.shape[0] != outputs:
        raise _refuse(
            estimator, f"has {coefficients.shape[0]} outputs, and a table one target; fit one at a time."
        )
    start = {"weights": coefficients.T}
    if getattr(estimator, "fit_intercept", True):
        start["bias"] = np.broadcast_to(
            np.asarray(estimator.intercept_, dtype=np.float64), (outputs,)
        ).copy()
    return start


def _regression(estimator: Any, l2: float) -> dict[str, Any]:
    if getattr(estimator, "positive", False):
        warnings.warn(
            "Coefficients are held above zero (positive=True), which the loss here does not know: its gradient need "
            "not vanish at them.",
            stacklevel=5,
        )
    return {
        "model": "linear",
        "loss": "half-squared-error",
        "l2": l2,
        "intercept": estimator.fit_intercept,
        "start": _linear_start(estimator, 1),
    }


def _least_squares(estimator: Any, y: np.ndarray, count: int) -> dict[str, Any]:
    return _regression(estimator, 0.0)


def _ridge(estimator: Any, y: np.ndarray, count: int) -> dict[str, Any]:
    # |y - Xw|^2 + alpha |w|^2, over 2 n.
    alpha = getattr(estimator, "alpha_", None)
    alpha = np.asarray(estimator.alpha if alpha is None else alpha, dtype=np.float64)
    if alpha.size != 1:
        raise _refuse(estimator, "has several penalties (alpha); give one.")
    return _regression(estimator, float(alpha.ravel()[0]) / count)


def _logistic(estimator: Any, y: np.ndarray, count: int) -> dict[str, Any]:
    # C sum(loss) + |w|^2 / 2, over C n.
    _no_weights(estimator)
    penalty, ratio = getattr(estimator, "penalty", "l2"), getattr(estimator, "l1_ratio", None)
    if penalty in ("l1", "elasticnet") or penalty not in ("l2", None) and ratio not in (None, 0, 0.0):
        raise _refuse(
            estimator, "has a penalty of absolute values, whose curvature is not defined; use l2."
        )
    classes = np.asarray(estimator.classes_)
    if getattr(estimator, "solver", "") == "liblinear" and getattr(estimator, "fit_intercept", True):
        warnings.warn(
            "liblinear penalises the intercept too, which the loss here does not: its gradient need not vanish there.",
            stacklevel=5,
        )
    outputs = 1 if len(classes) == 2 else len(classes)
    c = float(
        np.asarray(getattr(estimator, "C_", estimator.C if hasattr(estimator, "C") else np.inf)).ravel()[0]
    )
    return {
        "model": "logistic" if outputs == 1 else "softmax",
        "classes": classes,
        "l2": 0.0 if penalty is None else 1 / (c * count),
        "intercept": estimator.fit_intercept,
        "start": _linear_start(estimator, outputs),
    }


def _sgd_common(estimator: Any) -> dict[str, Any]:
    if estimator.penalty not in ("l2", None):
        raise _refuse(
            estimator, f"has the penalty {estimator.penalty}, whose curvature is not defined; use l2."
        )
    # Other schedules than these do not begin at eta0.
    named = estimator.learning_rate in ("constant", "invscaling", "adaptive")
    return {
        "l2": estimator.alpha if estimator.penalty == "l2" else 0.0,
        "intercept": estimator.fit_intercept,
        "lr": estimator.eta0 if named else None,
        "batch": 1,
    }


def _sgd_classifier(estimator: Any, y: np.ndarray, count: int) -> dict[str, Any]:
    _no_weights(estimator)
    if estimator.loss != "log_loss":
        raise _refuse(
            estimator, f"has the loss {estimator.loss}, and only log_loss has a curvature to measure here."
        )
    classes = np.asarray(estimator.classes_)
    if len(classes) != 2:
        raise _refuse(
            estimator,
            f"has {len(classes)} classes, each with a loss of its own against all others; give two of them.",
        )
    return {
        **_sgd_common(estimator),
        "model": "logistic",
        "classes": classes,
        "start": _linear_start(estimator, 1),
    }


def _sgd_regressor(estimator: Any, y: np.ndarray, count: int) -> dict[str, Any]:
    if estimator.loss != "squared_error":
        raise _refuse(estimator, f"has the loss {estimator.loss}; a table has squared_error alone.")
    return {
        **_sgd_common(estimator),
        "model": "linear",
        "loss": "half-squared-error",
        "start": _linear_start(estimator, 1),
    }


def _network(estimator: Any, y: np.ndarray, count: int) -> dict[str, Any]:
    if estimator.activation not in ("relu", "tanh"):
        raise _refuse(
            estimator, f"has the activation {estimator.activation}; a table's network has relu or tanh."
        )
    batch = min(200, count) if estimator.batch_size == "auto" else min(int(estimator.batch_size), count)
    is_whole = estimator.solver == "lbfgs"
    start = {}
    for index, (weights, bias) in enumerate(zip(estimator.coefs_, estimator.intercepts_), 1):
        start[f"weights{index}"] = np.asarray(weights, dtype=np.float64)
        start[f"bias{index}"] = np.asarray(bias, dtype=np.float64)
    widths = ",".join(str(np.asarray(bias).size) for bias in estimator.intercepts_[:-1])
    found: dict[str, Any] = {
        "model": f"mlp:{widths}:{estimator.activation}",
        "start": start,
        # The penalty of a step is over its own samples.
        "l2": estimator.alpha / (count if is_whole else batch),
    }
    if not is_whole:
        found.update(lr=estimator.learning_rate_init, batch=batch if batch < count else None)
    if estimator.solver == "adam":
        found["optimizer"] = {
            "name": "adam",
            "beta1": estimator.beta_1,
            "beta2": estimator.beta_2,
            "epsilon": estimator.epsilon,
        }
    elif estimator.solver == "sgd" and estimator.momentum > 0:
        found["optimizer"] = {
            "name": "nesterov" if estimator.nesterovs_momentum else "momentum",
            "momentum": estimator.momentum,
        }
    return found


def _network_classifier(estimator: Any, y: np.ndarray, count: int) -> dict[str, Any]:
    if estimator.out_activation_ not in ("softmax", "logistic") or y.ndim == 2 and y.shape[1] > 1:
        raise _refuse(
            estimator, "tells several labels at once, and a table has one target; fit one at a time."
        )
    found = _network(estimator, y, count)
    found["loss"] = "cross-entropy" if estimator.out_activation_ == "softmax" else "binary"
    found["classes"] = np.asarray(estimator.classes_)
    return found


def _network_regressor(estimator: Any, y: np.ndarray, count: int) -> dict[str, Any]:
    if getattr(estimator, "loss", "squared_error") != "squared_error":
        raise _refuse(estimator, f"has the loss {estimator.loss}; a table has squared_error alone.")
    if estimator.n_outputs_ != 1:
        raise _refuse(
            estimator, f"has {estimator.n_outputs_} outputs, and a table one target; fit one at a time."
        )
    return {**_network(estimator, y, count), "loss": "half-squared-error"}


_READERS: dict[str, Callable[[Any, np.ndarray, int], dict[str, Any]]] = {
    "LinearRegression": _least_squares,
    "Ridge": _ridge,
    "RidgeCV": _ridge,
    "LogisticRegression": _logistic,
    "SGDClassifier": _sgd_classifier,
    "SGDRegressor": _sgd_regressor,
    "MLPClassifier": _network_classifier,
    "MLPRegressor": _network_regressor,
}
