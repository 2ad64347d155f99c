"""Batches of any nesting, cut along their samples."""

from __future__ import annotations

from typing import Any

from ._torch_batches import rows, sample_count
from .errors import UsageError


def parts_of(batch: Any, count: int) -> list[Any]:
    """A batch cut along its samples into groups of equal size."""
    size = sample_count(batch)
    count = min(count, size)
    if count < 2:
        raise UsageError("gradient-noise compares samples of a batch, and this one has one; leave it out.")
    each = size // count
    return [rows(batch, i * each, (i + 1) * each) for i in range(count)]
