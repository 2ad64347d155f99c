#!/usr/bin/env python3
"""Writes the inputs that every runtime reads: weights, data and directions, from a seed.

    make_inputs.py FOLDER MODEL ...

For each model MODEL, in FOLDER/MODEL/, little-endian and row-major:
    manifest.json     layers, activation, batch, and the offset and shape of each parameter
    parameters.bin    float32, flat: w0 (in x out), b0, w1, b1, ...
    inputs.bin        float32, batch x layers[0]
    labels.bin        int32, batch
    directions.bin    float32, `directions` x parameters, each row of unit norm

The loss is the mean cross-entropy in nats of an MLP, logits = act(x w0 + b0) w1 + ...
A model with `steps` is PyTorch's, as `manual_seed(0)` leaves it, after so many full-batch steps of
gradient descent at 0.1 in float64 on scikit-learn's digits, whose features 0...16 are divided by
16; a side longer than 8 pixels repeats each threefold within a border of zeros.
"""

import json
import pathlib
import sys

import numpy as np

MODELS = {
    "mnist-tanh": dict(layers=[784, 512, 512, 10], activation="tanh", batch=2048, directions=8),
    "mnist-relu": dict(layers=[784, 512, 512, 10], activation="relu", batch=2048, directions=8),
    "mnist-step": dict(layers=[784, 128, 64, 10], activation="relu", batch=2048, directions=1),
    "small-tanh": dict(layers=[64, 128, 128, 10], activation="tanh", batch=512, directions=8),
    "digits": dict(layers=[64, 128, 128, 10], activation="tanh", batch=1797, steps=300),
    "digits-1e6": dict(layers=[784, 1024, 256, 10], activation="tanh", batch=1000, steps=300),
    "digits-5e6": dict(layers=[784, 2048, 1664, 10], activation="tanh", batch=256, steps=10),
}
SEED = 20260101


def write(folder, name, values, dtype):
    np.ascontiguousarray(values, dtype=dtype).tofile(folder / name)


def random_network(spec):
    """Parameters (w0, b0, w1, ...), inputs and labels, all random."""
    random = np.random.RandomState(SEED)
    layers, parameters = spec["layers"], []
    for fan_in, fan_out in zip(layers, layers[1:]):
        # LeCun normal, and biases off zero so that no term of the Hessian vanishes by chance.
        parameters.append(random.randn(fan_in, fan_out) / np.sqrt(fan_in))
        parameters.append(0.1 * random.randn(fan_out))
    count = sum(parameter.size for parameter in parameters)
    directions = random.randn(spec["directions"], count)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    inputs = random.randn(spec["batch"], layers[0])
    return parameters, inputs, random.randint(0, layers[-1], spec["batch"]), directions


def digits(spec):
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images, labels = images[: spec["batch"]] / 16, labels[: spec["batch"]]
    side = int(np.sqrt(spec["layers"][0]))
    if side > 8:
        images = np.kron(images.reshape(-1, 8, 8), np.ones((3, 3)))
        border = (side - images.shape[1]) // 2
        images = np.pad(images, ((0, 0), (border, border), (border, border)))
    return images.reshape(len(images), -1), labels


def trained_network(spec):
    import torch

    inputs, labels = digits(spec)
    torch.manual_seed(0)
    linears = [
        torch.nn.Linear(fan_in, fan_out)
        for fan_in, fan_out in zip(spec["layers"], spec["layers"][1:])
    ]
    modules = [module for linear in linears for module in (linear, torch.nn.Tanh())][:-1]
    network = torch.nn.Sequential(*modules).double()
    x, y = torch.from_numpy(inputs), torch.from_numpy(labels)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(spec["steps"]):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    parameters = [
        part.detach().numpy().T for linear in linears for part in (linear.weight, linear.bias)
    ]
    return parameters, inputs, labels, np.zeros((0, 1))


def main():
    root = pathlib.Path(sys.argv[1])
    for model in sys.argv[2:]:
        spec = dict(MODELS[model])
        folder = root / model
        if (folder / "manifest.json").exists():
            continue
        print(f"making the inputs of {model}", file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        make = trained_network if "steps" in spec else random_network
        parameters, inputs, labels, directions = make(spec)
        entries, offset = [], 0
        for index, value in enumerate(parameters):
            name = f"{'wb'[index % 2]}{index // 2}"
            entries.append(dict(name=name, shape=list(value.shape), offset=offset))
            offset += value.size
        flat = np.concatenate([np.ascontiguousarray(value).ravel() for value in parameters])
        write(folder, "parameters.bin", flat, "<f4")
        write(folder, "inputs.bin", inputs, "<f4")
        write(folder, "labels.bin", labels, "<i4")
        write(folder, "directions.bin", directions, "<f4")
        manifest = dict(
            spec, directions=len(directions), parameters=offset, entries=entries, seed=SEED
        )
        # Written last: its presence says that the folder is whole.
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
