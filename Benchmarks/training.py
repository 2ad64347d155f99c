#!/usr/bin/env python3
"""A training step on a batch of 128 of the MLP 784-128-64-10, beside PyTorch's.

Each runtime is a process of its own, blocks of steps alternate, medians of steps are compared, and beside
them the processor's time, which other work on the machine disturbs less. See bench.py.

    training.py [--threads N] [--rounds R] [--models A,B] [--json PATH] [--strict]
"""

import argparse
import statistics
import sys
import time

from driver import DATA, Worker, add_options, claim, make_inputs, ours, peer, save

MODEL, STEPS = "mnist-step", 150
# A step with Adam takes at most this share of PyTorch's time.
BOUND = 0.8


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser, MODEL, "training.json")
    options = parser.parse_args()
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
        for name, rows in blocks.items():
            wall, processor = (statistics.median(column) * 1e3 for column in zip(*rows))
            print(f"  {name:<12} {wall:8.3f} {processor:8.3f}")
        if len(blocks) == 2:
            mine, other = blocks.values()
            ratio = statistics.median(a[0] / b[0] for a, b in zip(mine, other))
            processor = statistics.median(a[1] / b[1] for a, b in zip(mine, other))
            print(f"  processor's time / PyTorch {processor:.2f}")
            if what == "adam":
                holds = claim("adam / PyTorch", ratio, BOUND) and holds
            else:
                print(f"  gd / PyTorch {ratio:.2f}")
    for worker in workers:
        worker.close()
    save(options.json, results)
    return 0 if holds or not options.strict else 1


if __name__ == "__main__":
    sys.exit(main())
