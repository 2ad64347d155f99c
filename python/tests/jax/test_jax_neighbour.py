"""What JAX losses may look like, and what is said where one cannot be measured."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
from typing import Any

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import eigenstep.jax
from eigenstep._jax_loss import JaxLoss

RNG = np.random.default_rng(0)
PARAMS = {"a": jnp.asarray(RNG.standard_normal((4, 3)), jnp.float32), "b": [jnp.zeros(3, jnp.float32)]}
BATCH = (jnp.asarray(RNG.standard_normal((9, 4)), jnp.float32), jnp.asarray(RNG.random((9, 3)), jnp.float32))


def loss(params: Any, batch: Any) -> Any:
    x, y = batch
    return jnp.square(jnp.tanh(x @ params["a"] + params["b"][0]) - y).mean()


def hessian(function: Any = loss, params: Any = PARAMS, **options: Any) -> np.ndarray:
    found = JaxLoss(function, params, [BATCH], **options)
    point = found.start().astype(found.dtype)
    matrix = np.empty((point.size, point.size), found.dtype)
    for row, unit in zip(matrix, np.eye(point.size, dtype=found.dtype)):
        found.hessian_product(1, point, unit, row)
    return matrix


def test_names_are_places_in_the_tree() -> None:
    assert JaxLoss(loss, PARAMS, [BATCH]).names == ["a", "b.0"]
    assert JaxLoss(lambda p, b: jnp.square(p).sum(), jnp.ones(2), [BATCH]).names == ["parameters"]


def test_auxiliary_values_and_keys() -> None:
    def drawn(params: Any, batch: Any, rng: Any) -> Any:
        noise = jax.random.normal(rng, batch[0].shape)
        return loss(params, (batch[0] + noise, batch[1])), {"noise": noise}

    one, same, other = (
        hessian(drawn, has_aux=True, rng=jax.random.key(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3
    with pytest.raises(ValueError, match="has_aux=True"):
        hessian(drawn, rng=jax.random.key(1))


def test_a_loss_that_decides_by_values_is_not_compiled() -> None:
    def deciding(params: Any, batch: Any) -> Any:
        value = loss(params, batch)
        return value if value > 0 else -value

    found = JaxLoss(deciding, PARAMS, [BATCH])
    assert any("cannot be compiled" in note for note in found.notes)
    np.testing.assert_allclose(hessian(deciding), hessian(), atol=1e-6)


def test_reverse_alone_where_forward_is_not_to_be_had() -> None:
    @jax.custom_vjp
    def cube(x: Any) -> Any:
        return x**3

    cube.defvjp(lambda x: (x**3, x), lambda x, slope: (3 * x**2 * slope,))

    def custom(params: Any, batch: Any) -> Any:
        return cube(batch[0] @ params["a"]).mean() + loss(params, batch)

    def plain(params: Any, batch: Any) -> Any:
        return ((batch[0] @ params["a"]) ** 3).mean() + loss(params, batch)

    np.testing.assert_allclose(hessian(custom), hessian(plain), atol=1e-6)


def test_differences_where_there_is_no_second_derivative() -> None:
    def slope_of_exp(x: Any) -> Any:
        return jax.pure_callback(np.exp, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    @jax.custom_vjp
    def exp(x: Any) -> Any:
        return jnp.exp(x)

    exp.defvjp(lambda x: (jnp.exp(x), x), lambda x, slope: (slope * slope_of_exp(x),))

    def once(params: Any, batch: Any) -> Any:
        return exp(0.1 * batch[0] @ params["a"]).mean()

    with pytest.raises(ValueError, match="no second derivative.*products='differences'"):
        hessian(once)
    found = hessian(once, products="differences")
    plain = hessian(lambda params, batch: jnp.exp(0.1 * batch[0] @ params["a"]).mean())
    np.testing.assert_allclose(found, plain, atol=1e-2 * np.abs(plain).max())
    assert any("differences of gradients" in n for n in JaxLoss(
        once, PARAMS, [BATCH], products="differences").notes)


def test_half_precision_is_said() -> None:
    small = jax.tree.map(lambda a: a.astype(jnp.bfloat16), PARAMS)
    found = JaxLoss(loss, small, [BATCH])
    assert found.dtype == np.float32 and any("Parameters are bfloat16" in note for note in found.notes)
    np.testing.assert_array_equal(
        hessian(params=small), hessian(params=jax.tree.map(lambda a: a.astype(jnp.float32), small)))

    def inside(params: Any, batch: Any) -> Any:
        return loss(jax.tree.map(lambda a: a.astype(jnp.bfloat16), params), batch)

    assert any("half precision on the way" in note for note in JaxLoss(inside, PARAMS, [BATCH]).notes)


REFUSALS: dict[str, tuple[Any, Any, dict[str, Any], str]] = {
    "no scalar": (lambda p, b: b[0] @ p["a"], PARAMS, {}, r"no scalar but of the shape \(9, 3\).*jnp.mean"),
    "draws": (lambda p, b: loss(p, b) * random.random(), PARAMS, {}, r"loss\(params, batch, rng\)"),
    "numpy draws": (
        lambda p, b: loss(p, (b[0] + np.random.standard_normal((9, 4)), b[1])), PARAMS, {},
        "changes from call to call"),
    "integers": (loss, {**PARAMS, "step": jnp.arange(2)}, {}, "parameter step holds int32"),
    "nothing": (loss, {}, {}, "hold no arrays"),
    "parameter": (loss, {**PARAMS, "a": PARAMS["a"] / 0}, {}, "the parameter 'a' is not"),
    "loss": (lambda p, b: jnp.log(0 * p["a"]).sum(), PARAMS, {}, "logarithm of zero"),
    "second": (lambda p, b: (jnp.abs(p["b"][0]) ** 1.5).sum(), PARAMS, {}, "second derivative in 'b.0'"),
    "wide": (loss, PARAMS, {"dtype": np.float64}, "jax_enable_x64"),
    "half": (loss, PARAMS, {"dtype": np.float16}, "float32 or float64"),
    "products": (loss, PARAMS, {"products": "magic"}, "'autograd' or 'differences'"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_be_measured_is_one_sentence(name: str) -> None:
    function, params, options, words = REFUSALS[name]
    with pytest.raises(eigenstep.EigenstepError, match=words) as refusal:
        eigenstep.jax.spectrum(function, params, BATCH, **options)
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)


def test_shards_stay_where_they_are() -> None:
    """In a process of its own, where one CPU stands for two devices."""
    script = """
        import jax, jax.numpy as jnp, numpy as np
        from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
        import eigenstep.jax
        from eigenstep._jax_loss import JaxLoss

        mesh = Mesh(np.array(jax.devices()), ("d",))
        rows = NamedSharding(mesh, P("d", None))
        w = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
        x = np.random.default_rng(1).standard_normal((8, 4)).astype(np.float32)
        seen = []

        def loss(params, batch):
            jax.debug.inspect_array_sharding(params["w"], callback=seen.append)
            return jnp.square(jnp.tanh(batch @ params["w"]) - 0.3).mean()

        split = eigenstep.jax.spectrum(
            loss, {"w": jax.device_put(w, rows)}, jax.device_put(x, rows), count=2)
        assert seen and all(s.is_equivalent_to(rows, 2) for s in seen), seen
        whole = eigenstep.jax.spectrum(
            lambda p, b: jnp.square(jnp.tanh(b @ p["w"]) - 0.3).mean(), {"w": w}, x, count=2)
        np.testing.assert_allclose(split.largest, whole.largest, rtol=1e-5)
        print("same")
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=300,
        env={**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"})
    assert ended.returncode == 0 and "same" in ended.stdout, ended.stderr[-2000:]
