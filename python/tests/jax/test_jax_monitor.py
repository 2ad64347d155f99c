"""The monitor beside a loop of JAX and optax, against a dense Hessian by JAX."""

from __future__ import annotations

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import eigenstep.jax
from eigenstep._jax_monitor import Monitor
from eigenstep._monitor_results import EigenstepAlarm, EigenstepWarning


def problem(seed=0):
    keys = jax.random.split(jax.random.key(seed), 4)
    x = jax.random.normal(keys[0], (60, 5))
    y = jnp.sin(x[:, :1]) + 0.3 * jax.random.normal(keys[1], (60, 1))
    params = {
        "a": jax.random.normal(keys[2], (5, 8)) / 5**0.5, "b": jax.random.normal(keys[3], (8, 1)) / 8**0.5,
    }

    def loss(params, batch):
        return jnp.mean((jnp.tanh(batch[0] @ params["a"]) @ params["b"] - batch[1]) ** 2)

    return loss, params, (x, y)


def run(transformation, monitor, loss, params, batch, steps):
    state = transformation.init(params)

    @jax.jit
    def step(params, state):
        value, slope = jax.value_and_grad(loss)(params, batch)
        updates, state = transformation.update(slope, state, params)
        return optax.apply_updates(params, updates), state, value

    for _ in range(steps):
        params, state, value = step(params, state)
        monitor.step(params, state, batch, value)
    return params, state


@pytest.mark.parametrize("name, product", [("sgd", 2), ("momentum", 3.8), ("adam", 38)])
def test_sharpness_and_limit(name, product):
    loss, params, batch = problem()
    rate = {"sgd": 0.05, "momentum": 0.02, "adam": 0.003}[name]
    transformation = {
        "sgd": optax.sgd(rate), "momentum": optax.sgd(rate, momentum=0.9),
        "adam": optax.chain(optax.clip_by_global_norm(1e3), optax.adam(rate)),
    }[name]
    monitor = Monitor(loss, optimizer=name, lr=rate, every=1)
    params, state = run(transformation, monitor, loss, params, batch, 25)
    flat, back = jax.flatten_util.ravel_pytree(params)
    hessian = np.asarray(jax.hessian(lambda v: loss(back(v), batch))(flat), dtype=np.float64)
    if name == "adam":
        adam = next(s for s in state[1] if hasattr(s, "nu"))
        v = np.concatenate([np.ravel(leaf) for leaf in jax.tree_util.tree_leaves(adam.nu)])
        divisor = (1 - 0.9**25) * (np.sqrt(v / (1 - 0.999**25)) + 1e-8)
        hessian = hessian / np.sqrt(divisor)[:, None] / np.sqrt(divisor)
    found = monitor.report().tracked[0]
    assert found["last"] == pytest.approx(np.linalg.eigvalsh(hessian)[-1], rel=0.1)
    assert found["threshold"] == pytest.approx(product / rate, rel=1e-6)


def test_alarms_and_wrong_use():
    loss, params, batch = problem()
    schedule = optax.exponential_decay(0.1, 100, 8.0, staircase=True)
    transformation = optax.sgd(schedule)
    monitor = Monitor(loss, optimizer="sgd", lr=schedule, every=20)
    with pytest.warns(EigenstepWarning, match="unstable|above"):
        run(transformation, monitor, loss, params, batch, 240)
    assert monitor.report().steps == 240 and monitor.alarms[0].step >= 100
    stopping = Monitor(loss, optimizer=None, lr=50.0, guard="stop")
    with pytest.raises(EigenstepAlarm):
        run(optax.sgd(50.0), stopping, loss, params, batch, 200)
    for words, match in [
        ({"optimizer": "sgd", "guard": "lower-rate"}, "one of off, warn, stop"),
        ({"optimizer": "lars"}, "no limit is known"),
        ({"optimizer": "sgd", "b1": 0.9}, "has no 'b1'"),
    ]:
        with pytest.raises(eigenstep.EigenstepError, match=match):
            Monitor(loss, lr=0.1, **words)
