"""A user's own optimizer, as the library names it."""

from __future__ import annotations

from typing import Any

import torch

from .errors import UsageError


def setting_of(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Any], list[str]]:
    """The rule and the rate of an optimizer, and what is to be said of it.

    Raises
    ------
    UsageError
        For a rule whose limit is not known, which is named.
    """
    groups = optimizer.param_groups
    notes: list[str] = []
    rates = sorted({float(group["lr"]) for group in groups})
    group = groups[0]
    if len(rates) > 1:
        group = max(groups, key=lambda group: float(group["lr"]))
        notes.append(
            f"The optimizer's groups have rates from {rates[0]:g} to {rates[-1]:g}; the largest is judged."
        )
    kind = type(optimizer).__name__
    setting: dict[str, Any]
    if kind == "SGD":
        momentum = float(group["momentum"])
        if momentum == 0:
            setting = {"name": "gd"}
        elif float(group["dampening"]) != 0:
            raise UsageError(
                f"SGD's dampening is {group['dampening']}, of which no limit is known; give it 0."
            )
        else:
            setting = {
                "name": "nesterov" if group["nesterov"] else "momentum",
                "momentum": momentum,
            }
        if float(group["weight_decay"]) != 0:
            notes.append(
                f"SGD's weight decay of {group['weight_decay']:g} adds as much to every eigenvalue; it is "
                "not part of the loss that is measured."
            )
    elif kind in ("Adam", "AdamW", "NAdam", "RAdam"):
        beta1, beta2 = (float(beta) for beta in group["betas"])
        name = "amsgrad" if group.get("amsgrad") and kind == "Adam" else kind.lower()
        setting = {"name": name, "beta1": beta1, "beta2": beta2, "epsilon": float(group["eps"])}
        if kind == "AdamW":
            setting["weight-decay"] = float(group["weight_decay"])
    elif kind == "RMSprop" and float(group["momentum"]) == 0 and not group["centered"]:
        setting = {
            "name": "rmsprop",
            "decay": float(group["alpha"]),
            "epsilon": float(group["eps"]),
        }
    elif kind == "Adagrad":
        setting = {"name": "adagrad", "epsilon": float(group["eps"])}
    else:
        raise UsageError(
            f"Of {kind} no limit is known here; leave optimizer out, and give lr to judge it as plain descent."
        )
    return {"optimizer": setting, "rate": rates[-1]}, notes
