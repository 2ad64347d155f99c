"""How much of its time the Python door spends outside of the user's framework.

    python Benchmarks/door_overhead.py [--parameters 1000000] [--samples 512]

For `eigenpairs` and `diagnose` of a PyTorch network: the processor time of the call, the part of it inside
the framework's gradients and products, and what is left. Beside it a bare loop over the same products, without
Eigenstep, taken in turns with the call. All with one thread.
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import nn

import eigenstep.torch
from eigenstep._torch_loss import TorchLoss


class Clock:
    """Processor time and calls of a function, nested calls counted once."""

    def __init__(self) -> None:
        self.seconds, self.calls, self._depth = 0.0, 0, 0

    def around(self, function):
        def timed(*arguments, **named):
            if self._depth:
                return function(*arguments, **named)
            self._depth += 1
            started = time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds += time.process_time() - started
                self.calls += 1
                self._depth -= 1

        return timed


def network(parameters: int) -> nn.Module:
    torch.manual_seed(0)
    width = max(8, round((-787.2 + (787.2**2 + 0.8 * parameters) ** 0.5) / 0.4))
    return nn.Sequential(
        nn.Linear(784, width), nn.Tanh(), nn.Linear(width, width // 5), nn.Tanh(), nn.Linear(width // 5, 10)
    )


def shares(name: str, call) -> dict[str, float]:
    """Runs a call with the loss's methods timed."""
    inside = Clock()
    kept = {key: getattr(TorchLoss, key) for key in ("hessian_product", "value_and_gradient")}
    for key, function in kept.items():
        setattr(TorchLoss, key, inside.around(function))
    try:
        started = time.process_time()
        call()
        total = time.process_time() - started
    finally:
        for key, function in kept.items():
            setattr(TorchLoss, key, function)
    share = 1 - inside.seconds / total
    print(
        f"{name:<28} {total:7.2f} s   {inside.calls:5d} calls   {inside.seconds:7.2f} s inside   "
        f"{100 * share:5.1f} % outside"
    )
    return {"total": total, "calls": inside.calls, "outside": share}


def bare(model: nn.Module, batch, count: int) -> float:
    """Processor time of so many products in PyTorch alone."""
    inputs, targets = batch
    parameters = list(model.parameters())
    loss = nn.functional.cross_entropy(model(inputs), targets)
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    direction = [torch.randn_like(p) for p in parameters]
    started = time.process_time()
    for _ in range(count):
        torch.autograd.grad(gradients, parameters, direction, retain_graph=True)
    return time.process_time() - started


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--parameters", type=int, default=1_000_000)
    options.add_argument("--samples", type=int, default=512)
    options.add_argument("--eigenpairs-only", action="store_true")
    options.add_argument("--effort", type=float, default=0.1)
    given = options.parse_args()
    torch.set_num_threads(1)
    model = network(given.parameters)
    count = sum(p.numel() for p in model.parameters())
    batch = (torch.randn(given.samples, 784), torch.randint(0, 10, (given.samples,)))
    loss = nn.CrossEntropyLoss()
    print(f"{count:,} parameters, {given.samples} samples, one thread\n")
    bare(model, batch, 2)
    for number in (1, 5):
        found = shares(
            f"eigenpairs, {number}",
            lambda: eigenstep.torch.eigenpairs(model, loss, batch, count=number),
        )
        alone = bare(model, batch, int(found["calls"]))
        print(f"{'  the products in PyTorch':<28} {alone:7.2f} s   times {found['total'] / alone:.3f}")
    if given.eigenpairs_only:
        return
    for name, optimizer in (
        ("diagnose, SGD", torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)),
        ("diagnose, Adam", torch.optim.Adam(model.parameters(), 1e-3)),
    ):
        for _ in range(2):
            optimizer.zero_grad()
            loss(model(batch[0]), batch[1]).backward()
            optimizer.step()
        for trials in (False, True):
            shares(
                name + (", trials" if trials else ""),
                lambda: eigenstep.torch.diagnose(
                    model, loss, batch, optimizer=optimizer, trials=trials, effort=given.effort
                ),
            )


if __name__ == "__main__":
    main()
