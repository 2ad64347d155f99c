"""The loss of a model that stays sharded, by what FSDP itself computes and reduces.

A product is the difference of two gradients; its error is measured before and said.
"""

from __future__ import annotations

from typing import Any, Callable, Sequence

import numpy as np
import torch
from torch import nn

from . import _library
from ._fsdp import at_rest, units
from ._ranks import Ranks
from ._torch_batches import divisor, reduction_of, sample_count
from ._torch_objective import takes_outputs
from .errors import UsageError


class ShardedLoss:
    """The mean loss over all ranks' samples with the model as it is sharded, products by differences.

    Every rank is to ask for the same at the same time; the first has the answer.
    """

    def __init__(
        self,
        ranks: Ranks,
        model: nn.Module,
        loss_fn: Callable[..., Any],
        batches: Sequence[Any],
        *,
        seed: int = 0,
    ) -> None:
        self.ranks, self.model, self.batches, self.seed = ranks, model, list(batches), seed
        if not self.batches:
            raise UsageError("There are no samples to measure on; give a batch, or a loader that has one.")
        at_rest(model)
        self.loss_fn, self.is_of_outputs = loss_fn, takes_outputs(loss_fn)
        named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        if not named:
            raise UsageError(
                "No parameter of the model requires a gradient: set requires_grad on those that are trained."
            )
        self.parameters: dict[str, Any] = named
        self.names = list(named)
        self.sizes = [p.numel() for p in named.values()]
        self.dtype: torch.dtype = next(iter(named.values())).dtype
        if self.dtype not in (torch.float32, torch.float64):
            raise UsageError(
                f"The parameters hold {self.dtype}, too coarse for differences: keep them in float32, and "
                "let FSDP's MixedPrecisionPolicy choose what is computed in."
            )
        self.sample_count = sum(max(1, sample_count(batch)) for batch in self.batches)
        is_sum = reduction_of(loss_fn) == "sum"
        self.parts = [1 / len(self.batches) if is_sum else divisor(loss_fn, b) for b in self.batches]
        self.mean_is_over = sum(self.parts)
        self.notes: list[str] = []
        self._step = 0.0
        self._total = self.mean_is_over

    def prepare(self, total: float, batches: list[int]) -> None:
        """Chooses the step of the differences, and says how well they agree."""
        if len(set(batches)) > 1:
            raise UsageError(
                f"The ranks have from {min(batches)} to {max(batches)} batches, and FSDP computes in step: "
                "give each rank as many."
            )
        self._total = total
        point = self._settled(self.start())
        gradient = np.zeros_like(point)
        self.value_and_gradient(0, point, gradient)
        scale = (1 + float(np.linalg.norm(point))) * float(np.finfo(point.dtype).eps) ** (1 / 3)
        along = self._settled(gradient)
        if not np.any(along):
            along[:] = 1
        steps = [scale * factor for factor in (0.0625, 0.25, 1.0, 4.0)]
        tried = []
        for self._step in steps:
            result = np.empty_like(along)
            self.hessian_product(0, point, along, result)
            tried.append(self._settled(result).astype(np.float64))
        # Four times the step is sixteen times the error, where rounding does not have the word.
        errors = [
            float(np.linalg.norm(a - b)) / max(float(np.linalg.norm(a)), 1e-300)
            for a, b in zip(tried, tried[1:])
        ]
        best = int(np.argmin(errors))
        self._step = steps[best]
        if not errors[best] < 0.1:
            raise UsageError(
                f"Differences of gradients disagree by {errors[best]:.0%} here, so no product can be had "
                "from them: compute in a finer precision (MixedPrecisionPolicy), or on more memory."
            )
        self.notes.append(
            "The model stays sharded, and its products are differences of gradients: along the gradient "
            f"those of two steps agree to {errors[best]:.1e} of the product."
        )

    def description(self, name: str) -> dict[str, Any]:
        shapes = [p.shape for p in self.parameters.values()]
        return _library.description_of(name, self.names, shapes, self.sample_count, self.notes)

    def start(self) -> np.ndarray:
        return np.concatenate([
            p.detach().full_tensor().reshape(-1).to("cpu", torch.float64).numpy()
            if hasattr(p, "full_tensor") else p.detach().reshape(-1).to("cpu", torch.float64).numpy()
            for p in self.parameters.values()
        ])

    def kind(self, curvature: str) -> str:
        if curvature != "hessian":
            raise UsageError(
                f"curvature={curvature!r} is not for a model that stays sharded: ask for 'hessian', whose products "
                "are differences of gradients."
            )
        return curvature

    def functions(self, name: str) -> _library.LossFunctions:
        return _library.LossFunctions(
            self.description(name), self.start(), self.value_and_gradient, self.hessian_product
        )

    def value_and_gradient(
        self, number: int, point: np.ndarray, gradient: np.ndarray | None
    ) -> float:
        kept = {name: _local(p).detach().clone() for name, p in self.parameters.items()}
        slopes = {name: p.grad for name, p in self.parameters.items()}
        buffers = {name: b.detach().clone() for name, b in self.model.named_buffers()}
        try:
            self._put(point)
            value = self._evaluated(gradient is not None)
            if gradient is not None:
                self._gather(gradient)
            return value
        finally:
            at_rest(self.model)
            with torch.no_grad():
                for name, parameter in self.parameters.items():
                    _local(parameter).copy_(kept[name])
                    parameter.grad = slopes[name]
                for name, buffer in self.model.named_buffers():
                    buffer.copy_(buffers[name])

    def hessian_product(
        self, number: int, point: np.ndarray, direction: np.ndarray, result: np.ndarray
    ) -> None:
        length = float(np.linalg.norm(direction))
        if length == 0:
            result[:] = 0
            return
        shift = (self._step / length) * direction
        above, below = np.empty_like(point), np.empty_like(point)
        self.value_and_gradient(number, point + shift, above)
        self.value_and_gradient(number, point - shift, below)
        result[:] = (above - below) * (length / (2 * self._step))

    def _settled(self, vector: np.ndarray) -> np.ndarray:
        """The first rank's vector, on all, in the precision of the parameters."""
        settled = vector.astype(np.float64 if self.dtype == torch.float64 else np.float32)
        self.ranks.broadcast(settled)
        return settled

    def _put(self, point: np.ndarray) -> None:
        at_rest(self.model)
        with torch.no_grad():
            for part, parameter in zip(
                torch.from_numpy(point).split(self.sizes), self.parameters.values()
            ):
                part = part.reshape(parameter.shape)
                if hasattr(parameter, "device_mesh"):
                    _local(parameter).copy_(_shard_of(part, parameter))
                else:
                    parameter.copy_(part)
                parameter.grad = None

    def _evaluated(self, with_gradient: bool) -> float:
        devices = sorted({
            p.device.index for p in self.parameters.values() if p.device.type == "cuda"
        })
        total, size = 0.0, self._divisor()
        for part, batch in zip(self.parts, self.batches):
            with torch.random.fork_rng(devices=devices), torch.set_grad_enabled(with_gradient):
                torch.manual_seed(self.seed)
                loss = self._loss(batch)
                if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
                    raise UsageError("The loss is no scalar: average it over the samples (reduction='mean').")
                share = part / self._total
                if with_gradient:
                    (loss.reshape(()) * (share * size)).backward()
                total += share * float(loss.detach())
        return total

    def _loss(self, batch: Any) -> Any:
        if not self.is_of_outputs:
            return self.loss_fn(self.model, batch)
        if not isinstance(batch, (tuple, list)) or len(batch) < 2:
            raise UsageError(
                "A loss of outputs and targets takes batches of (inputs, targets); for others give "
                "loss_fn(model, batch)."
            )
        *inputs, targets = batch
        return self.loss_fn(self.model(*inputs), targets)

    def _divisor(self) -> float:
        """What FSDP divides the sum over the ranks by."""
        for unit in units(self.model):
            for part in getattr(unit._get_fsdp_state(), "_fsdp_param_groups", ()):
                if getattr(part, "gradient_divide_factor", None):
                    return float(part.gradient_divide_factor)
        return float(self.ranks.size)

    def _gather(self, gradient: np.ndarray) -> None:
        slopes = [p.grad for p in self.parameters.values()]
        if all(slope is None for slope in slopes):
            raise UsageError(
                "FSDP has reduced no gradient: call model.set_requires_gradient_sync(True) before."
            )
        into = torch.from_numpy(gradient).split(self.sizes)
        for place, slope in zip(into, slopes):
            if slope is None:
                place.zero_()
                continue
            if hasattr(slope, "full_tensor"):
                slope = slope.full_tensor()
            place.copy_(slope.detach().reshape(-1))


def _local(parameter: Any) -> torch.Tensor:
    return parameter.to_local() if hasattr(parameter, "to_local") else parameter


def _shard_of(whole: torch.Tensor, parameter: Any) -> torch.Tensor:
    from torch.distributed.tensor import distribute_tensor

    there = whole.to(parameter.device, parameter.dtype)
    # All ranks hold the whole, so each takes its own part of it.
    return distribute_tensor(
        there, parameter.device_mesh, parameter.placements, src_data_rank=None
    ).to_local()
