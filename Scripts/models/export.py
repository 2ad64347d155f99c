#!/usr/bin/env python3
"""Exports networks to ONNX with data, and the loss, gradient and a Hessian product of each in float64.

    Scripts/models/export.py FOLDER [NAME ...]      the small ones that the tests hold
    Scripts/models/export.py --large FOLDER         those of the benchmarks

Writes NAME.onnx, NAME.npz (inputs by name, and `target`) and NAME.golden.npz: `loss`, and for each
initializer P of the model `gradient/P` and `product/P`, the product of the Hessian with the direction
whose entry k, counted over all of P, is sin(1.3 k + 0.5). Needs torch, onnx and onnxscript;
skl2onnx for `sklearn`, jax and jax2onnx for `jax`.
"""

import argparse
import pathlib
import sys

import numpy as np
import torch
from torch.nn import functional

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import networks


def direction(shape):
    return np.sin(1.3 * np.arange(int(np.prod(shape))) + 0.5).reshape(shape)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def labels(seed, below, *shape):
    return np.random.default_rng(seed).integers(0, below, shape)


def cross_entropy(outputs, target):
    return functional.cross_entropy(outputs, target)


def token_cross_entropy(outputs, target):
    return functional.cross_entropy(outputs.flatten(0, 1), target.flatten())


# name: (network, inputs by name, target or None, loss or None where the graph computes it)
SMALL = {
    "lenet": lambda: (
        networks.LeNet(), {"image": normal(1, 6, 1, 28, 28)}, labels(2, 10, 6), cross_entropy),
    "resnet": lambda: (
        networks.ResNet18(base=2), {"image": normal(1, 4, 3, 32, 32)}, labels(2, 10, 4),
        cross_entropy),
    "vit": lambda: (
        networks.ViT(), {"image": normal(1, 5, 3, 16, 16)}, labels(2, 10, 5), cross_entropy),
    "gpt": lambda: (
        networks.GPT(), {"tokens": labels(1, 32, 3, 12)}, labels(2, 32, 3, 12),
        token_cross_entropy),
    "lstm": lambda: (
        networks.LSTM(), {"sequence": normal(1, 7, 10, 6)}, labels(2, 5, 7), cross_entropy),
    "unet": lambda: (
        networks.UNet(), {"image": normal(1, 3, 1, 16, 16)}, labels(2, 3, 3, 16, 16),
        cross_entropy),
    "pinn": lambda: (
        networks.PINN(),
        {"x": np.linspace(0, 1, 33, dtype=np.float32)[1:-1, None],
         "ends": np.array([[0], [1]], np.float32)}, None, None),
    "normalised": lambda: (
        networks.NormNet(), {"image": normal(1, 8, 1, 8, 8)}, labels(2, 4, 8), cross_entropy),
}
LARGE = {
    "convnet": lambda: (
        networks.ConvNet(), {"image": normal(1, 128, 3, 32, 32)}, labels(2, 10, 128),
        cross_entropy),
    "resnet18-16": lambda: (
        networks.ResNet18(base=16), {"image": normal(1, 64, 3, 32, 32)}, labels(2, 10, 64),
        cross_entropy),
    "gpt-256": lambda: (
        networks.GPT(tokens=256, width=256, heads=4, layers=4, length=128),
        {"tokens": labels(1, 256, 8, 128)}, labels(2, 256, 8, 128), token_cross_entropy),
    "lstm-128": lambda: (
        networks.LSTM(inputs=32, width=128, classes=10), {"sequence": normal(1, 32, 64, 32)},
        labels(2, 10, 32), cross_entropy),
}


def build(name, table):
    torch.manual_seed(0)
    network, inputs, target, loss = table[name]()
    # Only batch normalization makes a difference between training and use here.
    network.train(name == "normalised")
    return network, inputs, target, loss


def export(name, table, folder):
    network, inputs, target, loss = build(name, table)
    coupled = name in ("normalised", "pinn")
    batch = None if coupled else [{0: torch.export.Dim("batch")}] * len(inputs)
    tensors = tuple(torch.from_numpy(np.array(value)) for value in inputs.values())
    program = torch.onnx.export(
        network, tensors, dynamo=True, input_names=list(inputs), output_names=["output"],
        dynamic_shapes=batch and tuple(batch), opset_version=20, optimize=False, verbose=False,
        do_constant_folding=False)
    save(program.model_proto, folder / f"{name}.onnx")
    arrays = dict(inputs) if target is None else {**inputs, "target": target}
    np.savez(folder / f"{name}.npz", **arrays)
    np.savez(folder / f"{name}.golden.npz", **golden(network, inputs, target, loss))


def save(model, path):
    """Without what the exporter tells of the machine and the source."""
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for items in (model.graph.value_info, model.graph.metadata_props, model.metadata_props):
        del items[:]
    for item in [*model.graph.input, *model.graph.output, *model.graph.initializer]:
        item.ClearField("metadata_props")
    path.write_bytes(model.SerializeToString())


def golden(network, inputs, target, loss):
    """Loss, gradient and Hessian product in float64 by differentiating twice."""
    network = network.double()
    values = [torch.from_numpy(np.array(value)) for value in inputs.values()]
    values = [value.double() if value.is_floating_point() else value for value in values]
    outputs = network(*values)
    value = outputs if loss is None else loss(outputs, torch.from_numpy(target))
    names, parameters = zip(*network.named_parameters())
    gradient = torch.autograd.grad(value, parameters, create_graph=True)
    directions = [torch.from_numpy(direction(tuple(p.shape))) for p in parameters]
    slope = sum((g * v).sum() for g, v in zip(gradient, directions))
    products = torch.autograd.grad(slope, parameters)
    result = {"loss": value.detach().numpy()}
    for name, g, product in zip(names, gradient, products):
        result[f"gradient/{name}"] = g.detach().numpy()
        result[f"product/{name}"] = product.numpy()
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    torch.set_num_threads(2)
    options.folder.mkdir(parents=True, exist_ok=True)
    table = LARGE if options.large else SMALL
    others = {} if options.large else {"sklearn": "from_sklearn", "jax": "from_jax"}
    for name in options.names or [*table, *others]:
        if name in others:
            __import__(others[name]).export(options.folder, direction)
        else:
            export(name, table, options.folder)
        print(name)


if __name__ == "__main__":
    main()
