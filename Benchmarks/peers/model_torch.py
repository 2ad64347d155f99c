#!/usr/bin/env python3
"""PyTorch's gradient and Hessian product of an exported network, by retained double backward: the
gradient is built once with its graph kept. See protocol.py.

    model_torch.py FOLDER/NAME THREADS
"""

import copy
import pathlib
import sys

import numpy as np
import torch

import protocol

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Scripts" / "models"))
import export


def main():
    path, threads = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(threads)
    network, inputs, target, loss = export.build(path.name, export.LARGE)
    data = [torch.from_numpy(np.array(value)) for value in inputs.values()]
    target = torch.from_numpy(target)
    parameters = [value for _, value in sorted(network.named_parameters())]
    directions = [
        torch.from_numpy(export.direction(tuple(p.shape))).float() for p in parameters]
    base = protocol.resident()
    gradient = torch.autograd.grad(loss(network(*data), target), parameters, create_graph=True)
    square = torch.randn(2048, 2048)
    calls = {
        "hvp": lambda: torch.autograd.grad(gradient, parameters, directions, retain_graph=True),
        "gradient": lambda: torch.autograd.grad(loss(network(*data), target), parameters),
        "sgemm": lambda: square @ square,
    }
    calls["hvp"]()
    peak = protocol.peak() - base
    trained = copy.deepcopy(network)
    optimizer = torch.optim.Adam(trained.parameters(), 1e-3)

    def adam():
        optimizer.zero_grad()
        loss(trained(*data), target).backward()
        optimizer.step()

    calls["adam"] = adam
    protocol.serve(
        "PyTorch", torch.__version__, calls,
        lambda parts: np.concatenate([part.detach().numpy().ravel() for part in parts]), peak)


if __name__ == "__main__":
    main()
