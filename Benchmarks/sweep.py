#!/usr/bin/env python3
"""A sweep of 64 rates beside 64 runs of our own and 64 of PyTorch, each runtime in a process of its own,
blocks alternating, in seconds of the processor.

    sweep.py [--threads N] [--rounds R] [--models A,B] [--json PATH] [--strict]
"""

import argparse
import statistics
import sys
import time

from driver import PEERS, Worker, add_options, claim, need, save

# Layers, batch, and the most that the sweep may take of 64 runs of our own.
NETWORKS = [("20-64-64-5", 256, 0.5), ("4-16-16-3", 64, 0.25)]
OF_PYTORCH = 0.35


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, ",".join(layers for layers, _, _ in NETWORKS), "sweep.json")
    arguments = parser.parse_args()
    failed, results = 0, {}
    chosen = arguments.models.split(",")
    for layers, batch, most in [network for network in NETWORKS if network[0] in chosen]:
        for optimizer in ("momentum", "adam"):
            words = [layers, batch, optimizer, arguments.threads]
            ours = Worker([need("sweep-worker"), *words])
            torch = Worker([sys.executable, PEERS / "sweep_torch.py", *words])
            calls = [(ours, "sweep"), (ours, "single"), (torch, "torch")]
            times = {what: [] for _, what in calls}
            for _ in range(arguments.rounds):
                for worker, what in calls:
                    time.sleep(arguments.pause)
                    times[what] += worker.ask(f"run 3 {what}")["seconds"]
            for worker in (ours, torch):
                worker.close()
            median = {what: statistics.median(values) for what, values in times.items()}
            print(f"\n{layers}, batch {batch}, {optimizer}: {ours.ready['lanes']} runs a chunk")
            for what, values in times.items():
                print(f"  {what:<8}{1e3 * median[what]:>9.2f} ms  "
                      f"({1e3 * min(values):.2f}-{1e3 * max(values):.2f})")
            failed += not claim("of our own runs", median["sweep"] / median["single"], most)
            failed += not claim("of PyTorch's", median["sweep"] / median["torch"], OF_PYTORCH)
            results[f"{layers} {optimizer}"] = times
    save(arguments.json, results)
    return 1 if arguments.strict and failed else 0


if __name__ == "__main__":
    sys.exit(main())
