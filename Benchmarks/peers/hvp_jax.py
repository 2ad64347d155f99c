#!/usr/bin/env python3
"""JAX's Hessian product by `linearize` of the gradient, applied under `jit`: linearised once, so
that only what depends on the direction is computed again. See protocol.py.

    hvp_jax.py FOLDER/MODEL THREADS
"""

import os
import sys

threads = int(sys.argv[2])
# XLA sizes its pool by the processors it may use, and has no setting of its own for it.
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import numpy as np

import protocol


def main():
    model = protocol.load(sys.argv[1])
    activation = {"tanh": jnp.tanh, "relu": jax.nn.relu}[model.activation]
    inputs, labels = jnp.asarray(model.inputs), jnp.asarray(model.labels)

    def loss(parameters):
        hidden = inputs
        for index in range(0, len(parameters), 2):
            hidden = hidden @ parameters[index] + parameters[index + 1]
            if index + 2 < len(parameters):
                hidden = activation(hidden)
        logarithms = jax.nn.log_softmax(hidden)
        return -jnp.mean(jnp.take_along_axis(logarithms, labels[:, None], axis=1))

    parameters = protocol.split(model, jnp.asarray(model.parameters))
    directions = jnp.asarray(model.directions)
    one = protocol.split(model, directions[0])
    eight = protocol.split(model, directions)
    _, product = jax.linearize(jax.grad(loss), parameters)
    single, several = jax.jit(product), jax.jit(jax.vmap(product))
    gradient = jax.jit(jax.grad(loss))
    left = jnp.asarray(np.random.RandomState(0).randn(2048, 2048), dtype=jnp.float32)
    multiply = jax.jit(jnp.matmul)
    calls = {
        "hvp": lambda: jax.block_until_ready(single(one)),
        "hvp8": lambda: jax.block_until_ready(several(eight)),
        "gradient": lambda: jax.block_until_ready(gradient(parameters)),
        "sgemm": lambda: jax.block_until_ready(multiply(left, left)),
    }

    def to_numpy(parts):
        leading = parts[0].ndim - len(model.entries[0]["shape"])
        rows = [np.asarray(part).reshape(*part.shape[:leading], -1) for part in parts]
        return np.concatenate(rows, axis=-1)

    protocol.serve("JAX", jax.__version__, calls, to_numpy)


if __name__ == "__main__":
    main()
