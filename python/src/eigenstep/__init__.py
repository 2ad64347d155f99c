"""Why training is slow, why it blows up, which learning rate to use and what to change."""

from __future__ import annotations

from . import errors
from ._version import __version__
from .errors import EigenstepError
from .operators import condition_number, density, eigenpairs, solve, trace

__all__ = [
    "EigenstepError",
    "__version__",
    "condition_number",
    "density",
    "eigenpairs",
    "errors",
    "solve",
    "trace",
]
