"""What a user's own optimizer keeps, as the monitor reads it: moments, counts, rates by group."""

from __future__ import annotations

from typing import Any, Iterable, Sequence

import numpy as np
import torch

# The tensors of PyTorch's state, by the names that the library has for them.
_MOMENTS: dict[str, dict[str, str]] = {
    "Adam": {"v": "exp_avg_sq", "largest": "max_exp_avg_sq"},
    "AdamW": {"v": "exp_avg_sq", "largest": "max_exp_avg_sq"},
    "NAdam": {"v": "exp_avg_sq"},
    "RAdam": {"v": "exp_avg_sq"},
    "RMSprop": {"v": "square_avg", "m": "grad_avg"},
    "Adagrad": {"sum": "sum"},
}
# Of a parameter that no step moves.
_STILL = 1e-12


def rule_of(optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
    """The optimizer by the name and the hyperparameters that the library has for it, of the group with the largest
    rate; None where no limit is known."""
    group = max(optimizer.param_groups, key=lambda group: float(group["lr"]))
    kind = type(optimizer).__name__
    if group.get("maximize"):
        return None
    if kind == "SGD":
        momentum = float(group["momentum"])
        if momentum == 0:
            return {"name": "gd"}
        if float(group["dampening"]) != 0:
            return None
        return {"name": "nesterov" if group["nesterov"] else "momentum", "momentum": momentum}
    if kind in ("Adam", "AdamW", "NAdam", "RAdam"):
        beta1, beta2 = (float(beta) for beta in group["betas"])
        name = "amsgrad" if group.get("amsgrad") else kind.lower()
        rule = {"name": name, "beta1": beta1, "beta2": beta2, "epsilon": _epsilon(group)}
        if name == "adamw":
            rule["weight-decay"] = float(group["weight_decay"])
        return rule
    if kind == "RMSprop":
        return {
            "name": "rmsprop",
            "alpha": float(group["alpha"]),
            "epsilon": _epsilon(group),
            "momentum": float(group["momentum"]),
            "centered": float(bool(group["centered"])),
        }
    if kind == "Adagrad" and float(group["lr_decay"]) == 0:
        return {"name": "adagrad", "epsilon": _epsilon(group)}
    return None


def _epsilon(group: dict[str, Any]) -> float:
    # The library's is above 0.
    return max(float(group["eps"]), 1e-30)


def state_arrays(
    optimizer: torch.optim.Optimizer, parameters: Sequence[torch.Tensor], rated: bool
) -> dict[str, np.ndarray]:
    """The arrays that ``eigenstep_monitor_check`` takes; empty before the first step.

    Parameters
    ----------
    rated
        Whether the factors of the rate of each parameter belong to them.
    """
    arrays: dict[str, np.ndarray] = {}
    for name, key in _MOMENTS.get(type(optimizer).__name__, {}).items():
        states = [optimizer.state.get(p, {}) for p in parameters]
        if any(isinstance(state.get(key), torch.Tensor) for state in states):
            arrays[f"state/{name}"] = _flat(
                state[key] if isinstance(state.get(key), torch.Tensor) else torch.zeros_like(p)
                for state, p in zip(states, parameters)
            )
    steps = [float(state["step"]) for state in optimizer.state.values() if "step" in state]
    if steps:
        arrays["state/step"] = np.array([max(steps)])
    elif arrays:
        arrays["state/step"] = np.array([1.0])
    products = [
        float(state["mu_product"]) for state in optimizer.state.values() if "mu_product" in state
    ]
    if products:
        arrays["state/momentum-product"] = np.array([products[0]])
    if rated:
        arrays["state/factors"] = _factors(optimizer, parameters)
    return arrays


def rate_of(optimizer: torch.optim.Optimizer) -> float:
    """The largest rate of the groups."""
    groups = optimizer.param_groups
    return float(groups[0]["lr"]) if len(groups) == 1 else max(float(g["lr"]) for g in groups)


def has_rates_of_groups(
    optimizer: torch.optim.Optimizer, parameters: Iterable[torch.Tensor]
) -> bool:
    """Whether parameters move at rates of their own, or not at all."""
    known = {id(p) for group in optimizer.param_groups for p in group["params"]}
    return len({float(group["lr"]) for group in optimizer.param_groups}) > 1 or any(
        id(p) not in known for p in parameters
    )


def _factors(
    optimizer: torch.optim.Optimizer, parameters: Sequence[torch.Tensor]
) -> np.ndarray:
    largest = rate_of(optimizer)
    rates = {
        id(p): float(group["lr"]) / largest if largest > 0 else 1.0
        for group in optimizer.param_groups
        for p in group["params"]
    }
    return np.concatenate(
        [np.full(p.numel(), max(_STILL, rates.get(id(p), 0.0))) for p in parameters]
    )


def _flat(tensors: Iterable[torch.Tensor]) -> np.ndarray:
    parts = [t.detach().reshape(-1) for t in tensors]
    whole = torch.cat([part.to("cpu") for part in parts])
    return whole.to(torch.float64 if whole.dtype == torch.float64 else torch.float32).numpy()


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
