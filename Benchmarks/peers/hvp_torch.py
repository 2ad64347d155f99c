#!/usr/bin/env python3
"""PyTorch's Hessian product by retained double backward: the gradient is built once with its graph
kept, and each product is one backward pass through it. See protocol.py.

    hvp_torch.py FOLDER/MODEL THREADS
    hvp_torch.py FOLDER/MODEL THREADS --reference   write reference.bin, the products in float64
"""

import pathlib
import sys

import torch

import protocol


def loss_of(model, inputs, labels):
    activation = {"tanh": torch.tanh, "relu": torch.relu}[model.activation]

    def loss(parameters):
        hidden = inputs
        for index in range(0, len(parameters), 2):
            hidden = torch.addmm(parameters[index + 1], hidden, parameters[index])
            if index + 2 < len(parameters):
                hidden = activation(hidden)
        return torch.nn.functional.cross_entropy(hidden, labels)

    return loss


def joined(parts, leading=0):
    return torch.cat([part.reshape(*part.shape[:leading], -1) for part in parts], dim=-1)


def main():
    path, threads = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(threads)
    model = protocol.load(path)
    reference = "--reference" in sys.argv
    dtype = torch.float64 if reference else torch.float32

    def tensor(values):
        return torch.from_numpy(values).to(dtype)

    loss = loss_of(model, tensor(model.inputs), torch.from_numpy(model.labels).long())
    parameters = [
        part.clone().requires_grad_() for part in protocol.split(model, tensor(model.parameters))
    ]
    directions = tensor(model.directions)
    one = [part.contiguous() for part in protocol.split(model, directions[0])]
    eight = [part.contiguous() for part in protocol.split(model, directions)]
    gradient = torch.autograd.grad(loss(parameters), parameters, create_graph=True)

    def product(vector):
        return torch.autograd.grad(gradient, parameters, vector, retain_graph=True)

    if reference:
        rows = [joined(product(protocol.split(model, row))) for row in directions]
        torch.stack(rows).numpy().astype("<f8").tofile(pathlib.Path(path) / "reference.bin")
        joined(gradient).detach().numpy().astype("<f8").tofile(
            pathlib.Path(path) / "reference-gradient.bin"
        )
        return

    left = torch.randn(2048, 2048)
    rows = torch.randn(model.batch, model.layers[0])
    columns = torch.randn(model.layers[0], model.layers[1])
    calls = {
        "hvp": lambda: product(one),
        "hvp8": lambda: torch.autograd.grad(
            gradient, parameters, eight, retain_graph=True, is_grads_batched=True
        ),
        "gradient": lambda: torch.autograd.grad(loss(parameters), parameters),
        "sgemm": lambda: left @ left,
        "sgemm-layer": lambda: rows @ columns,
    }

    def to_numpy(parts):
        batched = parts[0].dim() == len(model.entries[0]["shape"]) + 1
        return joined(parts, leading=1 if batched else 0).detach().numpy()

    protocol.serve("PyTorch", torch.__version__, calls, to_numpy)


if __name__ == "__main__":
    main()
