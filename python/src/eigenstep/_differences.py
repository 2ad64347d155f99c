"""Products with a Hessian by differences of gradients."""

from __future__ import annotations

from typing import Callable, Sequence

import numpy as np

from .errors import UsageError


class Differences:
    """Central differences of gradients, at a distance chosen by how well two distances agree.

    Parameters
    ----------
    gradient
        At a point, in whose arithmetic it answers.
    point
        Where the distance is chosen.
    directions
        Along which it is.

    Attributes
    ----------
    step
        How far from the point gradients are taken, in Euclidean length.
    error
        Of a product, relative to the product: by how much that of this distance and that of twice as far
        differ, along the worse of the directions.
    """

    def __init__(
        self,
        gradient: Callable[[np.ndarray], np.ndarray],
        point: np.ndarray,
        directions: Sequence[np.ndarray],
    ) -> None:
        self.gradient = gradient
        self.gradient_dtype = point.dtype
        # Rounding grows as eps / step and the error of the formula as step^2: they meet at eps^(1/3).
        scale = max(float(np.linalg.norm(point)), 1e-3)
        natural = float(np.finfo(point.dtype).eps) ** (1 / 3) * scale
        units = [(d / np.linalg.norm(d)).astype(point.dtype) for d in directions]
        self.step, self.error = natural, float("inf")
        ladders = [(8.0, 4.0, 2.0, 1.0, 0.5, 0.25)]
        if point.dtype == np.float64:
            # Short enough to cross none of the kinks of ReLU, where no rung of the first ladder is good.
            ladders += [(2e-2, 1e-2), (2e-3, 1e-3), (2e-4, 1e-4)]
        for ladder in ladders:
            wider: list[np.ndarray] = []
            for step in (natural * factor for factor in ladder):
                finer = [self._at(point, unit, step) for unit in units]
                error = max((_distance(f, w) for f, w in zip(finer, wider)), default=float("inf"))
                if error < self.error:
                    self.step, self.error = step, error
                wider = finer
            if self.error < 1e-3:
                break

    @property
    def note(self) -> str:
        return (
            f"Products are differences of gradients at a distance of {self.step:.2g}; by comparing two "
            f"distances their error is about {max(self.error, 1e-16):.1g} of a product."
        )

    def require_accuracy(self) -> None:
        """Refuses products that are more noise than curvature.

        Raises
        ------
        UsageError
            Where two distances differ by a tenth.
        """
        if self.error > 0.1:
            is_wide = self.gradient_dtype == np.float64
            raise UsageError(
                f"Gradients change too irregularly for products by differences: at the best distance they are "
                f"{100 * self.error:.0f} % off (kinks, as ReLU has, or rounding); "
                + ("use smooth operations." if is_wide else "measure in float64, with dtype.")
            )

    def product(self, point: np.ndarray, direction: np.ndarray) -> np.ndarray:
        length = float(np.linalg.norm(direction))
        if length == 0:
            return np.zeros_like(direction)
        return self._at(point, (direction / length).astype(point.dtype), self.step) * length

    def _at(self, point: np.ndarray, unit: np.ndarray, step: float) -> np.ndarray:
        reach = point.dtype.type(step)
        ahead, behind = point + reach * unit, point - reach * unit
        return (self.gradient(ahead) - self.gradient(behind)) / (2 * step)


def _distance(found: np.ndarray, other: np.ndarray) -> float:
    length = float(np.linalg.norm(found))
    return float(np.linalg.norm(found - other)) / length if length > 0 else 0.0
