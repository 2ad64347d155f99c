"""The monitor's limit is the one that a diagnosis of the same point has, whatever the optimizer."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from training_loops import network, numbers

import eigenstep
import eigenstep.torch
from eigenstep.monitor import Monitor


class Own(torch.optim.Adam):
    """A user's class of its own."""


def groups(model):
    return [{"params": model[0].parameters(), "lr": 0.001}, {"params": model[2].parameters()}]


def take(model, data, optimizer, steps, skipped=0, scheduler=None, monitor=None):
    for number in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(data[0]), data[1])
        loss.backward()
        if number < skipped:
            for p in model[2].parameters():
                p.grad = None
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        if monitor is not None:
            monitor.step(data, loss.item())


def limit_of(monitor: Monitor, model, data) -> float:
    """Where the model stands, after some looks at the same point."""
    loss = nn.functional.mse_loss(model(data[0]), data[1]).item()
    for _ in range(8):
        monitor.step(data, loss)
    found = next(item for item in monitor.report().tracked if item["threshold"] is not None)
    return found["threshold"] * monitor.rate / found["last"]


OPTIM = torch.optim
CASES = {
    "SGD": lambda m: OPTIM.SGD(m.parameters(), lr=0.01),
    "SGD with decay": lambda m: OPTIM.SGD(m.parameters(), lr=0.01, weight_decay=0.5),
    "momentum with decay": lambda m: OPTIM.SGD(
        m.parameters(), lr=0.01, momentum=0.9, weight_decay=0.5
    ),
    "dampening": lambda m: OPTIM.SGD(m.parameters(), lr=0.01, momentum=0.9, dampening=0.5),
    "Nesterov in groups": lambda m: OPTIM.SGD(groups(m), lr=0.01, momentum=0.9, nesterov=True),
    "ASGD": lambda m: OPTIM.ASGD(m.parameters(), lr=0.01, lambd=0.1),
    "Adam with decay": lambda m: OPTIM.Adam(m.parameters(), lr=0.001, weight_decay=0.1),
    "a class of one's own": lambda m: Own(m.parameters(), lr=0.001),
    "decoupled": lambda m: OPTIM.Adam(
        m.parameters(), lr=0.001, weight_decay=0.1, decoupled_weight_decay=True
    ),
    "AdamW in groups": lambda m: OPTIM.AdamW(groups(m), lr=0.002),
    "amsgrad": lambda m: OPTIM.Adam(m.parameters(), lr=0.001, amsgrad=True),
    "NAdam": lambda m: OPTIM.NAdam(m.parameters(), lr=0.001, momentum_decay=0.1),
    "RAdam": lambda m: OPTIM.RAdam(m.parameters(), lr=0.001),
    "centred RMSprop": lambda m: OPTIM.RMSprop(m.parameters(), lr=0.001, centered=True, momentum=0.5),
    "Adagrad": lambda m: OPTIM.Adagrad(m.parameters(), lr=0.01, lr_decay=0.1),
    "held": lambda m: OPTIM.Adam(m[0].parameters(), lr=0.001),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("skipped", [0, 4])
def test_the_limit_is_that_of_a_diagnosis(name, skipped):
    model, data = network(1, (5, 8, 1)).double(), [part.double() for part in numbers(1)]
    optimizer = CASES[name](model)
    take(model, data, optimizer, 8, skipped)
    loss_fn = nn.functional.mse_loss
    told = eigenstep.torch.diagnose(model, loss_fn, tuple(data), optimizer=optimizer, trials=False)
    monitor = Monitor(model, loss_fn, optimizer, every=1, guard="off")
    assert limit_of(monitor, model, tuple(data)) == pytest.approx(told.stability_limit, rel=2e-3)


def test_decay_adds_itself_to_the_curvature():
    model, data = network(1, (5, 8, 1)).double(), tuple(part.double() for part in numbers(1))
    limits = []
    for decay in (0.0, 0.5):
        optimizer = OPTIM.SGD(model.parameters(), lr=0.01, weight_decay=decay)
        monitor = Monitor(model, nn.functional.mse_loss, optimizer, every=1, guard="off")
        limits.append(limit_of(monitor, model, data))
    assert 2 / limits[1] - 2 / limits[0] == pytest.approx(0.5, rel=2e-3)


def test_each_check_goes_by_the_betas_of_its_step():
    model, data = network(1, (5, 8, 1)), numbers(1)
    optimizer = OPTIM.Adam(model.parameters(), lr=0.001)
    scheduler = OPTIM.lr_scheduler.OneCycleLR(optimizer, max_lr=0.002, total_steps=100)
    monitor = Monitor(model, nn.functional.mse_loss, optimizer, every=10, guard="off")
    betas = set()
    for _ in range(4):
        take(model, data, optimizer, 10, scheduler=scheduler, monitor=monitor)
        group = optimizer.param_groups[0]
        beta = group["betas"][0]
        betas.add(beta)
        found = monitor.report().tracked[0]
        assert found["threshold"] == pytest.approx((2 + 2 * beta) / (1 - beta) / group["lr"], rel=1e-6)
    assert max(betas) - min(betas) > 0.05
    loss_fn = nn.functional.mse_loss
    told = eigenstep.torch.diagnose(model, loss_fn, data, optimizer=optimizer, trials=False)
    assert limit_of(monitor, model, data) == pytest.approx(told.stability_limit, rel=2e-3)


def test_rates_that_part_later_belong_to_the_limit():
    model, data = network(1, (5, 8, 1)), numbers(1)
    optimizer = OPTIM.SGD(
        [{"params": model[0].parameters()}, {"params": model[2].parameters()}], lr=0.01
    )
    scheduler = OPTIM.lr_scheduler.LambdaLR(optimizer, [lambda k: 1.0, lambda k: 1.0 if k < 5 else 0.01])
    loss_fn = nn.functional.mse_loss
    monitor = Monitor(model, loss_fn, optimizer, every=1, guard="off")
    take(model, data, optimizer, 3, scheduler=scheduler, monitor=monitor)
    assert [item["name"] for item in monitor.report().tracked] == ["sharpness"]
    take(model, data, optimizer, 5, scheduler=scheduler, monitor=monitor)
    loss = loss_fn(model(data[0]), data[1]).item()
    for _ in range(8):
        monitor.step(data, loss)
    found = next(i for i in monitor.report().tracked if i["name"] == "preconditioned-sharpness")
    told = eigenstep.torch.diagnose(model, loss_fn, data, optimizer=optimizer, trials=False)
    limit = found["threshold"] * monitor.rate / found["last"]
    assert limit == pytest.approx(told.stability_limit, rel=2e-3)


def test_what_has_no_limit_is_watched_by_its_losses():
    model, data = network(1, (5, 8, 1)), numbers(1)
    optimizer = OPTIM.SGD(model.parameters(), lr=0.01, maximize=True)
    monitor = Monitor(model, nn.functional.mse_loss, optimizer, every=1, guard="off")
    take(model, data, optimizer, 3, monitor=monitor)
    report = monitor.report()
    assert all(item["threshold"] is None for item in report.tracked)
    assert "the losses alone" in report.text()


@pytest.mark.parametrize("kind", [OPTIM.SGD, OPTIM.Adam])
def test_the_finder_takes_groups_at_their_shares(kind):
    model, data = network(1, (5, 8, 1)).double(), tuple(part.double() for part in numbers(1))
    optimizer = kind(
        [{"params": model[0].parameters(), "lr": 0.1}, {"params": model[2].parameters(), "lr": 1e-4}], lr=0.1
    )
    limits = []
    for rate in (1e-4, 0.1):
        optimizer.param_groups[1]["lr"] = rate
        loss_fn = nn.functional.mse_loss
        found = eigenstep.lr_finder(model, loss_fn, [data] * 4, optimizer, steps=20, orders=1)
        # As the finder does: state gathered at rates of 0, by the same groups.
        other = network(1, (5, 8, 1)).double()
        own = kind([{"params": other[0].parameters()}, {"params": other[2].parameters()}], lr=0.0)
        take(other, data, own, 20 if kind is OPTIM.Adam else 0)
        own.param_groups[0]["lr"], own.param_groups[1]["lr"] = 0.1, rate
        told = eigenstep.torch.diagnose(other, loss_fn, data, optimizer=own, trials=False)
        assert found.limit == pytest.approx(told.stability_limit, rel=0.05)
        limits.append(found.limit)
    assert limits[0] != pytest.approx(limits[1], rel=0.05)


def test_the_finder_refuses_several_ranks(monkeypatch):
    monkeypatch.setattr("eigenstep._lr_finder.ranks", lambda: 2)
    model, data = network(1, (5, 8, 1)), numbers(1)
    optimizer = OPTIM.SGD(model.parameters(), lr=0.1)
    with pytest.raises(eigenstep.EigenstepError, match="each of 2 ranks"):
        eigenstep.lr_finder(model, nn.functional.mse_loss, [data], optimizer)


@pytest.mark.parametrize("who", [eigenstep.Monitor, lambda *given: eigenstep.lr_finder(given[0], given[1], [], given[2])])
def test_an_optimizer_of_another_model_is_refused(who):
    model, other = nn.Linear(3, 1), nn.Linear(3, 1)
    with pytest.raises(eigenstep.EigenstepError, match="none of the model's parameters"):
        who(model, nn.MSELoss(), torch.optim.SGD(other.parameters(), lr=0.1))
