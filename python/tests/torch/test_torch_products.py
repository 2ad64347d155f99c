"""Gauss-Newton products, differences of gradients, micro-batches and mixed precision of PyTorch losses."""

from __future__ import annotations

import copy
import functools
from typing import Any, Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import eigenstep.torch
from eigenstep._torch_loss import TorchLoss


def mlp(outputs: int = 3, last: list[nn.Module] | None = None) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, outputs), *(last or []))


def classes(count: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(2)
    return torch.randn(count, 4), torch.randint(0, 3, (count,))


def numbers(count: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(2)
    return torch.randn(count, 4), torch.rand(count, 3)


def columns(product: Callable[..., None], loss: TorchLoss) -> np.ndarray:
    """The matrix that the products are of."""
    point = loss.start()
    if loss.dtype == torch.float32:
        point = point.astype(np.float32)
    matrix = np.empty((point.size, point.size), point.dtype)
    for row, unit in zip(matrix, np.eye(point.size, dtype=point.dtype)):
        product(1, point, unit, row)
    return matrix.astype(np.float64)


def flat(model: nn.Module) -> tuple[torch.Tensor, Callable[[torch.Tensor], dict[str, torch.Tensor]]]:
    named = {n: p for n, p in model.named_parameters() if p.requires_grad}

    def shaped(vector: torch.Tensor) -> dict[str, torch.Tensor]:
        parts = vector.split([p.numel() for p in named.values()])
        return {n: part.reshape(p.shape) for (n, p), part in zip(named.items(), parts)}

    return torch.cat([p.detach().reshape(-1) for p in named.values()]), shaped


def dense(model: nn.Module, value: Callable[[nn.Module], torch.Tensor]) -> np.ndarray:
    """The Hessian by PyTorch's own function of a flat vector."""
    model = copy.deepcopy(model).double()
    start, shaped = flat(model)

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self) -> torch.Tensor:
            return value(self.model)

    whole = Whole()

    def at(vector: torch.Tensor) -> torch.Tensor:
        named = {f"model.{n}": p for n, p in shaped(vector).items()}
        return torch.func.functional_call(whole, named, ())

    return torch.autograd.functional.hessian(at, start).numpy()


def jacobian(model: nn.Module, inputs: torch.Tensor) -> np.ndarray:
    start, shaped = flat(model)
    return torch.autograd.functional.jacobian(
        lambda vector: torch.func.functional_call(model, shaped(vector), (inputs,)).reshape(-1), start
    ).numpy()


GAUSS_NEWTON: dict[str, tuple[Any, Any]] = {
    "cross-entropy": (nn.CrossEntropyLoss(), classes),
    "weighted": (
        nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5]).double(), ignore_index=2), classes),
    "mse": (F.mse_loss, numbers),
    "bce": (nn.BCEWithLogitsLoss(reduction="sum"), numbers),
    "huber": (nn.HuberLoss(delta=0.3), numbers),
}


@pytest.mark.parametrize("name", GAUSS_NEWTON)
def test_gauss_newton_is_the_jacobian_around_the_losses_curvature(name: str) -> None:
    loss_fn, data = GAUSS_NEWTON[name]
    model = mlp().double()
    inputs, targets = data()
    inputs = inputs.double()
    targets = targets.double() if targets.is_floating_point() else targets
    loss = TorchLoss(model, loss_fn, [(inputs, targets)])
    found = columns(loss.gauss_newton_product, loss)
    outputs = model(inputs).detach()
    inner = torch.autograd.functional.hessian(
        lambda z: loss_fn(z.reshape(outputs.shape), targets), outputs.reshape(-1)).numpy()
    j = jacobian(model, inputs)
    expected = j.T @ inner @ j
    np.testing.assert_allclose(found, expected, atol=1e-12 * np.abs(expected).max(), rtol=0)
    if name in ("huber",):
        with pytest.raises(ValueError, match="Fisher matrix is of a distribution"):
            eigenstep.torch.spectrum(model, loss_fn, (inputs, targets), curvature="fisher")
    else:
        result = eigenstep.torch.spectrum(model, loss_fn, (inputs, targets), curvature="fisher", count=1)
        assert result.largest[0] == pytest.approx(np.linalg.eigvalsh(expected)[-1], rel=1e-9)
        assert result.to_dict()["operator"]["kind"] == "gauss-newton"
        assert any("Fisher" in note for note in result.to_dict()["problem"]["notes"])


def test_gauss_newton_of_log_probabilities_is_that_of_the_logits() -> None:
    batch = classes()
    batch = (batch[0].double(), batch[1])
    plain = TorchLoss(mlp().double(), nn.CrossEntropyLoss(), [batch])
    logs = TorchLoss(mlp(last=[nn.LogSoftmax(1)]).double(), nn.NLLLoss(), [batch])
    np.testing.assert_allclose(
        columns(logs.gauss_newton_product, logs), columns(plain.gauss_newton_product, plain),
        atol=1e-12)
    with pytest.raises(ValueError, match="no logarithms of probabilities"):
        eigenstep.torch.spectrum(mlp(), nn.NLLLoss(), classes(), curvature="gauss-newton")


def test_gauss_newton_of_a_function_of_model_and_batch() -> None:
    batch = classes()

    def own(model: nn.Module, batch: Any) -> torch.Tensor:
        return F.cross_entropy(model(batch[0]), batch[1])

    def penalised(model: nn.Module, batch: Any) -> torch.Tensor:
        return own(model, batch) + sum(p.square().sum() for p in model.parameters())

    plain = TorchLoss(mlp(), nn.CrossEntropyLoss(), [batch])
    loss = TorchLoss(mlp(), own, [batch])
    np.testing.assert_allclose(
        columns(loss.gauss_newton_product, loss), columns(plain.gauss_newton_product, plain), atol=1e-7)
    assert "penalties" in str(TorchLoss(mlp(), penalised, [batch]).gauss_newton_refusal())
    with pytest.raises(ValueError, match="curvature is 'fischer'"):
        eigenstep.torch.spectrum(mlp(), own, batch, curvature="fischer")


def test_differences_state_their_error() -> None:
    truth = dense(mlp(), lambda model: F.cross_entropy(model(classes()[0].double()), classes()[1]))
    for dtype, least in ((torch.float32, 1e-2), (torch.float64, 1e-8)):
        loss = TorchLoss(
            mlp(), nn.CrossEntropyLoss(), [classes()], dtype=dtype, products="differences")
        assert loss.differences is not None
        direction = np.random.default_rng(0).standard_normal(len(truth))
        result = np.empty_like(direction, dtype=str(dtype)[6:])
        loss.hessian_product(1, loss.start().astype(result.dtype), direction.astype(result.dtype), result)
        expected = truth @ direction
        error = np.linalg.norm(result - expected) / np.linalg.norm(expected)
        assert error < 3 * loss.differences.error < least
    found = eigenstep.torch.spectrum(
        mlp(), nn.CrossEntropyLoss(), classes(), products="differences", dtype=torch.float64, count=1)
    assert found.largest[0] == pytest.approx(np.linalg.eigvalsh(truth)[-1], rel=1e-6)
    assert any("differences of gradients" in note for note in found.to_dict()["problem"]["notes"])


def test_kinks_are_too_much_for_differences_in_float32() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(30, 60), nn.ReLU(), nn.Linear(60, 60), nn.ReLU(), nn.Linear(60, 5))
    batch = (torch.randn(300, 30), torch.randint(0, 5, (300,)))
    with pytest.raises(ValueError, match="too irregularly.*measure in float64"):
        TorchLoss(model, nn.CrossEntropyLoss(), [batch], products="differences")
    truth = eigenstep.torch.eigenpairs(model, nn.CrossEntropyLoss(), batch)
    found = eigenstep.torch.eigenpairs(
        model, nn.CrossEntropyLoss(), batch, products="differences", dtype=torch.float64, tolerance=1e-3)
    assert found.values[0] == pytest.approx(truth.values[0], rel=1e-3)


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.exp()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> torch.Tensor:
        return slope * ctx.saved_tensors[0].exp()


def test_an_operation_without_a_second_derivative_names_the_switch() -> None:
    def once(model: nn.Module, batch: Any) -> torch.Tensor:
        return Once.apply(0.1 * model(batch[0])).mean()

    # PyTorch drops that part of the second derivative without a word.
    with pytest.raises(ValueError, match="backward of Once has no derivative.*products='differences'"):
        eigenstep.torch.spectrum(mlp(), once, classes())

    def aligned(model: nn.Module, batch: Any) -> torch.Tensor:
        rows = F.log_softmax(model(batch[0]), 1)[:, None]
        return F.ctc_loss(rows, torch.tensor([[1, 2]]), torch.tensor([12]), torch.tensor([2]))

    with pytest.raises(ValueError, match="no second derivative.*products='differences'"):
        eigenstep.torch.spectrum(mlp(), aligned, classes())
    found = eigenstep.torch.spectrum(
        mlp(), once, classes(), products="differences", dtype=torch.float64, count=1)
    truth = dense(mlp(), lambda model: torch.exp(0.1 * model(classes()[0].double())).mean())
    assert found.largest[0] == pytest.approx(np.linalg.eigvalsh(truth)[-1], rel=1e-6)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.heads, self.out = nn.Linear(4, 12), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.heads(x).unsqueeze(1).chunk(3, -1)
        return self.out(F.scaled_dot_product_attention(q, k, v)[:, 0].mean(1))


def test_fast_attention_is_said_and_kept_for_differences() -> None:
    torch.manual_seed(0)
    model, batch = Attention(), (torch.randn(5, 6, 4), torch.randint(0, 3, (5,)))
    by_graph = TorchLoss(model, nn.CrossEntropyLoss(), [batch])
    by_differences = TorchLoss(model, nn.CrossEntropyLoss(), [batch], products="differences")
    assert any("SDPBackend.MATH" in note for note in by_graph.notes)
    assert not by_differences.math_attention
    one, other = (columns(loss.hessian_product, loss) for loss in (by_graph, by_differences))
    np.testing.assert_allclose(one, other, atol=2e-2 * np.abs(one).max())


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_micro_batches_are_the_whole_batch(reduction: str) -> None:
    batch = classes(17)
    loss_fn = nn.CrossEntropyLoss(
        weight=torch.tensor([1.0, 3.0, 0.2]), ignore_index=2, reduction=reduction)
    whole = TorchLoss(mlp(), loss_fn, [batch], dtype=torch.float64)
    parts = TorchLoss(mlp(), loss_fn, [batch], dtype=torch.float64, micro_batch=5)
    assert [len(piece[1]) for piece in parts.batches] == [4, 4, 4, 5]
    assert any("micro-batches" in note for note in parts.notes)
    point = whole.start()
    slopes = [np.empty_like(point) for _ in range(2)]
    values = [loss.value_and_gradient(1, point, s) for loss, s in zip((whole, parts), slopes)]
    assert values[0] == pytest.approx(values[1], rel=1e-13)
    np.testing.assert_allclose(slopes[0], slopes[1], atol=1e-13)
    for name in ("hessian_product", "gauss_newton_product"):
        np.testing.assert_allclose(
            columns(getattr(whole, name), whole), columns(getattr(parts, name), parts), atol=1e-13)


def test_a_loader_averages_by_what_each_mean_is_over() -> None:
    batch = classes(17)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*batch), batch_size=6)
    loss_fn = functools.partial(F.cross_entropy, weight=torch.tensor([1.0, 3.0, 0.2]))
    one = eigenstep.torch.spectrum(mlp(), loss_fn, batch, count=1, dtype=torch.float64)
    many = eigenstep.torch.spectrum(mlp(), loss_fn, loader, count=1, dtype=torch.float64)
    assert many.largest[0] == pytest.approx(one.largest[0], rel=1e-10)
    assert many.to_dict()["problem"]["loss"] == pytest.approx(one.to_dict()["problem"]["loss"], rel=1e-12)
    sums = TorchLoss(mlp(), nn.CrossEntropyLoss(reduction="sum"), list(loader))
    assert sums.weights == [1 / 3] * 3
    assert any("adds up" in note for note in sums.notes)


def test_memory_makes_micro_batches() -> None:
    batch = classes(400)
    whole = TorchLoss(mlp(), nn.CrossEntropyLoss(), [batch])
    within = TorchLoss(mlp(), nn.CrossEntropyLoss(), [batch], memory=40_000)
    assert len(whole.batches) == 1 < len(within.batches) < 100
    largest = max(within.batches, key=lambda piece: len(piece[0]))
    from eigenstep._torch_memory import _bytes

    assert _bytes(within, largest) <= 40_000 < _bytes(within, (batch[0], batch[1]))
    with pytest.raises(ValueError, match="One sample takes about"):
        TorchLoss(mlp(), nn.CrossEntropyLoss(), [batch], memory=100)


def test_samples_that_depend_on_one_another_are_not_split() -> None:
    def contrast(model: nn.Module, batch: Any) -> torch.Tensor:
        z = F.normalize(model(batch[0]), dim=-1)
        return F.cross_entropy(z @ z.T, torch.arange(len(z)))

    def added(model: nn.Module, batch: Any) -> torch.Tensor:
        return F.cross_entropy(model(batch[0]), batch[1], reduction="sum")

    with pytest.raises(ValueError, match="depend on one another"):
        TorchLoss(mlp(), contrast, [classes()], micro_batch=4)
    with pytest.raises(ValueError, match="adds up its samples"):
        TorchLoss(mlp(), added, [classes()], micro_batch=4)


def test_half_precision_is_widened() -> None:
    batch = classes()

    def mixed(model: nn.Module, batch: Any) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return F.cross_entropy(model(batch[0]), batch[1])

    def plain(model: nn.Module, batch: Any) -> torch.Tensor:
        return F.cross_entropy(model(batch[0]), batch[1])

    exact = TorchLoss(mlp(), plain, [batch])
    for dtype in (torch.float32, torch.float64):
        loss = TorchLoss(mlp(), mixed, [batch], dtype=dtype)
        # Autocast leaves float64 alone.
        assert any("Mixed precision is off" in n for n in loss.notes) == (dtype == torch.float32)
        np.testing.assert_allclose(
            columns(loss.hessian_product, loss), columns(exact.hessian_product, exact), atol=1e-6)
    halved = TorchLoss(mlp().bfloat16(), nn.CrossEntropyLoss(), [(batch[0].bfloat16(), batch[1])])
    assert halved.dtype == torch.float32
    assert any("bfloat16" in note for note in halved.notes)
    same = TorchLoss(mlp().bfloat16().float(), plain, [(batch[0].bfloat16().float(), batch[1])])
    np.testing.assert_array_equal(
        columns(halved.hessian_product, halved), columns(same.hessian_product, same))
