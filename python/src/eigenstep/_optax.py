"""An optax optimizer by its name, its numbers and its state.

A transformation of optax does not tell its numbers, so they are given by the names that optax has for them;
the moments are found in the state, however it is nested.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, Mapping, Sequence

import jax
import numpy as np

from ._optimizers import Standing, at_one_count, list_of
from .errors import UsageError

# What optax has where nothing is given.
_DEFAULTS: dict[str, dict[str, float]] = {
    "gd": {},
    "sgd": {"momentum": 0.0, "nesterov": 0.0},
    "adam": {"b1": 0.9, "b2": 0.999, "eps": 1e-8, "eps_root": 0.0},
    "adamw": {"b1": 0.9, "b2": 0.999, "eps": 1e-8, "eps_root": 0.0, "weight_decay": 1e-4},
    "nadam": {"b1": 0.9, "b2": 0.999, "eps": 1e-8, "eps_root": 0.0},
    "amsgrad": {"b1": 0.9, "b2": 0.999, "eps": 1e-8, "eps_root": 0.0},
    "rmsprop": {"decay": 0.9, "eps": 1e-8, "momentum": 0.0, "nesterov": 0.0, "centered": 0.0},
    "adagrad": {"eps": 1e-7, "initial_accumulator_value": 0.1},
    "lion": {"b1": 0.9, "b2": 0.99, "weight_decay": 1e-3},
}
_DECOUPLED = ("adamw", "lion")
# Which states of optax tell the rule, where it is not named.
_RULES = {
    "ScaleByAdamState": "adam",
    "ScaleByAmsgradState": "amsgrad",
    "ScaleByLionState": "lion",
    "ScaleByRmsState": "rmsprop",
    "ScaleByRmsWithCountState": "rmsprop",
    "ScaleByRStdDevState": "rmsprop",
    "ScaleByRStdDevWithCountState": "rmsprop",
    "ScaleByRssState": "adagrad",
    "TraceState": "sgd",
}
# Added under the root by optax: it goes into the moments, and this stands where the rule asks for one.
_NO_EPSILON = 1e-30


def standing_of(
    optimizer: str | None,
    opt_state: Any,
    params: Any,
    lr: Any,
    numbers: Mapping[str, Any],
) -> Standing:
    """How an optax optimizer stands.

    Parameters
    ----------
    optimizer
        optax's name for it, or None to go by the state.
    opt_state
        Its state, in any nesting of ``chain``, ``masked``, ``multi_transform`` or ``inject_hyperparams``;
        None where it has not begun.
    lr
        A number, a schedule, or a pytree of numbers as ``params`` has arrays.
    numbers
        Hyperparameters by optax's names; others are those of optax, or of ``inject_hyperparams``.

    Raises
    ------
    UsageError
        For a name that is not known, a number that the optimizer has not, and a state of other parameters.
    """
    if optimizer is not None and not isinstance(optimizer, str):
        raise UsageError(
            "An optimizer of optax does not tell its numbers: name it, as optimizer='adamw', with lr, b1 and "
            "what else was set, and give its opt_state."
        )
    found = _Found(opt_state)
    name = optimizer or found.rule or "gd"
    if name in ("momentum", "nesterov"):
        numbers = {"momentum": 0.9, "nesterov": float(name == "nesterov"), **numbers}
        name = "sgd"
    if name not in _DEFAULTS:
        raise UsageError(
            f"No limit is known of {name!r}; there are {list_of(sorted(_DEFAULTS), len(_DEFAULTS))}."
        )
    known = {**_DEFAULTS[name], "weight_decay": _DEFAULTS[name].get("weight_decay", 0.0)}
    for key in numbers:
        if key not in known:
            raise UsageError(f"{name} has no {key}; it has {list_of(sorted(known), len(known))}.")
    # What was injected stands in the state; what is given goes before it.
    set_ = {key: float(value) for key, value in found.injected.items() if key in known}
    values = {**known, **set_, **{key: float(value) for key, value in numbers.items()}}
    paths, sizes = _layout(params)
    standing = Standing(setting=_setting(name, values))
    _read_rate(
        lr if lr is not None else found.injected.get("learning_rate"), found, params, standing
    )
    if values["weight_decay"]:
        if name not in _DECOUPLED:
            standing.penalties = [values["weight_decay"]] * len(paths)
            standing.notes.append(
                f"The weight decay of {values['weight_decay']:g} is measured as the penalty c/2 of the "
                "squares that it is: it adds as much to every curvature."
            )
    if optimizer is None and found.rule:
        standing.notes.append(
            f"By its state the optimizer is taken for {name}, with "
            + list_of([f"{key} {value:g}" for key, value in values.items()], 9)
            + "; optimizer and those numbers say otherwise."
        )
    _read_state(name, values, found, paths, sizes, standing)
    return standing


def rate_of(opt_state: Any) -> float | None:
    """The rate that ``inject_hyperparams`` holds in a state."""
    rate = _Found(opt_state).injected.get("learning_rate")
    return None if rate is None else float(rate)


@dataclass
class _Found:
    """What a state holds, in whatever nesting."""

    opt_state: Any
    injected: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, list[Any]] = field(default_factory=dict)
    schedule_count: int | None = None

    def __post_init__(self) -> None:
        for node in _nodes(self.opt_state):
            kind = type(node).__name__
            if kind.startswith("InjectHyperparams") or kind == "InjectStatefulHyperparamsState":
                self.injected.update(
                    {k: v for k, v in node.hyperparams.items() if np.ndim(v) == 0}
                )
            elif kind == "ScaleByScheduleState":
                self.schedule_count = int(node.count)
            elif kind in _RULES:
                self.parts.setdefault(kind, []).append(node)

    @property
    def rule(self) -> str | None:
        """The first that is more than momentum: beside a mean square, a trace is its velocity."""
        rules = [_RULES[kind] for kind in self.parts]
        return next((rule for rule in rules if rule != "sgd"), rules[0] if rules else None)

    def leaves(self, kinds: Sequence[str], key: str) -> tuple[dict[str, np.ndarray], dict[str, int]]:
        """Arrays and counts by the paths of the parameters; masked ones are left out of each state."""
        arrays: dict[str, np.ndarray] = {}
        counts: dict[str, int] = {}
        for kind in kinds:
            for node in self.parts.get(kind, []):
                tree = getattr(node, key, None)
                for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
                    place = jax.tree_util.keystr(path)
                    arrays[place] = np.asarray(leaf, dtype=np.float64).reshape(-1)
                    count = _count(node)
                    counts[place] = 1 if count is None else count
        return arrays, counts


def _count(node: Any) -> int | None:
    """The steps of a state; every tuple has a method of that name."""
    return int(node.count) if "count" in getattr(node, "_fields", ()) else None


def _nodes(state: Any) -> Iterator[Any]:
    """Every tuple, dictionary and dataclass in a state, the outermost first."""
    if isinstance(state, tuple):
        yield state
        if type(state).__name__ in _RULES:
            return
        children: Sequence[Any] = state
    elif isinstance(state, Mapping):
        children = list(state.values())
    elif isinstance(state, list):
        children = state
    elif hasattr(state, "__dataclass_fields__"):
        yield state
        children = [getattr(state, name) for name in state.__dataclass_fields__]
    else:
        return
    for child in children:
        yield from _nodes(child)


def _layout(params: Any) -> tuple[list[str], list[int]]:
    leaves = jax.tree_util.tree_flatten_with_path(params)[0]
    return [jax.tree_util.keystr(path) for path, _ in leaves], [int(np.size(leaf)) for _, leaf in leaves]


def _setting(name: str, values: Mapping[str, float]) -> dict[str, Any]:
    if name in ("gd", "sgd"):
        momentum = values.get("momentum", 0.0)
        if not momentum:
            return {"name": "gd"}
        return {"name": "nesterov" if values["nesterov"] else "momentum", "momentum": momentum}
    if name == "rmsprop":
        if values["nesterov"]:
            raise UsageError("Of rmsprop with nesterov no limit is known; leave optimizer out.")
        return {
            "name": name,
            "alpha": values["decay"],
            "epsilon": _NO_EPSILON,
            "momentum": values["momentum"],
            "centered": values["centered"],
        }
    if name == "adagrad":
        return {
            "name": name,
            "epsilon": _NO_EPSILON,
            "initial-sum": values["initial_accumulator_value"] + values["eps"],
        }
    setting: dict[str, Any] = {"name": name, "beta1": values["b1"], "beta2": values["b2"]}
    if name != "lion":
        setting["epsilon"] = values["eps"]
    if name in _DECOUPLED:
        setting["weight-decay"] = values["weight_decay"]
    if name == "nadam":
        # optax's momentum is beta1 from the first step on.
        setting["momentum-decay"] = 1e9
    return setting


def _read_rate(lr: Any, found: _Found, params: Any, standing: Standing) -> None:
    if lr is None:
        return
    if callable(lr):
        count = found.schedule_count
        if count is None:
            counts = [_count(node) for nodes in found.parts.values() for node in nodes]
            count = max((c for c in counts if c is not None), default=0)
        lr = lr(count)
    if np.ndim(lr) == 0 and not isinstance(lr, (dict, list, tuple)):
        standing.rate = float(lr)
        return
    leaves = jax.tree_util.tree_leaves(lr)
    if jax.tree_util.tree_structure(lr) != jax.tree_util.tree_structure(params):
        raise UsageError(
            "lr is neither a number nor a pytree of numbers as params has arrays; give one of them."
        )
    rates = [float(rate) for rate in leaves]
    standing.rate = max(rates)
    if standing.rate > 0 and len(set(rates)) > 1:
        standing.rate_factors = [rate / standing.rate for rate in rates]
        standing.notes.append(
            f"The parameters' rates run from {min(rates):g} to {standing.rate:g}. The largest is judged, and "
            "the others keep their shares of it: the limit is that of all of them together."
        )


def _read_state(
    name: str,
    values: Mapping[str, float],
    found: _Found,
    paths: Sequence[str],
    sizes: Sequence[int],
    standing: Standing,
) -> None:
    rule = "adam" if name in ("adamw", "nadam") else name
    kinds = [kind for kind, of in _RULES.items() if of == rule]
    keys = {
        "sgd": {"velocity": "trace"},
        "lion": {"m": "mu"},
        "rmsprop": {"v": "nu", **({"m": "mu"} if values.get("centered") else {})},
        "adagrad": {"sum": "sum_of_squares"},
        "amsgrad": {"m": "mu", "v": "nu", "largest": "nu_max"},
        "gd": {},
    }.get(name, {"m": "mu", "v": "nu"})
    if name == "sgd" and not values["momentum"]:
        keys = {}
    wanted = [(into, kinds, key) for into, key in keys.items()]
    if name == "rmsprop" and values["momentum"]:
        wanted.append(("velocity", ["TraceState"], "trace"))
    for into, of, key in wanted:
        arrays, counts = found.leaves(of, key)
        if not arrays:
            continue
        flat = _flat(arrays, paths, sizes, standing)
        own = np.array([counts.get(path, 0) for path in paths])
        count = int(own.max())
        if count == 0:
            return
        standing.updates = max(standing.updates, count)
        if into in ("m", "v") and "b1" in values and name != "lion":
            flat = at_one_count(flat, values["b1" if into == "m" else "b2"], own, sizes, count)
        standing.state[into] = _in_our_form(into, name, flat, values, count)
    if name == "nadam" and standing.updates:
        standing.state["momentum-product"] = np.array([values["b1"] ** standing.updates])


def _flat(
    arrays: Mapping[str, np.ndarray], paths: Sequence[str], sizes: Sequence[int], standing: Standing
) -> np.ndarray:
    if not any(path in arrays for path in paths):
        raise UsageError("The opt_state is of other parameters; give the one of these.")
    for path, size in zip(paths, sizes):
        if path in arrays and arrays[path].size != size:
            raise UsageError(
                f"The opt_state has {arrays[path].size} numbers for {path}, which has {size}; give the one "
                "of these parameters."
            )
    missing = [path for path in paths if path not in arrays]
    if missing and not any("holds no" in note for note in standing.notes):
        standing.notes.append(
            f"The state holds no moments of {list_of(missing)}: they are taken to be held where they are."
        )
        factors = standing.rate_factors or [1.0] * len(paths)
        standing.rate_factors = [
            0.0 if path in missing else factor for path, factor in zip(paths, factors)
        ]
    return np.concatenate([arrays.get(path, np.zeros(size)) for path, size in zip(paths, sizes)])


def _in_our_form(
    into: str, name: str, flat: np.ndarray, values: Mapping[str, float], count: int
) -> np.ndarray:
    """optax's vectors as the catalogue keeps them: what a step is divided by stays the same."""
    if into == "largest":
        # optax keeps the largest of the corrected means.
        return (flat + values["eps_root"]) * (1 - values["b2"] ** count)
    if into == "v" and name == "rmsprop":
        return flat + values["eps"]
    if into == "v" and "eps_root" in values:
        return flat + values["eps_root"] * (1 - values["b2"] ** count)
    return flat + values["eps"] if into == "sum" else flat
