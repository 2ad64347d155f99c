"""Requests from keyword arguments, with the arrays that go with them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

from . import _data, _values
from ._options import (
    DIAGNOSE,
    SPECTRUM,
    SWEEP,
    TRAIN,
    Option,
    check_names,
    options_of,
    value_error,
    wording_of,
)
from ._wording import Wording
from .errors import UsageError

_SCHEMAS = {
    DIAGNOSE: "eigenstep.request.diagnosis/1",
    SPECTRUM: "eigenstep.request.spectrum/1",
    TRAIN: "eigenstep.request.training/1",
    SWEEP: "eigenstep.request.sweep/1",
}
# What an estimator says that a function does not take.
_OF_DIAGNOSIS = ("lr", "batch", "optimizer")
_FORMS: dict[str, Callable[[str, Any], Any]] = {
    "plain": _values.plain,
    "path": _values.path,
    "names": _values.names,
    "globs": _values.globs,
    "setting": _values.setting,
    "settings": _values.settings,
    "rates": _values.rates,
    "group rates": _values.group_rates,
    "steps": _values.steps,
    "bytes": _values.size,
    "precision": _values.precision,
    "preconditioning": _values.preconditioning,
    "widths": _values.widths,
    "coefficient": _values.plain,
    "decay": _values.plain,
}


@dataclass(frozen=True)
class Request:
    """A request, the arrays in memory that it names as files, and how its function calls what it was given."""

    body: dict[str, Any]
    arrays: dict[str, Any]
    wording: Wording


def request(function: str, data: Any, more: tuple[Any, ...], options: Mapping[str, Any]) -> Request:
    """What a function asks for.

    Raises
    ------
    UsageError
        For an option or a value that there is not.
    """
    options = {name: value for name, value in options.items() if value is not None}
    if "y" in options:
        more = (*more, options.pop("y"))
    check_names(function, options)
    if "target" in options and not isinstance(options["target"], str):
        options["target"] = str(options["target"])
    given = _data.given(data, more, options.get("target"))
    own = dict(given.options)
    for name in _OF_DIAGNOSIS if function != DIAGNOSE else ():
        own.pop(name, None)
    if function == SWEEP:
        own.pop("start", None)
    if own.get("optimizer") and ("optimizer" in options):
        own.pop("optimizer")
    builder = _Builder(function, given, {**own, **options})
    return builder.request()


class _Builder:
    def __init__(self, function: str, given: _data.Given, options: dict[str, Any]) -> None:
        self.function, self.given, self.options = function, given, options
        self.arrays = dict(given.arrays)
        self.problem: dict[str, Any] = {"file": given.file}
        self.body: dict[str, Any] = {}

    def request(self) -> Request:
        known = options_of(self.function)
        for name, value in self.options.items():
            self._set(known[name], value)
        if self.given.kind == "table":
            self.problem["target"] = self.given.target or self.problem.get("target", "target")
            self._network()
        self._coefficients(known)
        self._batches()
        if self.function == SPECTRUM:
            self._density()
        if self.function == SWEEP and "rates" not in self.body:
            raise UsageError("A sweep needs rates: give lr=(lower, upper, count), as (1e-4, 10, 64).")
        body = {"schema": _SCHEMAS[self.function], "problem": {self.given.kind: self.problem}, **self.body}
        held = list(dict.fromkeys(name.split("/", 1)[0] for name in self.arrays))
        return Request(body, self.arrays, wording_of(self.function, held))

    def _set(self, option: Option, value: Any) -> None:
        if option.kind is not None and option.kind != self.given.kind:
            mine, other = (
                ("model files (ONNX)", "a table") if option.kind == "model" else ("tables", "a model")
            )
            raise UsageError(
                f"{option.name} is for {mine}, and {self.given.name} is {other}; leave it out."
            )
        if (
            option.form in ("coefficient", "decay")
            or option.name == "target"
            and self.given.target is not None
        ):
            return
        if option.form == "arrays":
            found: Any = self._file(option.name, value)
        elif option.form == "held out":
            found = self._held_out(value)
        else:
            found = _FORMS[option.form](option.name, value)
        place = option.place.split(".")
        if place[0] == "problem":
            self.problem[place[1]] = found
            return
        node = self.body
        for part in place[:-1]:
            node = node.setdefault(part, {})
        node[place[-1]] = found

    def _file(self, name: str, value: Any) -> str:
        """A path, or the name of arrays by name."""
        if isinstance(value, (str, os.PathLike)):
            return os.fspath(value)  # type: ignore[return-value]
        if not isinstance(value, Mapping):
            raise value_error(name, value, "a path, or arrays by name, such as {'x': X, 'target': y}")
        if not value:
            raise UsageError(f"{name} holds no arrays; give them by name, such as {{'x': X, 'target': y}}.")
        for key, array in value.items():
            array = array.detach().cpu() if hasattr(array, "detach") else array
            self.arrays[f"{name}/{key}"] = np.asarray(array)
        return f"memory:{name}"

    def _held_out(self, value: Any) -> dict[str, Any]:
        if isinstance(value, bool):
            raise value_error("held_out", value, "a share such as 0.2, a file, (X, y) or a frame")
        if isinstance(value, (int, float, np.number)):
            return {"share": _values.plain("held_out", value)}
        if isinstance(value, (str, os.PathLike)):
            return {"file": os.fspath(value)}
        if self.given.kind == "model":
            return {"file": self._file("held_out", value)}
        X, y = value if isinstance(value, tuple) and len(value) == 2 else (value, None)
        other = _data.table("held_out", X, y, self.given.target if y is not None else None)
        self.arrays.update(other.arrays)
        return {"file": other.file}

    def _network(self) -> None:
        """``model="mlp"`` with its widths and activation as options of their own."""
        hidden, activation = self.problem.pop("hidden", None), self.problem.pop("activation", None)
        model = self.problem.get("model")
        if hidden is None and activation is None:
            return
        if model not in (None, "mlp"):
            raise UsageError(
                f"hidden and activation are of model='mlp', and model is {model!r}; leave them out, or model."
            )
        if hidden is None:
            raise UsageError(f"activation is {activation!r}, which needs hidden, such as hidden=(64, 64).")
        self.problem["model"] = f"mlp:{','.join(map(str, hidden))}:{activation or 'tanh'}"

    def _coefficients(self, known: dict[str, Option]) -> None:
        """Numbers of the optimizer that have options of their own."""
        values = {
            name: _values.plain(name, self.options[name])
            for name in ("momentum", "beta1", "beta2")
            if name in self.options
        }
        decay = self.options.get("weight_decay") if self.function == DIAGNOSE else None
        if not values and decay is None:
            return
        node = self.body
        if known["optimizer"].place.startswith("training."):
            node = self.body.setdefault("training", {})
        optimizer = node.setdefault("optimizer", {"name": "gd"})
        for name, value in values.items():
            if optimizer.get(name, value) != value:
                raise UsageError(
                    f"{name} is {value}, and optimizer has {name}={optimizer[name]}; give one of the two."
                )
            optimizer[name] = value
        if decay is None:
            return
        decay = _values.plain("weight_decay", decay)
        if optimizer["name"] in ("gd", "sgd") and len(optimizer) == 1:
            if not isinstance(decay, (int, float)) or decay < 0:
                raise value_error("weight_decay", decay, "a number of at least 0")
            self.problem["l2"] = self.problem.get("l2", 0.0) + decay
            return
        if optimizer["name"] == "adam":
            optimizer["name"] = "adamw"
        optimizer["weight-decay"] = decay

    def _batches(self) -> None:
        batches = self.body.get("batches")
        if batches is not None and "size" not in batches:
            named = [name for name in ("accumulate", "sampling", "last") if name in self.options]
            raise UsageError(
                f"{' and '.join(named)} are of batches; give batch."
                if len(named) > 1
                else f"{named[0]} is of batches; give batch."
            )

    def _density(self) -> None:
        wanted = self.body.pop("density", None)
        error = self.body.get("densityError")
        if wanted is not None and not isinstance(wanted, bool):
            raise value_error("density", wanted, "True or False; error says how exact")
        if wanted:
            self.body["densityError"] = 0.02 if error is None else error
        elif error is not None:
            raise UsageError("error is that of the density; give density=True, or leave it out.")
