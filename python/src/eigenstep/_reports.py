"""Reports as results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import _library
from ._results import Result


@dataclass(frozen=True, repr=False)
class Diagnosis(Result):
    """What was found out about a training problem; ``repr`` is the report as the terminal shows it.

    Attributes
    ----------
    largest_eigenvalue
        Of the Hessian at the point: the sharpness.
    stability_limit
        Above this rate plain descent diverges along the sharpest direction.
    """

    largest_eigenvalue: float | None
    stability_limit: float | None


@dataclass(frozen=True, repr=False)
class Spectrum(Result):
    """Eigenvalues of a loss's curvature."""

    largest: tuple[float, ...]
    smallest: tuple[float, ...]
    upper_bound: float | None
    lower_bound: float | None


def diagnosis_of(answer: _library.Answer) -> Diagnosis:
    report = answer.report()
    return Diagnosis(
        _answer=answer, _report=report,
        largest_eigenvalue=_at(report, "curvature", "largest", "value"),
        stability_limit=_at(report, "learningRate", "stabilityLimit"),
    )


def spectrum_of(answer: _library.Answer) -> Spectrum:
    report = answer.report()
    return Spectrum(
        _answer=answer, _report=report,
        largest=tuple(pair["value"] for pair in report["largest"]),
        smallest=tuple(pair["value"] for pair in report["smallest"]),
        upper_bound=report["upperBound"], lower_bound=report["lowerBound"],
    )


def _at(report: Any, *keys: str) -> Any:
    for key in keys:
        report = None if report is None else report.get(key)
    return report
