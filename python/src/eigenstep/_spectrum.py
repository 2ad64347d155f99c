"""The result of a spectrum."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

import numpy as np

from ._figures import Plot, Series
from ._report_curvature import Convergence, LayerCurvature, Problem
from ._report_spectrum import (
    MeasuredOperator,
    SpectrumDensity,
    SpectrumDiagonal,
    SpectrumIntervals,
    SpectrumOutliers,
    TraceEstimate,
)
from ._results import Result, Rows


class Eigenvalue(float):
    """An eigenvalue, as a number with its certificate.

    Attributes
    ----------
    residual
        Some eigenvalue lies within this of the number: ``||A v - value v||`` of a unit vector.
    is_converged
        Whether the residual meets the tolerance.
    """

    residual: float
    is_converged: bool

    def __new__(cls, pair: Mapping[str, Any]) -> Eigenvalue:
        self = super().__new__(cls, pair["value"])
        self.residual = float(pair["residual"])
        self.is_converged = bool(pair["isConverged"])
        return self

    def __getnewargs__(self) -> tuple[dict[str, Any]]:  # type: ignore[override]
        return ({"value": float(self), "residual": self.residual, "isConverged": self.is_converged},)


@dataclass(frozen=True, repr=False)
class Spectrum(Result):
    """Eigenvalues of a loss's curvature, with their certificates.

    Attributes
    ----------
    operator
        Which matrix, of which parameters.
    largest, smallest
        Those of the largest end in descending order, of the smallest in ascending order.
    upper_bound, lower_bound
        No eigenvalue is beyond them, except with ``failure_probability`` over random starts; None where
        there is no bound.
    zero_threshold
        Eigenvalues within this of zero cannot be told from it.
    tolerance
        The residual asked for, relative to the largest magnitude.
    effective_smallest
        99 % of the decrease reachable in 1,000 steps lies in eigenvalues from this one up.
    effective_condition_number
        The largest over the effective smallest.
    intervals
        What a larger sample would give, with ``intervals=True``.
    density, trace, diagonal, layers
        Where they were asked for.
    diagonal_entries
        The diagonal, one entry per parameter, where it was asked for.
    operator_applications
        Products, everything counted.
    notes
        What did not come out as asked, with the next step.
    """

    problem: Problem
    operator: MeasuredOperator
    largest: tuple[Eigenvalue, ...]
    smallest: tuple[Eigenvalue, ...]
    upper_bound: float | None
    lower_bound: float | None
    failure_probability: float | None
    zero_threshold: float | None
    tolerance: float
    convergence: Convergence | None
    smallest_method: str | None
    effective_smallest: float | None
    effective_condition_number: float | None
    intervals: SpectrumIntervals | None
    outliers: SpectrumOutliers | None
    density: SpectrumDensity | None
    trace: TraceEstimate | None
    diagonal: SpectrumDiagonal | None
    layers: tuple[LayerCurvature, ...] | None
    operator_applications: int
    notes: tuple[str, ...] = field(metadata={"key": "advice"})
    request: dict[str, Any] | None = None
    diagonal_entries: np.ndarray | None = field(default=None, compare=False)

    def _tables(self) -> dict[str, Rows]:
        tables: dict[str, Rows] = {
            "eigenvalues": [
                {
                    "end": end,
                    "value": float(pair),
                    "residual": pair.residual,
                    "is_converged": pair.is_converged,
                }
                for end, pairs in (("largest", self.largest), ("smallest", self.smallest))
                for pair in pairs
            ]
        }
        if self.density is not None:
            found = self.density.distribution
            tables["density"] = [{"node": x, "weight": w} for x, w in zip(found.nodes, found.weights)]
        if self.layers is not None:
            tables["layers"] = [
                {
                    "layer": item.layer,
                    "parameters": item.parameter_count,
                    "sharpness": item.sharpness,
                    "upper_bound": item.upper_bound,
                    "trace": item.trace,
                }
                for item in self.layers
            ]
        return tables

    def _columns(self, table: str) -> Sequence[str]:
        return ("end", "value", "residual", "is_converged") if table == "eigenvalues" else ()

    def _paragraphs(self) -> list[tuple[str, str]]:
        return [("", note) for note in self.notes]

    def _plot(self) -> Plot | None:
        if self.density is not None:
            found = self.density.distribution
            return Plot(
                "The distribution of eigenvalues",
                "eigenvalue",
                "share of the eigenvalues up to here",
                [Series("distribution", list(found.nodes), list(np.cumsum(found.weights)))],
            )
        pairs = [*self.largest, *reversed(self.smallest)]
        if not pairs:
            return None
        return Plot(
            "Eigenvalues",
            "rank from the outside",
            "eigenvalue",
            [
                Series(name, list(range(1, len(values) + 1)), [float(pair) for pair in values], "markers")
                for name, values in (("largest", self.largest), ("smallest", self.smallest))
                if values
            ],
        )
