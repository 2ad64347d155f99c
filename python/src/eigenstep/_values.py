"""Values of keyword arguments as those of a request."""

from __future__ import annotations

import math
import numbers
import os
import re
from typing import Any, Mapping, Sequence

import numpy as np

from ._options import value_error
from .errors import UsageError

_UNITS = {
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
    "tib": 1 << 40,
    "kb": 1e3,
    "mb": 1e6,
    "gb": 1e9,
    "tb": 1e12,
    "b": 1,
    "": 1,
}


def plain(name: str, value: Any) -> Any:
    """A number, a text or a truth value, of NumPy's too."""
    if isinstance(value, np.generic) or isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise value_error(name, value, "a finite number")
    if isinstance(value, bool) or value is None or isinstance(value, (int, float, str)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, numbers.Real):
        return float(value)
    raise value_error(name, value, "a number, a text, True or False")


def path(name: str, value: Any) -> str:
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)  # type: ignore[return-value]
    raise value_error(name, value, "a path")


def names(name: str, value: Any) -> list[str]:
    """Column names: a sequence, or a text with commas as the command takes it."""
    if isinstance(value, str):
        found = re.findall(r'\s*(?:"([^"]*)"|([^,]*?))\s*(?:,|$)', value)
        listed = [quoted or bare for quoted, bare in found if quoted or bare]
        if not listed:
            raise value_error(name, value, "names between commas, such as 'a,b,c'")
        return listed
    if isinstance(value, (Sequence, np.ndarray, set)) or hasattr(value, "tolist"):
        return [str(item) for item in value]
    return [str(value)]


def globs(name: str, value: Any) -> str:
    """Patterns between commas."""
    return value if isinstance(value, str) else ",".join(names(name, value))


def widths(name: str, value: Any) -> list[int]:
    given = [value] if isinstance(value, numbers.Integral) else list(value)
    if not given or not all(isinstance(item, numbers.Integral) and int(item) >= 1 for item in given):
        raise value_error(name, value, "whole numbers from 1 up, such as (64, 64)")
    return [int(item) for item in given]


def setting(name: str, value: Any) -> dict[str, Any]:
    """An entry of a catalogue: a name, a name with numbers (``adam:beta2=0.99``), or a mapping."""
    if isinstance(value, Mapping):
        given = {str(key).replace("_", "-"): plain(f"{name} {key}", item) for key, item in value.items()}
        if not isinstance(given.get("name"), str):
            raise UsageError(
                f"{name} has no name: give {{'name': 'adam', 'beta2': 0.99}}, or 'adam:beta2=0.99'."
            )
        return given
    if not isinstance(value, str):
        raise value_error(name, value, "a name, such as 'adam' or 'adam:beta2=0.99'")
    own, colon, numbers_ = value.partition(":")
    found: dict[str, Any] = {"name": own}
    for item in numbers_.split(",") if colon else []:
        key, _, number = item.partition("=")
        try:
            amount = float(number)
        except ValueError:
            amount = math.nan
        if not key or not math.isfinite(amount):
            raise UsageError(f"{item!r} in {name}={value!r} is no name and number, such as beta2=0.99.")
        if key in found:
            raise UsageError(f"{name}={value!r} gives {key!r} twice; give it once.")
        found[key] = amount
    return found


def settings(name: str, value: Any) -> list[dict[str, Any]]:
    given = [value] if isinstance(value, (str, Mapping)) else list(value)
    return [setting(name, item) for item in given]


def rates(name: str, value: Any) -> dict[str, Any]:
    """Rates from a lower to an upper one."""
    parts: Sequence[Any] = value.split(":") if isinstance(value, str) else value
    try:
        lower, upper = float(parts[0]), float(parts[1])
        count = int(parts[2]) if len(parts) > 2 else 24
        is_one = len(parts) == 2 or len(parts) == 3 and float(parts[2]) == count
        is_one = is_one and math.isfinite(lower) and math.isfinite(upper)
    except (TypeError, ValueError, IndexError):
        is_one = False
    if not is_one:
        raise UsageError(
            f"A sweep needs several rates, and {name} is {value!r}: give (lower, upper, count), as (1e-4, 10, 64)."
        )
    return {"lower": lower, "upper": upper, "count": count}


def group_rates(name: str, value: Any) -> list[dict[str, Any]]:
    """``{"layer1.*": "0.1x", "head.*": 1e-3}``, or the command's ``layer1.*=0.1x``, one or several."""
    if isinstance(value, Mapping):
        pairs: list[tuple[Any, Any]] = list(value.items())
    else:
        given = [value] if isinstance(value, str) else list(value)
        pairs = [(parts[0], parts[2]) for parts in (str(item).rpartition("=") for item in given)]
    found = []
    for parameters, rate in pairs:
        text = str(rate)
        key, number = ("factor", text[:-1]) if text.endswith("x") else ("rate", text)
        try:
            amount = float(number)
        except ValueError:
            amount = math.nan
        if not parameters or not math.isfinite(amount):
            raise UsageError(
                f"{name} takes parameters with a factor of the rate, such as {{'layer1.*': '0.1x'}}, or with a rate "
                f"of their own, such as {{'head.*': 1e-3}}, not {value!r}."
            )
        found.append({"parameters": str(parameters), key: amount})
    return found


def steps(name: str, value: Any) -> Any:
    return 0 if value == "init" else plain(name, value)


def size(name: str, value: Any) -> Any:
    """Bytes, or a text such as ``2GiB``."""
    if not isinstance(value, str):
        return plain(name, value)
    found = re.fullmatch(r"([\d.]+)\s*([a-z]*)", value.lower())
    try:
        return int(float(found[1]) * _UNITS[found[2]])  # type: ignore[index]
    except (TypeError, ValueError, KeyError, OverflowError):
        raise UsageError(f"{name} is {value!r}, which is no size such as 2GiB, 512MiB or 1.5GB.") from None


def precision(name: str, value: Any) -> Any:
    return value if isinstance(value, str) else np.dtype(value).name


def preconditioning(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        own, colon, file = value.partition(":")
        return {"name": own, "file": file} if colon else {"name": own}
    moments = np.asarray(value, dtype=np.float64).ravel()
    if not np.isfinite(moments).all():
        raise UsageError(f"{name} holds numbers that are not finite; mend them.")
    return {"name": "adam", "secondMoments": moments.tolist()}
