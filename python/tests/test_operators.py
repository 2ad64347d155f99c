"""What callers give as operators is theirs: kept, changed or refused without harm."""

from __future__ import annotations

import numpy as np
import pytest

import eigenstep


def test_vectors_that_a_product_keeps_stay_as_they_were() -> None:
    scales = np.arange(1.0, 61.0)
    kept: list[tuple[np.ndarray, np.ndarray]] = []

    def product(v: np.ndarray) -> np.ndarray:
        kept.append((v, v.copy()))
        return scales * v

    eigenstep.eigenpairs(product, 60)
    assert kept
    assert all(np.array_equal(given, then) for given, then in kept)


def test_a_product_may_work_in_place() -> None:
    scales = np.arange(1.0, 61.0)

    def product(v: np.ndarray) -> np.ndarray:
        v *= scales
        return v

    pairs = eigenstep.eigenpairs(product, 60)
    assert pairs.values.max() == pytest.approx(60, rel=1e-3)


@pytest.mark.parametrize("is_said", [True, False])
def test_a_complex_operator_is_refused(is_said: bool) -> None:
    matrix = np.array([[2, 1j], [-1j, 2]])
    operator = matrix if is_said else lambda v: matrix @ v
    with pytest.raises(eigenstep.EigenstepError, match="complex"):
        eigenstep.eigenpairs(operator, 2)
