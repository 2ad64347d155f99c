"""What a loss cannot do, and what is to be said of it, found out before anything is measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ._differences import Differences
from ._torch_batches import cloned, divisor, reduction_of, sample_count, tensors
from ._torch_objective import HalfPrecision, custom_functions, generator_states
from .errors import DataError, UsageError

if TYPE_CHECKING:
    from ._torch_loss import TorchLoss

def check(loss: TorchLoss) -> None:
    """Tries every kind of question once; notes what is worth saying."""
    _note_frozen(loss)
    _note_precision(loss)
    point = loss.start().astype(np.float64 if loss.dtype == torch.float64 else np.float32)
    value, customs = _first_value(loss, point)
    if not math.isfinite(value):
        raise DataError(_where_non_finite(loss, point, value))
    _repeats(loss, point, value)
    _micro_batches(loss, point)
    if loss.products == "differences":
        _differences(loss, point)
    else:
        _second_derivative(loss, point, customs)
    if any(isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training for m in loss.model.modules()):
        loss.notes.append(
            "BatchNorm is in train mode: each sample's loss depends on its batch, and the curvature is "
            "that of these batches; model.eval() measures the network as it is used."
        )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def check_places(loss: TorchLoss) -> None:
    """What batches are made of and where model and batch lie, before anything is computed."""
    for batch in loss.batches if loss.is_of_outputs else ():
        for name, part in zip(("inputs", "targets"), batch) if isinstance(batch, (tuple, list)) else ():
            if isinstance(part, np.ndarray) or name == "targets" and not isinstance(part, torch.Tensor):
                raise UsageError(
                    f"The batch's {name} are a {type(part).__name__}, and PyTorch's losses take tensors: give "
                    f"torch.as_tensor({name})."
                )
    if not any(map(sample_count, loss.batches)):
        raise UsageError("The batch has no samples: give at least one.")
    devices = {p.device for p in loss.parameters.values()}
    if any(device.type == "meta" for device in devices):
        raise UsageError("The model lies on the device meta and has no numbers: load its parameters first.")
    if not loss.is_of_outputs or loss.moves_to is not None:
        return  # A loss of the model may move the batch itself.
    for device in {t.device for t in tensors(loss.batches[0])}:
        if device not in devices and not (device.type == "cpu" and len(devices) > 1):
            raise UsageError(_misplaced(loss, str(device)))


def _misplaced(loss: TorchLoss, device: str | None = None) -> str:
    devices = ", ".join(sorted({str(p.device) for p in loss.parameters.values()}))
    device = device or ", ".join(sorted({str(t.device) for t in tensors(loss.batches[0])}))
    return f"The batch lies on {device} and the model on {devices}: move one with .to(device)."


def _note_frozen(loss: TorchLoss) -> None:
    frozen = sum(1 for _ in loss.objective.parameters()) - len(loss.parameters)
    if frozen:
        loss.notes.append(
            f"{frozen} frozen parameter{'s are' if frozen > 1 else ' is'} held where "
            f"{'they are' if frozen > 1 else 'it is'}: the curvature is that of the others."
        )


def _note_precision(loss: TorchLoss) -> None:
    kinds = {p.dtype for p in loss.parameters.values()} - {loss.dtype}
    halves = sorted(_name(k) for k in kinds if k.itemsize < 4)
    if halves:
        loss.notes.append(
            f"Parameters are {' and '.join(halves)}: the loss is computed in {_name(loss.dtype)} from copies of them, "
            "which half precision is too coarse for."
        )


def _first_value(loss: TorchLoss, point: np.ndarray) -> tuple[float, list[str]]:
    """With copies of the batches, looking at what is done to them, in which precision, and by what.

    The names of custom functions come back with the value.
    """
    customs: list[str] = []
    total = 0.0
    changed = False
    halves = HalfPrecision(None)
    autocast = any(torch.is_autocast_enabled(p.device.type) for p in loss.parameters.values())
    values = loss.loaded(0, point)
    loss.clones_batches = False
    for weight, batch in zip(loss.weights, loss.batches):
        copy = cloned(batch)
        versions = [t._version for t in tensors(copy)]
        try:
            with loss.evaluating(), halves:
                found = loss.loss(values, copy)
                total += weight * float(found.detach())
                customs = customs or custom_functions(found)
        except RuntimeError as error:
            if "same device" in str(error) or "is not on the expected device" in str(error):
                raise UsageError(_misplaced(loss)) from error
            kinds = {p.dtype for p in loss.parameters.values()}
            if kinds != {loss.dtype} and any(w in str(error) for w in ("scalar type", "dtype")):
                raise UsageError(
                    f"The loss cannot be computed in {_name(loss.dtype)} ({str(error).splitlines()[0]}): "
                    "tensors that loss_fn or the model hold besides parameters and buffers are of another "
                    "type; register them as buffers, or convert them where they are used."
                ) from error
            raise
        changed = changed or versions != [t._version for t in tensors(copy)]
    loss.clones_batches = changed
    if not (halves.is_used or autocast):
        return total, customs
    loss.notes.append(
        f"Mixed precision is off here: the loss is computed in {_name(loss.dtype)}, since second derivatives drown in the "
        "rounding of half precision."
    )
    if not halves.is_used:
        return total, customs
    loss.widens_halves = True
    return loss.value_and_gradient(0, point, None), customs


def _repeats(loss: TorchLoss, point: np.ndarray, value: float) -> None:
    values = loss.loaded(0, point)
    again, draws = 0.0, False
    for weight, batch in zip(loss.weights, loss.batches):
        with loss.evaluating():
            before = generator_states(loss.devices)
            again += weight * float(loss.loss(values, batch).detach())
            draws = draws or generator_states(loss.devices) != before
    allowed = math.sqrt(torch.finfo(loss.dtype).eps) * max(abs(value), 1e-6)
    if not abs(again - value) <= allowed:
        raise UsageError(
            f"The loss changes from call to call though the seed is fixed ({value:.6g}, then {again:.6g}): it "
            "keeps a state or draws from a generator of its own; make it a function of model and batch."
        )
    if not draws:
        return
    seed, loss.seed = loss.seed, loss.seed + 1
    try:
        other = loss.value_and_gradient(0, point, None)
    finally:
        loss.seed = seed
    if other != again:
        loss.notes.append(
            "The loss changes from call to call (dropout or other draws): all evaluations here use the "
            f"seed {loss.seed}, and the curvature is that of one draw."
        )


def _micro_batches(loss: TorchLoss, point: np.ndarray) -> None:
    """Whether parts of a batch, weighted, are the batch."""
    count = len(loss.groups)
    if count > 1 and reduction_of(loss.loss_fn) == "sum":
        loss.notes.append(
            f"The loss adds up the samples of a batch (reduction='sum'); these sums are averaged over the "
            f"{count} batches, as the steps on them see it."
        )
    elif count > 1:
        loss.notes.append(
            f"The losses of {count} batches are averaged, each weighted by what its mean is over: "
            f"{loss.sample_count} samples in all."
        )
    group = max(loss.groups, key=len)
    if len(group) == 1:
        return
    first, second = group[0], group[1]
    joined = _joined(first, second)
    values = loss.loaded(0, point)

    def value(batch: Any) -> float:
        with loss.evaluating():
            return float(loss.loss(values, batch).detach())

    a, b, both = value(first), value(second), value(joined)
    allowed = 30 * math.sqrt(torch.finfo(loss.dtype).eps) * max(abs(a), abs(b), 1e-6)
    if reduction_of(loss.loss_fn) == "sum":
        mean = a + b
    else:
        m, n = (divisor(loss.loss_fn, batch) for batch in (first, second))
        mean = (m * a + n * b) / (m + n) if m + n > 0 else math.nan
    if abs(both - mean) <= allowed:
        loss.notes.append(
            f"Computed in {len(loss.batches)} micro-batches of at most {max(map(sample_count, loss.batches))} "
            "samples, which give the whole batch up to rounding."
        )
        return
    if abs(both - a - b) <= allowed:
        raise UsageError(
            "The loss adds up its samples, which only reduction='sum' of PyTorch's own losses says: divide it "
            "by their number, or leave micro_batch and memory out."
        )
    raise UsageError(
        f"The loss of two micro-batches together is {both:.6g}, and the mean of their losses {mean:.6g}: its "
        "samples depend on one another (BatchNorm in train mode, contrast), it draws, or its mean is "
        "weighted; leave micro_batch and memory out."
    )


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, torch.Tensor):
        return torch.cat([first, second]) if first.ndim and first is not second else first
    if isinstance(first, Mapping):
        return {key: _joined(first[key], second[key]) for key in first}
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*map(_joined, first, second))
    if isinstance(first, (tuple, list)):
        return type(first)(map(_joined, first, second))
    return first


def _second_derivative(loss: TorchLoss, point: np.ndarray, customs: list[str]) -> None:
    direction = np.ones_like(point)
    result = np.empty_like(point)
    try:
        loss.hessian_product(0, point, direction, result)
    except RuntimeError as error:
        if loss.math_attention or "attention" not in str(error):
            raise without_second_derivative(error, loss) from error
        # The fast kernels of attention have one derivative only.
        loss.math_attention = True
        loss.forget()
        try:
            loss.hessian_product(0, point, direction, result)
        except RuntimeError as again:
            raise without_second_derivative(again, loss) from again
    if loss.math_attention:
        loss.notes.append(
            "The fast attention kernels have no second derivative, so attention is computed by "
            "torch.nn.attention.SDPBackend.MATH here."
        )
    if not np.isfinite(result).all():
        raise DataError(
            f"The loss is finite at the start, but its second derivative in '{_first_bad(loss, result)}' is "
            "not: keep sqrt, norm and log away from zero, by a small constant inside."
        )
    if customs:
        _custom_functions(loss, point, customs)


def _custom_functions(loss: TorchLoss, point: np.ndarray, names: list[str]) -> None:
    """Autograd differentiates what a backward is made of, right or wrong: compared with differences."""
    random = np.random.default_rng(1).standard_normal(point.size).astype(point.dtype)
    estimate = Differences(loss.gradient, point, [random])
    expected = estimate.product(point, random)
    result = np.empty_like(point)
    loss.forget()
    loss.hessian_product(0, point, random, result)
    length = max(float(np.linalg.norm(expected)), float(np.linalg.norm(result)), 1e-30)
    distance = float(np.linalg.norm(result - expected)) / length
    which = " and ".join(names)
    if distance <= max(10 * estimate.error, 1e-2):
        return
    if estimate.error < 0.1:
        raise UsageError(
            f"The backward of {which} has no derivative that autograd can take: its product differs by "
            f"{distance:.2g} of itself from differences of gradients; measure with products='differences', or "
            "write that backward in differentiable operations."
        )
    loss.notes.append(
        f"The backward of {which} could not be checked: gradients nearby differ too irregularly for it."
    )


def _differences(loss: TorchLoss, point: np.ndarray) -> None:
    slope = loss.gradient(point)
    random = np.random.default_rng(1).standard_normal(point.size)
    loss.differences = Differences(loss.gradient, point, [slope if slope.any() else random, random])
    loss.differences.require_accuracy()
    loss.notes.append(loss.differences.note)


def without_second_derivative(error: RuntimeError, loss: TorchLoss) -> Exception:
    """The sentence that names the switch which helps; the error itself where it is another one."""
    words = str(error)
    if "modified by an inplace operation" in words:
        return UsageError(
            "An in-place operation overwrites numbers that the derivatives need: give its module "
            "inplace=False, or measure with products='differences' where the gradient can be had."
        )
    for hint in ("is not implemented", "once_differentiable", "double backward", "does not require grad"):
        if hint in words:
            return UsageError(
                "The loss has no second derivative in PyTorch (" + words.split("\n")[0].strip().rstrip(".")
                + "): measure with products='differences', or replace the operation."
            )
    return error


def _where_non_finite(loss: TorchLoss, point: np.ndarray, value: float) -> str:
    kind = "not a number" if math.isnan(value) else "infinite"
    if not np.isfinite(point).all():
        return (
            f"The loss is {kind} at the start, as the parameter '{_first_bad(loss, point)}' is: give the model "
            "finite parameters."
        )
    for number, batch in enumerate(loss.batches):
        if not all(bool(torch.isfinite(t).all()) for t in tensors(batch) if t.is_floating_point()):
            which = f" {number + 1} of {len(loss.batches)}" if len(loss.batches) > 1 else ""
            return (
                f"The loss is {kind} at the start, as numbers in the batch{which} are: clean the samples "
                "first."
            )
    with loss.evaluating():
        values = loss.loaded(0, point)
        for batch in loss.batches:
            name = loss.objective.first_non_finite(lambda: loss.loss(values, batch))
            if name is not None:
                return (
                    f"The loss is {kind} at the start: the first numbers that are not finite come out of "
                    f"{name}, from finite inputs; scale its inputs or its weights down."
                )
    return (
        f"The loss is {kind} at the start though the model's outputs are finite: loss_fn itself overflows, or "
        "takes the logarithm of zero."
    )


def _first_bad(loss: TorchLoss, vector: np.ndarray) -> str:
    parts = np.split(vector, np.cumsum(loss.sizes)[:-1])
    return next(n for n, part in zip(loss.names, parts) if not np.isfinite(part).all())
