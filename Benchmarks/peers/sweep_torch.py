#!/usr/bin/env python3
"""Steps of a run in PyTorch, written plainly, times 64: what a sweep of 64 rates costs without one. Seconds
are of the processor.

    sweep_torch.py LAYERS BATCH OPTIMIZER THREADS
"""

import json
import sys
import time

import torch
from torch import nn


def main():
    layers, batch = [int(size) for size in sys.argv[1].split("-")], int(sys.argv[2])
    torch.set_num_threads(int(sys.argv[4]))
    torch.manual_seed(0)
    modules = []
    for inputs, outputs in zip(layers, layers[1:]):
        modules += [nn.Linear(inputs, outputs), nn.Tanh()]
    model = nn.Sequential(*modules[:-1])
    optimizer = (torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
                 if sys.argv[3] == "momentum" else torch.optim.Adam(model.parameters(), lr=0.001))
    x, labels = torch.randn(8 * batch, layers[0]), torch.randint(0, layers[-1], (8 * batch,))
    order = torch.randperm(len(x))

    def step(index):
        chosen = order[index % 8 * batch:(index % 8 + 1) * batch]
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[chosen]), labels[chosen]).backward()
        optimizer.step()

    for index in range(100):
        step(index)
    print(json.dumps({"ready": "PyTorch", "version": torch.__version__}), flush=True)
    for line in sys.stdin:
        words = line.split()
        if len(words) != 3:
            break
        seconds = []
        for _ in range(int(words[1])):
            begin = time.process_time()
            for index in range(100):
                step(index)
            seconds.append((time.process_time() - begin) / 100 * 64)
        print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
