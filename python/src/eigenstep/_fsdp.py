"""Models sharded by ``fully_shard``, made whole for the time of a measurement where they fit.

The parameters are put together on each rank, FSDP's hooks lie still, and products are exact. What does not fit
stays sharded: `_sharded_loss`.
"""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Iterator

import torch
import torch.distributed as dist
from torch import nn

from .errors import UsageError

_COPIES = 6
"""Whole copies of the parameters that an exact product holds at a time: values, direction, result, graph."""


def _sharded_parameters(model: nn.Module) -> dict[str, Any]:
    try:
        from torch.distributed.tensor import DTensor
    except ImportError:
        return {}
    return {name: p for name, p in model.named_parameters() if isinstance(p, DTensor)}


def is_sharded(model: nn.Module) -> bool:
    return bool(units(model)) or bool(_sharded_parameters(model))


def units(model: nn.Module) -> list[Any]:
    """The modules that FSDP gathers and frees one at a time."""
    try:
        from torch.distributed.fsdp import FSDPModule
    except ImportError:
        return []
    return [module for module in model.modules() if isinstance(module, FSDPModule)]


def at_rest(model: nn.Module) -> None:
    """Lets go of parameters that a forward pass has left whole."""
    for unit in units(model):
        unit.reshard()


def group_of(model: nn.Module) -> Any:
    at_rest(model)
    meshes = {p.device_mesh for p in _sharded_parameters(model).values()}
    mesh = next(iter(meshes)) if len(meshes) == 1 else None
    return mesh.get_group() if mesh is not None and mesh.ndim == 1 else dist.group.WORLD


def is_by_differences(model: nn.Module, options: dict[str, Any]) -> bool:
    """Whether it was asked for, or the whole parameters would not fit beside what the device holds."""
    if options.get("products") == "differences":
        return True
    at_rest(model)
    count = sum(p.numel() for p in model.parameters())
    device = next(p.device for p in model.parameters())
    if device.type != "cuda":
        return False
    return 4 * _COPIES * count > torch.cuda.mem_get_info(device)[0]


def refuse_micro_batches(options: dict[str, Any]) -> None:
    for name in ("micro_batch", "memory"):
        if options.get(name) is not None:
            raise UsageError(
                f"{name} is not for a model that stays sharded: give a DataLoader with smaller batches, as "
                "many on each rank."
            )


def whole(
    model: nn.Module,
) -> tuple[Callable[[], contextlib.AbstractContextManager[None]], dict[int, Any]]:
    """Puts the parameters together.

    Parameters are those of the optimizer, in their own precision, whatever FSDP computes in.

    Returns
    -------
    standing_in
        The context in which they stand in for the shards.
    own
        The model's own parameter, by the `id` of what stands in for it.
    """
    at_rest(model)
    together: dict[int, nn.Parameter] = {}
    places: list[tuple[nn.Module, str, Any]] = []
    sharded = _sharded_parameters(model)
    kept = {id(p) for p in sharded.values()}
    parameter: Any
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if id(parameter) not in kept:
                continue
            if id(parameter) not in together:
                tensor = parameter.detach()
                if tensor.device.type != tensor.device_mesh.device_type:
                    tensor = tensor.to(tensor.device_mesh.device_type)
                together[id(parameter)] = nn.Parameter(
                    tensor.full_tensor().clone(), requires_grad=parameter.requires_grad
                )
            places.append((module, name, parameter))

    @contextlib.contextmanager
    def standing_in() -> Iterator[None]:
        hooks = [table for module in model.modules() for table in (
            module._forward_pre_hooks, module._forward_hooks)]
        held = [(table, key, hook) for table in hooks for key, hook in table.items() if _is_fsdp(hook)]
        order = [(table, dict(table)) for table in {id(t): t for t, _, _ in held}.values()]
        try:
            for module, name, parameter in places:
                module._parameters[name] = together[id(parameter)]
            for table, key, _ in held:
                del table[key]
            yield
        finally:
            for module, name, parameter in places:
                module._parameters[name] = parameter
            for table, before in order:
                table.clear()
                table.update(before)

    return standing_in, {id(together[id(p)]): p for p in sharded.values()}


def _is_fsdp(hook: Any) -> bool:
    return str(getattr(hook, "__module__", "")).startswith("torch.distributed")
