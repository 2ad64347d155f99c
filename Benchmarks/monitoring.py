#!/usr/bin/env python3
"""What eigenstep.Monitor adds to a loop of PyTorch, when its alarms come, and what its guard saves.

    monitoring.py [--rounds N] [--period N] [--parts cost,alarms,healthy] [--strict]

Needs PyTorch and the package on the path (python/README or `make wheel`).
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings

import torch
from torch import nn

import eigenstep
from eigenstep.monitor import EigenstepWarning

CE, MSE = nn.functional.cross_entropy, nn.functional.mse_loss


def network(widths, kind=nn.Tanh, seed=0):
    torch.manual_seed(seed)
    layers = []
    for a, b in zip(widths, widths[1:]):
        layers += [nn.Linear(a, b), kind()]
    return nn.Sequential(*layers[:-1])


def classes(seed, count=480, features=8, kinds=4, noise=0.5):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(count, features, generator=g)
    scores = x @ torch.randn(features, kinds, generator=g) / features**0.5
    return x, (scores + noise * torch.randn(count, kinds, generator=g)).argmax(1)


def numbers(seed, count=100):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 5, generator=g)
    return x, torch.sin(x[:, :1]) + 0.3 * torch.randn(count, 1, generator=g)


def stream(data, size, steps, seed):
    x, y = data
    g = torch.Generator().manual_seed(seed)
    taken = 0
    while taken < steps:
        order = torch.randperm(len(x), generator=g) if size else torch.arange(len(x))
        for part in order.split(size or len(x)):
            if taken < steps:
                yield x[part], y[part]
                taken += 1


def steps_of(model, loss_fn, optimizer, batches, monitor=None, scheduler=None):
    losses = []
    for batch in batches:
        optimizer.zero_grad()
        loss = loss_fn(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        if monitor is not None:
            monitor.step(batch, loss)
        losses.append(float(loss.detach()))
        if not losses[-1] < 1e6 and (monitor is None or monitor.guard != "lower-rate"):
            break
    return losses


class Timed:
    """A monitor that knows the processor time of its calls."""

    def __init__(self, monitor):
        self.monitor, self.spent = monitor, 0.0

    @property
    def guard(self):
        return self.monitor.guard

    def step(self, batch, loss):
        began = time.process_time()
        self.monitor.step(batch, loss)
        self.spent += time.process_time() - began


def cost(rounds):
    """Processor time of blocks of 200 steps with and without, alternating: of an ordinary loop over a DataLoader, and
    of one whose batches lie ready."""
    x, y = classes(1, 25600, 784, 10)
    kinds = {
        "SGD": lambda p: torch.optim.SGD(p, lr=0.05),
        "momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
        "Adam": lambda p: torch.optim.Adam(p, lr=1e-3),
    }
    worst = 0.0
    for name, kind in kinds.items():
        for is_loaded in (True, False):
            runs = []
            for watched in (False, True):
                model = network((784, 128, 64, 10), nn.ReLU, 1)
                optimizer = kind(model.parameters())
                monitor = Timed(eigenstep.Monitor(model, CE, optimizer)) if watched else None
                loader = torch.utils.data.DataLoader(
                    torch.utils.data.TensorDataset(x, y), batch_size=128, shuffle=True
                )
                batches = loader if is_loaded else list(loader)
                # The first check begins without a vector.
                steps_of(model, CE, optimizer, batches, monitor)
                runs.append((model, optimizer, monitor, batches))
            ratios, times = [], []
            runs[1][2].spent = 0.0
            own = 0.0
            for index in range(rounds):
                spent = [0.0, 0.0]
                for which in (0, 1) if index % 2 == 0 else (1, 0):
                    model, optimizer, monitor, batches = runs[which]
                    began = time.process_time()
                    steps_of(model, CE, optimizer, batches, monitor)
                    spent[which] = time.process_time() - began
                ratios.append(spent[1] / spent[0])
                own += spent[1]
                times.append(spent[0] / 200)
            ratio = sorted(ratios)[len(ratios) // 2]
            if is_loaded:
                worst = max(worst, ratio)
            within = runs[1][2].spent / (own - runs[1][2].spent)
            checks = runs[1][2].monitor.report().tracked[0]["checks"]
            print(
                f"{name}, {'DataLoader' if is_loaded else 'batches ready'}: a step "
                f"{1e3 * sorted(times)[len(times) // 2]:.2f} ms, with the monitor {ratio:.3f} times "
                f"({min(ratios):.3f}-{max(ratios):.3f} in {rounds} rounds); within its calls {100 * within:.1f} % of the "
                f"rest; {checks} checks in {200 * (rounds + 1)} steps",
                flush=True,
            )
    return worst <= 1.05


def doubling(seed, guard, period, kind):
    """A run whose rate doubles every so many steps until it diverges, or eight times."""
    if kind == "numbers, momentum":
        model, data, loss_fn = network((5, 20, 1), nn.Tanh, seed), numbers(seed), MSE
        optimizer = torch.optim.SGD(model.parameters(), lr=0.005, momentum=0.9)
    elif kind == "classes":
        model, data, loss_fn = network((8, 16, 4), nn.ReLU, seed), classes(seed), CE
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    else:
        model, data, loss_fn = network((5, 20, 1), nn.Tanh, seed), numbers(seed), MSE
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 2.0 ** (k // period))
    monitor = eigenstep.Monitor(model, loss_fn, optimizer, every=min(100, period // 4), guard=guard)
    losses = steps_of(
        model, loss_fn, optimizer, stream(data, 50, 8 * period, seed), monitor, scheduler
    )
    with torch.no_grad():
        end = float(loss_fn(model(data[0]), data[1]))
    return losses, monitor, end


def alarms(period):
    holds = True
    for kind in ("numbers", "numbers, momentum", "classes"):
        before = lost = saved = 0
        words = []
        for seed in range(1, 11):
            losses, monitor, _ = doubling(seed, "warn", period, kind)
            # For good: 10 times the first loss, where the guard's band ends, and not back within a lot of 20.
            left = next(
                (i for i, l in enumerate(losses) if not l <= 10 * losses[0]), None
            )
            alarm = monitor.alarms[0].step if monitor.alarms else None
            lost += left is not None
            before += left is not None and alarm is not None and alarm <= left
            words.append(f"{alarm}/{left}")
            losses, monitor, end = doubling(seed, "lower-rate", period, kind)
            saved += end < losses[0] and len(losses) == 8 * period
        print(
            f"{kind}: {lost} of 10 left the band, the alarm came before in {before}; with lower-rate {saved} of 10 "
            f"ended below their start (alarm/left: {' '.join(words)})"
        )
        holds &= before >= 0.9 * lost and saved == 10
    return holds


def healthy(steps):
    false = 0
    for seed in (1, 2):
        c, n = classes(seed), numbers(seed)
        sgd, adam, adamw = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR
        cycle = torch.optim.lr_scheduler.OneCycleLR
        tanh = lambda: network((8, 16, 4), nn.Tanh, seed)
        relu = lambda: network((8, 16, 4), nn.ReLU, seed)
        small = lambda: network((5, 20, 1), nn.Tanh, seed)
        rows = [
            ("constant", tanh(), CE, lambda p: sgd(p, lr=0.5), c, 16, None),
            ("cosine", tanh(), CE, lambda p: sgd(p, lr=0.5), c, 16, lambda o: cosine(o, steps)),
            ("one cycle", relu(), CE, lambda p: sgd(p, lr=0.1, momentum=0.9), c, 16,
             lambda o: cycle(o, max_lr=0.1, total_steps=steps + 1)),
            ("momentum", relu(), CE, lambda p: sgd(p, lr=0.05, momentum=0.9), c, 8, None),
            ("Adam", relu(), CE, lambda p: adam(p, lr=0.01), c, 16, None),
            ("AdamW", tanh(), CE, lambda p: adamw(p, lr=0.01), c, 16, None),
            ("batches of 4", small(), MSE, lambda p: sgd(p, lr=0.1), n, 4, None),
            ("edge", small(), MSE, lambda p: sgd(p, lr=0.3), n, None, None),
            ("edge, momentum", small(), MSE, lambda p: sgd(p, lr=0.05, momentum=0.9), n, None, None),
            ("edge, Adam", small(), MSE, lambda p: adam(p, lr=0.01), n, None, None),
        ]
        for name, model, loss_fn, kind, data, size, schedule in rows:
            optimizer = kind(model.parameters())
            monitor = eigenstep.Monitor(model, loss_fn, optimizer, every=50)
            losses = steps_of(
                model, loss_fn, optimizer, stream(data, size, steps, seed), monitor,
                schedule and schedule(optimizer),
            )
            found = monitor.report().tracked[0]
            false += len(monitor.alarms)
            print(
                f"{name}, seed {seed}: loss {losses[0]:.3g} to {sum(losses[-20:]) / 20:.3g}, over the limit in "
                f"{found['crossings']} of {found['checks']} checks, {len(monitor.alarms)} alarms"
                + (f": {monitor.alarms[0].sentence[:200]}" if monitor.alarms else "")
            )
    return false == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="of the blocks whose time is compared")
    parser.add_argument("--period", type=int, default=2000, help="steps between two doublings")
    parser.add_argument("--steps", type=int, default=2000, help="of the healthy runs")
    parser.add_argument("--parts", default="cost,alarms,healthy")
    parser.add_argument("--strict", action="store_true", help="exit status 1 if a claim fails")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", EigenstepWarning)
    parts = {
        "cost": lambda: cost(options.rounds),
        "alarms": lambda: alarms(options.period),
        "healthy": lambda: healthy(options.steps),
    }
    holds = True
    for part in options.parts.split(","):
        good = parts[part]()
        print(f"{part}: {'holds' if good else 'misses'}\n", flush=True)
        holds &= good
    return 1 if options.strict and not holds else 0


if __name__ == "__main__":
    sys.exit(main())
