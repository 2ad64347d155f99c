"""One measurement by many processes: the first rank runs the library, the others answer products.

The first rank sends each question, a point where it is new, and a direction; each rank computes its part from
its own samples; the parts are added up on the first rank. No other rank decides anything, so none can branch
differently, and the vectors of a Krylov space are held once, in the first rank's host memory.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from typing import Any, Callable, Sequence, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from . import _fsdp, _library
from ._ranks import Ranks, uninterrupted
from ._sent import sent
from ._sharded_loss import ShardedLoss
from ._torch_loss import TorchLoss
from .errors import UsageError

_STOP, _VALUE, _GRADIENT, _HESSIAN, _GAUSS_NEWTON = range(5)
_PRODUCTS = {_HESSIAN: "hessian_product", _GAUSS_NEWTON: "gauss_newton_product"}

Found = TypeVar("Found")


def loss_of(
    model: nn.Module,
    loss_fn: Callable[..., Any],
    batches: Sequence[Any],
    *,
    group: Any = None,
    dtype: torch.dtype | None = None,
    seed: int = 0,
    **options: Any,
) -> TorchLoss | SharedLoss:
    """The loss of a model, by one process or by all of a group.

    Parameters
    ----------
    group
        By default that of ``DistributedDataParallel`` or ``fully_shard``; a model of neither is measured by
        this process alone.
    options
        What `TorchLoss` takes besides; ``products="differences"`` holds for sharded models too.
    """
    bare, shards = _unwrapped(model), False
    if dist.is_available() and dist.is_initialized():
        shards = _fsdp.is_sharded(bare)
        if group is None:
            group = _group_of(model, bare, shards)
    if group is None:
        return TorchLoss(bare, loss_fn, batches, dtype=dtype, seed=seed, **options)
    device = next((p.device for p in bare.parameters()), torch.device("cpu"))
    ranks = Ranks(group, device)
    ranks.gather()
    options.update(dtype=dtype, seed=seed + ranks.rank)
    return SharedLoss(ranks, bare, loss_fn, batches, shards, options)


def asked(loss: TorchLoss | SharedLoss, question: Callable[[], Found]) -> Found:
    """Asks the library, on the first rank alone where there are more; all have the result.

    Raises
    ------
    EigenstepError
        The same on all ranks.
    """
    return loss.asked(question) if isinstance(loss, SharedLoss) else question()


class SharedLoss:
    """The mean over the samples of all ranks; what is not told here is as the rank's own loss has it."""

    def __init__(
        self,
        ranks: Ranks,
        model: nn.Module,
        loss_fn: Callable[..., Any],
        batches: Sequence[Any],
        is_sharded: bool,
        options: dict[str, Any],
    ) -> None:
        self.ranks = ranks
        self._standing_in: Callable[[], contextlib.AbstractContextManager[None]]
        self._standing_in = contextlib.nullcontext
        error: BaseException | None = None
        local: Any = None
        own: dict[int, Any] = {}
        try:
            _refuse_synchronised(model)
            if is_sharded and _fsdp.is_by_differences(model, options):
                _fsdp.refuse_micro_batches(options)
                local = ShardedLoss(ranks, model, loss_fn, batches, seed=options["seed"])
            elif is_sharded:
                self._standing_in, own = _fsdp.whole(model)
                held = options.get("held", ())
                options["held"] = {*held, *(new for new, p in own.items() if id(p) in held)}
        except BaseException as found:  # noqa: BLE001 - it is raised again, on all ranks
            error = found
        # Sharded parameters are put together by all ranks, so nothing may have failed on one by now.
        ranks.agree(error, None)
        try:
            with self._standing_in():
                local = local or TorchLoss(model, loss_fn, batches, **options)
                functions = local.functions("loss")
                self._products: dict[int, Any] = {
                    command: getattr(functions, name, None) for command, name in _PRODUCTS.items()
                }
        except BaseException as found:  # noqa: BLE001
            error = found
        facts = None
        if error is None:
            # What a rank's mean is over may be elements or the weights of targets.
            facts = (local.sample_count, list(local.sizes), len(local.batches), local.mean_is_over)
        known = ranks.agree(error, facts)
        _check_sizes([sizes for _, sizes, _, _ in known])
        counts = [count for count, _, _, _ in known]
        self.sample_count = sum(counts)
        self._local = local
        # Those that the user's optimizer holds.
        self.parameters = {name: own.get(id(p), p) for name, p in local.parameters.items()}
        parts = [over for _, _, _, over in known]
        self._weight = parts[ranks.rank] / sum(parts)
        self._sums_itself = isinstance(local, ShardedLoss)
        if self._sums_itself:
            self._weight = 1.0
            try:
                local.prepare(sum(parts), [batches for _, _, batches, _ in known])
            except BaseException as found:  # noqa: BLE001
                raise ranks.leave(found) from None
        self.dtype, self.sizes, self.model = local.dtype, local.sizes, local.model
        self.notes: list[str] = local.notes
        self.notes += _notes(model, counts)
        self._element = np.float64 if local.dtype == torch.float64 else np.float32
        self._questions = 1
        self._point: tuple[int, np.ndarray] | None = None

    def __getattr__(self, name: str) -> Any:
        if name == "_local":
            raise AttributeError(name)
        value = getattr(self._local, name)
        return self._with_parameters(value) if inspect.ismethod(value) else value

    def _with_parameters(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*given: Any, **named: Any) -> Any:
            with self._standing_in():
                return method(*given, **named)

        return call

    # What the library is told and asks, on the first rank.

    def functions(self, name: str) -> _library.LossFunctions:
        with self._standing_in():
            functions = self._local.functions(name)
        share = self.sample_count / max(1, self._local.sample_count)
        description = dict(functions.description, sampleCount=self.sample_count, notes=self.notes)
        if "gradientOperations" in description:
            description["gradientOperations"] *= share
        functions.description = description
        functions.value_and_gradient = self.value_and_gradient
        functions.hessian_product = self.hessian_product
        if self._products[_GAUSS_NEWTON] is not None:
            functions.gauss_newton_product = self.gauss_newton_product
        return functions

    def value_and_gradient(
        self, number: int, point: np.ndarray, gradient: np.ndarray | None
    ) -> float:
        return self._all(_VALUE if gradient is None else _GRADIENT, number, point, None, gradient)

    def hessian_product(
        self, number: int, point: np.ndarray, direction: np.ndarray, result: np.ndarray
    ) -> None:
        self._all(_HESSIAN, number, point, direction, result)

    def gauss_newton_product(
        self, number: int, point: np.ndarray, direction: np.ndarray, result: np.ndarray
    ) -> None:
        self._all(_GAUSS_NEWTON, number, point, direction, result)

    def _all(
        self,
        command: int,
        number: int,
        point: np.ndarray,
        direction: np.ndarray | None,
        result: np.ndarray | None,
    ) -> float:
        with uninterrupted():
            # Each question counts points anew, and ranks may have begun at points of their own.
            number += self._questions << 32
            is_new = self._point is None or self._point[0] != number
            self.ranks.broadcast(np.array([command, number, is_new], dtype=np.int64))
            if is_new:
                self._point = (number, point.astype(self._element))
                self.ranks.broadcast(self._point[1])
            if direction is not None:
                self.ranks.broadcast(np.array(direction))
            return self._part(command, number, direction, result)

    def _part(
        self, command: int, number: int, direction: np.ndarray | None, result: np.ndarray | None
    ) -> float:
        """This rank's part; on the first the sum of all."""
        assert self._point is not None
        point, error, value = self._point[1], None, 0.0
        part = None if result is None else result if self.ranks.is_first else np.empty_like(result)
        try:
            with self._standing_in():
                if command in _PRODUCTS:
                    self._products[command](number, point, direction, part)
                else:
                    value = self._weight * self._local.value_and_gradient(number, point, part)
        except BaseException as found:  # noqa: BLE001 - it is raised again below
            error = found
            if self._sums_itself:
                raise self.ranks.leave(error) from None
            if part is not None:
                part[:] = 0
        if part is not None and not self._sums_itself:
            part *= self._weight
            self.ranks.add_up(part)
        failures, total = self.ranks.sums([float(error is not None), value])
        if failures:
            self.ranks.agree(error, None)
        return total

    # Who asks, and who answers.

    def asked(self, question: Callable[[], Found]) -> Found:
        self._questions += 1
        with self.ranks.until_terminated():
            return self._ask(question) if self.ranks.is_first else self._answer()

    def _ask(self, question: Callable[[], Found]) -> Found:
        failure: BaseException | None = None
        try:
            result = question()
        except BaseException as error:  # noqa: BLE001 - the others are let go, and it is raised again
            failure = error
        with uninterrupted():
            if failure is None:
                self._release((None, sent(result)))
                return result
            # What all have raised together nobody waits to be told.
            if self.ranks.said is not failure:
                with contextlib.suppress(Exception):
                    self._release((self.ranks.words(failure), None))
        raise failure

    def _release(self, words: Any) -> None:
        self.ranks.broadcast(np.array([_STOP, 0, 0], dtype=np.int64))
        self.ranks.from_first(words)

    def _answer(self) -> Any:
        count = int(sum(self.sizes))
        direction = np.empty(count, self._element)
        while True:
            header = np.zeros(3, dtype=np.int64)
            self.ranks.broadcast(header)
            command, number, is_new = (int(word) for word in header)
            if command == _STOP:
                words, result = self.ranks.from_first(None)
                if words is not None:
                    raise self.ranks.told(words)
                return result
            if is_new:
                self._point = (number, np.empty(count, self._element))
                self.ranks.broadcast(self._point[1])
            if command in _PRODUCTS:
                self.ranks.broadcast(direction)
            result_part = None if command == _VALUE else np.empty(count, self._element)
            self._part(command, number, direction, result_part)


def _unwrapped(model: nn.Module) -> nn.Module:
    if not isinstance(model, nn.Module):  # which the loss refuses
        return model
    while True:
        inner: Any = getattr(model, "_orig_mod", None)
        if isinstance(model, nn.parallel.DistributedDataParallel):
            inner = model.module
        if inner is None:
            break
        model = inner
    if any(type(module).__name__ == "FullyShardedDataParallel" for module in model.modules()):
        raise UsageError(
            "FullyShardedDataParallel keeps its parameters as one flat piece: shard the model by fully_shard "
            "(torch.distributed.fsdp), or give it unwrapped."
        )
    return model


def _group_of(model: nn.Module, bare: nn.Module, is_sharded: bool) -> Any:
    outer: Any = model
    while hasattr(outer, "_orig_mod"):
        outer = outer._orig_mod
    if isinstance(outer, nn.parallel.DistributedDataParallel):
        return outer.process_group
    return _fsdp.group_of(bare) if is_sharded else None


def _refuse_synchronised(model: nn.Module) -> None:
    for name, module in model.named_modules():
        if isinstance(module, nn.SyncBatchNorm) and module.training:
            raise UsageError(
                f"{name or 'The model'} is a SyncBatchNorm in train mode, which has no second derivative: "
                "measure with model.eval(), or with BatchNorm, whose statistics are those of each rank."
            )


def _check_sizes(sizes: list[list[int]]) -> None:
    for rank, (own, first) in enumerate(zip(sizes, sizes[:1] * len(sizes))):
        if own != first:
            raise UsageError(
                f"Rank {rank} has {sum(own):,} trained parameters in {len(own)} pieces, and rank 0 "
                f"{sum(first):,} in {len(first)}: give all ranks the same model."
            )


def _notes(model: nn.Module, counts: list[int]) -> list[str]:
    if len(set(counts)) == 1:
        samples = f"{counts[0]:,} sample{'s' if counts[0] != 1 else ''} each"
    else:
        samples = f"{min(counts):,} to {max(counts):,} samples each, and each sample counts the same"
    notes = [f"{len(counts)} ranks measured together, {samples}."]
    if any(isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training for m in model.modules()):
        notes.append(
            "BatchNorm takes its statistics on each rank from that rank's samples alone, as in training."
        )
    return notes
