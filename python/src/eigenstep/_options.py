"""The keyword arguments of the functions, which are the options of the command of the same names."""

from __future__ import annotations

import difflib
import textwrap
from typing import Any, Iterable

from ._option_list import DIAGNOSE, SPECTRUM, SWEEP, TRAIN, Option, all_options
from ._wording import Wording
from .errors import UsageError

__all__ = [
    "DIAGNOSE",
    "SPECTRUM",
    "SWEEP",
    "TRAIN",
    "Option",
    "check_names",
    "documentation",
    "options_of",
    "value_error",
    "wording_of",
]

_OPTIONS = tuple(all_options())
_OTHER_NAMES = {
    "learning_rate": "lr",
    "eta": "lr",
    "eta0": "lr",
    "learning_rate_init": "lr",
    "batch_size": "batch",
    "standardize": "standardise",
    "random_state": "seed",
    "penalty": "l2",
    "max_iter": "steps",
    "no_trials": "trials",
    "no_intercept": "intercept",
    "fit_intercept": "intercept",
    "validation": "held_out",
    "hidden_layer_sizes": "hidden",
    "columns": "features",
}


def options_of(function: str) -> dict[str, Option]:
    """The options that a function takes, by name."""
    return {option.name: option for option in _OPTIONS if function in option.functions}


def wording_of(function: str, held: Iterable[str] = ()) -> Wording:
    """How a function calls what it is given."""
    places = {}
    for option in options_of(function).values():
        if option.place.startswith("problem."):
            for kind in ("table", "model"):
                places[option.place.replace("problem.", f"problem.{kind}.")] = option.name
        places[option.place] = option.name
    places["batches"] = "batch"
    places["rates.lower"], places["rates.upper"], places["rates.count"] = (
        "the lower rate of lr",
        "the upper rate of lr",
        "the count of lr",
    )
    return Wording(places, tuple(held))


def check_names(function: str, given: Iterable[str]) -> None:
    """Refuses what is no option of a function."""
    known = options_of(function)
    for name in given:
        if name in known:
            continue
        others = sorted({other for option in _OPTIONS if option.name == name for other in option.functions})
        if others:
            raise UsageError(
                f"{function} takes no {name}, which is of {' and '.join(others)}; leave it out."
            )
        near = _OTHER_NAMES.get(name) if _OTHER_NAMES.get(name) in known else None
        close = difflib.get_close_matches(name, known, 1, 0.6)
        near = near or (close[0] if close else None)
        raise UsageError(
            f"{function} takes no {name!r}: "
            + (f"did you mean {near}?" if near else f"choose from {', '.join(sorted(known))}.")
        )


def documentation(function: str) -> str:
    """The options of a function as a docstring lists them."""
    lines = []
    for option in options_of(function).values():
        kind = {"table": " Tables only.", "model": " Model files only.", None: ""}[option.kind]
        meaning = textwrap.wrap(option.meaning + kind, 100, break_on_hyphens=False)
        lines.append("\n        ".join([f"    {option.name}", *meaning]))
    return "\n".join(lines)


def value_error(name: str, value: Any, requirement: str) -> UsageError:
    return UsageError(f"{name} is {value!r}, but it must be {requirement}.")
