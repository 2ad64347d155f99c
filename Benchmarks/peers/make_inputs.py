#!/usr/bin/env python3
"""Writes the inputs that every runtime reads: weights, data and directions, from a seed.

    make_inputs.py FOLDER

For each model MODEL, in FOLDER/MODEL/, little-endian and row-major:
    manifest.json     layers, activation, batch, and the offset and shape of each parameter
    parameters.bin    float32, flat: w0 (in x out), b0, w1, b1, ...
    inputs.bin        float32, batch x layers[0]
    labels.bin        int32, batch
    directions.bin    float32, 8 x parameters, each row of unit norm

The loss is the mean cross-entropy in nats of an MLP, logits = act(x w0 + b0) w1 + ...
"""

import json
import pathlib
import sys

import numpy as np

MODELS = {
    "mnist-tanh": dict(layers=[784, 512, 512, 10], activation="tanh", batch=2048),
    "mnist-relu": dict(layers=[784, 512, 512, 10], activation="relu", batch=2048),
    "small-tanh": dict(layers=[64, 128, 128, 10], activation="tanh", batch=512),
}
DIRECTIONS = 8
SEED = 20260101


def write(folder, name, values, dtype):
    np.ascontiguousarray(values, dtype=dtype).tofile(folder / name)


def main():
    root = pathlib.Path(sys.argv[1])
    for model, spec in MODELS.items():
        folder = root / model
        if (folder / "manifest.json").exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        random = np.random.RandomState(SEED)
        layers = spec["layers"]
        flat, entries, offset = [], [], 0
        for index, (fan_in, fan_out) in enumerate(zip(layers, layers[1:])):
            # LeCun normal, and biases off zero so that no term of the Hessian vanishes by chance.
            for kind, value in (
                ("w", random.randn(fan_in, fan_out) / np.sqrt(fan_in)),
                ("b", 0.1 * random.randn(fan_out)),
            ):
                entries.append(dict(name=f"{kind}{index}", shape=list(value.shape), offset=offset))
                flat.append(value.ravel())
                offset += value.size
        directions = random.randn(DIRECTIONS, offset)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        write(folder, "parameters.bin", np.concatenate(flat), "<f4")
        write(folder, "inputs.bin", random.randn(spec["batch"], layers[0]), "<f4")
        write(folder, "labels.bin", random.randint(0, layers[-1], spec["batch"]), "<i4")
        write(folder, "directions.bin", directions, "<f4")
        manifest = dict(spec, parameters=offset, directions=DIRECTIONS, entries=entries, seed=SEED)
        # Written last: its presence says that the folder is whole.
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
