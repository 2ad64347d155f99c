"""How many samples at once a budget of memory allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

import torch

from ._torch_batches import pieces, sample_count
from ._torch_checks import without_second_derivative
from ._torch_products import HessianGraph
from .errors import UsageError

if TYPE_CHECKING:
    from ._torch_loss import TorchLoss


def planned(loss: TorchLoss, micro_batch: int | None, memory: int | None) -> list[list[Any]]:
    """Each batch as its micro-batches."""
    if micro_batch is not None and micro_batch < 1:
        raise UsageError(f"micro_batch is {micro_batch}: give at least one sample.")
    if isinstance(memory, str):
        raise UsageError(f"memory is {memory!r}: give bytes, as 2 * 2**30.")
    if memory is not None:
        largest = max(loss.batches, key=sample_count)
        size = size_within(
            memory, sample_count(largest), lambda count: _bytes(loss, pieces(largest, count)[0])
        )
        micro_batch = size if micro_batch is None else min(size, micro_batch)
    return [[b] if micro_batch is None else pieces(b, micro_batch) for b in loss.batches]


def _bytes(loss: TorchLoss, piece: Any) -> int:
    """What autograd keeps for one product."""
    values = loss.loaded(0, loss.start())

    def work() -> object:
        value = loss.loss(values, piece)
        return value if loss.products == "differences" else HessianGraph(value, list(values.values()))

    with loss.evaluating():
        try:
            return saved_bytes(work)
        except RuntimeError as error:
            if loss.math_attention or "attention" not in str(error):
                raise without_second_derivative(error, loss) from error
    loss.math_attention = True
    return _bytes(loss, piece)


def saved_bytes(work: Callable[[], Any]) -> int:
    """What autograd keeps for later while something is computed, each storage counted once."""
    kept: dict[int, int] = {}
    held: list[torch.Tensor] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in kept:
            kept[storage.data_ptr()] = storage.nbytes()
            held.append(tensor.detach())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = work()
    del result
    return sum(kept.values())


def size_within(memory: int, count: int, bytes_of: Callable[[int], int]) -> int:
    """The most samples at once for which autograd keeps no more than so many bytes.

    It is found by two measurements, of few samples each.
    """
    few = min(count, 2)
    more = min(count, 2 * few)
    if more == few:
        return count
    least = bytes_of(few)
    each = max(1.0, (bytes_of(more) - least) / (more - few))
    fixed = max(0.0, least - each * few)
    size = int((memory - fixed) / each)
    if size < 1:
        raise UsageError(
            f"One sample takes about {(fixed + each) / 1e6:.3g} MB, and memory is {memory / 1e6:.3g} MB; give "
            "more."
        )
    return min(count, size)
