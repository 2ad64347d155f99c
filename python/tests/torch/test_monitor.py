"""The monitor beside loops of PyTorch, against dense Hessians by PyTorch itself and by what loops come to."""

from __future__ import annotations

import json
import warnings

import pytest
import torch
from torch import nn
from training_loops import batches, classes, network, numbers

import eigenstep
from eigenstep.monitor import EigenstepAlarm, EigenstepWarning, Monitor


def loop(model, loss_fn, optimizer, stream, monitor=None, scheduler=None):
    """The losses of an ordinary loop."""
    losses = []
    for batch in stream:
        optimizer.zero_grad()
        loss = loss_fn(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        if monitor is not None:
            monitor.step(batch, loss)
        losses.append(loss.item())
    return losses


def dense_hessian(model: nn.Module, loss_fn, batch) -> torch.Tensor:
    names = [name for name, _ in model.named_parameters()]
    shapes = [p.shape for p in model.parameters()]
    flat = torch.cat([p.detach().reshape(-1) for p in model.parameters()]).double()

    def value(point: torch.Tensor) -> torch.Tensor:
        parts = point.split([s.numel() for s in shapes])
        values = {n: p.reshape(s) for n, p, s in zip(names, parts, shapes)}
        return loss_fn(
            torch.func.functional_call(model, values, (batch[0].double(),)),
            batch[1].double() if batch[1].is_floating_point() else batch[1],
        )

    return torch.autograd.functional.hessian(value, flat)


def tracked(report, name, part=None):
    return next(item for item in report.tracked if item["name"] == name and item["part"] == part)


@pytest.mark.parametrize(
    "make, product",
    [
        (lambda p: torch.optim.SGD(p, lr=0.05), 2),
        (lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8), 3.6),
        (lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8, nesterov=True), 3.6 / 2.6),
        (lambda p: torch.optim.RMSprop(p, lr=0.001), 2),
        (lambda p: torch.optim.Adam(p, lr=0.001), 38),
        (lambda p: torch.optim.AdamW(p, lr=0.001), 38),
    ],
)
def test_sharpness_and_limit_are_those_of_the_optimizer(make, product):
    model, data = network(1, (5, 8, 1)), numbers(1)
    optimizer = make(model.parameters())
    monitor = Monitor(model, nn.functional.mse_loss, optimizer, every=1)
    loop(model, nn.functional.mse_loss, optimizer, batches(data, None, 25, 1), monitor)
    hessian = dense_hessian(model, nn.functional.mse_loss, data)
    group = optimizer.param_groups[0]
    if product in (2, 38) and not isinstance(optimizer, torch.optim.SGD):
        states = [optimizer.state[p] for p in model.parameters()]
        key = "square_avg" if "alpha" in group else "exp_avg_sq"
        v = torch.cat([s[key].reshape(-1) for s in states]).double()
        t = float(states[0]["step"])
        if "alpha" in group:
            divisor = v.sqrt() + group["eps"]
        else:
            b1, b2 = group["betas"]
            divisor = (1 - b1**t) * ((v / (1 - b2**t)).sqrt() + group["eps"])
        root = divisor.rsqrt()
        hessian = root[:, None] * hessian * root
        name = "preconditioned-sharpness"
    else:
        name = "sharpness"
    largest = torch.linalg.eigvalsh(hessian)[-1].item()
    found = tracked(monitor.report(), name)
    assert found["last"] == pytest.approx(largest, rel=0.02)
    assert found["threshold"] == pytest.approx(product / group["lr"], rel=1e-6)


def test_rates_by_group_belong_to_the_limit():
    model, data = network(1, (5, 8, 1)), numbers(1)
    optimizer = torch.optim.SGD(
        [{"params": model[0].parameters(), "lr": 0.01}, {"params": model[2].parameters()}], lr=0.05
    )
    monitor = Monitor(model, nn.functional.mse_loss, optimizer, every=1)
    loop(model, nn.functional.mse_loss, optimizer, batches(data, None, 25, 1), monitor)
    factors = torch.cat(
        [torch.full((p.numel(),), f) for layer, f in ((0, 0.2), (2, 1.0)) for p in model[layer].parameters()]
    ).double()
    hessian = dense_hessian(model, nn.functional.mse_loss, data)
    largest = torch.linalg.eigvalsh(factors.sqrt()[:, None] * hessian * factors.sqrt())[-1].item()
    found = tracked(monitor.report(), "preconditioned-sharpness")
    assert found["last"] == pytest.approx(largest, rel=0.02)
    assert found["threshold"] == pytest.approx(2 / 0.05, rel=1e-6)


def test_noise_and_speeds_of_layers():
    model, data = network(2, (5, 8, 1)), numbers(2, 64)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    before = [p.detach().clone() for p in model[0].parameters()]
    monitor = Monitor(
        model, nn.functional.mse_loss, optimizer, every=1, track=["gradient-noise", "layers"]
    )
    stream = list(batches(data, None, 2, 1))
    loop(model, nn.functional.mse_loss, optimizer, stream[:1], monitor)
    # Eight groups of eight samples at the point behind the first step.
    gradients = []
    for i in range(8):
        part = (data[0][8 * i : 8 * i + 8], data[1][8 * i : 8 * i + 8])
        model.zero_grad()
        nn.functional.mse_loss(model(part[0]), part[1]).backward()
        gradients.append(torch.cat([p.grad.reshape(-1) for p in model.parameters()]).double())
    model.zero_grad()
    mean = torch.stack(gradients).mean(0)
    noise = (sum(g @ g for g in gradients) / 8 - mean @ mean) / (1 / 8 - 1 / 64)
    scale = noise / (mean @ mean - noise / 64)
    assert tracked(monitor.report(), "gradient-noise-scale")["last"] == pytest.approx(
        scale.item(), rel=1e-3
    )
    before = [p.detach().clone() for p in model[0].parameters()]
    loop(model, nn.functional.mse_loss, optimizer, stream[1:], monitor)
    move = sum((p - q).square().sum() for p, q in zip(model[0].parameters(), before)).sqrt()
    size = sum(q.square().sum() for q in before).sqrt()
    speeds = [i for i in monitor.report().tracked if i["name"] == "update-to-weight"]
    assert speeds[0]["last"] == pytest.approx((move / size).item(), rel=1e-3)


def healthy(seed: int):
    """Runs that end far below where they began."""
    ce, mse = nn.functional.cross_entropy, nn.functional.mse_loss
    data, net = classes(seed), network(seed)
    relu = network(seed, kind=nn.ReLU)
    small = network(seed, (5, 20, 1))
    sgd, adam = torch.optim.SGD, torch.optim.Adam
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR
    cycle = torch.optim.lr_scheduler.OneCycleLR
    return [
        ("batches", net, ce, sgd(net.parameters(), lr=0.5), data, 16, None),
        ("momentum", relu, ce, sgd(relu.parameters(), lr=0.05, momentum=0.9), data, 16, None),
        ("Adam", net, ce, adam(net.parameters(), lr=0.01), data, 16, None),
        ("AdamW", relu, ce, torch.optim.AdamW(relu.parameters(), lr=0.01), data, 16, None),
        ("cosine", net, ce, sgd(net.parameters(), lr=0.5), data, 16, lambda o, n: cosine(o, n)),
        ("one cycle", relu, ce, sgd(relu.parameters(), lr=0.1, momentum=0.9), data, 16,
         lambda o, n: cycle(o, max_lr=0.1, total_steps=n + 1)),
        ("edge", small, mse, sgd(small.parameters(), lr=0.3), numbers(seed), None, None),
        ("batches of 4", small, mse, sgd(small.parameters(), lr=0.1), numbers(seed), 4, None),
    ]


@pytest.mark.parametrize("case", range(8))
def test_healthy_runs_raise_no_alarm(case):
    name, model, loss_fn, optimizer, data, size, schedule = healthy(1)[case]
    steps = 1000
    monitor = Monitor(model, loss_fn, optimizer, every=50)
    scheduler = None if schedule is None else schedule(optimizer, steps)
    losses = loop(model, loss_fn, optimizer, batches(data, size, steps, 1), monitor, scheduler)
    assert monitor.alarms == [], name
    assert sum(losses[-20:]) < 0.9 * sum(losses[:20])
    report = monitor.report()
    assert report.steps == steps and report.rate_factor == 1
    if name == "edge":
        assert tracked(report, "sharpness")["crossings"] > 0
        assert any("edge of stability" in sentence for sentence in report.findings)


def doubling(seed: int, guard: str, period: int = 200, steps: int = 2400):
    """A run whose rate doubles every `period` steps; losses, monitor, data, and the first step out of the band."""
    model, data = network(seed, (5, 20, 1)), numbers(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 2.0 ** (k // period))
    loss_fn = nn.functional.mse_loss
    monitor = Monitor(model, loss_fn, optimizer, every=50, guard=guard)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EigenstepWarning)
        losses = []
        for batch in batches(data, 50, steps, seed):
            losses += loop(model, loss_fn, optimizer, [batch], monitor, scheduler)
            if guard == "warn" and not losses[-1] < 1e6:
                break
    return losses, monitor, model, data, optimizer


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_alarms_come_before_the_loss_has_left_its_band(seed):
    losses, monitor, *_ = doubling(seed, "warn")
    assert not losses[-1] < 1e3, "the run diverges"
    left = next(i for i, loss in enumerate(losses) if not loss <= 10 * losses[0])
    assert monitor.alarms and monitor.alarms[0].step <= left
    assert "unstable" in monitor.alarms[0].sentence


@pytest.mark.parametrize("guard", ["warn", "lower-rate"])
def test_losses_on_another_device_are_read_together(guard, monkeypatch):
    monkeypatch.setattr("eigenstep.monitor._is_elsewhere", lambda loss: True)
    losses, monitor, *_ = doubling(2, guard)
    left = next((i for i, loss in enumerate(losses) if not loss <= 10 * losses[0]), None)
    report = monitor.report()
    # Losses behind an alarm that went back are not told.
    assert 0 <= len(losses) - report.steps <= 10 * len(monitor.alarms) and monitor.alarms
    if guard == "warn":
        assert monitor.alarms[0].step <= left + 10
    else:
        assert len(losses) == 2400 and losses[-1] < losses[0]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_lowered_rate_saves_the_run_whatever_the_scheduler_does(seed):
    losses, monitor, model, data, optimizer = doubling(seed, "lower-rate")
    end = nn.functional.mse_loss(model(data[0]), data[1]).item()
    assert end < losses[0] and len(losses) == 2400
    # The scheduler's own rates, which the guard's factor multiplies in each step.
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05 * 2**12)
    assert monitor.rate == pytest.approx(0.05 * 2**12 * monitor.rate_factor)
    assert monitor.rate_factor < 1 and len(monitor.alarms) >= 2
    assert all("lowered" in alarm.sentence for alarm in monitor.alarms)


@pytest.mark.parametrize("kind", ["none", "step", "plateau", "by hand"])
def test_the_step_is_taken_at_the_lowered_rate(kind):
    weight = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    schedulers = {
        "step": lambda: torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5),
        "plateau": lambda: torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=0.5, patience=0
        ),
    }
    scheduler = schedulers[kind]() if kind in schedulers else None
    model = nn.Module()
    model.weight = weight
    monitor = Monitor(model, lambda m, b: (m.weight * b).sum(), optimizer, guard="lower-rate")
    monitor._factor.multiply(0.25)
    rate = 0.1
    for _ in range(3):
        before = weight.detach().clone()
        weight.grad = torch.ones(3)
        optimizer.step()
        torch.testing.assert_close(before - weight.detach(), torch.full((3,), 0.25 * rate))
        assert optimizer.param_groups[0]["lr"] == pytest.approx(rate)
        if kind == "step":
            scheduler.step()
            rate *= 0.5
        elif kind == "plateau":
            scheduler.step(1.0)
            rate = optimizer.param_groups[0]["lr"]
        elif kind == "by hand":
            rate = 0.7 * rate
            optimizer.param_groups[0]["lr"] = rate
    assert kind != "plateau" or rate == pytest.approx(0.025)


def test_stop_raises_and_the_sentence_says_what_to_do():
    model, data = network(1, (5, 20, 1)), numbers(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=20)
    monitor = Monitor(model, nn.functional.mse_loss, optimizer, guard="stop")
    with pytest.raises(EigenstepAlarm, match="start again at a lower rate"):
        loop(model, nn.functional.mse_loss, optimizer, batches(data, None, 60, 1), monitor)


def test_the_loop_goes_as_it_went_without():
    def run(watched):
        model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.3), nn.Linear(16, 4))
        torch.manual_seed(3)
        for p in model.parameters():
            nn.init.normal_(p, std=0.3)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        loss_fn = nn.functional.cross_entropy
        monitor = None
        if watched:
            monitor = Monitor(
                model, loss_fn, optimizer, every=5, track=["layers", "gradient-noise"],
                guard="lower-rate",
            )
        losses = loop(model, loss_fn, optimizer, batches(classes(1), 32, 40, 1), monitor)
        return losses, [b.clone() for b in model.buffers()]

    (plain, buffers), (watched, same) = run(False), run(True)
    assert plain == watched
    assert all(torch.equal(a, b) for a, b in zip(buffers, same))


def test_log_report_and_state(tmp_path):
    model, data = network(1), classes(1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loss_fn = nn.functional.cross_entropy
    stream = list(batches(data, 16, 60, 1))
    with Monitor(model, loss_fn, optimizer, every=10, log=str(tmp_path / "log")) as monitor:
        loop(model, loss_fn, optimizer, stream[:40], monitor)
        state = json.loads(json.dumps(monitor.state_dict()))
        other = Monitor(model, loss_fn, optimizer, every=10)
        other.load_state_dict(state)
        loop(model, loss_fn, optimizer, stream[40:], other)
    lines = [json.loads(line) for line in (tmp_path / "log/events.jsonl").read_text().splitlines()]
    assert lines[0]["schema"] == "eigenstep.training-log/1" and lines[-1]["event"] == "end"
    assert sum(line["event"] == "step" for line in lines) == 40
    checks = [line for line in lines if line["event"] == "tracked"]
    assert [line["step"] for line in checks] == [1, 10, 20, 30, 40]
    assert any(path.name.startswith("events.out.tfevents") for path in (tmp_path / "log").iterdir())
    assert monitor.report().steps == 40 and other.report().steps == 60
    seen = tracked(other.report(), "preconditioned-sharpness")
    assert seen["checks"] == 7
    assert "On the way" in repr(other.report()) and "<pre>" in other.report()._repr_html_()
    with pytest.raises(eigenstep.EigenstepError, match="same trackers"):
        Monitor(model, loss_fn, optimizer, track=["layers"]).load_state_dict(state)
    with pytest.raises(eigenstep.EigenstepError, match="closed"):
        monitor.step(stream[0], 1.0)


def test_wrong_use_is_one_sentence():
    model = network(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_fn = nn.functional.cross_entropy
    for words, match in [
        ({"guard": "halt"}, "choose one of"),
        ({"track": ["speed"]}, "There is no tracker"),
        ({"track": ["dead-units"]}, "leave it out"),
        ({"every": 0}, "1 or more"),
    ]:
        with pytest.raises(eigenstep.EigenstepError, match=match):
            Monitor(model, loss_fn, optimizer, **words)
    with pytest.raises(eigenstep.EigenstepError, match="torch.optim"):
        Monitor(model, loss_fn, model)
