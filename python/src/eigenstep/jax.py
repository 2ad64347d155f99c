"""Eigenstep for losses that JAX computes.

    import eigenstep.jax

    print(eigenstep.jax.diagnose(loss, params, batch, lr=1e-2))
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from . import _library, operators
from ._jax_loss import JaxLoss
from ._jax_monitor import Monitor
from ._reports import Diagnosis, Spectrum, diagnosis_of, spectrum_of

__all__ = ["Monitor", "diagnose", "eigenpairs", "spectrum"]


def diagnose(
    loss: Callable[[Any, Any], Any],
    params: Any,
    batch: Any,
    *,
    lr: float | None = None,
    optimizer: str = "gd",
    trials: bool = True,
    effort: float = 1.0,
    dtype: Any = None,
    seed: int = 0,
    progress: Callable[[str, float | None], None] | None = None,
) -> Diagnosis:
    """Why training with this loss is slow or blows up, which rate to use, and what to change.

    Parameters
    ----------
    loss
        ``loss(params, batch)``, a scalar.
    params
        Any pytree of floating-point arrays.
    """
    found = JaxLoss(loss, params, [batch], dtype=dtype)
    name = getattr(loss, "__name__", "loss")
    training: dict[str, Any] = {"optimizer": {"name": optimizer}}
    if lr is not None:
        training["rate"] = lr
    request = {
        "schema": "eigenstep.request.diagnosis/1",
        "problem": {"memory": name},
        "training": training,
        "resources": {"precision": found.dtype.name, "effort": effort, "seed": seed},
        "trials": {"areRun": trials},
    }
    return diagnosis_of(_library.answer(request, loss=found.functions(name), progress=progress))


def spectrum(
    loss: Callable[[Any, Any], Any],
    params: Any,
    batch: Any,
    *,
    count: int = 5,
    which: str = "both",
    density: float | None = None,
    trace: bool = False,
    per_layer: bool = False,
    dtype: Any = None,
    seed: int = 0,
    progress: Callable[[str, float | None], None] | None = None,
) -> Spectrum:
    """Eigenvalues of the Hessian with their residuals and bounds."""
    found = JaxLoss(loss, params, [batch], dtype=dtype)
    name = getattr(loss, "__name__", "loss")
    request: dict[str, Any] = {
        "schema": "eigenstep.request.spectrum/1",
        "problem": {"memory": name},
        "resources": {"precision": found.dtype.name, "seed": seed},
        "count": min(count, sum(found.sizes)),
        "which": which,
        "trace": trace,
        "perLayer": per_layer,
    }
    if density is not None:
        request["densityError"] = density
    return spectrum_of(_library.answer(request, loss=found.functions(name), progress=progress))


def eigenpairs(
    loss: Callable[[Any, Any], Any],
    params: Any,
    batch: Any,
    *,
    dtype: Any = None,
    **options: Any,
) -> operators.Eigenpairs:
    """The outermost eigenvalues of the Hessian with their vectors; options as `eigenstep.eigenpairs`."""
    found = JaxLoss(loss, params, [batch], dtype=dtype)
    point = found.start().astype(found.dtype)

    def product(v: np.ndarray) -> np.ndarray:
        result = np.empty_like(v)
        found.hessian_product(1, point, v, result)
        return result

    return operators.eigenpairs(product, point.size, dtype=found.dtype, **options)
