"""Losses as functions of a model's outputs: which have a Gauss-Newton and which a Fisher matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ._torch_batches import is_kind
from .errors import UsageError

if TYPE_CHECKING:
    from ._torch_loss import TorchLoss

_LOG_PROBABILITIES = (nn.NLLLoss, F.nll_loss)
_CANONICAL = (
    nn.CrossEntropyLoss, nn.MSELoss, nn.BCEWithLogitsLoss, nn.NLLLoss, F.cross_entropy, F.mse_loss,
    F.binary_cross_entropy_with_logits, F.nll_loss,
)


def is_of_log_probabilities(loss_fn: Any) -> bool:
    return is_kind(loss_fn, _LOG_PROBABILITIES)


def is_canonical(loss_fn: Any) -> bool:
    """Whether the Fisher matrix of its distribution is its Gauss-Newton matrix."""
    return is_kind(loss_fn, _CANONICAL)


def gauss_newton_refusal(loss: TorchLoss) -> str | None:
    """Why the loss is no function of the model's outputs; None where it is one."""
    point = loss.start().astype(np.float64 if loss.dtype == torch.float64 else np.float32)
    values = loss.loaded(0, point)
    whole = "There is no Gauss-Newton matrix of this loss: "
    with loss.evaluating():
        try:
            graph = loss.graph("gauss-newton", 0, values, loss.batches[0])
            parts = graph.gradient()  # type: ignore[union-attr]
            slopes = torch.autograd.grad(
                loss.loss(values, loss.batches[0]), list(values.values()), allow_unused=True
            )
        except UsageError as error:
            return str(error)
        except RuntimeError as error:
            return whole + str(error).split("\n")[0]
        outputs = graph.outputs  # type: ignore[union-attr]
        if not outputs:
            return whole + "it does not call the model as model(inputs)."
        if any(
            found is not None
            for i, output in enumerate(outputs)
            for found in torch.autograd.grad(
                output.sum(), [o for j, o in enumerate(outputs) if j != i] or [output],
                retain_graph=True, allow_unused=True)
            if len(outputs) > 1
        ):
            return whole + "the model's outputs are computed from one another."
        difference = sum(
            float(((0 if part is None else part) - (0 if slope is None else slope)).square().sum())
            for part, slope in zip(parts, slopes)
            if part is not None or slope is not None
        )
        length = sum(float(slope.square().sum()) for slope in slopes if slope is not None)
        if difference > torch.finfo(loss.dtype).eps * max(length, 1e-30):
            return whole + (
                "it depends on the parameters in other ways than through the model's outputs (derivatives, "
                "penalties)."
            )
        generator = torch.Generator().manual_seed(1)
        changes = [torch.randn(o.shape, generator=generator, dtype=o.dtype).to(o.device) for o in outputs]
        bent = graph.bent(changes)  # type: ignore[union-attr]
        if not any(b is not None and bool((b != 0).any()) for b in bent):
            return whole + "it is linear in the model's outputs, wherever it can be differentiated."
    return None
