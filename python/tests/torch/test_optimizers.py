"""The limit of a user's own optimizer's next step, against dense Hessians and PyTorch's own runs."""

from __future__ import annotations

import copy
from typing import Any, Callable

import numpy as np
import pytest
import torch
from torch import nn

import eigenstep.torch
from eigenstep.errors import UsageError

F64 = torch.float64


def problem(seed: int = 0) -> tuple[nn.Module, Any, tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3)).to(F64)
    inputs = torch.randn(40, 5, dtype=F64) * torch.tensor([1, 3, 0.3, 2, 1], dtype=F64)
    return model, nn.CrossEntropyLoss(), (inputs, torch.randint(0, 3, (40,)))


def train(model: nn.Module, loss: Any, batch: Any, optimizer: Any, steps: int) -> list[float]:
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss(model(batch[0]), batch[1])
        value.backward()
        losses.append(float(value.detach()))
        optimizer.step()
    return losses


def hessian(model: nn.Module, loss: Any, batch: Any) -> np.ndarray:
    names = [name for name, _ in model.named_parameters()]
    parts = [p.detach() for p in model.parameters()]
    sizes = [p.numel() for p in parts]

    def of(flat: torch.Tensor) -> torch.Tensor:
        values = {n: f.reshape(p.shape) for n, f, p in zip(names, flat.split(sizes), parts)}
        return loss(torch.func.functional_call(model, values, (batch[0],)), batch[1])

    return torch.autograd.functional.hessian(of, torch.cat([p.reshape(-1) for p in parts])).numpy()


def flat(model: nn.Module, of: Callable[[torch.Tensor], Any]) -> np.ndarray:
    return np.concatenate(
        [np.broadcast_to(np.asarray(of(p)), (p.numel(),)).astype(float) for p in model.parameters()]
    )


def state(optimizer: Any, key: str) -> Callable[[torch.Tensor], np.ndarray]:
    return lambda p: optimizer.state[p][key].reshape(-1).numpy()


def adam_divisor(model: nn.Module, optimizer: Any, key: str = "exp_avg_sq") -> np.ndarray:
    beta1, beta2 = optimizer.param_groups[0]["betas"]
    count = float(next(iter(optimizer.state.values()))["step"])
    v = flat(model, state(optimizer, key)) / (1 - beta2**count)
    return (1 - beta1**count) * (np.sqrt(v) + optimizer.param_groups[0]["eps"])


def largest(matrix: np.ndarray, divisor: np.ndarray) -> float:
    root = 1 / np.sqrt(divisor)
    return float(np.linalg.eigvalsh(root[:, None] * matrix * root[None, :])[-1])


def is_limit(found: Any, exact: float) -> bool:
    """The limit rests on an upper bound of the curvature: it is never above the exact one, and near it."""
    return bool(0.998 * exact <= found.stability_limit <= (1 + 1e-9) * exact)


def diagnosed(model: nn.Module, loss: Any, batch: Any, optimizer: Any, **options: Any) -> Any:
    return eigenstep.torch.diagnose(
        model, loss, batch, optimizer=optimizer, **{"trials": False, **options}
    )


ADAMS = {
    "adam": (lambda p: torch.optim.Adam(p, 1e-2), "exp_avg_sq"),
    "adam-betas": (lambda p: torch.optim.Adam(p, 1e-2, betas=(0.8, 0.99), eps=1e-3), "exp_avg_sq"),
    "adamw": (lambda p: torch.optim.AdamW(p, 1e-2, weight_decay=0.1), "exp_avg_sq"),
    "amsgrad": (lambda p: torch.optim.Adam(p, 1e-2, amsgrad=True), "max_exp_avg_sq"),
    "amsgradw": (
        lambda p: torch.optim.AdamW(p, 1e-2, amsgrad=True, weight_decay=0.1), "max_exp_avg_sq",
    ),
}


@pytest.mark.parametrize("name", ADAMS)
def test_adams_limit_is_that_of_its_second_moments(name: str) -> None:
    model, loss, batch = problem()
    make, key = ADAMS[name]
    optimizer = make(model.parameters())
    train(model, loss, batch, optimizer, 25)
    beta1 = optimizer.param_groups[0]["betas"][0]
    curvature = largest(hessian(model, loss, batch), adam_divisor(model, optimizer, key))
    limit = (2 + 2 * beta1) / (1 - beta1) / curvature
    found = diagnosed(model, loss, batch, optimizer)
    assert is_limit(found, limit)
    text = str(found)
    assert "--at" not in text and "not known" not in text
    assert f"{found.stability_limit:.3g}".rstrip("0") in text.split("Curvature")[0]


def test_default_adam_is_stable_up_to_38_over_its_sharpness() -> None:
    model, loss, batch = problem()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    train(model, loss, batch, optimizer, 10)
    found = diagnosed(model, loss, batch, optimizer)
    curvature = largest(hessian(model, loss, batch), adam_divisor(model, optimizer))
    assert is_limit(found, 38 / curvature)


def test_other_rules() -> None:
    model, loss, batch = problem()
    matrix = None
    cases: list[tuple[Any, Callable[[Any], np.ndarray], float]] = [
        (
            lambda p: torch.optim.RMSprop(p, 1e-3, momentum=0.5, centered=True),
            lambda o: np.sqrt(
                flat(model, state(o, "square_avg")) - flat(model, state(o, "grad_avg")) ** 2
            ) + 1e-8,
            3.0,
        ),
        (lambda p: torch.optim.RMSprop(p, 1e-3, alpha=0.9),
         lambda o: np.sqrt(flat(model, state(o, "square_avg"))) + 1e-8, 2.0),
        (lambda p: torch.optim.Adagrad(p, 1e-2, lr_decay=0.1),
         lambda o: (1 + 11 * 0.1) * (np.sqrt(flat(model, state(o, "sum"))) + 1e-10), 2.0),
        (lambda p: torch.optim.SGD(p, 1e-2, momentum=0.9, nesterov=True),
         lambda o: np.ones(1), 3.8 / 2.8),
        (lambda p: torch.optim.SGD(p, 1e-2, momentum=0.9), lambda o: np.ones(1), 3.8),
        (lambda p: torch.optim.SGD(p, 1e-2), lambda o: np.ones(1), 2.0),
    ]
    for make, divisor, critical in cases:
        model, loss, batch = problem()
        optimizer = make(model.parameters())
        train(model, loss, batch, optimizer, 12)
        matrix = hessian(model, loss, batch)
        expected = critical / largest(matrix, np.broadcast_to(divisor(optimizer), len(matrix)))
        found = diagnosed(model, loss, batch, optimizer)
        assert is_limit(found, expected), type(optimizer)


def test_coupled_weight_decay_is_part_of_the_step() -> None:
    model, loss, batch = problem()
    optimizer = torch.optim.SGD(model.parameters(), 1e-2, weight_decay=0.3)
    matrix = hessian(model, loss, batch)
    found = diagnosed(model, loss, batch, optimizer)
    top = np.linalg.eigvalsh(matrix)[-1] + 0.3
    assert found.largest_eigenvalue == pytest.approx(top, rel=1e-9)
    assert is_limit(found, 2 / top)
    squares = sum(float((p.detach() ** 2).sum()) for p in model.parameters())
    value = float(loss(model(batch[0]), batch[1])) + 0.15 * squares
    assert found.to_dict()["problem"]["loss"] == pytest.approx(value, rel=1e-12)
    assert found.to_dict()["problem"]["l2"] == 0.3


def test_groups_have_rates_of_their_own() -> None:
    model, loss, batch = problem()
    groups = [
        {"params": model[0].parameters(), "lr": 0.01},
        {"params": model[2].parameters(), "lr": 0.05, "weight_decay": 0.2},
    ]
    factors = flat(model, lambda p: 0.2 if p.shape[0] == 6 else 1.0)
    matrix = hessian(model, loss, batch)
    penalised = matrix + np.diag(flat(model, lambda p: 0.0 if p.shape[0] == 6 else 0.2))
    found = diagnosed(model, loss, batch, torch.optim.SGD(groups, momentum=0.5))
    assert is_limit(found, 3 / largest(penalised, 1 / factors))
    text = " ".join(str(found).split())
    assert "0.05 for 2.weight and 2.bias; 0.01 for 0.weight and 0.bias" in text
    assert "with the rates of your groups" in text
    optimizer = torch.optim.AdamW(groups)
    train(model, loss, batch, optimizer, 20)
    expected = 38 / largest(hessian(model, loss, batch), adam_divisor(model, optimizer) / factors)
    found = diagnosed(model, loss, batch, optimizer)
    assert is_limit(found, expected)


def test_what_no_group_moves_is_held() -> None:
    model, loss, batch = problem()
    optimizer = torch.optim.SGD(
        [{"params": model[0].parameters(), "lr": 0.0}, {"params": [model[2].weight], "lr": 0.1}]
    )
    matrix = hessian(model, loss, batch)
    moved = flat(model, lambda p: p is model[2].weight) > 0
    found = diagnosed(model, loss, batch, optimizer)
    expected = 2 / np.linalg.eigvalsh(matrix[np.ix_(moved, moved)])[-1]
    assert is_limit(found, expected)


def test_a_schedulers_rate_is_the_current_one() -> None:
    model, loss, batch = problem()
    optimizer = torch.optim.SGD(model.parameters(), 0.8)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    train(model, loss, batch, optimizer, 1)
    scheduler.step()
    assert diagnosed(model, loss, batch, optimizer).to_dict()["learningRate"]["given"] == 0.4


RUNS = {
    "sgd": lambda p: torch.optim.SGD(p, 0.05, weight_decay=0.01),
    "momentum": lambda p: torch.optim.SGD(p, 0.02, momentum=0.9, weight_decay=0.01),
    "dampened": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, dampening=0.5),
    "nesterov": lambda p: torch.optim.SGD(p, 0.02, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, 2e-3, weight_decay=0.01),
    "amsgrad": lambda p: torch.optim.AdamW(p, 2e-3, amsgrad=True, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, 2e-3, weight_decay=0.1),
    "nadam": lambda p: torch.optim.NAdam(p, 2e-3),
    "nadamw": lambda p: torch.optim.NAdam(p, 2e-3, weight_decay=0.1, decoupled_weight_decay=True),
    "radam": lambda p: torch.optim.RAdam(p, 2e-3),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 1e-3, momentum=0.5, centered=True),
    "adagrad": lambda p: torch.optim.Adagrad(p, 1e-2, lr_decay=0.01),
    "groups": lambda p: (lambda q: torch.optim.AdamW(
        [{"params": q[:2], "lr": 5e-3, "weight_decay": 0.3}, {"params": q[2:], "lr": 1e-3}]
    ))(list(p)),
}


@pytest.mark.parametrize("name", RUNS)
def test_as_you_have_it_goes_on_as_pytorch_does(name: str) -> None:
    """The trial of the user's own step begins with the optimizer's state, and takes its steps."""
    model, loss, batch = problem()
    optimizer = RUNS[name](model.parameters())
    train(model, loss, batch, optimizer, 15)
    found = diagnosed(model, loss, batch, optimizer, trials=True, effort=0.01)
    own = next(p for p in found.to_dict()["prescriptions"] if p["id"] == "as-given")["measured"]
    twin = copy.deepcopy(model)
    theirs = RUNS[name](twin.parameters())
    theirs.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    losses = train(twin, loss, batch, theirs, own["stepsRun"])
    value = float(loss(twin(batch[0]), batch[1]).detach())
    coefficient = optimizer.param_groups[0]["weight_decay"]
    if name in ("sgd", "momentum", "adam"):
        value += coefficient / 2 * sum(float((p.detach() ** 2).sum()) for p in twin.parameters())
    assert own["stepsRun"] > 20 and losses[-1] < losses[0]
    assert own["lossAtEnd"] == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("share, grows", [(0.95, False), (1.05, True)])
def test_crossing_the_limit_of_adam(share: float, grows: bool) -> None:
    """PyTorch's Adam, its second moments so old that they no longer move, on a quadratic."""
    torch.manual_seed(1)
    root = torch.randn(6, 6, dtype=F64)
    matrix = root @ root.T + torch.eye(6, dtype=F64)
    model = nn.Linear(6, 1, bias=False).to(F64)

    def loss(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
        return 0.5 * model.weight[0] @ batch @ model.weight[0]

    def run(rate: float) -> tuple[Any, torch.optim.Optimizer]:
        optimizer = torch.optim.Adam(model.parameters(), rate, betas=(0.9, 1 - 1e-14))
        optimizer.state[model.weight] = {
            "step": torch.tensor(1e17, dtype=F64),
            "exp_avg": torch.zeros(1, 6, dtype=F64),
            "exp_avg_sq": torch.logspace(-2, 1, 6, dtype=F64)[None],
        }
        return diagnosed(model, loss, matrix, optimizer), optimizer

    limit = run(1e-3)[0].stability_limit
    divisor = np.sqrt(np.logspace(-2, 1, 6)) + 1e-8
    assert limit == pytest.approx(38 / largest(matrix.numpy(), divisor), rel=2e-3)
    found, optimizer = run(share * limit)
    assert (found.to_dict()["learningRate"]["verdict"] == "unstable") == grows
    sizes = []
    # Until the gradients have grown so far that even these moments move.
    for _ in range(1000):
        optimizer.zero_grad()
        value = loss(model, matrix)
        value.backward()
        optimizer.step()
        sizes.append(float(value.detach()))
    assert (max(sizes) > 1e3 * sizes[0]) == grows
    assert grows or sizes[-1] < 1e-3 * sizes[0]


def test_a_fresh_adam_is_told_in_the_words_of_a_caller() -> None:
    model, loss, batch = problem()
    for optimizer in (
        torch.optim.Adam(model.parameters()), torch.optim.RMSprop(model.parameters()),
    ):
        found = diagnosed(model, loss, batch, optimizer, trials=True, effort=0.01)
        text = " ".join(str(found).split())
        assert found.stability_limit is None
        assert "diagnose again after some steps, with its state" in text
        assert " --" not in text.replace("---", "") and "--at" not in text
        assert " --" not in str(found.to_dict()["findings"]) + str(found.to_dict()["advice"])


def test_optimizers_that_are_not_judged_are_named() -> None:
    model, loss, batch = problem()
    for make, words in [
        (lambda p: torch.optim.LBFGS(p), "LBFGS chooses the lengths of its steps by itself"),
        (lambda p: torch.optim.Rprop(p), "Rprop chooses"),
        (lambda p: torch.optim.Adamax(p), "Of Adamax no limit is known"),
    ]:
        found = diagnosed(model, loss, batch, make(model.parameters()))
        assert words in " ".join(str(found).split())
        assert found.to_dict()["learningRate"]["given"] is None
    averaged = diagnosed(model, loss, batch, torch.optim.ASGD(model.parameters(), 0.3, lambd=0.0))
    assert averaged.to_dict()["learningRate"]["given"] == 0.3


def test_refusals_name_what_is_wrong() -> None:
    model, loss, batch = problem()
    with pytest.raises(UsageError, match="holds none of the model's parameters"):
        diagnosed(model, loss, batch, torch.optim.SGD(problem()[0].parameters(), 0.1))
    with pytest.raises(UsageError, match="maximises"):
        diagnosed(model, loss, batch, torch.optim.SGD(model.parameters(), 0.1, maximize=True))


def test_a_rate_of_zero_and_other_differences_are_told() -> None:
    model, loss, batch = problem()
    found = diagnosed(model, loss, batch, torch.optim.SGD(model.parameters(), 0.0))
    assert "rate is 0" in str(found) and found.to_dict()["learningRate"]["given"] is None
    q = list(model.parameters())
    optimizer = torch.optim.Adam(
        [{"params": q[:2], "betas": (0.5, 0.9)}, {"params": q[2:], "lr": 1e-2}]
    )
    train(model, loss, batch, optimizer, 3)
    text = " ".join(str(diagnosed(model, loss, batch, optimizer)).split())
    assert "groups differ in betas: that of the group with the largest rate, (0.9, 0.999)" in text


def test_a_subclass_with_a_step_of_its_own_has_no_known_limit() -> None:
    class Renamed(torch.optim.SGD):
        pass

    class Scaled(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:
            super().step(closure)

    model = nn.Linear(3, 1)
    batch = (torch.randn(20, 3), torch.randn(20, 1))
    limits = [
        eigenstep.torch.diagnose(
            model, nn.MSELoss(), batch, optimizer=kind(model.parameters(), lr=0.1), trials=False
        ).stability_limit
        for kind in (torch.optim.SGD, Renamed)
    ]
    assert limits[0] == pytest.approx(limits[1])
    notes = eigenstep.torch.diagnose(
        model, nn.MSELoss(), batch, optimizer=Scaled(model.parameters(), lr=0.1), trials=False
    ).text()
    assert "Scaled" in notes


def test_a_given_rate_is_shortened_by_dampening_as_the_optimizers_own() -> None:
    model = nn.Linear(3, 1)
    batch = (torch.randn(20, 3), torch.randn(20, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.4, momentum=0.5, dampening=0.5)
    own, given = (
        eigenstep.torch.diagnose(model, nn.MSELoss(), batch, optimizer=optimizer, trials=False, **options)
        for options in ({}, {"lr": 0.4})
    )
    assert own.to_dict()["learningRate"]["given"] == given.to_dict()["learningRate"]["given"] == pytest.approx(0.2)


def test_what_the_optimizer_leaves_out_is_held_in_curvature_and_trials() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))
    batch = (torch.randn(50, 4), torch.randn(50, 1))
    report = eigenstep.torch.diagnose(
        model, nn.MSELoss(), batch, optimizer=torch.optim.SGD(model[2].parameters(), lr=0.05)
    )
    with torch.no_grad():
        hidden = torch.cat([model[:2](batch[0]), torch.ones(50, 1)], 1).double()
    dense = 2 / 50 * hidden.T @ hidden
    solved = torch.linalg.lstsq(hidden, batch[1].double()).solution
    least = float(((hidden @ solved - batch[1]) ** 2).mean())
    assert report.largest_eigenvalue == pytest.approx(float(torch.linalg.eigvalsh(dense)[-1]), rel=1e-5)
    losses = [t["measured"]["loss"] for t in report.to_dict()["prescriptions"] if t["measured"]]
    assert losses and min(losses) >= least * (1 - 1e-5)
