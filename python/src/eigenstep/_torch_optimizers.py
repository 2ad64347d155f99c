"""A user's own ``torch.optim`` optimizer, as the library names it: rule, rate, state and groups."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Mapping, Sequence

import numpy as np
import torch

from ._optimizers import Standing, at_one_count, list_of
from .errors import UsageError

_Group = dict[str, Any]


def held_by(optimizer: Any, model: torch.nn.Module) -> frozenset[int]:
    """The trained parameters that no step moves, by their `id`: in no group, or in one of rate 0 beside others.

    Raises
    ------
    UsageError
        For what is no optimizer.
    """
    optimizer = _unwrapped(optimizer)
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise UsageError(
            f"The optimizer is {optimizer!r}: give the object that trains the model, as "
            "torch.optim.Adam(model.parameters(), lr=1e-3)."
        )
    if not isinstance(model, torch.nn.Module):  # which the loss refuses
        return frozenset()
    rates = {id(p): _rate(optimizer, group) for group in optimizer.param_groups for p in group["params"]}
    trained = {id(p) for p in model.parameters() if p.requires_grad}
    still = frozenset(i for i in trained if not rates.get(i, 0) > 0)
    return frozenset() if still == trained else still


def standing_of(
    optimizer: torch.optim.Optimizer,
    parameters: Mapping[str, torch.nn.Parameter],
    names: Sequence[str] | None = None,
    *,
    divisor_only: bool = False,
) -> Standing:
    """How an optimizer stands: what its next step does, in the catalogue's terms.

    Parameters
    ----------
    parameters
        Those that are measured, in their order.
    names
        What they are called in sentences.
    divisor_only
        Whether of the state only that is read which steps are divided by.

    Raises
    ------
    UsageError
        Where it trains none of them, or maximises.
    """
    optimizer = _unwrapped(optimizer)
    own = list(parameters.values())
    names = list(names or parameters)
    group_of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    groups = [group_of.get(id(parameter)) for parameter in own]
    used = [group for group in optimizer.param_groups if any(group is g for g in groups)]
    if not used:
        raise UsageError(
            "The optimizer holds none of the model's parameters: make it of model.parameters(), after the "
            "model has been moved or wrapped."
        )
    if any(group.get("maximize") for group in used):
        raise UsageError(
            "The optimizer maximises: let the loss be its negative, and the optimizer minimise it."
        )
    kind = _kind(optimizer)
    if kind is None:
        name = type(optimizer).__name__
        return Standing(
            notes=[
                f"{name} chooses the lengths of its steps by itself: no rate is judged."
                if name in ("LBFGS", "Rprop", "Adadelta", "Adafactor")
                else f"Of {name} no limit is known, so that no rate is judged; leave optimizer out and give "
                "lr to have one judged as plain descent's."
            ]
        )
    leading = max(used, key=lambda group: _rate(optimizer, group))
    standing = Standing(
        setting=kind.setting(leading),
        rate=_rate(optimizer, leading) * kind.share(leading),
    )
    if not standing.rate:
        standing.rate = None
        standing.notes.append(
            "The optimizer's rate is 0, as where a warm-up begins: give lr to have one judged."
        )
    _read_groups(optimizer, kind, groups, used, leading, names, standing)
    _read_state(optimizer, kind, own, names, leading, divisor_only, standing)
    return standing


def rate_of(optimizer: torch.optim.Optimizer) -> float:
    """The largest rate of the groups, as `standing_of` has it, without a look at the state's tensors."""
    kind = _kind(optimizer)
    groups = optimizer.param_groups
    if kind is None:
        return max(float(group["lr"]) for group in groups)
    leading = groups[0] if len(groups) == 1 else max(groups, key=lambda g: _rate(optimizer, g))
    return _rate(optimizer, leading) * kind.share(leading)


class _Kind:
    """What the catalogue calls a class of optimizers.

    Parameters
    ----------
    setting
        Name and hyperparameters, from a group.
    state
        The catalogue's names of its vectors, and the optimizer's.
    decoupled
        Whether weight decay is taken off the weights beside the gradient's part.
    """

    def __init__(
        self,
        setting: Callable[[_Group], dict[str, Any]],
        state: Callable[[_Group], dict[str, str]],
        decoupled: Callable[[_Group], bool] = lambda group: False,
        share: Callable[[_Group], float] = lambda group: 1.0,
    ) -> None:
        self.setting, self.state, self.decoupled, self.share = setting, state, decoupled, share


def _epsilon(group: _Group) -> float:
    # The catalogue's is above 0.
    return max(float(group["eps"]), 1e-30)


def _sgd(group: _Group) -> dict[str, Any]:
    momentum = float(group["momentum"])
    if momentum == 0:
        return {"name": "gd"}
    return {"name": "nesterov" if group["nesterov"] else "momentum", "momentum": momentum}


def _adam(name: str) -> Callable[[_Group], dict[str, Any]]:
    def setting(group: _Group) -> dict[str, Any]:
        beta1, beta2 = (float(beta) for beta in group["betas"])
        found = {"name": name, "beta1": beta1, "beta2": beta2, "epsilon": _epsilon(group)}
        if group.get("amsgrad"):
            found["name"] = "amsgrad"
        elif name == "adam" and group.get("decoupled_weight_decay"):
            found["name"] = "adamw"
        if found["name"] == "adamw":
            found["weight-decay"] = float(group["weight_decay"])
        if name == "nadam":
            found["momentum-decay"] = float(group["momentum_decay"])
        return found

    return setting


def _moments(group: _Group) -> dict[str, str]:
    found = {"m": "exp_avg", "v": "exp_avg_sq"}
    return {**found, "largest": "max_exp_avg_sq"} if group.get("amsgrad") else found


def _decouples(group: _Group) -> bool:
    return bool(group.get("decoupled_weight_decay"))


_KINDS = {
    "SGD": _Kind(
        _sgd,
        lambda group: {"velocity": "momentum_buffer"} if float(group["momentum"]) else {},
        # Heavy-ball with a gradient so much shorter is that with a rate so much smaller.
        share=lambda group: 1 - float(group["dampening"]) if float(group["momentum"]) else 1.0,
    ),
    "ASGD": _Kind(lambda group: {"name": "gd"}, lambda group: {}),
    "Adam": _Kind(_adam("adam"), _moments, _decouples),
    "SparseAdam": _Kind(_adam("adam"), _moments),
    "AdamW": _Kind(_adam("adamw"), _moments, lambda group: True),
    "NAdam": _Kind(_adam("nadam"), _moments, _decouples),
    "RAdam": _Kind(_adam("radam"), _moments, _decouples),
    "RMSprop": _Kind(
        lambda group: {
            "name": "rmsprop",
            "alpha": float(group["alpha"]),
            "epsilon": _epsilon(group),
            "momentum": float(group["momentum"]),
            "centered": float(bool(group["centered"])),
        },
        lambda group: {
            "v": "square_avg",
            **({"m": "grad_avg"} if group["centered"] else {}),
            **({"velocity": "momentum_buffer"} if float(group["momentum"]) else {}),
        },
    ),
    "Adagrad": _Kind(
        lambda group: {
            "name": "adagrad",
            "epsilon": _epsilon(group),
            "rate-decay": float(group["lr_decay"]),
            "initial-sum": float(group["initial_accumulator_value"]),
        },
        lambda group: {"sum": "sum"},
    ),
    "Lion": _Kind(
        lambda group: {
            "name": "lion",
            "beta1": float(group["betas"][0]),
            "beta2": float(group["betas"][1]),
            "weight-decay": float(group.get("weight_decay", 0)),
        },
        lambda group: {"m": "exp_avg"},
        lambda group: True,
    ),
}


def _kind(optimizer: torch.optim.Optimizer) -> _Kind | None:
    own = inspect.unwrap(type(optimizer).step)
    for base in type(optimizer).__mro__:
        # Of a subclass with a step of its own nothing is known.
        if base.__name__ in _KINDS and inspect.unwrap(base.step) is own:
            return _KINDS[base.__name__]
    return None


def _unwrapped(optimizer: Any) -> torch.optim.Optimizer:
    """The optimizer itself, of one that a trainer has wrapped."""
    while isinstance(getattr(optimizer, "optimizer", None), torch.optim.Optimizer):
        optimizer = optimizer.optimizer
    return optimizer


def _rate(optimizer: torch.optim.Optimizer, group: _Group) -> float:
    # ASGD lowers a rate of its own in the state.
    for parameter in group["params"] if "lambd" in group else ():
        eta = optimizer.state.get(parameter, {}).get("eta")
        if eta is not None:
            return float(eta)
    return float(group["lr"])


def _read_groups(
    optimizer: torch.optim.Optimizer,
    kind: _Kind,
    groups: Sequence[_Group | None],
    used: Sequence[_Group],
    leading: _Group,
    names: Sequence[str],
    standing: Standing,
) -> None:
    """What groups have of their own: rates, weight decay; and what is told where they differ in more."""
    name = type(optimizer).__name__
    largest = _rate(optimizer, leading)
    rates = [0.0 if group is None else _rate(optimizer, group) for group in groups]
    if largest > 0 and any(rate != largest for rate in rates):
        standing.rate_factors = [rate / largest for rate in rates]
        by_rate: dict[float, list[str]] = {}
        for rate, parameter in zip(rates, names):
            by_rate.setdefault(rate, []).append(parameter)
        words = [
            f"{rate:g} for {list_of(of)}" if rate else f"none for {list_of(of)}, held where they are"
            for rate, of in sorted(by_rate.items(), reverse=True)
        ]
        standing.notes.append(
            f"The optimizer's rates are {'; '.join(words)}. The largest is judged, and the others keep "
            "their shares of it: the limit is that of all of them together."
        )
    coefficients = [_decay(group) for group in groups]
    if kind.decoupled(leading):
        if len(set(coefficients)) > 1 or standing.setting is None or (
            coefficients[0] and "weight-decay" not in standing.setting
        ):
            standing.decays = coefficients
    elif any(coefficients):
        standing.penalties = coefficients
        distinct = sorted({value for value in coefficients if value})
        standing.notes.append(
            f"{name}'s weight decay of {' and '.join(f'{value:g}' for value in distinct)} is measured as the "
            "penalty c/2 of the squares that it is: it adds as much to every curvature"
            + (
                "."
                if all(coefficients) and len(distinct) == 1
                else f" of {list_of([n for n, c in zip(names, coefficients) if c])}."
            )
        )
    for key in ("betas", "momentum", "eps", "alpha", "nesterov", "amsgrad", "dampening"):
        if any(str(group.get(key)) != str(leading.get(key)) for group in used):
            standing.notes.append(
                f"The optimizer's groups differ in {key}: that of the group with the largest rate, "
                f"{leading.get(key)}, is taken for all."
            )
    standing.share = kind.share(leading)
    if standing.share != 1:
        standing.notes.append(
            f"SGD's dampening of {leading['dampening']:g} shortens every gradient: the rate judged is "
            f"{standing.share:g} of lr, which does the same."
        )


def _decay(group: _Group | None) -> float:
    if group is None:
        return 0.0
    # ASGD's lambd shrinks weights as a penalty does.
    return float(group.get("weight_decay", 0)) + float(group.get("lambd", 0))


def _read_state(
    optimizer: torch.optim.Optimizer,
    kind: _Kind,
    parameters: Sequence[torch.nn.Parameter],
    names: Sequence[str],
    leading: _Group,
    divisor_only: bool,
    standing: Standing,
) -> None:
    """Moments, velocities and the number of steps; nothing of an optimizer that has taken none."""
    wanted = kind.state(leading)
    if not wanted:
        return
    states = [optimizer.state.get(parameter, {}) for parameter in parameters]
    has_begun = [any(state.get(key) is not None for key in wanted.values()) for state in states]
    counts = np.array(
        [float(state.get("step", 1)) if begun else 0.0 for state, begun in zip(states, has_begun)]
    )
    count = int(counts.max()) if len(counts) else 0
    if count == 0:
        return
    missing = [
        name
        for name, begun, p in zip(names, has_begun, parameters)
        if not begun and p.requires_grad and standing.rate_factors is None
    ]
    if missing:
        standing.notes.append(
            f"The optimizer has no state of {list_of(missing)} yet, which no gradient has reached."
        )
    sizes = [parameter.numel() for parameter in parameters]
    betas = [float(beta) for beta in leading.get("betas", (0.0, 0.0))]
    for name, key in wanted.items():
        if divisor_only and (name == "velocity" or (name == "m" and "alpha" not in leading)):
            continue
        flat = np.concatenate(
            [_flat(state.get(key), parameter) for state, parameter in zip(states, parameters)]
        )
        if name in ("m", "v", "largest") and "betas" in leading and standing.setting["name"] != "lion":
            flat = at_one_count(flat, betas[0 if name == "m" else 1], counts, sizes, count)
        if name == "velocity":
            flat = flat / kind.share(leading)
        standing.state[name] = flat
    products = [float(state["mu_product"]) for state in states if "mu_product" in state]
    if products:
        standing.state["momentum-product"] = np.array([min(products)])
    standing.updates = count


def _flat(tensor: torch.Tensor | None, like: torch.nn.Parameter) -> np.ndarray:
    if tensor is None:
        return np.zeros(like.numel())
    if hasattr(tensor, "full_tensor"):  # Of a model that is sharded, on all ranks.
        tensor = tensor.full_tensor()
    if tensor.numel() != like.numel():
        raise UsageError(
            f"The optimizer's state has {tensor.numel()} numbers for a parameter of {like.numel()}: it is of "
            "another model, or is sharded."
        )
    return tensor.detach().to_dense().reshape(-1).to("cpu", torch.float64).numpy()
