#!/usr/bin/env python3
"""PyTorch's training steps on batches of 128 in shuffled order, its optimizers as they come.

    training_torch.py FOLDER/MODEL THREADS

    run N adam    {"seconds": [...], "processor": s, "loss": l}   N steps, with the processor's time for all
"""

import json
import sys
import time

import torch

import protocol
from hvp_torch import loss_of

SIZE = 128


def main():
    torch.set_num_threads(int(sys.argv[2]))
    torch.manual_seed(1)
    model = protocol.load(sys.argv[1])
    inputs, labels = torch.from_numpy(model.inputs), torch.from_numpy(model.labels).long()

    def steps(make):
        parameters = [
            part.clone().requires_grad_()
            for part in protocol.split(model, torch.from_numpy(model.parameters))
        ]
        optimizer = make(parameters)
        while True:
            for chosen in torch.randperm(len(inputs)).split(SIZE):
                optimizer.zero_grad()
                loss = loss_of(model, inputs[chosen], labels[chosen])(parameters)
                loss.backward()
                optimizer.step()
                yield loss.item()

    runs = {
        "adam": steps(lambda p: torch.optim.Adam(p, 1e-3)),
        "gd": steps(lambda p: torch.optim.SGD(p, 1e-3)),
    }
    for run in runs.values():
        for _ in range(20):
            next(run)
    print(json.dumps(dict(ready="PyTorch", version=torch.__version__)), flush=True)
    for line in sys.stdin:
        words = line.split()
        if len(words) != 3 or words[0] != "run":
            return
        seconds, loss, began = [], 0.0, time.process_time()
        for _ in range(int(words[1])):
            start = time.perf_counter()
            loss = next(runs[words[2]])
            seconds.append(time.perf_counter() - start)
        spent = time.process_time() - began
        print(json.dumps(dict(seconds=seconds, processor=spent, loss=loss)), flush=True)


if __name__ == "__main__":
    main()
