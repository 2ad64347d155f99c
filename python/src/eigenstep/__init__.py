"""Why training is slow, why it blows up, which learning rate to use and what to change."""

from __future__ import annotations

from typing import Any

from . import errors
from ._version import __version__
from .errors import EigenstepError
from .operators import condition_number, density, eigenpairs, solve, trace

__all__ = [
    "EigenstepError",
    "Monitor",
    "__version__",
    "condition_number",
    "density",
    "eigenpairs",
    "errors",
    "lr_finder",
    "solve",
    "trace",
]

# What needs PyTorch is loaded when it is asked for.
_OF_TORCH = {"Monitor": "monitor", "lr_finder": "_lr_finder"}


def __getattr__(name: str) -> Any:
    if name in _OF_TORCH:
        from importlib import import_module

        return getattr(import_module(f".{_OF_TORCH[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
