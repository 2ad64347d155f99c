"""Dataclasses from the JSON of reports: ``stabilityLimit`` becomes ``stability_limit``."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from typing import Any, TypeVar

T = TypeVar("T")


def decoded(kind: type[T], value: dict[str, Any], **more: Any) -> T:
    """An object of a dataclass from that of the JSON; what it does not know of a newer library is left out.

    Parameters
    ----------
    more
        Fields that the JSON does not hold.
    """
    hints = _hints(kind)  # type: ignore[arg-type]
    found = dict(more)
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]
        if item.name.startswith("_") or item.name in found:
            continue
        key = key_of(item)
        if key in value:
            found[item.name] = _value(hints[item.name], value[key])
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            found[item.name] = _absent(hints[item.name], f"{kind.__name__}.{key}")
    return kind(**found)


def key_of(item: dataclasses.Field[Any]) -> str:
    """The key that a field has in the JSON."""
    given = item.metadata.get("key")
    if given is not None:
        return given
    first, *rest = item.name.split("_")
    return first + "".join(part.capitalize() for part in rest)


@functools.lru_cache(maxsize=None)
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _value(hint: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        return _value(next(part for part in arguments if part is not type(None)), value)
    if value is None:
        return None
    if origin is tuple:
        return tuple(_value(arguments[0], item) for item in value)
    if origin is dict:
        return {name: _value(arguments[1], item) for name, item in value.items()}
    if dataclasses.is_dataclass(hint):
        return decoded(hint, value)  # type: ignore[arg-type]
    if hint is float:
        return float(value)
    return value if hint is Any or isinstance(value, hint) else hint(value)


def _absent(hint: Any, name: str) -> Any:
    if typing.get_origin(hint) is tuple:
        return ()
    if hint is Any or type(None) in typing.get_args(hint):
        return None
    raise KeyError(f"the report lacks {name}: install library and package from one wheel")
