"""A user's own optimizer in its loop: how it stands at a check, points to go back to, a factor of its rates."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

import torch

from ._library import LossFunctions
from ._optimizers import Standing
from ._torch_optimizers import standing_of
from .errors import UsageError


def standing_in_loop(
    optimizer: torch.optim.Optimizer, parameters: Mapping[str, torch.nn.Parameter]
) -> Standing:
    """What checks need of how it stands; without a rule where no rate of it can be judged."""
    try:
        return standing_of(optimizer, parameters, divisor_only=True)
    except UsageError as error:
        return Standing(notes=[str(error)])


def described(functions: LossFunctions, standing: Standing) -> LossFunctions:
    """A loss with what is said of its optimizer."""
    functions.description = standing.describe(functions.description)
    return functions


class Point:
    """A copy of all that a step moves: parameters, buffers, the optimizer's state."""

    def __init__(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self._tensors = [(t, t.detach().clone()) for t in _moved(model, optimizer)]
        self._state = {p: _copied(state) for p, state in optimizer.state.items()}

    @torch.no_grad()
    def restore(self, optimizer: torch.optim.Optimizer) -> None:
        for tensor, kept in self._tensors:
            tensor.copy_(kept)
        for p in list(optimizer.state):
            if p not in self._state:
                del optimizer.state[p]
        for p, kept in self._state.items():
            state = optimizer.state[p]
            for key, value in kept.items():
                if isinstance(value, torch.Tensor) and isinstance(state.get(key), torch.Tensor):
                    state[key].copy_(value)
                else:
                    state[key] = value.clone() if isinstance(value, torch.Tensor) else value


def _moved(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> Iterable[torch.Tensor]:
    seen: set[int] = set()
    groups = [p for group in optimizer.param_groups for p in group["params"]]
    for tensor in [*model.parameters(), *model.buffers(), *groups]:
        if id(tensor) not in seen:
            seen.add(id(tensor))
            yield tensor


def _copied(state: Any) -> dict[Any, Any]:
    return {
        key: value.detach().clone() if isinstance(value, torch.Tensor) else value
        for key, value in state.items()
    }


class RateFactor:
    """Multiplies the rates of an optimizer's groups while it takes a step, and puts them back behind it.

    So whatever sets the rates in between, a scheduler of any kind or a line of the loop, neither undoes the factor
    nor applies it twice.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.value = 1.0
        self._given: list[Any] | None = None
        self._hooks: list[Any] = []
        self._optimizer = optimizer

    def multiply(self, factor: float) -> None:
        self.value *= factor
        if not self._hooks and self.value != 1:
            self._hooks = [
                self._optimizer.register_step_pre_hook(self._lower),
                self._optimizer.register_step_post_hook(self._put_back),
            ]

    def _lower(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        # A step that raised has left them lowered.
        self._put_back(optimizer)
        self._given = [group["lr"] for group in optimizer.param_groups]
        for group in optimizer.param_groups:
            group["lr"] = group["lr"] * self.value

    def _put_back(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        if self._given is not None:
            for group, rate in zip(optimizer.param_groups, self._given):
                group["lr"] = rate
            self._given = None
