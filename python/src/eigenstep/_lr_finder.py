"""A learning rate with its reasons: curvature and noise where the loop stands, and short runs from there."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, Callable, Iterable

import numpy as np
import torch
from torch import nn

from . import _library
from ._monitor_options import check_options, ranks
from ._monitoring import Session
from ._torch_batches import cloned, mapped
from ._torch_loss import TorchLoss
from ._torch_optimizers import standing_of
from ._torch_state import Point, described
from .errors import UsageError

# Rates a factor 2 apart below and above the limit that are run first, and that are added where the best is at an end.
_BELOW, _ABOVE, _ADDED = 8, 2, 4
# What rates of the interval lose at the most, of the way down from the start.
_SHARE = 0.01
# Batches that curvature and noise are measured on, and that runs are judged on.
_MEASURED, _JUDGED = 4, 16


@dataclass(frozen=True)
class LearningRate:
    """A rate, and what it rests on; ``repr`` is `text`.

    Attributes
    ----------
    rate
        Of the runs' the one that ended lowest: for groups of several rates, of the largest.
    interval
        The rates around it that lose at most a hundredth of the way down from the start.
    limit
        The largest stable rate by the curvature at the start; None where the optimizer's is not known.
    expected
        ``limit / 2 / (1 + noise)``: what curvature and noise lead to expect.
    noise
        The variance of the batches' gradients over the squared gradient.
    candidates
        Each rate that was run with the loss at the end; infinite where it was lost.
    """

    rate: float
    interval: tuple[float, float]
    limit: float | None
    expected: float | None
    noise: float
    candidates: tuple[tuple[float, float], ...]
    reasons: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.reasons)

    def __repr__(self) -> str:
        return self.text


def lr_finder(
    model: nn.Module,
    loss_fn: Callable[..., Any],
    loader: Iterable[Any],
    optimizer: torch.optim.Optimizer,
    *,
    steps: int = 100,
    orders: int = 2,
    seed: int = 0,
    dtype: torch.dtype | None = None,
    products: str = "autograd",
    micro_batch: int | None = None,
    memory: int | None = None,
) -> LearningRate:
    """A rate for this optimizer from where the model stands, with its reasons.

    The limit of the optimizer's step by the curvature of some batches and the noise of their gradients say where to
    look; runs of ``steps`` steps with the optimizer itself, at rates a factor 2 apart (1.4 around the best), decide.
    Model, optimizer and random numbers are as before when it returns, also where it raises.

    Parameters
    ----------
    loader
        Batches; as many as ``steps`` are taken from it and held, and those of a ``DataLoader`` are moved to the
        model's device when they are used. Without a length of its own it must not be endless
        in memory: what is taken is kept while this runs.
    steps
        Of each run: an eighth of the steps that are planned, or all of few. The rate is the best for runs of this
        length; what a longer one with a decaying rate does beyond it is not known.
    orders
        Orders of the batches that each rate is run in.
    dtype, products, micro_batch, memory
        How curvature and losses are computed, as of `eigenstep.torch.diagnose`.

    Raises
    ------
    UsageError
        Where no rate lowers the loss, or the optimizer finds its rate by itself.
    """
    if ranks() > 1:
        raise UsageError(
            f"lr_finder runs on each of {ranks()} ranks by what that rank sees, so that they would part: run it in "
            "one process, without a process group, and give the rate that it finds to all."
        )
    optimizer = getattr(optimizer, "optimizer", optimizer)
    check_options(model, optimizer, "lr_finder", dtype, products)
    batches = [cloned(batch) for batch in itertools.islice(loader, steps)]
    if not batches:
        raise UsageError("The loader has no batches; give one that has some.")
    options = {
        "dtype": dtype, "products": products, "micro_batch": micro_batch, "memory": memory, "seed": seed,
        "moves_batches": isinstance(loader, torch.utils.data.DataLoader),
    }
    finder = _Finder(model, loss_fn, batches, optimizer, steps, orders, options)
    point = Point(model, optimizer)
    rates = [group["lr"] for group in optimizer.param_groups]
    gradients = [(p, p.grad) for group in optimizer.param_groups for p in group["params"]]
    devices = {p.device.index or 0 for p, _ in gradients if p.device.type == "cuda"}
    with torch.random.fork_rng(devices=sorted(devices)):
        torch.manual_seed(seed)
        try:
            return finder.answer(point)
        finally:
            point.restore(optimizer)
            for group, rate in zip(optimizer.param_groups, rates):
                group["lr"] = rate
            for p, gradient in gradients:
                p.grad = gradient


class _Finder:
    def __init__(
        self,
        model: nn.Module,
        loss_fn: Callable[..., Any],
        batches: list[Any],
        optimizer: torch.optim.Optimizer,
        steps: int,
        orders: int,
        options: dict[str, Any],
    ) -> None:
        self.model, self.optimizer, self.batches = model, optimizer, batches
        self.steps, self.orders, self.seed = steps, orders, options["seed"]
        largest = max(float(group["lr"]) for group in optimizer.param_groups)
        self.shares = [
            float(group["lr"]) / largest if largest > 0 else 1.0 for group in optimizer.param_groups
        ]
        self.loss = TorchLoss(model, loss_fn, batches[:_MEASURED], **options)
        self.losses = [TorchLoss(model, loss_fn, [batch], **options) for batch in batches[:8]]
        self.judge = TorchLoss(model, loss_fn, batches[:_JUDGED], **options)
        self.loss_fn, self.is_of_outputs = loss_fn, self.judge.is_of_outputs
        self.numbers = 1 << 40

    def answer(self, point: Point) -> LearningRate:
        start = self.value()
        if not math.isfinite(start):
            raise UsageError(
                "The loss is not finite where the model stands, so no rate can be found: look at the data."
            )
        limit = self.limit(point)
        noise = self.noise()
        expected = None if limit is None else limit / 2 / (1 + noise)
        anchor = 0.01 if limit is None else limit
        ended: dict[float, float] = {}

        def run(rates: Iterable[float]) -> None:
            for rate in rates:
                if rate not in ended:
                    ended[rate] = self.run(rate, point, start)

        run(anchor * 2.0**k for k in range(-_BELOW, _ABOVE + 1))
        for _ in range(2):
            best = min(ended, key=ended.__getitem__)
            low, high = min(ended), max(ended)
            if best == high:
                run(high * 2.0**k for k in range(1, _ADDED + 1))
            elif best == low:
                run(low * 2.0**-k for k in range(1, _ADDED + 1))
        best = min(ended, key=ended.__getitem__)
        if not ended[best] < start:
            raise UsageError(
                f"No rate from {min(ended):.3g} to {max(ended):.3g} lowers the loss in {self.steps} steps: "
                "look at the start and the data, or give more steps."
            )
        run([best / math.sqrt(2), best * math.sqrt(2)])
        return self.judged(ended, start, limit, expected, noise)

    def judged(
        self,
        ended: dict[float, float],
        start: float,
        limit: float | None,
        expected: float | None,
        noise: float,
    ) -> LearningRate:
        rates = sorted(ended)
        best = min(rates, key=ended.__getitem__)
        allowed = ended[best] + _SHARE * (start - ended[best])
        place = rates.index(best)
        low = high = place
        while low > 0 and ended[rates[low - 1]] <= allowed:
            low -= 1
        while high < len(rates) - 1 and ended[rates[high + 1]] <= allowed:
            high += 1
        reasons = [
            f"The rate is {best:.3g} (those from {rates[low]:.3g} to {rates[high]:.3g} lose at most a hundredth "
            "of the way down)."
            if low < high
            else f"The rate is {best:.3g} (those beside it that were run lose more than a hundredth of the way "
            "down)."
        ]
        name = type(self.optimizer).__name__
        if limit is None:
            reasons.append(f"Of {name} as it is set no limit is known here, and the runs alone chose.")
        else:
            reasons.append(
                f"The curvature where the model stands limits {name} to {limit:.3g}, and the noise of the batches is "
                f"{noise:.3g} times the squared gradient: about {expected:.3g} was expected."
            )
            if best > limit:
                reasons.append(
                    "That limit is of a constant rate at this point, and runs above it ended lower here."
                )
        lost = sum(1 for loss in ended.values() if not loss < start)
        reasons.append(
            f"{len(rates)} rates from {rates[0]:.3g} to {rates[-1]:.3g} were run for {self.steps} steps in "
            f"{self.orders} order{'s' if self.orders > 1 else ''} of the batches; at {best:.3g} the loss came from "
            f"{start:.4g} to {ended[best]:.4g}, the least"
            + (f", and {lost} did not lower it." if lost else ".")
        )
        return LearningRate(
            best, (rates[low], rates[high]), limit, expected, noise,
            tuple((rate, ended[rate]) for rate in rates), tuple(reasons),
        )

    # What is measured.

    def value(self) -> float:
        """The mean loss over the batches that runs are judged on, where the model stands."""
        self.numbers += 1
        kind = np.float64 if self.judge.dtype == torch.float64 else np.float32
        return self.judge.value_and_gradient(self.numbers, self.judge.start().astype(kind), None)

    def noise(self) -> float:
        if len(self.losses) < 2:
            return 0.0
        gradients = []
        for loss in self.losses:
            self.numbers += 1
            kind = np.float64 if loss.dtype == torch.float64 else np.float32
            point = loss.start().astype(kind)
            gradient = np.empty_like(point)
            loss.value_and_gradient(self.numbers, point, gradient)
            gradients.append(gradient.astype(np.float64))
        count = len(gradients)
        mean = np.mean(gradients, axis=0)
        squares = np.mean([g @ g for g in gradients])
        spread = max(0.0, float(squares - mean @ mean)) * count / (count - 1)
        signal = float(mean @ mean) - spread / count
        # Where the batches do not tell the gradient from noise, what is left is a lower bound.
        return spread / (signal if signal > 0 else float(mean @ mean) + 1e-300)

    def limit(self, point: Point) -> float | None:
        """By the largest eigenvalue, divided as the optimizer divides its steps behind some at rate zero."""
        # At a rate of 1, so that what the library is told is how each group's own is to be multiplied.
        self.set_rate(1.0)
        standing = standing_of(self.optimizer, self.loss.parameters, divisor_only=True)
        if standing.setting is None or not standing.rate:
            return None
        if standing.updates == 0 and standing.setting["name"] not in ("gd", "momentum", "nesterov"):
            self.train(0.0, min(20, self.steps), self.batches, math.inf)
            self.set_rate(1.0)
            standing = standing_of(self.optimizer, self.loss.parameters, divisor_only=True)
        # Of what a step at rate zero moved nothing but the optimizer's state, which the next run needs not.
        point.restore(self.optimizer)
        kind = "float64" if self.loss.dtype == torch.float64 else "float32"
        session = Session(
            {"optimizer": standing.setting, "precision": kind, "every": 1, "guard": "off"}
        )
        try:
            session.step(self.value(), 1.0, 1.0)
            functions = _library.LossFunctions(
                self.loss.description("loss"), self.loss.start(), self.loss.value_and_gradient,
                self.loss.hessian_product,
            )
            # ASGD has a rate of its own in its state, which a run at another rate leaves behind.
            rate = 1.0 if isinstance(self.optimizer, torch.optim.ASGD) else standing.rate
            values = session.check([described(functions, standing)], rate, standing.arrays())
        finally:
            session.close()
        for found in values:
            if found.get("threshold") and found["value"] > 0:
                return found["threshold"] / found["value"]
        return None

    # Runs.

    def loss_of(self, batch: Any) -> torch.Tensor:
        place = self.judge.moves_to
        if place is not None:
            batch = mapped(batch, lambda tensor: tensor.to(place))
        if not self.is_of_outputs:
            return self.loss_fn(self.model, batch)
        *inputs, targets = batch
        return self.loss_fn(self.model(*inputs), targets)

    def run(self, rate: float, point: Point, start: float) -> float:
        """The mean loss at the end of runs at a rate; infinite where one was lost."""
        total = 0.0
        for order in range(self.orders):
            point.restore(self.optimizer)
            generator = torch.Generator().manual_seed(self.seed + 7919 * order + 1)
            places = torch.randperm(len(self.batches), generator=generator).tolist()
            if not self.train(rate, self.steps, [self.batches[i] for i in places], start):
                return math.inf
            end = self.value()
            if not math.isfinite(end):
                return math.inf
            total += end
        return total / self.orders

    def set_rate(self, rate: float) -> None:
        """The largest of the groups; the others keep their shares of it."""
        for group, share in zip(self.optimizer.param_groups, self.shares):
            group["lr"] = rate * share

    def train(self, rate: float, steps: int, batches: list[Any], start: float) -> bool:
        """Takes steps as the loop does; whether the loss stayed within a hundred times the start."""
        torch.manual_seed(self.seed)
        self.set_rate(rate)
        for step in range(steps):
            self.optimizer.zero_grad()
            loss = self.loss_of(batches[step % len(batches)])
            loss.backward()
            self.optimizer.step()
            if step % 10 == 0:
                value = float(loss.detach())
                if not math.isfinite(value) or value > start + 99 * abs(start):
                    return False
        return True
