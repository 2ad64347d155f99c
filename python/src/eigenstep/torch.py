"""Eigenstep in a PyTorch training loop.

    import eigenstep.torch

    print(eigenstep.torch.diagnose(model, loss_fn, batch, optimizer=optimizer))
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import torch
from torch import nn

from . import _distributed, _library, operators
from ._optimizers import Standing
from ._reports import Diagnosis, Spectrum, diagnosis_of, spectrum_of
from ._torch_loss import TorchLoss
from ._torch_optimizers import held_by, standing_of
from ._wording import OF_LOSSES

__all__ = ["diagnose", "eigenpairs", "spectrum"]


def diagnose(
    model: nn.Module,
    loss_fn: Callable[..., Any],
    batch: Any,
    *,
    optimizer: torch.optim.Optimizer | None = None,
    lr: float | None = None,
    trials: bool = True,
    effort: float = 1.0,
    dtype: torch.dtype | None = None,
    group: Any = None,
    seed: int = 0,
    products: str = "autograd",
    micro_batch: int | None = None,
    memory: int | None = None,
    progress: Callable[[str, float | None], None] | None = None,
) -> Diagnosis:
    """Why training this model is slow or blows up, which rate to use, and what to change.

    Parameters
    ----------
    model
        Any module on any device, in train or eval mode as it is to be measured; it is left as it was.
    loss_fn
        ``loss_fn(model, batch)``, a scalar; a loss of PyTorch's own takes ``model(inputs)`` and targets.
    batch
        What ``loss_fn`` takes, or a ``DataLoader``: all its batches are averaged, each weighted by what its
        mean is over, and moved to the model's device.
    optimizer
        The user's own: its next step is judged, with its state, its groups' rates and its weight decay.
    lr
        The rate to be judged; by default the optimizer's.
    trials
        Whether the remedies are run, or only predicted.
    effort
        How much work to spend: 1 takes seconds, for a large model about a minute.
    dtype
        What the loss is computed in, ``torch.float32`` or ``torch.float64``, whatever the model is in; by
        default float64 where all its parameters are.
    seed
        Of dropout and other draws: the same before every evaluation.
    products
        ``"autograd"``, or ``"differences"`` of gradients, with their error stated, for operations without a
        second derivative.
    micro_batch
        Samples computed on at once; by default each batch whole.
    memory
        Bytes that autograd may keep for one product: micro-batches are made to fit it.
    group
        Processes that measure together, each on its own ``batch``, where all call this; by default those of
        ``DistributedDataParallel`` or ``fully_shard``. All have the result; ``progress`` is told on the first.

    Raises
    ------
    EigenstepError
        Where it cannot be measured, with one sentence; what the model raises is passed on.
    """
    held = frozenset() if optimizer is None else held_by(optimizer, model)
    loss = _distributed.loss_of(
        model, loss_fn, _batches(batch), group=group, dtype=dtype, seed=seed, products=products,
        micro_batch=micro_batch, memory=memory, held=held, moves_batches=_is_loader(batch),
    )
    standing = Standing()
    if optimizer is not None:
        standing = standing_of(optimizer, loss.parameters, loss.names)
    name = type(loss.model).__name__.removeprefix("FSDP")
    request = {
        "schema": "eigenstep.request.diagnosis/1",
        "problem": {"memory": name},
        "training": standing.training(lr),
        "resources": {"precision": _precision(loss), "effort": effort, "seed": seed},
        "trials": {"areRun": trials},
    }
    functions = loss.functions(name)
    if optimizer is not None:
        functions.description = standing.describe(functions.description)
    return _distributed.asked(
        loss,
        lambda: diagnosis_of(_library.answer(request, standing.arrays(), functions, progress)),
    )


def spectrum(
    model: nn.Module,
    loss_fn: Callable[..., Any],
    batch: Any,
    *,
    count: int = 5,
    which: str = "both",
    density: float | None = None,
    trace: bool = False,
    per_layer: bool = False,
    curvature: str = "hessian",
    dtype: torch.dtype | None = None,
    group: Any = None,
    seed: int = 0,
    products: str = "autograd",
    micro_batch: int | None = None,
    memory: int | None = None,
    progress: Callable[[str, float | None], None] | None = None,
) -> Spectrum:
    """Eigenvalues of the curvature with their residuals and bounds; see `diagnose` for the other arguments.

    Parameters
    ----------
    curvature
        ``"hessian"``; ``"gauss-newton"``, its part by the curvature of the loss in the model's outputs, which
        has no negative eigenvalue where that is convex; or ``"fisher"``, which is the same matrix for cross
        entropy, squared errors and log loss.
    """
    loss = _distributed.loss_of(
        model, loss_fn, _batches(batch), group=group, dtype=dtype, seed=seed, products=products,
        micro_batch=micro_batch, memory=memory, moves_batches=_is_loader(batch),
    )
    name = type(loss.model).__name__.removeprefix("FSDP")
    request: dict[str, Any] = {
        "schema": "eigenstep.request.spectrum/1",
        "problem": {"memory": name},
        "resources": {"precision": _precision(loss), "seed": seed},
        "count": min(count, int(sum(loss.sizes))),
        "which": which,
        "kind": loss.kind(curvature),
        "trace": trace,
        "perLayer": per_layer,
    }
    if density is not None:
        request["densityError"] = density
    functions = loss.functions(name)
    return _distributed.asked(
        loss,
        lambda: spectrum_of(_library.answer(request, loss=functions, progress=progress), OF_LOSSES),
    )


def eigenpairs(
    model: nn.Module,
    loss_fn: Callable[..., Any],
    batch: Any,
    *,
    curvature: str = "hessian",
    dtype: torch.dtype | None = None,
    group: Any = None,
    seed: int = 0,
    products: str = "autograd",
    micro_batch: int | None = None,
    memory: int | None = None,
    **options: Any,
) -> operators.Eigenpairs:
    """The outermost eigenvalues of the curvature with their vectors.

    Arguments are those of `spectrum`, options those of `eigenstep.eigenpairs`; ``memory`` bounds vectors too.
    """
    loss = _distributed.loss_of(
        model, loss_fn, _batches(batch), group=group, dtype=dtype, seed=seed, products=products,
        micro_batch=micro_batch, memory=memory, moves_batches=_is_loader(batch),
    )
    kind = np.float64 if loss.dtype == torch.float64 else np.float32
    point = loss.start().astype(kind)
    is_hessian = loss.kind(curvature) == "hessian"
    multiply = loss.hessian_product if is_hessian else loss.gauss_newton_product

    def product(v: np.ndarray) -> np.ndarray:
        result = np.empty_like(v)
        # Number 0 is the start, whose graph the checks have left.
        multiply(0, point, v, result)
        return result

    return _distributed.asked(
        loss,
        lambda: operators.eigenpairs(
            product, point.size, dtype=kind, seed=seed, memory=memory, **options
        ),
    )


def _precision(loss: TorchLoss) -> str:
    return "float64" if loss.dtype == torch.float64 else "float32"


def _is_loader(batch: Any) -> bool:
    return isinstance(batch, torch.utils.data.DataLoader)


def _batches(batch: Any) -> list[Any]:
    return list(batch) if _is_loader(batch) else [batch]
