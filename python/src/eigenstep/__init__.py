"""Why training is slow, why it blows up, which learning rate to use and what to change."""

from __future__ import annotations

from typing import Any

from . import errors, labs
from ._functions import diagnose, spectrum, sweep, train
from ._reports import Diagnosis, Eigenvalue, Spectrum, Sweep, Training
from ._version import __version__
from .errors import EigenstepError
from .operators import condition_number, density, eigenpairs, solve, trace

__all__ = [
    "Diagnosis",
    "EigenstepError",
    "Eigenvalue",
    "Monitor",
    "Spectrum",
    "Sweep",
    "Training",
    "__version__",
    "condition_number",
    "density",
    "diagnose",
    "eigenpairs",
    "errors",
    "labs",
    "lr_finder",
    "solve",
    "spectrum",
    "sweep",
    "trace",
    "train",
]

# What needs PyTorch is loaded when it is asked for.
_OF_TORCH = {"Monitor": "monitor", "lr_finder": "_lr_finder"}


def __getattr__(name: str) -> Any:
    if name in _OF_TORCH:
        from importlib import import_module

        return getattr(import_module(f".{_OF_TORCH[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
