"""What a user's model, batch and generators are left as, and what is said where a loss cannot be measured."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import eigenstep.torch
from eigenstep._torch_loss import TorchLoss


def mlp(*middle: nn.Module) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 6), *(middle or (nn.Tanh(),)), nn.Linear(6, 3))


def classes() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(2)
    return torch.randn(12, 4), torch.randint(0, 3, (12,))


def cross_entropy(model: nn.Module, batch: Any) -> torch.Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def hessian(model: nn.Module, loss_fn: Any = cross_entropy, batch: Any = None, **options: Any) -> np.ndarray:
    loss = TorchLoss(model, loss_fn, [classes() if batch is None else batch], **options)
    point = loss.start().astype(str(loss.dtype)[6:])
    matrix = np.empty((point.size, point.size), point.dtype)
    for row, unit in zip(matrix, np.eye(point.size, dtype=point.dtype)):
        loss.hessian_product(1, point, unit, row)
    return matrix


@pytest.mark.parametrize("products", ["autograd", "differences"])
def test_nothing_of_the_users_is_touched(products: str) -> None:
    model = mlp(nn.BatchNorm1d(6), nn.Dropout(0.2), nn.ReLU(inplace=True)).train()
    model[-1].bias.requires_grad_(False)
    batch = (classes()[0].requires_grad_(), classes()[1])
    optimizer = torch.optim.Adam(model.parameters())
    cross_entropy(model, batch).backward()
    optimizer.step()
    calls: list[str] = []
    model[0].register_forward_hook(lambda *_: calls.append("forward"))
    before = {
        "state": copy.deepcopy(model.state_dict()),
        "grads": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "identities": [(id(p), p._version, p.requires_grad) for p in model.parameters()],
        "optimizer": copy.deepcopy(optimizer.state_dict()),
        "hooks": [list(m._forward_hooks) + list(m._forward_pre_hooks) for m in model.modules()],
        "modes": [m.training for m in model.modules()],
        "batch": (batch[0].detach().clone(), batch[0]._version, batch[0].grad.clone()),
        "torch": torch.get_rng_state(), "numpy": np.random.get_state()[1].copy(),
        "python": random.getstate(),
        "flags": (torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), torch.get_num_threads()),
    }
    eigenstep.torch.spectrum(model, cross_entropy, batch, count=1, products=products)
    eigenstep.torch.diagnose(
        model, cross_entropy, batch, optimizer=optimizer, trials=False, products=products)
    assert calls
    for name, value in model.state_dict().items():
        assert torch.equal(value, before["state"][name]), name
    for parameter, grad in zip(model.parameters(), before["grads"]):
        assert (parameter.grad is None) == (grad is None)
        assert grad is None or torch.equal(parameter.grad, grad)
    assert before["identities"] == [(id(p), p._version, p.requires_grad) for p in model.parameters()]
    for key, state in optimizer.state_dict()["state"].items():
        assert all(torch.equal(state[n], before["optimizer"]["state"][key][n]) for n in state)
    assert before["hooks"] == [
        list(m._forward_hooks) + list(m._forward_pre_hooks) for m in model.modules()]
    assert before["modes"] == [m.training for m in model.modules()]
    assert torch.equal(batch[0].detach(), before["batch"][0]) and batch[0]._version == before["batch"][1]
    assert torch.equal(batch[0].grad, before["batch"][2])
    assert torch.equal(torch.get_rng_state(), before["torch"])
    assert np.array_equal(np.random.get_state()[1], before["numpy"])
    assert random.getstate() == before["python"]
    assert before["flags"] == (
        torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), torch.get_num_threads())


def test_a_model_that_changes_its_batch_in_place() -> None:
    model = nn.Sequential(nn.ReLU(inplace=True), *mlp(nn.SiLU(inplace=True)))
    plain = nn.Sequential(nn.ReLU(), *mlp(nn.SiLU()))
    batch = classes()
    kept = batch[0].clone()
    np.testing.assert_array_equal(hessian(model, batch=batch), hessian(plain, batch=batch))
    assert torch.equal(batch[0], kept)
    with pytest.raises(ValueError, match="in-place operation overwrites.*inplace=False"):
        hessian(mlp(nn.Tanh(), nn.ReLU(inplace=True)))


def test_wrapped_models_are_measured_inside() -> None:
    plain = hessian(mlp())
    compiled = torch.compile(mlp(), backend="eager")
    loss = TorchLoss(compiled, cross_entropy, [classes()])
    assert any("torch.compile" in note for note in loss.notes)
    assert loss.names[0] == "0.weight"
    np.testing.assert_array_equal(hessian(compiled), plain)
    inside = mlp()
    inside[0].compile(backend="aot_eager")
    np.testing.assert_array_equal(hessian(inside), plain)
    np.testing.assert_array_equal(hessian(mlp(), torch.compile(cross_entropy, backend="aot_eager")), plain)
    wrapped = TorchLoss(nn.DataParallel(mlp()), cross_entropy, [classes()])
    assert any("DataParallel" in note for note in wrapped.notes) and wrapped.names[0] == "0.weight"


def test_draws_are_said_and_fixed() -> None:
    found = eigenstep.torch.spectrum(mlp(nn.Dropout(0.5)).train(), cross_entropy, classes(), count=1)
    again = eigenstep.torch.spectrum(mlp(nn.Dropout(0.5)).train(), cross_entropy, classes(), count=1)
    other = eigenstep.torch.spectrum(mlp(nn.Dropout(0.5)).train(), cross_entropy, classes(), count=1, seed=4)
    assert found.largest == again.largest != other.largest
    assert any("changes from call to call" in n for n in found.to_dict()["problem"]["notes"])
    quiet = eigenstep.torch.spectrum(mlp(nn.Dropout(0.5)).eval(), cross_entropy, classes(), count=1)
    assert quiet.to_dict()["problem"]["notes"] == []
    train = eigenstep.torch.spectrum(mlp(nn.BatchNorm1d(6)).train(), cross_entropy, classes(), count=1)
    assert any("BatchNorm is in train mode" in n for n in train.to_dict()["problem"]["notes"])

    def by_numpy(model: nn.Module, batch: Any) -> torch.Tensor:
        return cross_entropy(model, batch) * (1 + np.random.rand()) * (1 + random.random())

    np.testing.assert_array_equal(hessian(mlp(), by_numpy), hessian(mlp(), by_numpy))


class Counting:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, model: nn.Module, batch: Any) -> torch.Tensor:
        self.calls += 1
        return self.calls * cross_entropy(model, batch)


def not_reduced(model: nn.Module, batch: Any) -> torch.Tensor:
    return F.cross_entropy(model(batch[0]), batch[1], reduction="none")


def a_number(model: nn.Module, batch: Any) -> float:
    return cross_entropy(model, batch).item()


def without_graph(model: nn.Module, batch: Any) -> torch.Tensor:
    with torch.no_grad():
        return cross_entropy(model, batch)


def logarithm(model: nn.Module, batch: Any) -> torch.Tensor:
    return torch.log(0 * model(batch[0]).square().sum())


def root(model: nn.Module, batch: Any) -> torch.Tensor:
    return (model(batch[0]) - model(batch[0]).detach()).abs().pow(1.5).sum()


def frozen() -> nn.Module:
    return mlp().requires_grad_(False)


def overflowing() -> nn.Module:
    model = mlp(nn.Sigmoid(), nn.Linear(6, 6))
    with torch.no_grad():
        model[2].weight.fill_(3e38)
    return model


def not_finite() -> nn.Module:
    model = mlp()
    with torch.no_grad():
        model[2].bias[1] = torch.nan
    return model


X, Y = classes()
REFUSALS: dict[str, tuple[Any, Any, Any, str]] = {
    "no scalar": (mlp, not_reduced, (X, Y), r"no scalar but of the shape \(12,\).*reduction='mean'"),
    "a number": (mlp, a_number, (X, Y), "no scalar but a float"),
    "no graph": (mlp, without_graph, (X, Y), "without no_grad"),
    "frozen": (frozen, cross_entropy, (X, Y), "requires_grad"),
    "state": (mlp, Counting(), (X, Y), "changes from call to call though the seed is fixed"),
    "elsewhere": (mlp, nn.CrossEntropyLoss(), (X.to("meta"), Y.to("meta")), "batch lies on meta.*on cpu"),
    "elsewhere, own": (mlp, cross_entropy, (X.to("meta"), Y), r"batch lies on .*meta.*\.to\(device\)"),
    "no numbers": (lambda: mlp().to("meta"), cross_entropy, (X, Y), "device meta and has no numbers"),
    "not a pair": (mlp, nn.CrossEntropyLoss(), X, r"\(inputs, targets\)"),
    "parameter": (not_finite, cross_entropy, (X, Y), "parameter '2.bias' is"),
    "batch": (mlp, cross_entropy, (X / 0, Y), "numbers in the batch are"),
    "layer": (overflowing, cross_entropy, (X, Y), r"out of '2' \(Linear\)"),
    "loss": (mlp, logarithm, (X, Y), "loss_fn itself overflows"),
    "second": (mlp, root, (X, Y), "second derivative in '.*' is not"),
    "precision": (mlp, lambda m, b: cross_entropy(m, b), (X, Y), "torch.float32 or torch.float64"),
    "script": (lambda: torch.jit.script(mlp()), cross_entropy, (X, Y), "TorchScript"),
    "no module": (lambda: 3, cross_entropy, (X, Y), "give a torch.nn.Module"),
    "products": (mlp, cross_entropy, (X, Y), "'autograd' or 'differences'"),
}


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_measured_is_one_sentence(name: str) -> None:
    model, loss_fn, batch, words = REFUSALS[name]
    options: dict[str, Any] = {}
    if name == "precision":
        options["dtype"] = torch.float16
    if name == "products":
        options["products"] = "magic"
    with pytest.raises(eigenstep.EigenstepError, match=words) as refusal:
        eigenstep.torch.spectrum(model(), loss_fn, batch, **options)
    sentence = str(refusal.value)
    assert sentence.endswith(".") and "\n" not in sentence


def test_an_empty_loader_is_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        eigenstep.torch.spectrum(
            mlp(), cross_entropy, torch.utils.data.DataLoader([]), count=1)


def test_what_the_model_raises_is_passed_on() -> None:
    class Own(Exception):
        pass

    def broken(model: nn.Module, batch: Any) -> torch.Tensor:
        raise Own("mine")

    with pytest.raises(Own, match="mine"):
        eigenstep.torch.spectrum(mlp(), broken, classes())
