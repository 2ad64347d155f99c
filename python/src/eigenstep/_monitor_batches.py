"""Batches of any nesting: copied, and cut along their samples."""

from __future__ import annotations

from typing import Any

import torch

from .errors import UsageError


def copied(batch: Any) -> Any:
    if isinstance(batch, torch.Tensor):
        return batch.detach().clone()
    if isinstance(batch, dict):
        return type(batch)({key: copied(item) for key, item in batch.items()})
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(copied(item) for item in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(copied(item) for item in batch)
    return batch


def parts_of(batch: Any, count: int) -> list[Any]:
    """A batch cut along its samples into groups of equal size."""
    size = size_of(batch)
    count = min(count, size)
    if count < 2:
        raise UsageError("gradient-noise compares samples of a batch, and this one has one; leave it out.")
    each = size // count
    return [_cut(batch, size, i * each, (i + 1) * each) for i in range(count)]


def size_of(batch: Any) -> int:
    if isinstance(batch, torch.Tensor):
        return int(batch.shape[0]) if batch.ndim else 0
    if isinstance(batch, dict):
        batch = list(batch.values())
    if isinstance(batch, (tuple, list)):
        return next((size for size in map(size_of, batch) if size), 0)
    return 0


def _cut(batch: Any, size: int, start: int, end: int) -> Any:
    if isinstance(batch, torch.Tensor):
        return batch[start:end] if batch.ndim and batch.shape[0] == size else batch
    if isinstance(batch, dict):
        return type(batch)({key: _cut(item, size, start, end) for key, item in batch.items()})
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(_cut(item, size, start, end) for item in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(_cut(item, size, start, end) for item in batch)
    return batch
