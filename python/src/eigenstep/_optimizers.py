"""How a user's own optimizer stands, as the library takes it; what PyTorch's and optax's share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

import numpy as np


@dataclass
class Standing:
    """The step that is judged: a rule of the catalogue, its rate and state, and what groups have.

    Attributes
    ----------
    setting
        Name and hyperparameters as a request has them; None where no rule of the catalogue is the user's, so
        that no rate is judged.
    rate
        The largest of the groups' rates.
    updates
        Steps that the state holds.
    state
        Vectors by the catalogue's names, flat, in the order of the parameters.
    rate_factors, decays, penalties
        One per parameter: the share of the rate, decoupled weight decay, weight decay in the gradient; None
        where there is nothing to say.
    notes
        Sentences for the report.
    share
        What of lr the rate is, of a rule that shortens every gradient.
    """

    setting: dict[str, Any] | None = None
    rate: float | None = None
    updates: int = 0
    state: dict[str, np.ndarray] = field(default_factory=dict)
    rate_factors: Sequence[float] | None = None
    decays: Sequence[float] | None = None
    penalties: Sequence[float] | None = None
    notes: list[str] = field(default_factory=list)
    share: float = 1.0

    def training(self, lr: float | None) -> dict[str, Any]:
        """The part of a request; a rate that is given goes before the optimizer's."""
        setting: dict[str, Any] = {}
        if self.setting is not None:
            setting["optimizer"] = self.setting
        rate = lr * self.share if lr is not None else self.rate
        if rate is not None:
            setting["rate"] = rate
        return setting

    def describe(self, description: Mapping[str, Any]) -> dict[str, Any]:
        """A loss's description with what is said of its optimizer."""
        result = dict(description)
        result["notes"] = [*description.get("notes", []), *self.notes]
        result["optimizer"] = {"updates": self.updates}
        if self.setting is not None:
            result["optimizer"]["rule"] = self.setting
        parameters = [dict(parameter) for parameter in description["parameters"]]
        for name, values in (
            ("rateFactor", self.rate_factors),
            ("decay", self.decays),
            ("penalty", self.penalties),
        ):
            for parameter, value in zip(parameters, values or ()):
                parameter[name] = float(value)
        result["parameters"] = parameters
        return result

    def arrays(self) -> dict[str, np.ndarray]:
        """The state as arrays of a call."""
        return {f"optimizer/{name}": values for name, values in self.state.items()}


def at_one_count(
    values: np.ndarray, beta: float, counts: np.ndarray, sizes: Sequence[int], count: int
) -> np.ndarray:
    """Moving means of parameters that took unequal numbers of steps, as if all had taken the same.

    What a step uses is a mean over ``1 - beta ** t``, which stays what it is.
    """
    if np.all(counts == count):
        return values
    own = np.repeat(counts, sizes).astype(np.float64)
    share = np.where(own > 0, 1 - np.power(beta, np.maximum(own, 1)), 1.0)
    return values * ((1 - beta**count) / share)


def list_of(words: Sequence[str], limit: int = 4) -> str:
    """``a, b and c``, cut where there are many."""
    shown = list(words[:limit])
    if len(words) > limit:
        return ", ".join(shown) + f" and {len(words) - limit} more"
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1]
