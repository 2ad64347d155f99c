"""Eigenstep in a PyTorch training loop.

    import eigenstep.torch

    print(eigenstep.torch.diagnose(model, loss_fn, batch, optimizer=optimizer))
"""

from __future__ import annotations

from typing import Any, Callable, Iterable

import numpy as np
import torch
from torch import nn

from . import _distributed, _library, operators
from ._reports import Diagnosis, Spectrum, diagnosis_of, spectrum_of
from ._torch_loss import TorchLoss
from ._torch_optimizers import setting_of

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
        What ``loss_fn`` takes, or a ``DataLoader``: all its batches are averaged.
    optimizer
        The user's own: its rule and rate are judged.
    lr
        The rate to be judged; by default the optimizer's.
    trials
        Whether the remedies are run, or only predicted.
    effort
        How much work to spend: 1 takes seconds, for a large model about a minute.
    group
        Processes that measure together, each on its own ``batch``, where all call this; by default those of
        ``DistributedDataParallel`` or ``fully_shard``. All have the result; ``progress`` is told on the first.

    Raises
    ------
    EigenstepError
        Where it cannot be measured, with one sentence; what the model raises is passed on.
    """
    loss = _distributed.loss_of(
        model, loss_fn, _batches(batch), group=group, dtype=dtype, seed=seed
    )
    training: dict[str, Any] = {}
    if optimizer is not None:
        training, notes = setting_of(optimizer)
        loss.notes += notes
    if lr is not None:
        training["rate"] = lr
    name = type(loss.model).__name__.removeprefix("FSDP")
    request = {
        "schema": "eigenstep.request.diagnosis/1",
        "problem": {"memory": name},
        "training": training,
        "resources": {"precision": _precision(loss), "effort": effort, "seed": seed},
        "trials": {"areRun": trials},
    }
    functions = loss.functions(name)
    return _distributed.asked(
        loss, lambda: diagnosis_of(_library.answer(request, loss=functions, progress=progress))
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
    dtype: torch.dtype | None = None,
    group: Any = None,
    seed: int = 0,
    progress: Callable[[str, float | None], None] | None = None,
) -> Spectrum:
    """Eigenvalues of the Hessian with their residuals and bounds; see `diagnose` for the arguments."""
    loss = _distributed.loss_of(
        model, loss_fn, _batches(batch), group=group, dtype=dtype, seed=seed
    )
    name = type(loss.model).__name__.removeprefix("FSDP")
    request: dict[str, Any] = {
        "schema": "eigenstep.request.spectrum/1",
        "problem": {"memory": name},
        "resources": {"precision": _precision(loss), "seed": seed},
        "count": min(count, int(sum(loss.sizes))),
        "which": which,
        "trace": trace,
        "perLayer": per_layer,
    }
    if density is not None:
        request["densityError"] = density
    functions = loss.functions(name)
    return _distributed.asked(
        loss, lambda: spectrum_of(_library.answer(request, loss=functions, progress=progress))
    )


def eigenpairs(
    model: nn.Module,
    loss_fn: Callable[..., Any],
    batch: Any,
    *,
    dtype: torch.dtype | None = None,
    group: Any = None,
    seed: int = 0,
    **options: Any,
) -> operators.Eigenpairs:
    """The outermost eigenvalues of the Hessian with their vectors; options as `eigenstep.eigenpairs`."""
    loss = _distributed.loss_of(
        model, loss_fn, _batches(batch), group=group, dtype=dtype, seed=seed
    )
    kind = np.float64 if loss.dtype == torch.float64 else np.float32
    point = loss.start().astype(kind)

    def product(v: np.ndarray) -> np.ndarray:
        result = np.empty_like(v)
        loss.hessian_product(1, point, v, result)
        return result

    return _distributed.asked(
        loss, lambda: operators.eigenpairs(product, point.size, dtype=kind, seed=seed, **options)
    )


def _precision(loss: TorchLoss) -> str:
    return "float64" if loss.dtype == torch.float64 else "float32"


def _batches(batch: Any) -> Iterable[Any]:
    return list(batch) if isinstance(batch, torch.utils.data.DataLoader) else [batch]
