"""The rate finder against a grid of full runs, and that it leaves everything as it was."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from training_loops import batches, classes, network, numbers

import eigenstep


def ended(make, loss_fn, data, size, steps, kind, rate):
    """The loss over all samples of a run of its own, in another order."""
    model = make()
    optimizer = kind(model.parameters(), rate)
    for batch in batches(data, size, steps, 11):
        optimizer.zero_grad()
        loss = loss_fn(model(batch[0]), batch[1])
        if not torch.isfinite(loss):
            return math.inf
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return loss_fn(model(data[0]), data[1]).item()


TASKS = [
    ("descent", lambda: network(1), nn.functional.cross_entropy, classes(1), 32,
     lambda p, lr: torch.optim.SGD(p, lr=lr)),
    ("momentum", lambda: network(2, (5, 20, 1)), nn.functional.mse_loss, numbers(2, 300), 30,
     lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9)),
    ("Adam", lambda: network(3, kind=nn.ReLU), nn.functional.cross_entropy, classes(3), 32,
     lambda p, lr: torch.optim.Adam(p, lr=lr)),
]


@pytest.mark.parametrize("name, make, loss_fn, data, size, kind", TASKS)
def test_little_is_lost_against_a_grid(name, make, loss_fn, data, size, kind):
    steps = 60
    model = make()
    optimizer = kind(model.parameters(), 1e-3)
    found = eigenstep.lr_finder(
        model, loss_fn, list(batches(data, size, 15, 5)), optimizer, steps=steps
    )
    start = loss_fn(model(data[0]), data[1]).item()
    grid = {r: ended(make, loss_fn, data, size, steps, kind, r) for r in [10**-e for e in (4, 3.5, 3, 2.5, 2, 1.5, 1, 0.5, 0, -0.5)]}
    own = ended(make, loss_fn, data, size, steps, kind, found.rate)
    least = min(grid.values())
    assert (own - least) / (start - least) < 0.1, (name, found.rate, own, grid)
    assert found.limit is not None and found.interval[0] <= found.rate <= found.interval[1]
    assert f"{found.rate:.3g}" in found.text and "were run for 60 steps" in repr(found)


def test_everything_is_as_before():
    model = nn.Sequential(network(1), nn.BatchNorm1d(4), nn.Dropout(0.1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    stream = list(batches(classes(1), 32, 12, 1))
    loss = nn.functional.cross_entropy(model(stream[0][0]), stream[0][1])
    loss.backward()
    optimizer.step()
    state = torch.get_rng_state()
    before = [t.detach().clone() for t in [*model.parameters(), *model.buffers()]]
    moments = [optimizer.state[p]["exp_avg_sq"].clone() for p in model.parameters()]
    gradients = [p.grad.clone() for p in model.parameters()]
    found = eigenstep.lr_finder(model, nn.functional.cross_entropy, stream, optimizer, steps=12, orders=1)
    assert found.rate > 0
    assert all(torch.equal(a, b) for a, b in zip(before, [*model.parameters(), *model.buffers()]))
    assert all(torch.equal(a, optimizer.state[p]["exp_avg_sq"]) for a, p in zip(moments, model.parameters()))
    assert all(torch.equal(a, p.grad) for a, p in zip(gradients, model.parameters()))
    assert optimizer.param_groups[0]["lr"] == 0.02 and torch.equal(state, torch.get_rng_state())
    assert float(optimizer.state[next(model.parameters())]["step"]) == 1


def test_a_rate_that_is_none_is_refused():
    weight = nn.Parameter(torch.zeros(2))
    model = nn.Module()
    model.weight = weight
    optimizer = torch.optim.SGD([weight], lr=0.1)
    with pytest.raises(eigenstep.EigenstepError, match="No rate"):
        eigenstep.lr_finder(model, lambda m, b: (m.weight**2).sum() + 1, [0, 0], optimizer, steps=5)
    with pytest.raises(eigenstep.EigenstepError, match="no batches"):
        eigenstep.lr_finder(model, lambda m, b: m.weight.sum(), [], optimizer)
