"""A convolutional network in JAX, as jax2onnx writes it."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from jax2onnx import to_onnx


def network(parameters, x):
    """[n, 8, 8, 2] images, channels last, to logits of four classes."""
    kernel, bias, scale, weights, offset = parameters
    x = jax.lax.conv_general_dilated(
        x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) + bias
    x = jax.nn.gelu(x, approximate=True)
    mean = x.mean((1, 2, 3), keepdims=True)
    x = scale * (x - mean) / jnp.sqrt(((x - mean) ** 2).mean((1, 2, 3), keepdims=True) + 1e-5)
    return x.reshape(x.shape[0], -1) @ weights + offset


def loss(parameters, x, target):
    logits = jax.nn.log_softmax(network(parameters, x))
    return -jnp.take_along_axis(logits, target[:, None], 1).mean()


def export(folder, direction):
    random = np.random.default_rng(4)
    shapes = [(3, 3, 2, 5), (5,), (5,), (80, 4), (4,)]
    parameters = [0.4 * random.standard_normal(shape).astype(np.float32) for shape in shapes]
    x = random.standard_normal((6, 8, 8, 2)).astype(np.float32)
    target = random.integers(0, 4, 6)
    model = to_onnx(lambda x: network(parameters, x), inputs=[("B", 8, 8, 2)], opset=21)
    folder.joinpath("jax.onnx").write_bytes(model.SerializeToString())
    np.savez(folder / "jax.npz", **{model.graph.input[0].name: x, "target": target})

    jax.config.update("jax_enable_x64", True)
    wide = [jnp.asarray(value, jnp.float64) for value in parameters]
    at = lambda p: loss(p, jnp.asarray(x, jnp.float64), target)
    result = {"loss": np.asarray(at(wide))}
    stored = {
        item.name: onnx.numpy_helper.to_array(item) for item in model.graph.initializer}
    places = [find(stored, value) for value in parameters]
    vector = [
        jnp.asarray(direction(stored[name].shape).reshape(np.array(value.shape)[list(order)])
                    .transpose(np.argsort(order)))
        for (name, order), value in zip(places, parameters)]
    gradient, product = jax.jvp(jax.grad(at), (wide,), (vector,))
    for (name, order), g, hv in zip(places, gradient, product):
        shape = stored[name].shape
        result[f"gradient/{name}"] = np.asarray(g).transpose(order).reshape(shape)
        result[f"product/{name}"] = np.asarray(hv).transpose(order).reshape(shape)
    np.savez(folder / "jax.golden.npz", **result)


def find(stored, value):
    """The initializer that holds a parameter, and the order of its axes there, axes of size 1 aside."""
    for name, array in stored.items():
        for order in itertools.permutations(range(value.ndim)):
            moved = value.transpose(order)
            if array.squeeze().shape == moved.shape and np.array_equal(array.squeeze(), moved):
                return name, order
    raise SystemExit(f"no initializer holds the parameter of shape {value.shape}")
