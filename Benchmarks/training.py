#!/usr/bin/env python3
"""A training step on a batch of 128 of the MLP 784-128-64-10, and of the small ResNet and the GPT of the exported
networks, beside PyTorch's.

Each runtime is a process of its own, blocks of steps alternate, medians of steps are compared, and beside
them the processor's time, which other work on the machine disturbs less. See bench.py.

    training.py [--threads N] [--rounds R] [--models A,B] [--json PATH] [--strict]
"""

import argparse
import statistics
import sys
import time

from driver import DATA, Worker, add_options, claim, make_inputs, ours, peer, save
from models import NETWORKS, exported

MODEL, STEPS = "mnist-step", 150
# A step with Adam takes at most this share of PyTorch's time.
BOUND = 0.8
# Their ratios are printed without a claim.
EXPORTED = ("resnet18-16", "gpt-256")


def step_of_exported(name, options):
    """Blocks of steps with Adam on all the samples of an exported network's file."""
    path, threads = exported(name), str(options.threads)
    workers = [
        Worker(command)
        for command in ours("model-worker", path, threads) + [peer("model_torch", path, threads)]
    ]
    blocks = {worker.name: [] for worker in workers}
    for _ in range(options.rounds):
        for worker in workers:
            time.sleep(options.pause)
            first = statistics.median(worker.ask("run 3 adam")["seconds"])
            count = max(3, min(STEPS, int(1 / first)))
            answer = worker.ask(f"run {count} adam")
            blocks[worker.name].append(
                (statistics.median(answer["seconds"]), answer["processor"] / count)
            )
    for worker in workers:
        worker.close()
    print(f"\n{NETWORKS[name]}, adam, {threads} threads: milliseconds, of the processor")
    table(blocks)
    if len(blocks) == 2:
        wall, processor = ratios(blocks)
        print(f"  processor's time / PyTorch {processor:.2f}\n  adam / PyTorch {wall:.2f}")
    return blocks


def table(blocks):
    for name, rows in blocks.items():
        wall, processor = (statistics.median(column) * 1e3 for column in zip(*rows))
        print(f"  {name:<12} {wall:8.3f} {processor:8.3f}")


def ratios(blocks):
    """Of ours to PyTorch's in wall time and in the processor's, medians over blocks side by side."""
    mine, other = blocks.values()
    return [statistics.median(a[i] / b[i] for a, b in zip(mine, other)) for i in (0, 1)]


def step_of_mlp(options):
    """Blocks of steps of the MLP; whether what is claimed of it holds."""
    make_inputs([MODEL])
    commands = ours("training-worker", DATA / MODEL, options.threads)
    workers = [Worker(c) for c in commands + [peer("training_torch", DATA / MODEL, options.threads)]]
    results, holds = {}, True
    for what in ("gd", "adam"):
        blocks = {worker.name: [] for worker in workers}
        for _ in range(options.rounds):
            for worker in workers:
                time.sleep(options.pause)
                worker.ask(f"run 10 {what}")
                answer = worker.ask(f"run {STEPS} {what}")
                blocks[worker.name].append(
                    (statistics.median(answer["seconds"]), answer["processor"] / STEPS)
                )
        results[what] = blocks
        print(f"\n{MODEL}, {what}, {options.threads} threads: milliseconds, of the processor")
        table(blocks)
        if len(blocks) == 2:
            ratio, processor = ratios(blocks)
            print(f"  processor's time / PyTorch {processor:.2f}")
            if what == "adam":
                holds = claim("adam / PyTorch", ratio, BOUND) and holds
            else:
                print(f"  gd / PyTorch {ratio:.2f}")
    for worker in workers:
        worker.close()
    return results, holds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add_options(parser, ",".join((MODEL,) + EXPORTED), "training.json")
    options = parser.parse_args()
    results, holds = {}, True
    for name in options.models.split(","):
        if name == MODEL:
            steps, holds = step_of_mlp(options)
            results.update(steps)
        else:
            results[name] = step_of_exported(name, options)
    save(options.json, results)
    return 0 if holds or not options.strict else 1


if __name__ == "__main__":
    sys.exit(main())
