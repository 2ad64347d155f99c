"""Products with the curvature at one point, from a graph that autograd has built."""

from __future__ import annotations

from typing import Sequence

import torch

from .errors import UsageError

Parts = Sequence["torch.Tensor | None"]


class HessianGraph:
    """The gradient as a graph; a product is one more pass back through it."""

    def __init__(self, loss: torch.Tensor, variables: list[torch.Tensor]) -> None:
        self.variables = variables
        gradients = torch.autograd.grad(loss, variables, create_graph=True, allow_unused=True)
        self.used = [i for i, g in enumerate(gradients) if g is not None and g.requires_grad]
        self.gradients = [gradients[i] for i in self.used]

    def product(self, along: list[torch.Tensor], keep: bool) -> Parts:
        if not self.used:
            return [None] * len(self.variables)
        return torch.autograd.grad(
            self.gradients, self.variables, grad_outputs=[along[i] for i in self.used],
            retain_graph=keep, allow_unused=True,
        )


class GaussNewtonGraph:
    """``J' H J v`` for the model's outputs, by passes back alone, so that it needs no forward mode.

    ``J' w`` is linear in ``w``: its derivative along ``v`` is ``J v``.

    Parameters
    ----------
    outputs
        All tensors that the model gave and the loss was computed from.
    log_probabilities
        Whether the loss takes the logarithms of probabilities, in which it is linear: their own curvature,
        that of the logits they come from, stands in for it.
    """

    def __init__(
        self, loss: torch.Tensor, outputs: list[torch.Tensor], variables: list[torch.Tensor],
        log_probabilities: bool = False,
    ) -> None:
        self.outputs, self.variables = outputs, variables
        self.weights = [torch.zeros_like(output).requires_grad_() for output in outputs]
        pulled = torch.autograd.grad(
            outputs, variables, grad_outputs=self.weights, create_graph=True, allow_unused=True
        )
        self.used = [i for i, g in enumerate(pulled) if g is not None and g.requires_grad]
        self.pulled = [pulled[i] for i in self.used]
        self.slopes = torch.autograd.grad(loss, outputs, create_graph=True, allow_unused=True)
        self.factor: torch.Tensor | None = None
        if log_probabilities:
            probabilities = outputs[0].detach().exp()
            if not torch.allclose(probabilities.sum(1), torch.ones_like(probabilities.sum(1)), atol=1e-3):
                raise UsageError(
                    "The outputs are no logarithms of probabilities (their exponentials do not sum to 1): end "
                    "the model with log_softmax, or take the cross entropy of logits."
                )
            slope = self.slopes[0]
            assert slope is not None
            self.factor = -slope.detach().sum(1, keepdim=True) * probabilities

    def gradient(self) -> Parts:
        """Of the loss, as far as it comes through the outputs."""
        return self._pull(self.slopes)

    def product(self, along: list[torch.Tensor], keep: bool) -> Parts:
        if not self.used:
            return [None] * len(self.variables)
        pushed = torch.autograd.grad(
            self.pulled, self.weights, grad_outputs=[along[i] for i in self.used],
            retain_graph=True, allow_unused=True,
        )
        return self._pull(self.bent(pushed))

    def bent(self, pushed: Parts) -> Parts:
        """The loss's own curvature, as a function of the outputs, times a change of theirs."""
        if self.factor is not None:
            return [None if pushed[0] is None else self.factor * pushed[0]]
        given = [
            (slope, change)
            for slope, change in zip(self.slopes, pushed)
            if slope is not None and slope.requires_grad and change is not None
        ]
        if not given:
            return [None] * len(self.outputs)
        return torch.autograd.grad(
            [slope for slope, _ in given], self.outputs,
            grad_outputs=[change for _, change in given], retain_graph=True, allow_unused=True,
        )

    def _pull(self, changes: Parts) -> Parts:
        given = [(o, c.detach()) for o, c in zip(self.outputs, changes) if c is not None]
        if not given:
            return [None] * len(self.variables)
        return torch.autograd.grad(
            [output for output, _ in given], self.variables,
            grad_outputs=[change for _, change in given], retain_graph=True, allow_unused=True,
        )
