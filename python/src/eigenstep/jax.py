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
from ._optax import standing_of
from ._reports import Diagnosis, Spectrum, diagnosis_of, spectrum_of
from ._wording import OF_LOSSES

__all__ = ["Monitor", "diagnose", "eigenpairs", "spectrum"]


def diagnose(
    loss: Callable[..., Any],
    params: Any,
    batch: Any,
    *,
    lr: Any = None,
    optimizer: str | None = None,
    opt_state: Any = None,
    trials: bool = True,
    effort: float = 1.0,
    dtype: Any = None,
    seed: int = 0,
    has_aux: bool = False,
    rng: Any = None,
    products: str = "autograd",
    progress: Callable[[str, float | None], None] | None = None,
    **hyperparameters: float,
) -> Diagnosis:
    """Why training with this loss is slow or blows up, which rate to use, and what to change.

    Parameters
    ----------
    loss
        ``loss(params, batch)``, a scalar.
    params
        Any pytree of floating-point arrays, sharded or not.
    lr
        The rate to be judged: a number, a schedule of optax, or a pytree of rates as ``params`` has arrays.
    optimizer
        optax's name for the optimizer whose step is judged, as ``"adamw"``; without it the state tells.
    opt_state
        Its state, in any nesting: the limit is that of its next step then.
    dtype
        What parameters are cast to, ``float32`` or ``float64``; by default float64 where they all are.
    has_aux
        Whether the loss returns ``(value, anything)``.
    rng
        A key, the same in every evaluation: the loss is called as ``loss(params, batch, rng)``.
    products
        ``"autograd"``, or ``"differences"`` of gradients, with their error stated, for operations without a
        second derivative.
    hyperparameters
        The optimizer's other numbers by optax's names, ``b1=0.95``; optax's own where they are not given.
    """
    found = JaxLoss(
        loss, params, [batch], dtype=dtype, has_aux=has_aux, rng=rng, products=products
    )
    name = getattr(loss, "__name__", "loss")
    standing = standing_of(optimizer, opt_state, params, lr, hyperparameters)
    request = {
        "schema": "eigenstep.request.diagnosis/1",
        "problem": {"memory": name},
        "training": standing.training(None),
        "resources": {"precision": found.dtype.name, "effort": effort, "seed": seed},
        "trials": {"areRun": trials},
    }
    functions = found.functions(name)
    functions.description = standing.describe(functions.description)
    return diagnosis_of(_library.answer(request, standing.arrays(), functions, progress))


def spectrum(
    loss: Callable[..., Any],
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
    has_aux: bool = False,
    rng: Any = None,
    products: str = "autograd",
    progress: Callable[[str, float | None], None] | None = None,
) -> Spectrum:
    """Eigenvalues of the Hessian with their residuals and bounds."""
    found = JaxLoss(
        loss, params, [batch], dtype=dtype, has_aux=has_aux, rng=rng, products=products
    )
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
    return spectrum_of(
        _library.answer(request, loss=found.functions(name), progress=progress), OF_LOSSES
    )


def eigenpairs(
    loss: Callable[..., Any],
    params: Any,
    batch: Any,
    *,
    dtype: Any = None,
    has_aux: bool = False,
    rng: Any = None,
    products: str = "autograd",
    **options: Any,
) -> operators.Eigenpairs:
    """The outermost eigenvalues of the Hessian with their vectors; options as `eigenstep.eigenpairs`."""
    found = JaxLoss(
        loss, params, [batch], dtype=dtype, has_aux=has_aux, rng=rng, products=products
    )
    point = found.start().astype(found.dtype)

    def product(v: np.ndarray) -> np.ndarray:
        result = np.empty_like(v)
        found.hessian_product(1, point, v, result)
        return result

    return operators.eigenpairs(product, point.size, dtype=found.dtype, **options)
