"""A PyTorch loss as the library asks for it: values, gradients and products at points of its choosing."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Collection, Iterable, Sequence

import numpy as np
import torch
from torch import nn

from . import _library
from ._differences import Differences
from ._torch_batches import cast, cloned, divisor, reduction_of, tensors, weights_of
from ._torch_checks import check, check_places
from ._torch_memory import planned
from ._torch_objective import (
    HalfPrecision, Objective, has_recurrence, surroundings, takes_outputs, unwrapped,
)
from ._torch_outputs import gauss_newton_refusal, is_canonical, is_of_log_probabilities
from ._torch_products import GaussNewtonGraph, HessianGraph
from .errors import UsageError


class TorchLoss:
    """The mean loss of a module over batches, as a function of its trainable parameters.

    The module is left as it was: its parameters are stood in for, its buffers are copied, and the states of
    random generators are put back.

    Parameters
    ----------
    model
        Any module, in train or eval mode as it is to be measured.
    loss_fn
        ``loss_fn(model, batch)``; a loss of PyTorch's own takes ``model(inputs)`` and targets.
    batches
        What is passed to ``loss_fn`` in turn; their losses are averaged by numbers of samples.
    dtype
        ``torch.float32`` or ``torch.float64``; by default float64 where all parameters are.
    seed
        Of dropout and whatever else the loss draws: the same before every evaluation.
    products
        ``"autograd"``, or ``"differences"`` of gradients, for operations without a second derivative.
    micro_batch
        Samples computed on at once, for a loss that is a mean or a sum over them; by default each batch whole.
    memory
        Bytes that autograd may keep for one product: micro-batches are made to fit it.
    held
        Parameters that are left out beside the frozen ones, by their `id`.
    moves_batches
        Whether tensors are moved to the model's device, where it has one, as those of a loader have to be.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: Callable[..., Any],
        batches: Sequence[Any],
        *,
        dtype: torch.dtype | None = None,
        seed: int = 0,
        products: str = "autograd",
        micro_batch: int | None = None,
        memory: int | None = None,
        held: Collection[int] = (),
        moves_batches: bool = False,
    ) -> None:
        self.model, self.notes = unwrapped(model)
        self.loss_fn = loss_fn
        self.batches = list(batches)
        if not self.batches:
            raise UsageError("There are no samples to measure on; give a batch, or a loader that has one.")
        if products not in ("autograd", "differences"):
            raise UsageError(f"products is {products!r}: it is 'autograd' or 'differences'.")
        self.products = products
        self.seed = seed
        self.is_of_outputs = takes_outputs(loss_fn)
        self.objective = Objective(self.model, loss_fn, self.is_of_outputs)
        self.parameters = {
            name: parameter
            for name, parameter in self.objective.named_parameters()
            if parameter.requires_grad and id(parameter) not in held
        }
        if not self.parameters:
            raise UsageError(
                "No parameter of the model requires a gradient: set requires_grad on those that are trained."
            )
        self.names = [_shown(name) for name in self.parameters]
        self.dtype = self._own_dtype(dtype)
        self.sizes = [p.numel() for p in self.parameters.values()]
        places = {p.device for p in self.parameters.values()}
        self.moves_to = next(iter(places)) if moves_batches and len(places) == 1 else None
        self.math_attention = False
        self.clones_batches = True
        self.widens_halves = False
        self.differences: Differences | None = None
        self._gauss_newton_refusal: str | None = None
        self._is_gauss_newton_known = False
        self._graphs: dict[str, tuple[int, HessianGraph | GaussNewtonGraph]] = {}
        self._point: tuple[int, dict[str, torch.Tensor]] | None = None
        check_places(self)
        self.groups = planned(self, micro_batch, memory)
        self.weights, self.sample_count = weights_of(self.loss_fn, self.groups)
        self.batches = [piece for group in self.groups for piece in group]
        over = [divisor(loss_fn, piece) for piece in self.batches]
        self.mean_is_over = 1.0 if reduction_of(loss_fn) == "sum" else float(sum(over))
        check(self)

    # What the library is told.

    def description(self, name: str) -> dict[str, Any]:
        shapes = [p.shape for p in self.parameters.values()]
        return _library.description_of(name, self.names, shapes, self.sample_count, self.notes)

    def start(self) -> np.ndarray:
        return torch.cat(
            [p.detach().reshape(-1).to("cpu", torch.float64) for p in self.parameters.values()]
        ).numpy()

    def functions(self, name: str) -> _library.LossFunctions:
        self.forget()
        return _library.LossFunctions(
            self.description(name), self.start(), self.value_and_gradient, self.hessian_product,
            self.gauss_newton_product if self.gauss_newton_refusal() is None else None,
        )

    def kind(self, curvature: str) -> str:
        """The matrix as requests name it, of what a caller asked for.

        Raises
        ------
        UsageError
            Where this loss has no such matrix.
        """
        if curvature == "hessian":
            return curvature
        if curvature not in ("gauss-newton", "fisher"):
            raise UsageError(
                f"curvature is {curvature!r}: it is 'hessian', 'gauss-newton' or 'fisher'."
            )
        if curvature == "fisher":
            if not (self.is_of_outputs and is_canonical(self.loss_fn)):
                raise UsageError(
                    "The Fisher matrix is of a distribution, which only PyTorch's cross entropy, NLL, MSE and "
                    "BCE with logits say; ask for 'gauss-newton'."
                )
            self.notes.append("The Fisher matrix of this loss is its Gauss-Newton matrix.")
        refusal = self.gauss_newton_refusal()
        if refusal is not None:
            raise UsageError(refusal)
        return "gauss-newton"

    def gauss_newton_refusal(self) -> str | None:
        """Why there is no Gauss-Newton matrix of this loss; None where there is one."""
        if not self._is_gauss_newton_known:
            self._gauss_newton_refusal = gauss_newton_refusal(self)
            self._is_gauss_newton_known = True
            self.forget()
        return self._gauss_newton_refusal

    # What the library asks.

    def value_and_gradient(
        self, number: int, point: np.ndarray, gradient: np.ndarray | None
    ) -> float:
        values = self.loaded(number, point)
        total = 0.0
        if gradient is not None:
            gradient[:] = 0
        for weight, batch in zip(self.weights, self.batches):
            with self.evaluating():
                # With a graph also where the value alone is asked for: the loss may be made of derivatives,
                # and some layers compute otherwise without one.
                loss = self.loss(values, batch)
                total += weight * float(loss.detach())
                if gradient is not None:
                    self._add(gradient, self._slopes(loss, values), weight)
        return total

    def hessian_product(
        self, number: int, point: np.ndarray, direction: np.ndarray, result: np.ndarray
    ) -> None:
        if self.differences is not None:
            result[:] = self.differences.product(point, direction)
        else:
            self._product("hessian", number, point, direction, result)

    def gauss_newton_product(
        self, number: int, point: np.ndarray, direction: np.ndarray, result: np.ndarray
    ) -> None:
        self._product("gauss-newton", number, point, direction, result)

    # How it is done.

    def gradient(self, point: np.ndarray) -> np.ndarray:
        """At a point that is asked about once."""
        result = np.empty_like(point)
        held, self._point = self._point, None
        try:
            self.value_and_gradient(-1, point, result)
        finally:
            self._point = held
        return result

    def _product(
        self, kind: str, number: int, point: np.ndarray, direction: np.ndarray, result: np.ndarray
    ) -> None:
        values = self.loaded(number, point)
        along = self.split(direction)
        keep = len(self.batches) == 1
        if not keep:
            result[:] = 0
        for weight, batch in zip(self.weights, self.batches):
            with self.evaluating():
                parts = self.graph(kind, number, values, batch).product(along, keep)
            if keep and weight == 1:
                self._write(result, parts)
            else:
                self._add(result, parts, weight)

    def graph(
        self, kind: str, number: int, values: dict[str, torch.Tensor], batch: Any
    ) -> HessianGraph | GaussNewtonGraph:
        """What products are taken from; kept for the next one where there is one batch."""
        kept = self._graphs.get(kind)
        if kept is not None and kept[0] == number:
            return kept[1]
        variables = list(values.values())
        graph: HessianGraph | GaussNewtonGraph
        if kind == "hessian":
            graph = HessianGraph(self.loss(values, batch), variables)
        else:
            with self.objective.outputs() as outputs:
                loss = self.loss(values, batch)
            found = [t for t in tensors(outputs) if t.requires_grad]
            graph = GaussNewtonGraph(
                loss, found, variables, log_probabilities=is_of_log_probabilities(self.loss_fn)
            )
        if len(self.batches) == 1:
            self._graphs[kind] = (number, graph)
        return graph

    def loss(self, values: dict[str, torch.Tensor], batch: Any) -> torch.Tensor:
        buffers = {
            name: cast(buffer.detach().clone(), self.dtype)
            for name, buffer in self.objective.named_buffers()
        }
        frozen = {
            name: cast(p.detach(), self.dtype)
            for name, p in self.objective.named_parameters()
            if name not in self.parameters
        }
        given = cast(cloned(batch) if self.clones_batches else batch, self.dtype, self.moves_to)
        with HalfPrecision(self.dtype) if self.widens_halves else contextlib.nullcontext():
            loss = torch.func.functional_call(
                self.objective, {**values, **frozen, **buffers}, (given, self.dtype)
            )
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            shape = f"of the shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else (
                f"a {type(loss).__name__}")
            raise UsageError(
                f"The loss is no scalar but {shape}: return the mean over the samples (reduction='mean')."
            )
        if not loss.requires_grad:
            raise UsageError(
                "The loss does not depend on the trainable parameters as autograd sees it: compute it without "
                "no_grad, detach() and item()."
            )
        return loss.reshape(())

    def evaluating(self) -> contextlib.AbstractContextManager[None]:
        """The surroundings of every computation: seeded, in full precision, as written."""
        return surroundings(
            self.seed, {p.device.type for p in self.parameters.values()}, self.devices,
            # Recurrent kernels of cuDNN have no second derivative.
            without_cudnn=self.products == "autograd" and has_recurrence(self.objective),
            math_attention=self.math_attention,
        )

    @property
    def devices(self) -> list[int]:
        """The GPUs that parameters lie on."""
        return sorted({p.device.index for p in self.parameters.values() if p.device.type == "cuda"})

    def loaded(self, number: int, point: np.ndarray) -> dict[str, torch.Tensor]:
        """The parameters at a point, as leaves that stand in for the model's."""
        if self._point is not None and self._point[0] == number:
            return self._point[1]
        self.forget()
        values = {
            name: part.clone().requires_grad_() if part.device.type == "cpu" else part.requires_grad_()
            for name, part in zip(self.parameters, self.split(point))
        }
        self._point = (number, values)
        return values

    def forget(self) -> None:
        """Lets go of graphs and of the point."""
        self._graphs, self._point = {}, None

    def split(self, vector: np.ndarray) -> list[torch.Tensor]:
        """A vector as the parameters' shapes, where they lie."""
        whole = torch.from_numpy(vector)
        return [
            part.reshape(parameter.shape).to(parameter.device, self.dtype)
            for part, parameter in zip(whole.split(self.sizes), self.parameters.values())
        ]

    def _slopes(
        self, loss: torch.Tensor, values: dict[str, torch.Tensor]
    ) -> Sequence[torch.Tensor | None]:
        return torch.autograd.grad(loss, list(values.values()), allow_unused=True)

    def _write(self, result: np.ndarray, parts: Iterable[torch.Tensor | None]) -> None:
        whole = torch.from_numpy(result)
        for into, part in zip(whole.split(self.sizes), parts):
            if part is None:
                into.zero_()
            else:
                into.copy_(part.detach().reshape(-1))

    def _add(
        self, result: np.ndarray, parts: Iterable[torch.Tensor | None], weight: float
    ) -> None:
        whole = torch.from_numpy(result)
        for into, part in zip(whole.split(self.sizes), parts):
            if part is not None:
                into.add_(part.detach().reshape(-1).to("cpu", into.dtype), alpha=weight)

    # Of what it is made.

    def _own_dtype(self, dtype: torch.dtype | None) -> torch.dtype:
        kinds = {p.dtype for p in self.parameters.values()}
        if dtype is None:
            dtype = torch.float64 if kinds == {torch.float64} else torch.float32
        if dtype not in (torch.float32, torch.float64):
            raise UsageError(f"dtype is {dtype}: products are taken in torch.float32 or torch.float64.")
        return dtype


def _shown(name: str) -> str:
    return name.removeprefix("model.").replace("_orig_mod.", "")
