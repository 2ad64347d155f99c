"""The limit of the step that an optax optimizer takes next, against dense Hessians."""

from __future__ import annotations

from typing import Any, Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import eigenstep.jax
from eigenstep.errors import UsageError


@pytest.fixture(autouse=True, scope="module")
def in_float64() -> Iterator[None]:
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def problem() -> tuple[Callable[[Any, Any], Any], Any, Any]:
    keys = jax.random.split(jax.random.PRNGKey(0), 4)
    params = {
        "first": {"w": jax.random.normal(keys[0], (4, 5)) / 2, "b": jnp.zeros(5)},
        "last": {"w": jax.random.normal(keys[1], (5, 2)) / 2, "b": jnp.zeros(2)},
    }
    inputs = jax.random.normal(keys[2], (30, 4)) * jnp.array([1.0, 3.0, 0.3, 2.0])
    targets = jax.random.normal(keys[3], (30, 2))

    def loss(params: Any, batch: Any) -> Any:
        hidden = jnp.tanh(batch[0] @ params["first"]["w"] + params["first"]["b"])
        return jnp.mean((hidden @ params["last"]["w"] + params["last"]["b"] - batch[1]) ** 2)

    return loss, params, (inputs, targets)


def train(loss: Any, params: Any, batch: Any, optimizer: Any, steps: int) -> tuple[Any, Any]:
    state = optimizer.init(params)
    for _ in range(steps):
        updates, state = optimizer.update(jax.grad(loss)(params, batch), state, params)
        params = optax.apply_updates(params, updates)
    return params, state


def hessian(loss: Any, params: Any, batch: Any) -> np.ndarray:
    flat, back = ravel_pytree(params)
    return np.asarray(jax.hessian(lambda x: loss(back(x), batch))(flat))


def limit(matrix: np.ndarray, divisor: Any, critical: float) -> float:
    root = 1 / np.sqrt(np.broadcast_to(divisor, len(matrix)))
    return critical / float(np.linalg.eigvalsh(root[:, None] * matrix * root[None, :])[-1])


def ravel(tree: Any) -> np.ndarray:
    return np.asarray(ravel_pytree(tree)[0])


def adam_divisor(state: Any, steps: int, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> np.ndarray:
    return (1 - b1**steps) * (np.sqrt(ravel(state.nu) / (1 - b2**steps)) + eps)


def is_limit(found: Any, exact: float) -> bool:
    """The limit rests on an upper bound of the curvature: it is never above the exact one, and near it."""
    return bool(0.998 * exact <= found.stability_limit <= (1 + 1e-9) * exact)


def diagnosed(loss: Any, params: Any, batch: Any, **options: Any) -> Any:
    return eigenstep.jax.diagnose(loss, params, batch, trials=False, **options)


def test_adam_in_any_nesting() -> None:
    loss, params, batch = problem()
    for wrap in (
        lambda o: o,
        lambda o: optax.chain(optax.clip_by_global_norm(1e9), o),
        lambda o: optax.MultiSteps(o, 1),
        lambda o: optax.apply_if_finite(o, 3),
    ):
        trained, state = train(loss, params, batch, wrap(optax.adam(1e-2)), 12)
        inner = next(
            node for node in jax.tree_util.tree_leaves(
                state, is_leaf=lambda x: isinstance(x, optax.ScaleByAdamState)
            ) if isinstance(node, optax.ScaleByAdamState)
        )
        expected = limit(hessian(loss, trained, batch), adam_divisor(inner, 12), 38)
        found = diagnosed(loss, trained, batch, lr=1e-2, optimizer="adam", opt_state=state)
        assert is_limit(found, expected)
        told = diagnosed(loss, trained, batch, lr=1e-2, opt_state=state)
        assert is_limit(told, expected)
        assert "taken for adam" in " ".join(str(told).split())


def test_adamw_with_numbers_of_its_own() -> None:
    loss, params, batch = problem()
    optimizer = optax.adamw(1e-2, b1=0.8, b2=0.95, eps=1e-3, weight_decay=0.1)
    trained, state = train(loss, params, batch, optimizer, 7)
    expected = limit(
        hessian(loss, trained, batch), adam_divisor(state[0], 7, 0.8, 0.95, 1e-3), 3.6 / 0.2
    )
    found = diagnosed(
        loss, trained, batch, lr=1e-2, optimizer="adamw", opt_state=state, b1=0.8, b2=0.95, eps=1e-3,
        weight_decay=0.1,
    )
    assert is_limit(found, expected)


def test_other_rules() -> None:
    loss, params, batch = problem()
    cases = [
        ("sgd", optax.sgd(1e-2, momentum=0.9), {"momentum": 0.9}, lambda s: 1.0, 3.8),
        ("sgd", optax.sgd(1e-2, momentum=0.9, nesterov=True), {"momentum": 0.9, "nesterov": True},
         lambda s: 1.0, 3.8 / 2.8),
        ("rmsprop", optax.rmsprop(1e-3, decay=0.8), {"decay": 0.8},
         lambda s: np.sqrt(ravel(s[0].nu) + 1e-8), 2.0),
        ("adagrad", optax.adagrad(1e-2), {},
         lambda s: np.sqrt(ravel(s[0].sum_of_squares) + 1e-7), 2.0),
        ("amsgrad", optax.amsgrad(1e-2), {},
         lambda s: (1 - 0.9**9) * (np.sqrt(ravel(s[0].nu_max)) + 1e-8), 38.0),
    ]
    for name, optimizer, numbers, divisor, critical in cases:
        trained, state = train(loss, params, batch, optimizer, 9)
        expected = limit(hessian(loss, trained, batch), divisor(state), critical)
        found = diagnosed(
            loss, trained, batch, lr=1e-3, optimizer=name, opt_state=state, **numbers
        )
        assert is_limit(found, expected), name


@pytest.mark.parametrize("name, make", [
    ("adam", lambda: optax.adam(1e-3)),
    ("nadam", lambda: optax.nadam(1e-3)),
    ("adamw", lambda: optax.adamw(1e-3, weight_decay=1e-4)),
    ("sgd", lambda: optax.sgd(1e-3, momentum=0.9)),
])
def test_as_you_have_it_goes_on_as_optax_does(name: str, make: Any) -> None:
    loss, params, batch = problem()
    trained, state = train(loss, params, batch, make(), 10)
    numbers = {"momentum": 0.9} if name == "sgd" else {}
    found = eigenstep.jax.diagnose(
        loss, trained, batch, lr=1e-3, optimizer=name, opt_state=state, effort=0.01, **numbers
    )
    own = next(p for p in found.to_dict()["prescriptions"] if p["id"] == "as-given")["measured"]
    optimizer = make()
    for _ in range(own["stepsRun"]):
        updates, state = optimizer.update(jax.grad(loss)(trained, batch), state, trained)
        trained = optax.apply_updates(trained, updates)
    assert own["stepsRun"] > 10
    assert own["lossAtEnd"] == pytest.approx(float(loss(trained, batch)), rel=1e-9)


def test_a_schedule_and_injected_numbers_are_read() -> None:
    loss, params, batch = problem()
    schedule = optax.exponential_decay(0.1, 1, 0.5)
    trained, state = train(loss, params, batch, optax.adam(schedule), 3)
    found = diagnosed(loss, trained, batch, lr=schedule, optimizer="adam", opt_state=state)
    assert found.to_dict()["learningRate"]["given"] == pytest.approx(0.0125)
    optimizer = optax.inject_hyperparams(optax.adam)(learning_rate=0.02, b1=0.7)
    trained, state = train(loss, params, batch, optimizer, 6)
    expected = limit(
        hessian(loss, trained, batch), adam_divisor(state.inner_state[0], 6, b1=0.7), 3.4 / 0.3
    )
    found = diagnosed(loss, trained, batch, opt_state=state)
    assert found.to_dict()["learningRate"]["given"] == pytest.approx(0.02)
    assert is_limit(found, expected)


def test_what_a_transform_freezes_is_held() -> None:
    loss, params, batch = problem()
    optimizer = optax.multi_transform(
        {"train": optax.adam(1e-2), "freeze": optax.set_to_zero()},
        {"first": "freeze", "last": "train"},
    )
    trained, state = train(loss, params, batch, optimizer, 8)
    inner = state.inner_states["train"].inner_state[0]
    moved = ravel({"first": jax.tree.map(jnp.zeros_like, params["first"]),
                   "last": jax.tree.map(jnp.ones_like, params["last"])}) > 0
    matrix = hessian(loss, trained, batch)[np.ix_(moved, moved)]
    expected = limit(matrix, adam_divisor(inner, 8), 38)
    found = diagnosed(loss, trained, batch, lr=1e-2, optimizer="adam", opt_state=state)
    assert is_limit(found, expected)
    assert "are taken to be held where they are" in " ".join(str(found).split())


def test_rates_per_parameter() -> None:
    loss, params, batch = problem()
    rates = {"first": {"w": 0.1, "b": 0.1}, "last": {"w": 0.02, "b": 0.02}}
    factors = ravel(jax.tree.map(lambda p, r: jnp.full(p.shape, r / 0.1), params, rates))
    expected = limit(hessian(loss, params, batch), 1 / factors, 2)
    found = diagnosed(loss, params, batch, lr=rates)
    assert is_limit(found, expected)


def test_refusals_and_words() -> None:
    loss, params, batch = problem()
    with pytest.raises(UsageError, match="does not tell its numbers"):
        diagnosed(loss, params, batch, optimizer=optax.adam(1e-2))
    with pytest.raises(UsageError, match="No limit is known of 'lamb'"):
        diagnosed(loss, params, batch, optimizer="lamb")
    with pytest.raises(UsageError, match="adam has no momentum"):
        diagnosed(loss, params, batch, optimizer="adam", momentum=0.9)
    with pytest.raises(UsageError, match="of other parameters"):
        diagnosed(
            loss, params, batch, optimizer="adam",
            opt_state=optax.adam(1.0).init({"x": jnp.ones(3)}),
        )
    found = diagnosed(loss, params, batch, optimizer="adam", lr=1e-2)
    assert "diagnose again after some steps, with its state" in " ".join(str(found).split())
