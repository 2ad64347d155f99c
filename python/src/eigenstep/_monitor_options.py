"""What a monitor and a search for a rate are asked for, looked at before they begin."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import nn

from . import _fsdp
from .errors import UsageError


def check_options(
    model: nn.Module, optimizer: Any, who: str, dtype: torch.dtype | None, products: str
) -> None:
    """What would be refused at the first check, or not be seen at all."""
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise UsageError(f"The optimizer is a {type(optimizer).__name__}; give one of torch.optim.")
    moved = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if not any(id(p) in moved for p in model.parameters()):
        raise UsageError(
            "The optimizer holds none of the model's parameters: make it of model.parameters(), after the model has "
            "been moved or wrapped."
        )
    if products not in ("autograd", "differences"):
        raise UsageError(f"products is {products!r}: it is 'autograd' or 'differences'.")
    if dtype not in (None, torch.float32, torch.float64):
        raise UsageError(f"dtype is {dtype}: products are taken in torch.float32 or torch.float64.")
    if _fsdp.is_sharded(model):
        raise UsageError(
            f"{who} reads whole parameters, and those of this model are sharded by fully_shard: measure it with "
            "eigenstep.torch.diagnose between steps."
        )


def log_settings(folder: str, resume: bool) -> dict[str, Any]:
    """Of the log, as the library takes them."""
    if not resume and os.path.exists(os.path.join(folder, "events.jsonl")):
        raise UsageError(
            f"log={folder!r} holds the log of an earlier run: give resume=True to go on with it, or another folder."
        )
    return {"log": folder, "resumesLog": resume}


def ranks() -> int:
    """Processes that train together."""
    group = torch.distributed
    return group.get_world_size() if group.is_available() and group.is_initialized() else 1
