"""The options of a JAX loss, by a monitor."""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
import pytest

import eigenstep.jax
from eigenstep.errors import UsageError

SCALE = jnp.array([1.0, 4.0, 9.0])


def watched(loss_fn, steps=4, **options):
    """The report of plain descent, and the sentences that were warned of."""
    monitor = eigenstep.jax.Monitor(loss_fn, optimizer="sgd", lr=0.01, every=2, **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for step in range(steps):
            monitor.step({"w": jnp.ones(3) / (1 + step)}, (), jnp.ones((8, 3)), 1.0 / (1 + step))
    return monitor.report(), [str(w.message) for w in caught]


def bowl(params, batch):
    return 0.5 * jnp.mean(batch @ (SCALE * params["w"] ** 2))


@pytest.mark.parametrize(
    "loss_fn, options",
    [
        (lambda p, b: (bowl(p, b), {"seen": b}), {"has_aux": True}),
        (
            lambda p, b, key: bowl(p, b) + 0 * jax.random.normal(key),
            {"rng": jax.random.PRNGKey(0)},
        ),
        (bowl, {"products": "differences"}),
    ],
)
def test_options_of_the_loss_reach_it(loss_fn, options):
    report, said = watched(loss_fn, **options)
    assert said == [] and report.tracked[0]["name"] == "sharpness"
    assert report.tracked[0]["last"] == pytest.approx(9, rel=1e-2)


def test_what_cannot_be_looked_at_ends_nothing():
    report, said = watched(lambda p, b: (bowl(p, b), 1))
    assert len(said) == 1 and "has_aux=True" in said[0] and report.steps == 4
    with pytest.raises(UsageError, match="products"):
        eigenstep.jax.Monitor(bowl, optimizer="sgd", lr=0.1, products="exact")
