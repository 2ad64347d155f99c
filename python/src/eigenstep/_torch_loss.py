"""A PyTorch loss as the library asks for it: values, gradients and products at points of its choosing."""

from __future__ import annotations

import contextlib
import inspect
from typing import Any, Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import nn

from . import _library
from .errors import UsageError

_OUTPUT_LOSSES = (nn.CrossEntropyLoss, nn.MSELoss, nn.BCEWithLogitsLoss, nn.NLLLoss)


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
    seed
        Of dropout and whatever else the loss draws: the same before every evaluation.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: Callable[..., Any],
        batches: Sequence[Any],
        *,
        dtype: torch.dtype | None = None,
        seed: int = 0,
    ) -> None:
        self.model = getattr(model, "_orig_mod", model)
        self.loss_fn = loss_fn
        self.batches = list(batches)
        if not self.batches:
            raise UsageError("There are no samples to measure on; give a batch, or a loader that has one.")
        self.seed = seed
        self.notes: list[str] = []
        self.is_of_outputs = takes_outputs(loss_fn)
        self.objective = _Objective(self.model, loss_fn, self.is_of_outputs)
        named = [
            (name, parameter)
            for name, parameter in self.objective.named_parameters()
            if parameter.requires_grad
        ]
        if not named:
            raise UsageError(
                "No parameter of the model requires a gradient: set requires_grad on those that are trained."
            )
        self.parameters = dict(named)
        self.names = [_without_prefix(name) for name in self.parameters]
        frozen = sum(1 for p in self.objective.parameters() if not p.requires_grad)
        if frozen:
            self.notes.append(
                f"{frozen} frozen parameter{'s are' if frozen > 1 else ' is'} held where "
                f"{'they are' if frozen > 1 else 'it is'}: the curvature is that of the others."
            )
        kinds = {p.dtype for p in self.parameters.values()}
        if dtype is None:
            dtype = torch.float64 if kinds == {torch.float64} else torch.float32
        self.dtype = dtype
        self.sizes = [p.numel() for p in self.parameters.values()]
        self.weights = self._weights()
        self._math_attention = False
        self._graph: tuple[int, list[torch.Tensor], list[torch.Tensor]] | None = None
        self._point: tuple[int, dict[str, torch.Tensor]] | None = None
        self._check()

    # What the library is told.

    def description(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "parameters": [
                {"name": shown, "shape": list(parameter.shape)}
                for shown, parameter in zip(self.names, self.parameters.values())
            ],
            "sampleCount": self.sample_count,
            "notes": self.notes,
        }

    def start(self) -> np.ndarray:
        return torch.cat(
            [p.detach().reshape(-1).to("cpu", torch.float64) for p in self.parameters.values()]
        ).numpy()

    def functions(self, name: str) -> _library.LossFunctions:
        return _library.LossFunctions(
            self.description(name), self.start(), self.value_and_gradient, self.hessian_product
        )

    # What the library asks.

    def value_and_gradient(
        self, number: int, point: np.ndarray, gradient: np.ndarray | None
    ) -> float:
        values = self._load(number, point)
        total = 0.0
        if gradient is not None:
            gradient[:] = 0
        for weight, batch in zip(self.weights, self.batches):
            with self._evaluating():
                loss = self._loss(values, batch)
                total += weight * float(loss.detach())
                if gradient is not None:
                    parts = torch.autograd.grad(loss, list(values.values()), allow_unused=True)
                    self._add(gradient, parts, weight)
        return total

    def hessian_product(
        self, number: int, point: np.ndarray, direction: np.ndarray, result: np.ndarray
    ) -> None:
        values = self._load(number, point)
        along = self._split(direction)
        if len(self.batches) > 1:
            result[:] = 0
        for weight, batch in zip(self.weights, self.batches):
            with self._evaluating():
                gradients, variables = self._linearised(number, values, batch)
                used = [i for i, g in enumerate(gradients) if g is not None and g.requires_grad]
                parts: Sequence[torch.Tensor | None] = [None] * len(variables)
                if used:
                    parts = torch.autograd.grad(
                        [gradients[i] for i in used],
                        variables,
                        grad_outputs=[along[i] for i in used],
                        retain_graph=self._graph is not None,
                        allow_unused=True,
                    )
            if len(self.batches) > 1:
                self._add(result, parts, weight)
            else:
                self._write(result, parts)

    # How it is done.

    def _linearised(
        self, number: int, values: dict[str, torch.Tensor], batch: Any
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """The gradient as a graph; kept for the next product where there is one batch."""
        if self._graph is not None and self._graph[0] == number:
            return self._graph[1], self._graph[2]
        variables = list(values.values())
        loss = self._loss(values, batch)
        gradients = list(
            torch.autograd.grad(loss, variables, create_graph=True, allow_unused=True)
        )
        if len(self.batches) == 1:
            self._graph = (number, gradients, variables)
        return gradients, variables

    def _loss(self, values: dict[str, torch.Tensor], batch: Any) -> torch.Tensor:
        buffers = {
            name: _cast(buffer.detach().clone(), self.dtype)
            for name, buffer in self.objective.named_buffers()
        }
        frozen = {
            name: _cast(p.detach(), self.dtype)
            for name, p in self.objective.named_parameters()
            if not p.requires_grad
        }
        loss = torch.func.functional_call(
            self.objective, {**values, **frozen, **buffers}, (_cast(batch, self.dtype),)
        )
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            shape = tuple(loss.shape) if isinstance(loss, torch.Tensor) else type(loss).__name__
            raise UsageError(
                f"The loss is no scalar but {shape}: average it over the samples (reduction='mean')."
            )
        return loss.reshape(())

    @contextlib.contextmanager
    def _evaluating(self) -> Iterator[None]:
        devices = [
            index
            for index in {
                p.device.index for p in self.parameters.values() if p.device.type == "cuda"
            }
            if index is not None
        ]
        with contextlib.ExitStack() as stack:
            stack.enter_context(torch.random.fork_rng(devices=devices))
            torch.manual_seed(self.seed)
            stack.enter_context(torch.enable_grad())
            for kind in {p.device.type for p in self.parameters.values()}:
                stack.enter_context(torch.autocast(kind, enabled=False))
            # Recurrent kernels of cuDNN have no second derivative.
            stack.enter_context(torch.backends.cudnn.flags(enabled=not self._has_recurrence))
            if self._math_attention:
                from torch.nn.attention import SDPBackend, sdpa_kernel

                stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            yield

    @property
    def _has_recurrence(self) -> bool:
        return any(isinstance(module, nn.RNNBase) for module in self.objective.modules())

    def _load(self, number: int, point: np.ndarray) -> dict[str, torch.Tensor]:
        if self._point is not None and self._point[0] == number:
            return self._point[1]
        self._graph = None
        values = {
            name: part.clone().requires_grad_() if part.device.type == "cpu" else part.requires_grad_()
            for name, part in zip(self.parameters, self._split(point))
        }
        self._point = (number, values)
        return values

    def _split(self, vector: np.ndarray) -> list[torch.Tensor]:
        whole = torch.from_numpy(vector)
        return [
            part.reshape(parameter.shape).to(parameter.device, self.dtype)
            for part, parameter in zip(whole.split(self.sizes), self.parameters.values())
        ]

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

    def _weights(self) -> list[float]:
        counts = [_sample_count(batch) for batch in self.batches]
        self.sample_count = sum(counts)
        return [count / self.sample_count for count in counts]

    def _check(self) -> None:
        """Finds out, before anything is measured, what the loss cannot do."""
        devices = {p.device for p in self.parameters.values()}
        for device in {t.device for t in _tensors(self.batches[0])}:
            if device not in devices and not (device.type == "cpu" and len(devices) > 1):
                raise UsageError(
                    f"The batch lies on {device} and the model on {', '.join(map(str, devices))}: "
                    "move one with .to(device)."
                )
        point = self.start().astype(np.float64 if self.dtype == torch.float64 else np.float32)
        direction = np.ones_like(point)
        result = np.empty_like(point)
        try:
            self.hessian_product(0, point, direction, result)
        except RuntimeError as error:
            if "attention" not in str(error):
                raise _without_second_derivative(error) from error
            # The fast kernels of attention have one derivative only.
            self._math_attention, self._graph, self._point = True, None, None
            try:
                self.hessian_product(0, point, direction, result)
            except RuntimeError as again:
                raise _without_second_derivative(again) from again
            self.notes.append(
                "The fast attention kernels have no second derivative, so attention is computed by "
                "torch.nn.attention.SDPBackend.MATH here."
            )
        if self._is_random(point):
            self.notes.append(
                "The loss changes from call to call (dropout or other draws): all evaluations here use the "
                f"seed {self.seed}, and the curvature is that of one draw."
            )
        if any(isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training for m in self.model.modules()):
            self.notes.append(
                "BatchNorm is in train mode: each sample's loss depends on its batch, and the curvature is "
                "that of these batches; model.eval() measures the network as it is used."
            )
        self._graph, self._point = None, None

    def _is_random(self, point: np.ndarray) -> bool:
        first = self.value_and_gradient(0, point, None)
        seed, self.seed = self.seed, self.seed + 1
        try:
            return self.value_and_gradient(0, point, None) != first
        finally:
            self.seed = seed


class _Objective(nn.Module):
    """The loss with the model and its own parameters, so that all are stood in for at once."""

    def __init__(self, model: nn.Module, loss_fn: Callable[..., Any], is_of_outputs: bool) -> None:
        super().__init__()
        self.model = model
        self.is_of_outputs = is_of_outputs
        if isinstance(loss_fn, nn.Module):
            self.loss = loss_fn
        else:
            object.__setattr__(self, "loss", loss_fn)

    def forward(self, batch: Any) -> Any:
        if not self.is_of_outputs:
            return self.loss(self.model, batch)
        if not isinstance(batch, (tuple, list)) or len(batch) < 2:
            raise UsageError(
                "A loss of outputs and targets takes batches of (inputs, targets); for others give "
                "loss_fn(model, batch)."
            )
        *inputs, targets = batch
        return self.loss(self.model(*inputs), targets)


def takes_outputs(loss_fn: Callable[..., Any]) -> bool:
    """Whether it is called with outputs and targets, as PyTorch's own losses are, or with model and batch.

    A function of somebody else's is called with model and batch, unless its first parameter is called as
    outputs are.
    """
    if isinstance(loss_fn, nn.Module):
        return True
    if getattr(loss_fn, "__module__", "").startswith("torch.nn.functional"):
        return True
    try:
        first = next(iter(inspect.signature(loss_fn).parameters))
    except (TypeError, ValueError, StopIteration):
        return True
    return first in ("input", "output", "outputs", "logits", "pred", "prediction", "predictions", "y_pred")


def _without_second_derivative(error: RuntimeError) -> Exception:
    words = str(error)
    for hint in ("is not implemented", "once_differentiable", "double backward", "does not require grad"):
        if hint in words:
            return UsageError(
                "The loss has no second derivative in PyTorch: " + words.split("\n")[0]
                + " Replace the operation, or measure with products='differences'."
            )
    return error


def _without_prefix(name: str) -> str:
    return name.removeprefix("model.")


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)


def _sample_count(batch: Any) -> int:
    for tensor in _tensors(batch):
        if tensor.ndim:
            return max(1, int(tensor.shape[0]))
    return 1


def _cast(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    if isinstance(value, dict):
        return type(value)((key, _cast(item, dtype)) for key, item in value.items())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_cast(item, dtype) for item in value))
    if isinstance(value, (tuple, list)):
        return type(value)(_cast(item, dtype) for item in value)
    return value
