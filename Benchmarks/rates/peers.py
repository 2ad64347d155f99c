#!/usr/bin/env python3
"""torch-lr-finder's suggestion by its default rule, and training with Prodigy, on the tasks of tasks.py from
the same first weights, in PyTorch.

    peers.py FOLDER [TASK ...]
"""

import math
import pathlib
import sys

import numpy as np
import torch

from rates import OPTIMIZERS, SCHEDULES, Results, needed
from tasks import BATCH, EPOCHS, TASKS, loss_of, network


def data(folder, task):
    needed(folder, task)
    with np.load(folder / f"{task}.npz") as arrays:
        return torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["target"])


def make_optimizer(name, parameters, rate):
    if name == "momentum":
        return torch.optim.SGD(parameters, lr=rate, momentum=0.9)
    return torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01)


def lr_finder(folder, task, optimizer):
    """`LRFinder.range_test` from 1e-7 to 10 over 100 steps, and the steepest point that its plot suggests."""
    from torch_lr_finder import LRFinder

    x, target = data(folder, task)
    model = network(task, 0)
    torch.manual_seed(0)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x, target), batch_size=BATCH, shuffle=True)
    finder = LRFinder(
        model, make_optimizer(optimizer, model.parameters(), 1e-7),
        lambda outputs, target: loss_of(task, outputs, target), device="cpu")
    finder.range_test(loader, end_lr=10, num_iter=100)
    rates = np.array(finder.history["lr"][10:-5])
    losses = np.array(finder.history["loss"][10:-5])
    return {"rate": float(rates[np.gradient(losses).argmin()]) if len(losses) > 2 else None}


def prodigy(folder, task, schedule):
    """Prodigy at its default rate of 1; with one cycle, the cycle of that rate."""
    from pytorch_optimizer import Prodigy

    x, target = data(folder, task)
    losses = []
    for seed in range(TASKS[task][3]):
        model = network(task, seed)
        optimizer = Prodigy(model.parameters(), lr=1.0)
        generator = np.random.default_rng(seed)
        steps = EPOCHS * math.ceil(len(x) / BATCH)
        cycle = (torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=steps,
                                                     cycle_momentum=False)
                 if schedule == "one-cycle" else None)
        for _ in range(EPOCHS):
            order = generator.permutation(len(x))
            for start in range(0, len(x), BATCH):
                batch = order[start:start + BATCH]
                optimizer.zero_grad()
                loss_of(task, model(x[batch]), target[batch]).backward()
                optimizer.step()
                if cycle:
                    cycle.step()
        with torch.no_grad():
            value = float(loss_of(task, model(x), target))
        losses.append(value if math.isfinite(value) else None)
    return {"losses": losses}


def main():
    folder = pathlib.Path(sys.argv[1])
    torch.set_num_threads(1)
    results = Results(folder)
    for task in sys.argv[2:] or TASKS:
        for optimizer in OPTIMIZERS:
            found = results.get(
                ("lr-finder", task, optimizer, "constant"), lambda: lr_finder(folder, task, optimizer))
            print(task, optimizer, found["rate"], flush=True)
        for schedule in SCHEDULES:
            found = results.get(
                ("prodigy losses", task, "prodigy", schedule), lambda: prodigy(folder, task, schedule))
            print(task, schedule, found["losses"], flush=True)


if __name__ == "__main__":
    main()
