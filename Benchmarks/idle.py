#!/usr/bin/env python3
"""Claim: PyTorch's step takes at most 1.02 of its processor time beside an imported, idle Eigenstep.

    PYTHONPATH=python/src EIGENSTEP_LIBRARY=... python3 Benchmarks/idle.py [--rounds 40] [--json]

Two processes train the same network: one has never heard of Eigenstep, the other has imported it, loaded its
library, and answered a question with it. They take turns, many short rounds each, so that what else the machine
does meets both; the order within a pair changes. What is compared is processor time of all threads, as the
median ratio over pairs. Needs PyTorch.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys

WORKER = """
import sys, time
import numpy as np
import torch
if sys.argv[1] == "beside":
    import eigenstep, eigenstep.torch
    from eigenstep import _library
    assert _library.library() is not None
    eigenstep.eigenpairs(np.diag(np.arange(1.0, 200.0)), count=2)
    line = torch.nn.Linear(3, 1)
    eigenstep.torch.spectrum(line, torch.nn.functional.mse_loss, (torch.ones(8, 3), torch.ones(8, 1)), count=1)
torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
x, y = torch.randn(128, 784), torch.randint(10, (128,))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)

def steps(count):
    for _ in range(count):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

steps(30)
print("ready", flush=True)
for line in sys.stdin:
    began = time.process_time()
    steps(int(line))
    print(time.process_time() - began, flush=True)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--steps", type=int, default=40, help="in each round")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    workers = {
        name: subprocess.Popen(
            [sys.executable, "-c", WORKER, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")},
        )
        for name in ("alone", "beside")
    }
    times: dict[str, list[float]] = {name: [] for name in workers}
    for worker in workers.values():
        if worker.stdout.readline().strip() != "ready":
            sys.exit("a worker did not start; its own words are above")
    for turn in range(options.rounds):
        for name in list(workers)[:: 1 if turn % 2 else -1]:
            worker = workers[name]
            worker.stdin.write(f"{options.steps}\n")
            worker.stdin.flush()
            times[name].append(float(worker.stdout.readline()))
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    ratios = [beside / alone for alone, beside in zip(times["alone"], times["beside"])]
    ratio = statistics.median(ratios)
    quartiles = statistics.quantiles(ratios, n=4)
    per_step = {name: 1e3 * statistics.median(found) / options.steps for name, found in times.items()}
    if options.json:
        print(json.dumps({"claim": "idle", "ratio": ratio, "quartiles": quartiles, "milliseconds": per_step}))
    else:
        print(
            f"a step: {per_step['alone']:.3f} ms alone, {per_step['beside']:.3f} ms beside; ratio {ratio:.3f}, "
            f"half of {options.rounds} pairs from {quartiles[0]:.3f} to {quartiles[2]:.3f}"
        )
    return 0 if ratio <= 1.02 else 1


if __name__ == "__main__":
    sys.exit(main())
