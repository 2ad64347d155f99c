"""Results of `operators`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._figures import Plot, Series
from ._results import Result, Rows


@dataclass(frozen=True)
class Certificate:
    """How a computation ended.

    Attributes
    ----------
    reason
        ``converged``, ``invariantSubspace`` (exact up to rounding), ``budget``, ``stagnatedAtRounding``,
        ``negativeCurvature`` or ``flatDirection``.
    products
        Products with the operator, everything counted.
    advice
        One sentence: what was reached, and what to do for more.
    """

    reason: str
    products: int
    advice: str

    @property
    def is_converged(self) -> bool:
        return self.reason in ("converged", "invariantSubspace")


@dataclass(frozen=True, repr=False)
class Eigenpairs(Result):
    """Outermost eigenvalues with their vectors.

    Attributes
    ----------
    values
        Those of the largest end in descending order, then those of the smallest in ascending order.
    vectors
        Unit vectors, one column per value.
    residuals
        Bounds on ``||A v - value v||``: some eigenvalue lies within each of its value.
    is_converged
        Whether each residual meets the tolerance.
    upper_bound, lower_bound
        No eigenvalue is beyond them, except with ``failure_probability`` over random starts; None where
        there is no bound.
    """

    values: np.ndarray
    vectors: np.ndarray
    residuals: np.ndarray
    is_converged: np.ndarray
    upper_bound: float | None
    lower_bound: float | None
    failure_probability: float | None
    certificate: Certificate

    def _tables(self) -> dict[str, Rows]:
        return {
            "eigenvalues": [
                {"value": float(value), "residual": float(residual), "is_converged": bool(converged)}
                for value, residual, converged in zip(self.values, self.residuals, self.is_converged)
            ]
        }

    def _plot(self) -> Plot:
        ranks = [float(rank) for rank in range(1, len(self.values) + 1)]
        return Plot(
            "Eigenvalues",
            "place",
            "eigenvalue",
            [Series("eigenvalues", ranks, self.values.tolist(), "markers")],
        )


@dataclass(frozen=True, repr=False)
class ConditionNumber(Result):
    """``largest / smallest``.

    Attributes
    ----------
    value
        None where the smallest eigenvalue cannot be told from zero, or is below it.
    lower, upper
        Between what it lies; None where nothing bounds it.
    """

    value: float | None
    lower: float | None
    upper: float | None
    largest: float
    smallest: float
    certificate: Certificate


@dataclass(frozen=True, repr=False)
class Density(Result):
    """The distribution of eigenvalues, as weights at nodes.

    Attributes
    ----------
    wasserstein_bound
        The Wasserstein-1 distance from the true distribution is at most this times the range, except with
        ``failure_probability``.
    """

    nodes: np.ndarray
    weights: np.ndarray
    lower: float
    upper: float
    wasserstein_bound: float
    failure_probability: float
    certificate: Certificate

    def _tables(self) -> dict[str, Rows]:
        return {
            "density": [
                {"node": x, "weight": w} for x, w in zip(self.nodes.tolist(), self.weights.tolist())
            ]
        }

    def _plot(self) -> Plot:
        return Plot(
            "The distribution of eigenvalues",
            "eigenvalue",
            "share of the eigenvalues up to here",
            [Series("distribution", self.nodes.tolist(), np.cumsum(self.weights).tolist())],
        )


@dataclass(frozen=True, repr=False)
class Trace(Result):
    """The sum of eigenvalues.

    Attributes
    ----------
    standard_error
        0 where the trace is exact up to rounding.
    """

    value: float
    standard_error: float
    certificate: Certificate


@dataclass(frozen=True, repr=False)
class Solution(Result):
    """``x`` of ``A x = b``.

    Attributes
    ----------
    relative_residual
        ``||b - A x|| / ||b||``.
    """

    x: np.ndarray
    relative_residual: float
    iterations: int
    certificate: Certificate
