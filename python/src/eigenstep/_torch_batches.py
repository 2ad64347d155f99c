"""Batches as trees of tensors: cast, copied, split into micro-batches, and weighted."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Callable, Iterator

import torch
import torch.nn.functional as F
from torch import nn

from .errors import UsageError

_ELEMENTWISE = (
    nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss, nn.BCELoss, nn.BCEWithLogitsLoss,
    F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss, F.binary_cross_entropy,
    F.binary_cross_entropy_with_logits,
)
_OF_CLASSES = (nn.CrossEntropyLoss, nn.NLLLoss, F.cross_entropy, F.nll_loss)


def tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors(item)


def mapped(value: Any, function: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """The same tree with every tensor replaced."""
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, Mapping):
        items = {key: mapped(item, function) for key, item in value.items()}
        try:
            return type(value)(items)  # type: ignore[call-arg]
        except TypeError:
            return items
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(mapped(item, function) for item in value))
    if isinstance(value, (tuple, list)):
        return type(value)(mapped(item, function) for item in value)
    return value


def cast(value: Any, dtype: torch.dtype, device: torch.device | None = None) -> Any:
    """Floating-point tensors in another type, and all tensors on a device where one is given."""
    return mapped(value, lambda t: t.to(device, dtype if t.is_floating_point() else None))


def cloned(value: Any) -> Any:
    return mapped(value, lambda t: t.detach().clone().requires_grad_(t.requires_grad))


def sample_count(batch: Any) -> int:
    """The rows of the first tensor that has rows."""
    for tensor in tensors(batch):
        if tensor.ndim:
            return int(tensor.shape[0])
    return 1


def rows(batch: Any, first: int, last: int) -> Any:
    """Some samples: rows of every tensor that has as many as there are samples."""
    count = sample_count(batch)
    return mapped(batch, lambda t: t[first:last] if t.ndim and t.shape[0] == count else t)


def pieces(batch: Any, size: int) -> list[Any]:
    """Micro-batches of at most so many samples, as even as can be."""
    count = sample_count(batch)
    number = max(1, -(-count // size))
    edges = [count * i // number for i in range(number + 1)]
    return [rows(batch, *edge) for edge in zip(edges, edges[1:])] if number > 1 else [batch]


def reduction_of(loss_fn: Any) -> str | None:
    """``"mean"`` or ``"sum"`` of a loss of PyTorch's own; None of others."""
    if isinstance(loss_fn, functools.partial):
        given = loss_fn.keywords.get("reduction")
        return given if given else reduction_of(loss_fn.func)
    if isinstance(loss_fn, nn.Module):
        return getattr(loss_fn, "reduction", None)
    return "mean" if getattr(loss_fn, "__module__", "").startswith("torch.nn.functional") else None


def is_kind(loss_fn: Any, kinds: tuple[Any, ...]) -> bool:
    """Whether it is one of PyTorch's own losses, as a module or as a function."""
    while isinstance(loss_fn, functools.partial):
        loss_fn = loss_fn.func
    return any(loss_fn is k or isinstance(k, type) and isinstance(loss_fn, k) for k in kinds)


def divisor(loss_fn: Any, batch: Any) -> float:
    """What the mean over a batch was divided by: samples, elements, or the weights of the targets."""
    if isinstance(batch, (tuple, list)) and len(batch) > 1:
        targets = batch[-1]
        if is_kind(loss_fn, _ELEMENTWISE):
            return float(targets.numel())
        if is_kind(loss_fn, _OF_CLASSES) and not targets.is_floating_point():
            return _class_weights(loss_fn, targets)
    return float(sample_count(batch))


def _class_weights(loss_fn: Any, targets: torch.Tensor) -> float:
    options = loss_fn.keywords if isinstance(loss_fn, functools.partial) else {}
    weight = getattr(loss_fn, "weight", options.get("weight"))
    ignored = getattr(loss_fn, "ignore_index", options.get("ignore_index", -100))
    kept = targets[targets != ignored]
    return float(kept.numel() if weight is None else weight.detach().double()[kept.to(weight.device)].sum())


def weights_of(loss_fn: Any, groups: list[list[Any]]) -> tuple[list[float], int]:
    """Of each micro-batch, and the number of samples.

    Within a batch they are put together as its loss averages or adds up, and batches are averaged: by what
    each one's mean is over, or, where samples are added up, all alike.
    """
    is_sum = reduction_of(loss_fn) == "sum"
    parts = [[1.0 if is_sum else divisor(loss_fn, piece) for piece in group] for group in groups]
    whole = float(len(groups)) if is_sum else sum(map(sum, parts))
    if whole == 0:
        raise UsageError("No target of the batch counts (ignore_index): give samples with targets.")
    samples = sum(sample_count(piece) for group in groups for piece in group)
    return [part / whole for group in parts for part in group], max(1, samples)
