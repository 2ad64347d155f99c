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
        ({"optimizer": "lars"}, "No limit is known of 'lars'"),
        ({"optimizer": "sgd", "b1": 0.9}, "sgd has no b1"),
    ]:
        with pytest.raises(eigenstep.EigenstepError, match=match):
            Monitor(loss, lr=0.1, **words)


RATES = {"a": 0.01, "b": 0.002}
TABLE = {
    "decoupled": ("adamw", lambda: optax.adamw(0.01, weight_decay=0.1), 0.01, {"weight_decay": 0.1}),
    "amsgrad": ("amsgrad", lambda: optax.amsgrad(0.01), 0.01, {}),
    "nadam": ("nadam", lambda: optax.nadam(0.01), 0.01, {}),
    "rmsprop": ("rmsprop", lambda: optax.rmsprop(0.002, decay=0.95), 0.002, {"decay": 0.95}),
    "adagrad": ("adagrad", lambda: optax.adagrad(0.05), 0.05, {}),
    "Nesterov": (
        "sgd", lambda: optax.sgd(0.01, momentum=0.8, nesterov=True), 0.01,
        {"momentum": 0.8, "nesterov": True},
    ),
    "decay in the gradient": (
        "sgd", lambda: optax.chain(optax.add_decayed_weights(0.5), optax.sgd(0.05)), 0.05,
        {"weight_decay": 0.5},
    ),
    "masked": ("adam", lambda: optax.masked(optax.adam(0.01), {"a": True, "b": False}), 0.01, {}),
    "a rate for each": (
        "adam",
        lambda: optax.multi_transform(
            {name: optax.adam(rate) for name, rate in RATES.items()}, {name: name for name in RATES}
        ),
        RATES, {},
    ),
    "a chain": (
        "adam",
        lambda: optax.chain(
            optax.clip_by_global_norm(1e3), optax.scale_by_adam(b1=0.8), optax.ema(0.0), optax.scale(-0.01)
        ),
        0.01, {"b1": 0.8},
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_the_limit_is_that_of_a_diagnosis(name):
    loss, params, batch = problem()
    rule, make, lr, numbers = TABLE[name]
    monitor = Monitor(loss, optimizer=rule, lr=lr, every=1, guard="off", **numbers)
    params, state = run(make(), monitor, loss, params, batch, 8)
    for _ in range(8):
        monitor.step(params, state, batch, loss(params, batch))
    told = eigenstep.jax.diagnose(
        loss, params, batch, optimizer=rule, opt_state=state, lr=lr, trials=False, **numbers
    )
    report = monitor.report()
    found = report.tracked[0]
    largest = max(lr.values()) if isinstance(lr, dict) else lr
    limit = found["threshold"] * largest / found["last"]
    assert limit == pytest.approx(told.stability_limit, rel=0.03)
    assert name != "masked" or "no moments of ['b']" in report.text()


def test_each_check_goes_by_what_is_injected():
    loss, params, batch = problem()
    transformation = optax.inject_hyperparams(optax.adam)(
        learning_rate=optax.linear_schedule(1e-3, 1e-2, 40), b1=optax.linear_schedule(0.95, 0.85, 40)
    )
    seen = set()
    for steps in (5, 25):
        monitor = Monitor(loss, optimizer="adam", lr=1.0, every=5, guard="off")
        _, state = run(transformation, monitor, loss, params, batch, steps)
        b1, rate = (float(state.hyperparams[key]) for key in ("b1", "learning_rate"))
        seen.add(b1)
        found = monitor.report().tracked[0]
        assert found["threshold"] == pytest.approx((2 + 2 * b1) / (1 - b1) / rate, rel=1e-4)
    assert max(seen) - min(seen) > 0.03
