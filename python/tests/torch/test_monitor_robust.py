"""A monitor does not end the training that it watches, and says what it cannot see."""

from __future__ import annotations

import collections
import gc
import json
import os
import signal
import threading
import time
import warnings
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from training_loops import network, numbers

import eigenstep
from eigenstep._monitor_batches import parts_of
from eigenstep._monitoring import Session
from eigenstep.errors import UsageError
from eigenstep.monitor import EigenstepWarning, Monitor

MSE = nn.functional.mse_loss


def loop(model, loss_fn, optimizer, monitor, batch, steps):
    """The sentences of the warnings of an ordinary loop, a closure of its loss given the batch."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(steps):
            optimizer.zero_grad()
            loss = loss_fn(model, batch)
            loss.backward()
            optimizer.step()
            monitor.step(batch, loss)
    return [str(w.message) for w in caught if issubclass(w.category, EigenstepWarning)]


def of_outputs(model, batch):
    return MSE(model(batch[0]), batch[1])


def regression(lr, kind=nn.ReLU):
    model = network(0, (5, 16, 1), kind)
    return model, torch.optim.SGD(model.parameters(), lr=lr)


class Square(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return x * x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context, slope):
        return 2 * context.saved_tensors[0] * slope


class Squared(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(5, 1)

    def forward(self, x):
        return Square.apply(self.linear(x))


@pytest.mark.parametrize(
    "track", [(), ("gradient-noise", "layers"), ("truncation", "oscillation", "sharpness")]
)
def test_parameters_that_are_no_numbers_any_more_do_not_end_the_loop(track):
    model, optimizer = regression(50.0)
    monitor = Monitor(model, of_outputs, optimizer, every=5, track=track)
    said = loop(model, of_outputs, optimizer, monitor, numbers(0), 40)
    assert monitor.report().steps == 40 and any("not finite" in sentence for sentence in said)


def test_a_first_check_without_numbers_is_told_once_and_the_next_one_is_made():
    model, optimizer = regression(0.01)
    good = [p.detach().clone() for p in model.parameters()]
    monitor = Monitor(model, of_outputs, optimizer, every=5)
    with torch.no_grad():
        model[0].weight.fill_(float("nan"))
    said = loop(model, of_outputs, optimizer, monitor, numbers(0), 4)
    assert sum("A check could not be made" in s and "'0.weight'" in s for s in said) == 1
    with torch.no_grad():
        for parameter, kept in zip(model.parameters(), good):
            parameter.copy_(kept)
    loop(model, of_outputs, optimizer, monitor, numbers(0), 6)
    assert monitor.report().steps == 10 and monitor.report().tracked[0]["checks"] >= 1


def test_a_loss_without_curvature_is_watched_by_its_losses():
    model = Squared()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    monitor = Monitor(model, of_outputs, optimizer, every=2)
    said = loop(model, of_outputs, optimizer, monitor, numbers(0), 9)
    assert len(said) == 1 and "goes by the losses alone" in said[0] and "products='differences'" in said[0]
    assert monitor.report().steps == 9 and monitor.report().tracked == ()
    assert "goes by the losses alone" in json.dumps(monitor.report().to_dict())

    generator = torch.Generator()

    def drawn(model, batch):
        noise = torch.randn(batch[0].shape, generator=generator)
        return MSE(model(batch[0] + 0.1 * noise), batch[1])

    model, optimizer = regression(0.01)
    monitor = Monitor(model, drawn, optimizer, every=2)
    said = loop(model, drawn, optimizer, monitor, numbers(0), 9)
    assert len(said) == 1 and "changes from call to call" in said[0]


def test_what_a_refusal_names_can_be_given():
    model, batch = Squared(), numbers(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    monitor = Monitor(model, of_outputs, optimizer, every=4, products="differences")
    assert loop(model, of_outputs, optimizer, monitor, batch, 4) == []
    flat = torch.cat([p.detach().reshape(-1) for p in model.parameters()]).double()

    def value(point):
        return ((batch[0].double() @ point[:5] + point[5]).square() - batch[1].double()[:, 0]).square().mean()

    largest = torch.linalg.eigvalsh(torch.autograd.functional.hessian(value, flat))[-1].item()
    seen = monitor.report().tracked[0]
    assert seen["checks"] == 2 and abs(seen["last"] - largest) < 0.05 * largest
    found = eigenstep.lr_finder(
        model, of_outputs, [batch] * 2, optimizer, steps=8, orders=1, products="differences"
    )
    assert found.limit == pytest.approx(2 / largest, rel=0.05)

    for options in ({"micro_batch": 30}, {"memory": 1 << 13}, {"dtype": torch.float64}):
        model, optimizer = regression(0.01, nn.Tanh)
        monitor = Monitor(model, MSE, optimizer, every=1, **options)
        assert loop(model, of_outputs, optimizer, monitor, batch, 1) == []
        loss = monitor._loss
        assert len(loss.batches) > 1 or loss.dtype == torch.float64
        plain = Monitor(model, MSE, optimizer, every=1)
        plain.step(batch, 1.0)
        ours, theirs = monitor.report().tracked[0]["last"], plain.report().tracked[0]["last"]
        assert ours == pytest.approx(theirs, rel=1e-3)
    with pytest.raises(UsageError, match="products"):
        Monitor(model, MSE, optimizer, products="differences!")
    with pytest.raises(UsageError, match="dtype"):
        Monitor(model, MSE, optimizer, dtype=torch.float16)


def test_a_loader_lies_elsewhere_than_the_model():
    """On the device meta nothing has numbers; what is asked of a batch says where it came to lie."""
    model, optimizer = regression(0.01)
    batch = numbers(0)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*batch), batch_size=25)
    from eigenstep import _lr_finder

    options = {"seed": 0, "moves_batches": True}
    finder = _lr_finder._Finder(model, of_outputs, list(loader), optimizer, 4, 1, options)
    assert finder.judge.moves_to == torch.device("cpu")
    places = []
    finder.judge.moves_to = torch.device("meta")
    finder.loss_fn = lambda _, part: places.extend(t.device.type for t in part)
    finder.loss_of(next(iter(loader)))
    assert places == ["meta", "meta"]
    assert eigenstep.lr_finder(model, MSE, loader, optimizer, steps=8, orders=1).rate > 0


@pytest.mark.parametrize("kind", [collections.UserDict, lambda b: collections.defaultdict(list, b)])
def test_batches_of_any_mapping_are_copied_and_cut(kind):
    x, y = numbers(0)
    batch = kind({"x": x, "y": y, "words": ["a"]})

    def loss_fn(model, batch):
        return MSE(model(batch["x"]), batch["y"])

    model, optimizer = regression(0.01)
    monitor = Monitor(model, loss_fn, optimizer, every=2, track=["gradient-noise"])
    assert loop(model, loss_fn, optimizer, monitor, batch, 5) == []
    names = {item["name"]: item for item in monitor.report().tracked}
    assert names["gradient-noise-scale"]["checks"] == 3
    assert monitor._batch["x"] is not x and torch.equal(monitor._batch["x"], x)
    parts = parts_of(batch, 4)
    assert torch.equal(torch.cat([part["x"] for part in parts]), x) and parts[0]["words"] == ["a"]


def test_a_log_and_a_state_go_on(tmp_path):
    folder = str(tmp_path / "log")
    model, optimizer = regression(0.01)
    with Monitor(model, MSE, optimizer, every=5, log=folder) as monitor:
        loop(model, of_outputs, optimizer, monitor, numbers(0), 20)
        state = monitor.state_dict()
    kept = monitor.state_dict()
    assert json.loads(kept["session"]) == json.loads(state["session"]) and kept["steps"] == 20
    with pytest.raises(UsageError, match="closed"):
        monitor.load_state_dict(state)
    with pytest.raises(eigenstep.EigenstepError, match="resume=True"):
        Monitor(model, MSE, optimizer, every=5, log=folder)
    with Monitor(model, MSE, optimizer, every=5, log=folder, resume=True) as monitor:
        monitor.load_state_dict(state)
        loop(model, of_outputs, optimizer, monitor, numbers(0), 10)
    lines = [json.loads(line) for line in open(f"{folder}/events.jsonl")]
    steps = [line["step"] for line in lines if line["event"] == "step"]
    assert steps == list(range(30)) and monitor.state_dict()["steps"] == 30


def test_a_session_that_is_closed_says_so():
    session = Session({"every": 1})
    session.close()
    for call in (
        lambda: session.step(1.0, 0.1, 0.1), session.wait, session.alarm, session.keep, session.report,
        session.state, lambda: session.restore("{}"), lambda: session.check([], 0.1, {}),
    ):
        with pytest.raises(UsageError, match="closed"):
            call()


def test_a_sharded_model_is_refused_at_once(monkeypatch):
    from eigenstep import _fsdp

    model, optimizer = regression(0.01)
    monkeypatch.setattr(_fsdp, "is_sharded", lambda given: given is model)
    for call in (
        lambda: Monitor(model, MSE, optimizer),
        lambda: eigenstep.lr_finder(model, MSE, [numbers(0)], optimizer),
    ):
        with pytest.raises(UsageError, match="fully_shard"):
            call()


def test_an_interrupt_during_a_check_is_raised():
    model, optimizer = regression(1e-3)
    batch, main = numbers(0), threading.main_thread().ident

    def slow(model, batch):
        time.sleep(0.002)
        return of_outputs(model, batch)

    monitor = Monitor(model, slow, optimizer, every=1)
    monitor.step(batch, 1.0)
    for trial in range(12):
        timer = threading.Timer(0.001 + 0.0011 * trial, signal.pthread_kill, (main, signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            timer.start()
            for _ in range(200):
                monitor.step(batch, 1.0)
        timer.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert os.getpid() and monitor.report().steps > 12


def test_what_a_raising_callback_held_is_let_go():
    class Held:
        pass

    def measured():
        held = Held()

        def product(v):
            assert held is not None
            raise ValueError("no product")

        try:
            eigenstep.eigenpairs(product, 50, dtype=np.float64)
        except ValueError:
            pass
        return weakref.ref(held)

    gc.collect()
    gc.disable()
    try:
        assert measured()() is None
    finally:
        gc.enable()
