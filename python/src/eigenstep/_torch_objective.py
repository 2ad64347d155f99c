"""The loss of a model as one module, and what stands around a user's model."""

from __future__ import annotations

import contextlib
import functools
import inspect
import random
import sys
from typing import Any, Callable, Iterator

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from ._torch_batches import cast, tensors
from .errors import UsageError

_HALF = (torch.float16, torch.bfloat16)


class Objective(nn.Module):
    """The loss with the model and its own parameters, so that all are stood in for at once."""

    def __init__(self, model: nn.Module, loss_fn: Callable[..., Any], is_of_outputs: bool) -> None:
        super().__init__()
        self.model = model
        self.is_of_outputs = is_of_outputs
        if isinstance(loss_fn, nn.Module):
            self.loss = loss_fn
        else:
            object.__setattr__(self, "loss", loss_fn)

    def forward(self, batch: Any, dtype: torch.dtype) -> Any:
        if not self.is_of_outputs:
            return self.loss(self.model, batch)
        if not isinstance(batch, (tuple, list)) or len(batch) < 2:
            raise UsageError(
                "A loss of outputs and targets takes batches of (inputs, targets); for others give "
                "loss_fn(model, batch)."
            )
        *inputs, targets = batch
        loss: Callable[..., Any] = self.loss
        if isinstance(loss, functools.partial):
            loss = functools.partial(
                loss.func, *cast(loss.args, dtype), **cast(loss.keywords, dtype)
            )
        return loss(self.model(*inputs), targets)

    @contextlib.contextmanager
    def outputs(self) -> Iterator[list[Any]]:
        """What the model gives back in the meantime, call by call."""
        found: list[Any] = []
        handle = self.model.register_forward_hook(lambda _, given, result: found.append(result))
        try:
            yield found
        finally:
            handle.remove()

    def first_non_finite(self, run: Callable[[], Any]) -> str | None:
        """The first module whose outputs are not all finite though its inputs are."""
        found: list[str] = []

        def look(name: str, module: nn.Module, given: Any, result: Any) -> None:
            if not found and not _are_finite(tensors(result)) and _are_finite(tensors(given)):
                found.append(f"'{name}' ({type(module).__name__})")

        handles = [
            module.register_forward_hook(functools.partial(look, name))
            for name, module in self.model.named_modules()
            if next(module.children(), None) is None
        ]
        try:
            run()
        finally:
            for handle in handles:
                handle.remove()
        return found[0] if found else None


def _are_finite(values: Iterator[torch.Tensor]) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in values if value.is_floating_point())


def unwrapped(model: Any) -> tuple[nn.Module, list[str]]:
    """The model inside of compilation and data parallelism, and what is to be said of them."""
    notes = []
    while True:
        if hasattr(model, "_orig_mod"):
            model = model._orig_mod
            notes.append("The model is compiled; it is measured as it was before torch.compile.")
        elif isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            notes.append(f"{type(model).__name__} is taken off: the module inside is measured.")
            model = model.module
        else:
            break
    if isinstance(model, torch.jit.ScriptModule):
        raise UsageError(
            f"{model.original_name} is a TorchScript module, whose parameters cannot be stood in for: give "
            "the module that it was made of."
        )
    if not isinstance(model, nn.Module):
        raise UsageError(f"The model is a {type(model).__name__}: give a torch.nn.Module.")
    return model, notes


def takes_outputs(loss_fn: Callable[..., Any]) -> bool:
    """Whether it is called with outputs and targets, as PyTorch's own losses are, or with model and batch.

    A function of somebody else's is called with model and batch, unless its first parameter is called as
    outputs are.
    """
    if isinstance(loss_fn, functools.partial):
        return takes_outputs(loss_fn.func)
    if isinstance(loss_fn, nn.Module):
        return True
    if getattr(loss_fn, "__module__", "").startswith("torch.nn.functional"):
        return True
    try:
        first = next(iter(inspect.signature(loss_fn).parameters))
    except (TypeError, ValueError, StopIteration):
        return True
    return first in ("input", "output", "outputs", "logits", "pred", "prediction", "predictions", "y_pred")


@contextlib.contextmanager
def seeded(seed: int, devices: list[int]) -> Iterator[None]:
    """Every global generator at a seed, and afterwards as it was."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=devices):
        # As torch.manual_seed does, in a tenth of its time.
        for generator in _generators(devices):
            generator.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


def generator_states(devices: list[int]) -> list[Any]:
    """Which tell, by having changed, that something was drawn."""
    states = [generator.get_state().numpy().tobytes() for generator in _generators(devices)]
    _, words, place, *_ = np.random.get_state()
    return [*states, np.asarray(words).tobytes(), place, random.getstate()]


def _generators(devices: list[int]) -> list[torch.Generator]:
    return [torch.default_generator, *(torch.cuda.default_generators[device] for device in devices)]


@contextlib.contextmanager
def uncompiled() -> Iterator[None]:
    """Runs what is compiled as it was written: compiled graphs have one derivative."""
    # Nothing is compiled where the compiler was never imported, which takes seconds.
    stance = getattr(torch.compiler, "set_stance", None)
    if "torch._dynamo" not in sys.modules or stance is None:
        yield
        return
    with stance("force_eager"):
        yield


@contextlib.contextmanager
def surroundings(
    seed: int, kinds: set[str], devices: list[int], without_cudnn: bool, math_attention: bool
) -> Iterator[None]:
    """Seeded, with gradients, without autocast, uncompiled, and of kernels that have second derivatives."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(seeded(seed, devices))
        stack.enter_context(torch.enable_grad())
        for kind in kinds:
            stack.enter_context(torch.autocast(kind, enabled=False))
        stack.enter_context(uncompiled())
        if without_cudnn and "cuda" in kinds:
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        if math_attention:
            from torch.nn.attention import SDPBackend, sdpa_kernel

            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        yield


class HalfPrecision(TorchDispatchMode):
    """Sees casts to half precision inside a loss, and widens them where ``dtype`` is given."""

    def __init__(self, dtype: torch.dtype | None) -> None:
        super().__init__()
        self.dtype = dtype
        self.is_used = False

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if kwargs.get("dtype") in _HALF:
            self.is_used = True
            if self.dtype is not None:
                kwargs = {**kwargs, "dtype": self.dtype}
        return function(*args, **kwargs)


def custom_functions(loss: torch.Tensor) -> list[str]:
    """The names of the user's own ``torch.autograd.Function``s that a loss went through."""
    names: set[str] = set()
    seen: set[Any] = set()
    ahead = [loss.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(node, torch.autograd.function.BackwardCFunction):
            names.add(type(node).__name__.removesuffix("Backward"))
        ahead += [following for following, _ in node.next_functions]
    return sorted(names)


def has_recurrence(model: nn.Module) -> bool:
    return any(isinstance(module, nn.RNNBase) for module in model.modules())
