"""Certified numbers of any symmetric operator that is known by its products."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from . import _library
from ._operator_results import Certificate, ConditionNumber, Density, Eigenpairs, Solution, Trace
from .errors import UsageError

__all__ = [
    "Certificate",
    "ConditionNumber",
    "Density",
    "Eigenpairs",
    "Solution",
    "Trace",
    "condition_number",
    "density",
    "eigenpairs",
    "solve",
    "trace",
]

Operator = Any
"""A callable ``v -> A v``, a SciPy ``LinearOperator``, or anything with ``shape`` and ``@``."""

Progress = Callable[[str, "float | None"], None]


def eigenpairs(
    operator: Operator,
    n: int | None = None,
    *,
    count: int = 1,
    which: str = "largest",
    tolerance: float | None = None,
    max_products: int | None = None,
    seed: int = 0,
    dtype: Any = None,
    memory: int | None = None,
    progress: Progress | None = None,
) -> Eigenpairs:
    """The outermost eigenvalues of a symmetric operator, each with its residual, and bounds on all.

    Parameters
    ----------
    operator
        A callable ``v -> A v``, a SciPy ``LinearOperator``, or a matrix.
    n
        Its dimension; needed for a callable.
    count
        How many at each end.
    which
        ``"largest"``, ``"smallest"`` or ``"both"``.
    tolerance
        Residual, relative to the largest ``|eigenvalue|``; by default 1e-8 in float64, 1e-4 in float32.
    dtype
        ``numpy.float32`` or ``numpy.float64``, what the vectors hold; by default the operator's own, or
        float64.
    memory
        Bytes that vectors may take; by default 2 GiB.

    Raises
    ------
    EigenstepError
        Where products are not finite or not symmetric; what ``operator`` raises is passed on.
    """
    answer, report = _measure(
        "eigenpairs", operator, n, dtype, progress, count=count, which=which, tolerance=tolerance,
        maxApplications=max_products, seed=seed, memory=memory,
    )
    pairs = report["largest"] + report["smallest"]
    vectors = answer.array("vectors")
    assert vectors is not None
    return Eigenpairs(
        _answer=answer, _report=report,
        values=np.array([pair["value"] for pair in pairs]),
        vectors=vectors.reshape(len(pairs), report["dimension"]).T,
        residuals=np.array([pair["residual"] for pair in pairs]),
        is_converged=np.array([pair["isConverged"] for pair in pairs]),
        upper_bound=report["upperBound"], lower_bound=report["lowerBound"],
        failure_probability=report["failureProbability"], certificate=_certificate(report),
    )


def condition_number(
    operator: Operator,
    n: int | None = None,
    *,
    tolerance: float | None = None,
    max_products: int | None = None,
    seed: int = 0,
    dtype: Any = None,
    memory: int | None = None,
    progress: Progress | None = None,
) -> ConditionNumber:
    """The largest eigenvalue of a symmetric operator over its smallest, with bounds; see `eigenpairs`."""
    answer, report = _measure(
        "condition-number", operator, n, dtype, progress, tolerance=tolerance,
        maxApplications=max_products, seed=seed, memory=memory,
    )
    interval = report["conditionNumberInterval"] or {}
    return ConditionNumber(
        _answer=answer, _report=report, value=report["conditionNumber"],
        lower=interval.get("lower"), upper=interval.get("upper"),
        largest=report["largest"][0]["value"], smallest=report["smallest"][0]["value"],
        certificate=_certificate(report),
    )


def density(
    operator: Operator,
    n: int | None = None,
    *,
    error: float = 0.05,
    max_products: int | None = None,
    seed: int = 0,
    dtype: Any = None,
    memory: int | None = None,
    progress: Progress | None = None,
) -> Density:
    """The distribution of a symmetric operator's eigenvalues, to a stated Wasserstein-1 error.

    Parameters
    ----------
    error
        Asked for, relative to the range of eigenvalues.
    """
    answer, report = _measure(
        "density", operator, n, dtype, progress, densityError=error,
        maxApplications=max_products, seed=seed, memory=memory,
    )
    found = report["density"]
    return Density(
        _answer=answer, _report=report, nodes=np.array(found["nodes"]),
        weights=np.array(found["weights"]), lower=found["lower"], upper=found["upper"],
        wasserstein_bound=found["wassersteinBound"],
        failure_probability=found["failureProbability"], certificate=_certificate(report),
    )


def trace(
    operator: Operator,
    n: int | None = None,
    *,
    tolerance: float = 1e-2,
    max_products: int | None = None,
    seed: int = 0,
    dtype: Any = None,
    memory: int | None = None,
    progress: Progress | None = None,
) -> Trace:
    """The trace of a symmetric operator, with its standard error (XTrace)."""
    answer, report = _measure(
        "trace", operator, n, dtype, progress, tolerance=tolerance,
        maxApplications=max_products, seed=seed, memory=memory,
    )
    found = report["trace"]
    return Trace(
        _answer=answer, _report=report, value=found["value"],
        standard_error=found["standardError"], certificate=_certificate(report),
    )


def solve(
    operator: Operator,
    b: np.ndarray,
    *,
    tolerance: float | None = None,
    max_products: int | None = None,
    dtype: Any = None,
    progress: Progress | None = None,
) -> Solution:
    """Solves ``A x = b`` for a symmetric operator that may be indefinite or singular (MINRES)."""
    b = np.asarray(b)
    if b.ndim != 1:
        raise UsageError(f"b has the shape {b.shape}; give one number per row of the operator.")
    shape = getattr(operator, "shape", None)
    if shape and shape[0] != b.size:
        raise UsageError(f"b has {b.size} numbers, and the operator {shape[0]} rows: give one for each.")
    answer, report = _measure(
        "solve", operator, b.size, dtype if dtype is not None else _own_dtype(operator),
        progress, arrays={"operator/b": b.astype(np.float64)}, tolerance=tolerance,
        maxApplications=max_products,
    )
    found = report["solution"]
    x = answer.array("solution")
    assert x is not None
    return Solution(
        _answer=answer, _report=report, x=x, relative_residual=found["relativeResidual"],
        iterations=found["iterations"], certificate=_certificate(report),
    )


def _certificate(report: dict[str, Any]) -> Certificate:
    found = report["convergence"]
    return Certificate(found["reason"], report["operatorApplications"], found["advice"])


def _own_dtype(operator: Operator) -> Any:
    dtype = getattr(operator, "dtype", None)
    return np.float32 if dtype is not None and np.dtype(dtype) == np.float32 else np.float64


def _measure(
    task: str,
    operator: Operator,
    n: int | None,
    dtype: Any,
    progress: Progress | None,
    arrays: dict[str, Any] | None = None,
    **fields: Any,
) -> tuple[_library.Answer, dict[str, Any]]:
    if hasattr(operator, "detach"):
        operator = operator.detach().cpu().numpy()
    elif isinstance(operator, (list, tuple)):
        operator = np.asarray(operator)
    shape = getattr(operator, "shape", None)
    if shape is not None:
        if len(shape) != 2 or shape[0] != shape[1]:
            raise UsageError(f"The operator has the shape {tuple(shape)}; a symmetric one is square.")
        if n is not None and n != shape[0]:
            raise UsageError(f"n is {n}, but the operator has {shape[0]} rows; leave n out.")
        n = int(shape[0])
    if n is None:
        raise UsageError("A callable does not say its dimension: give n.")
    if np.dtype(getattr(operator, "dtype", None) or np.float64).kind == "c":
        raise UsageError("The operator is complex; give the real one, [[Re, -Im], [Im, Re]].")
    kind = np.dtype(_own_dtype(operator) if dtype is None else dtype)
    if kind not in (np.float32, np.float64):
        raise UsageError(f"dtype is {kind}; give float32 or float64.")
    if hasattr(operator, "matvec"):
        product = operator.matvec
    elif hasattr(operator, "__matmul__"):
        product = operator.__matmul__
    elif callable(operator):
        product = operator
    else:
        raise UsageError(
            f"A {type(operator).__name__} is no operator: give a callable, a SciPy LinearOperator or a matrix."
        )

    def apply(x: np.ndarray, y: np.ndarray) -> None:
        # A copy: x lies in the library, which goes on with it, and a caller may keep or change what it is given.
        result = np.asarray(product(x.copy()))
        if result.dtype.kind == "c":
            raise UsageError("The product is complex; give the real operator [[Re, -Im], [Im, Re]].")
        if result.shape != (n,):
            if result.size != n:
                raise UsageError(
                    f"The product has the shape {result.shape}, and a vector of {n} numbers is due."
                )
            result = result.reshape(n)
        y[:] = result

    request: dict[str, Any] = {"schema": "eigenstep.request.operator/1", "task": task}
    request.update({name: value for name, value in fields.items() if value is not None})
    answer = _library.measure(request, apply, n, kind, arrays, progress)
    return answer, answer.report()
