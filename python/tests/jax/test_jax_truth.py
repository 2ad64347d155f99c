"""Networks against dense Hessians that JAX computes in float64."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, Callable, Iterator

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # Compilation is most of the time.

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import eigenstep.jax

ERRORS = {"float32": 1e-5, "float64": 1e-9}
Network = tuple[Callable[..., Any], Any, Any]


@pytest.fixture(autouse=True)
def wide() -> Iterator[None]:
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def dense(rng: np.random.Generator, rows: int, columns: int) -> dict[str, np.ndarray]:
    return {"w": rng.standard_normal((rows, columns)) / rows**0.5, "b": 0.1 * rng.standard_normal(columns)}


def apply(layer: Any, x: Any) -> Any:
    return x @ layer["w"] + layer["b"]


def cross_entropy(logits: Any, labels: Any) -> Any:
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], -1).mean()


def mlp(rng: np.random.Generator) -> Network:
    def loss(params: Any, batch: Any) -> Any:
        x, y = batch
        return cross_entropy(apply(params[1], jnp.tanh(apply(params[0], x))), y)

    return loss, [dense(rng, 4, 8), dense(rng, 8, 3)], (
        rng.standard_normal((20, 4)), rng.integers(0, 3, 20))


def cnn(rng: np.random.Generator) -> Network:
    """With its batch's own statistics, as in training."""

    def loss(params: Any, batch: Any) -> Any:
        x, y = batch
        x = jax.lax.conv_general_dilated(
            x, params["conv"], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        x = jax.nn.relu(params["scale"] * (x - mean) / jnp.sqrt(variance + 1e-5) + params["shift"])
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        return cross_entropy(apply(params["head"], x.reshape(len(x), -1)), y)

    return loss, {
        "conv": rng.standard_normal((3, 3, 1, 3)) / 3, "scale": 1 + 0.2 * rng.standard_normal(3),
        "shift": 0.2 * rng.standard_normal(3), "head": dense(rng, 12, 3),
    }, (rng.standard_normal((12, 6, 6, 1)), rng.integers(0, 3, 12))


def gru(rng: np.random.Generator) -> Network:
    def loss(params: Any, batch: Any) -> Any:
        x, y = batch

        def step(h: Any, now: Any) -> Any:
            both = jnp.concatenate([now, h], -1)
            z = jax.nn.sigmoid(apply(params["update"], both))
            r = jax.nn.sigmoid(apply(params["reset"], both))
            new = jnp.tanh(apply(params["new"], jnp.concatenate([now, r * h], -1)))
            return (1 - z) * h + z * new, None

        h, _ = jax.lax.scan(step, jnp.zeros((len(x), 5), x.dtype), x.swapaxes(0, 1))
        return jnp.square(apply(params["head"], h) - y).mean()

    return loss, {
        **{name: dense(rng, 8, 5) for name in ("update", "reset", "new")}, "head": dense(rng, 5, 2),
    }, (rng.standard_normal((6, 4, 3)), rng.standard_normal((6, 2)))


def transformer(rng: np.random.Generator) -> Network:
    """Causal, with padded places, and its embedding is its readout."""

    def loss(params: Any, batch: Any) -> Any:
        tokens, y = batch
        x = params["embedding"][tokens]
        mask = (tokens != 0)[:, None, None, :] & jnp.tril(jnp.ones((5, 5), bool))
        q, k, v = jnp.split(apply(params["heads"], x).reshape(*tokens.shape, 2, 9), 3, -1)
        # JAX's own attention takes its softmax in float32 whatever it is given.
        scores = jnp.where(mask, jnp.einsum("blhd,bmhd->bhlm", q, k) / 3**0.5, -1e9)
        mixed = jnp.einsum("bhlm,bmhd->blhd", jax.nn.softmax(scores), v)
        x = x + apply(params["out"], mixed.reshape(x.shape))
        centred = x - x.mean(-1, keepdims=True)
        x = params["scale"] * centred / jnp.sqrt(centred.var(-1, keepdims=True) + 1e-5)
        x = x + apply(params["down"], jax.nn.gelu(apply(params["up"], x)))
        rows = jax.nn.log_softmax(x @ params["embedding"].T)
        counted = tokens != 0
        found = jnp.take_along_axis(rows, y[..., None], -1)[..., 0]
        return -(found * counted).sum() / counted.sum()

    tokens = rng.integers(1, 7, (4, 5))
    tokens[0, 3:] = tokens[2, 4:] = 0
    return loss, {
        "embedding": rng.standard_normal((7, 6)), "heads": dense(rng, 6, 18), "out": dense(rng, 6, 6),
        "scale": 1 + 0.2 * rng.standard_normal(6), "up": dense(rng, 6, 8), "down": dense(rng, 8, 6),
    }, (tokens, rng.integers(0, 7, (4, 5)))


def vae(rng: np.random.Generator) -> Network:
    def loss(params: Any, x: Any, key: Any) -> Any:
        mean, log_variance = jnp.split(jnp.tanh(apply(params["encoder"], x)), 2, -1)
        noise = jax.random.normal(key, mean.shape, jnp.float32)
        shown = apply(params["decoder"], mean + noise * jnp.exp(log_variance / 2))
        error = (jax.nn.softplus(shown) - (x > 0) * shown).sum(-1)
        divergence = (mean**2 + jnp.exp(log_variance) - 1 - log_variance).sum(-1) / 2
        return (error + divergence).mean(), {"divergence": divergence}

    return loss, {"encoder": dense(rng, 6, 8), "decoder": dense(rng, 4, 6)}, rng.standard_normal((10, 6))


def pinn(rng: np.random.Generator) -> Network:
    def loss(params: Any, points: Any) -> Any:
        def u(x: Any) -> Any:
            return apply(params[1], jnp.tanh(apply(params[0], x[None])))[0]

        bend = jax.vmap(jax.grad(jax.grad(u)))(points)
        return jnp.square(bend + jnp.pi**2 * jnp.sin(jnp.pi * points)).mean() + 10 * u(
            jnp.zeros((), points.dtype)) ** 2

    return loss, [dense(rng, 1, 12), dense(rng, 12, 1)], np.linspace(-1, 1, 15)


def contrast(rng: np.random.Generator) -> Network:
    def loss(params: Any, views: Any) -> Any:
        def seen(view: Any) -> Any:
            z = apply(params["b"], jax.nn.silu(apply(params["a"], view)))
            return z / jnp.linalg.norm(z, axis=-1, keepdims=True)

        one, other = map(seen, views)
        return cross_entropy(one @ other.T / 0.5, jnp.arange(len(one)))

    return loss, {"a": dense(rng, 5, 8), "b": dense(rng, 8, 4)}, (
        rng.standard_normal((9, 5)), rng.standard_normal((9, 5)))


def lora(rng: np.random.Generator) -> Network:
    base = rng.standard_normal((5, 3))

    def loss(params: Any, batch: Any) -> Any:
        x, y = batch
        return jnp.square(jnp.tanh(x @ (base.astype(x.dtype) + params["down"] @ params["up"])) - y).mean()

    return loss, {"down": rng.standard_normal((5, 2)), "up": rng.standard_normal((2, 3))}, (
        rng.standard_normal((10, 5)), rng.standard_normal((10, 3)))


NETWORKS = [mlp, cnn, gru, transformer, vae, pinn, contrast, lora]


def cast(tree: Any, dtype: str) -> Any:
    return jax.tree.map(
        lambda a: jnp.asarray(a, dtype if np.issubdtype(np.asarray(a).dtype, np.floating) else None), tree)


def made(make: Callable[[Any], Network]) -> Network:
    """With numbers that float32 has."""
    loss, params, batch = make(np.random.default_rng(3))
    return loss, cast(params, "float32"), cast(batch, "float32")


@lru_cache
def truth(make: Callable[[Any], Network]) -> tuple[float, Any, np.ndarray]:
    loss, params, batch = made(make)
    flat, unravel = ravel_pytree(cast(params, "float64"))
    batch = cast(batch, "float64")

    def own(vector: Any) -> Any:
        if make is vae:
            return loss(unravel(vector), batch, jax.random.key(5))[0]
        return loss(unravel(vector), batch)

    value, slope = jax.value_and_grad(own)(flat)
    return float(value), slope, np.asarray(jax.jit(jax.hessian(own))(flat))


@pytest.mark.parametrize("dtype", ERRORS)
@pytest.mark.parametrize("make", NETWORKS, ids=lambda make: make.__name__)
def test_agrees_with_the_dense_hessian(make: Callable[[Any], Network], dtype: str) -> None:
    loss, params, batch = made(make)
    params, batch = cast(params, dtype), cast(batch, dtype)
    options = {"has_aux": True, "rng": jax.random.key(5)} if make is vae else {}
    found = eigenstep.jax.spectrum(
        loss, params, batch, count=1, trace=True, per_layer=True, **options).to_dict()
    value, slope, hessian = truth(make)
    values = np.linalg.eigvalsh(hessian)
    error, scale = ERRORS[dtype], float(np.abs(values).max())
    assert found["problem"]["loss"] == pytest.approx(value, rel=error)
    assert found["problem"]["gradientNorm"] == pytest.approx(float(jnp.linalg.norm(slope)), rel=error)
    assert found["largest"][0]["value"] == pytest.approx(values[-1], abs=error * scale)
    assert found["smallest"][0]["value"] == pytest.approx(values[0], abs=error * scale)
    assert found["upperBound"] >= values[-1] - error * scale
    assert found["lowerBound"] <= values[0] + error * scale
    assert found["trace"]["standardError"] == 0
    assert found["trace"]["value"] == pytest.approx(values.sum(), abs=error * np.abs(values).sum())
    places, first = {}, 0
    for path, leaf in jax.tree_util.tree_flatten_with_path(params)[0]:
        name = ".".join(str(getattr(key, "key", getattr(key, "idx", None))) for key in path)
        places[name] = range(first, first + leaf.size)
        first += leaf.size
    assert sorted(n for layer in found["layers"] for n in layer["parameters"]) == sorted(places)
    for layer in found["layers"]:
        own_places = [i for name in layer["parameters"] for i in places[name]]
        block = np.linalg.eigvalsh(hessian[np.ix_(own_places, own_places)])
        assert layer["sharpness"] == pytest.approx(block[-1], abs=error * scale), layer["layer"]
        assert layer["trace"] == pytest.approx(
            block.sum(), abs=error * max(scale, np.abs(block).sum()))
