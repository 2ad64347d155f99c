#!/usr/bin/env python3
"""JAX's gradient and Hessian product of an exported network, by `linearize` of the gradient under
`jit`. The networks of Scripts/models/networks.py once more, on the weights of the ONNX file. See
protocol.py.

    model_jax.py FOLDER/NAME THREADS
"""

import os
import pathlib
import sys

threads = int(sys.argv[2])
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import numpy as np
import onnx

import protocol


def convolution(p, name, x, stride=1, padding=1):
    y = jax.lax.conv_general_dilated(
        x, p[f"{name}.weight"], (stride, stride), ((padding, padding),) * 2)
    bias = p.get(f"{name}.bias")
    return y if bias is None else y + bias[:, None, None]


def dense(p, name, x):
    y = x @ p[f"{name}.weight"].T
    return y + p[f"{name}.bias"] if f"{name}.bias" in p else y


def normalised(p, name, x):
    """Batch normalization by its running statistics."""
    scale = p[f"{name}.weight"] * jax.lax.rsqrt(p[f"{name}.running_var"] + 1e-5)
    shift = p[f"{name}.bias"] - p[f"{name}.running_mean"] * scale
    return x * scale[:, None, None] + shift[:, None, None]


def layer_norm(p, name, x):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]


def convnet(p, x):
    for name in ("conv1", "conv2", "conv3"):
        x = jnp.tanh(convolution(p, name, x))
    return dense(p, "dense", x.mean((2, 3)))


def resnet(p, x):
    x = jax.nn.relu(normalised(p, "norm", convolution(p, "conv", x)))
    for index in range(8):
        name = f"blocks.{index}"
        stride = 2 if index in (2, 4, 6) else 1
        y = convolution(p, f"{name}.conv1", x, stride)
        y = jax.nn.relu(normalised(p, f"{name}.norm1", y))
        y = normalised(p, f"{name}.norm2", convolution(p, f"{name}.conv2", y))
        if f"{name}.short.weight" in p:
            x = normalised(p, f"{name}.norm3", convolution(p, f"{name}.short", x, stride, 0))
        x = jax.nn.relu(x + y)
    return dense(p, "dense", x.mean((2, 3)))


def gpt(p, tokens, heads=4):
    x = p["tokens.weight"][tokens] + p["places"]
    batch, length, width = x.shape
    for index in range(4):
        name = f"layers.{index}"
        parts = dense(p, f"{name}.attention.inputs", layer_norm(p, f"{name}.norm1", x))
        q, k, v = parts.reshape(batch, length, 3, heads, -1).transpose(2, 0, 3, 1, 4)
        scores = q @ k.swapaxes(2, 3) / np.sqrt(width // heads)
        scores = jnp.where(np.triu(np.ones((length, length), bool), 1), -1e9, scores)
        mixed = (jax.nn.softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(batch, length, width)
        x = x + dense(p, f"{name}.attention.outputs", mixed)
        hidden = dense(p, f"{name}.dense1", layer_norm(p, f"{name}.norm2", x))
        x = x + dense(p, f"{name}.dense2", jax.nn.gelu(hidden, approximate=False))
    return dense(p, "dense", layer_norm(p, "norm", x))


def lstm(p, x):
    inputs = x.swapaxes(0, 1) @ p["lstm.weight_ih_l0"].T
    inputs = inputs + p["lstm.bias_ih_l0"] + p["lstm.bias_hh_l0"]

    def step(state, z):
        h, c = state
        i, f, g, o = jnp.split(z + h @ p["lstm.weight_hh_l0"].T, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), None

    zeros = jnp.zeros((x.shape[0], p["lstm.weight_hh_l0"].shape[1]), x.dtype)
    return dense(p, "dense", jax.lax.scan(step, (zeros, zeros), inputs)[0][0])


NETWORKS = {"convnet": convnet, "resnet18-16": resnet, "gpt-256": gpt, "lstm-128": lstm}


def main():
    path = pathlib.Path(sys.argv[1])
    stored = {
        item.name: onnx.numpy_helper.to_array(item)
        for item in onnx.load(f"{path}.onnx").graph.initializer}
    with np.load(f"{path}.npz") as data, np.load(f"{path}.golden.npz") as golden:
        arrays = {name: data[name] for name in data.files}
        names = sorted(key[9:] for key in golden.files if key.startswith("gradient/"))
    target = jnp.asarray(arrays.pop("target"))
    (x,) = map(jnp.asarray, arrays.values())
    fixed = {
        name: jnp.asarray(value) for name, value in stored.items()
        if value.dtype == np.float32 and name not in names}
    parameters = [jnp.asarray(stored[name]) for name in names]

    def loss(parameters):
        logits = NETWORKS[path.name](dict(zip(names, parameters)) | fixed, x)
        logarithms = jax.nn.log_softmax(logits)
        return -jnp.take_along_axis(logarithms, target[..., None], axis=-1).mean()

    def wave(shape):
        return jnp.asarray(
            np.sin(1.3 * np.arange(int(np.prod(shape))) + 0.5).reshape(shape), jnp.float32)

    directions = [wave(value.shape) for value in parameters]
    base = protocol.resident()
    _, product = jax.linearize(jax.grad(loss), parameters)
    single, gradient = jax.jit(product), jax.jit(jax.grad(loss))
    calls = {
        "hvp": lambda: jax.block_until_ready(single(directions)),
        "gradient": lambda: jax.block_until_ready(gradient(parameters)),
    }
    calls["hvp"]()
    peak = protocol.peak() - base
    protocol.serve(
        "JAX", jax.__version__, calls,
        lambda parts: np.concatenate([np.asarray(part).ravel() for part in parts]), peak)


if __name__ == "__main__":
    main()
