"""Why training is slow, why it blows up, which learning rate to use and what to change."""

from __future__ import annotations

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
    "solve",
    "spectrum",
    "sweep",
    "trace",
    "train",
]
