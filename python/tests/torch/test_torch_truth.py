"""Twelve networks against dense Hessians that PyTorch computes in float64, and against their ONNX exports."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

import eigenstep.torch
from eigenstep import _library

ERRORS = {torch.float32: 1e-5, torch.float64: 1e-9}


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.cell = kind(3, 5, batch_first=True)
        self.head = nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.cell(x)[0][:, -1])


class MaskedTransformer(nn.Module):
    """Causal, with padded places, once by PyTorch's own layer and once by its attention function."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 6)
        self.layer = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, batch_first=True)
        self.heads = nn.Linear(6, 18)
        self.readout = nn.Linear(6, 7)
        # An export makes one tensor of equal ones.
        for norm in (self.layer.norm1, self.layer.norm2):
            nn.init.normal_(norm.weight, 1, 0.2)
            nn.init.normal_(norm.bias, 0, 0.2)
        nn.init.normal_(self.layer.self_attn.in_proj_bias, 0, 0.2)
        nn.init.normal_(self.layer.self_attn.out_proj.bias, 0, 0.2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        length = tokens.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=tokens.device).triu(1)
        x = self.layer(self.embedding(tokens), src_mask=causal, src_key_padding_mask=tokens == 0)
        q, k, v = self.heads(x).view(*tokens.shape, 2, 9).transpose(1, 2).chunk(3, -1)
        x = x + F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        return self.readout(x).transpose(1, 2)


class TiedLanguageModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 6)
        self.mix = nn.Linear(6, 6)
        self.readout = nn.Linear(6, 9, bias=False)
        self.readout.weight = self.embedding.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.readout(torch.tanh(self.mix(self.embedding(tokens).mean(1))))


class VAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(6, 8), nn.Linear(4, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean, log_variance = torch.tanh(self.encoder(x)).chunk(2, -1)
        # Numbers of one kind, so that a copy in float64 draws the same.
        noise = torch.randn(mean.shape, dtype=torch.float32).to(mean.dtype)
        shown = self.decoder(mean + noise * torch.exp(log_variance / 2))
        divergence = (mean**2 + log_variance.exp() - 1 - log_variance).sum(-1) / 2
        return (F.binary_cross_entropy_with_logits(shown, (x > 0).to(x), reduction="none").sum(-1)
                + divergence).mean()


class LowRank(nn.Module):
    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Parameter(torch.randn(2, base.in_features) / 3)
        self.up = nn.Parameter(torch.randn(base.out_features, 2) / 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base(x) + x @ self.down.T @ self.up.T


class TwoDevices(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 2).to("cuda")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.tanh(self.first(x)).to("cuda")).cpu()


def poisson_residual(model: nn.Module, points: torch.Tensor) -> torch.Tensor:
    x = points.detach().clone().requires_grad_()
    u = model(x)
    slope, = torch.autograd.grad(u.sum(), x, create_graph=True)
    bend, = torch.autograd.grad(slope.sum(), x, create_graph=True)
    return (bend + math.pi**2 * torch.sin(math.pi * x)).square().mean() + 10 * (
        model(torch.zeros_like(x[:1])) ** 2).mean()


def contrast(model: nn.Module, views: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    one, other = (F.normalize(model(view), dim=-1) for view in views)
    return F.cross_entropy(one @ other.T / 0.5, torch.arange(len(one), device=one.device))


def own_loss(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    return model(batch)


OF_THE_MODEL = (poisson_residual, contrast, own_loss)


def cnn() -> nn.Module:
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(12, 3))
    with torch.no_grad():
        model(torch.randn(50, 1, 6, 6) * 2 + 1)
        model[1].weight.normal_(1, 0.2)
        model[1].bias.normal_(0, 0.2)
    return model


def labelled(*shape: int, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(*shape), torch.randint(0, classes, shape[:1])


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 3))


def tokens() -> tuple[torch.Tensor, torch.Tensor]:
    given = torch.randint(1, 7, (4, 5))
    given[0, 3:] = 0
    given[2, 4:] = 0
    return given, torch.where(given == 0, -100, torch.randint(0, 7, (4, 5)))


def lora() -> nn.Module:
    return nn.Sequential(LowRank(nn.Linear(5, 6)), nn.Tanh(), LowRank(nn.Linear(6, 2)))


NETWORKS: dict[str, Callable[[], tuple[nn.Module, Any, Any]]] = {
    "mlp": lambda: (mlp(), nn.CrossEntropyLoss(label_smoothing=0.1), labelled(20, 4)),
    "cnn-train": lambda: (cnn().train(), F.cross_entropy, labelled(12, 1, 6, 6)),
    "cnn-eval": lambda: (cnn().eval(), nn.CrossEntropyLoss(), labelled(12, 1, 6, 6)),
    "lstm": lambda: (Recurrent(nn.LSTM), nn.MSELoss(), (torch.randn(6, 4, 3), torch.randn(6, 2))),
    "gru": lambda: (Recurrent(nn.GRU), nn.SmoothL1Loss(), (torch.randn(6, 4, 3), torch.randn(6, 2))),
    "transformer": lambda: (MaskedTransformer().eval(), nn.CrossEntropyLoss(), tokens()),
    "tied": lambda: (
        TiedLanguageModel(), nn.CrossEntropyLoss(),
        (torch.randint(0, 9, (8, 3)), torch.randint(0, 9, (8,)))),
    "vae": lambda: (VAE(), own_loss, torch.randn(10, 6)),
    "pinn": lambda: (
        nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 1)),
        poisson_residual, torch.linspace(-1, 1, 15)[:, None]),
    "contrastive": lambda: (
        nn.Sequential(nn.Linear(5, 8), nn.SiLU(), nn.Linear(8, 4)), contrast,
        (torch.randn(9, 5), torch.randn(9, 5))),
    "lora": lambda: (lora(), nn.MSELoss(), (torch.randn(10, 5), torch.randn(10, 2))),
    "devices": lambda: (TwoDevices(), nn.MSELoss(), (torch.randn(9, 4), torch.randn(9, 2))),
    "float64": lambda: (
        mlp().double(), nn.CrossEntropyLoss(), (torch.randn(20, 4).double(), torch.randint(0, 3, (20,)))),
}


def made(name: str) -> tuple[nn.Module, Any, Any]:
    if name == "devices" and not torch.cuda.is_available():
        pytest.skip("there is one device only")
    torch.manual_seed(7)
    return NETWORKS[name]()


@dataclass
class Dense:
    loss: float
    gradient: np.ndarray
    hessian: np.ndarray
    offsets: dict[str, range]

    @property
    def values(self) -> np.ndarray:
        return np.linalg.eigvalsh(self.hessian)

    def block(self, names: list[str]) -> np.ndarray:
        places = [i for name in names for i in self.offsets[name]]
        return self.hessian[np.ix_(places, places)]


def doubled(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(doubled(item) for item in value)
    return value.double() if value.is_floating_point() else value


@sdpa_kernel(SDPBackend.MATH)
def dense(model: nn.Module, loss_fn: Any, batch: Any) -> Dense:
    """By columns of PyTorch's double backward on a copy in float64."""
    model = copy.deepcopy(model).double()
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    parameters = [p for _, p in named]
    torch.manual_seed(0)
    if loss_fn in OF_THE_MODEL:
        loss = loss_fn(model, doubled(batch))
    else:
        inputs, targets = doubled(batch)
        loss = loss_fn(model(inputs), targets)
    gradient = torch.cat([
        g.reshape(-1).cpu() for g in torch.autograd.grad(loss, parameters, create_graph=True)])
    rows = [
        torch.cat([
            (torch.zeros_like(p) if part is None else part).reshape(-1).cpu()
            for part, p in zip(
                torch.autograd.grad(entry, parameters, retain_graph=True, allow_unused=True), parameters)
        ])
        for entry in gradient
    ]
    offsets, first = {}, 0
    for name, p in named:
        offsets[name] = range(first, first + p.numel())
        first += p.numel()
    return Dense(float(loss.detach()), gradient.detach().numpy(), torch.stack(rows).numpy(), offsets)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", NETWORKS)
def test_agrees_with_the_dense_hessian(name: str, dtype: torch.dtype) -> None:
    model, loss_fn, batch = made(name)
    if name == "float64" and dtype == torch.float32:
        pytest.skip("the network is in float64")
    truth = dense(model, loss_fn, batch)
    found = eigenstep.torch.spectrum(
        model, loss_fn, batch, count=1, trace=True, per_layer=True,
        dtype=None if next(model.parameters()).dtype == dtype else dtype,
    )
    agrees(found.to_dict(), truth, ERRORS[dtype])


@pytest.mark.parametrize("name, loss", [
    ("cnn-eval", "cross-entropy"), ("lstm", "mse"), ("gru", "huber"), ("transformer", "cross-entropy"),
    ("tied", "cross-entropy"), ("float64", "cross-entropy"),
])
@pytest.mark.filterwarnings("ignore")
def test_the_export_has_the_same_numbers(name: str, loss: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    model, loss_fn, batch = made(name)
    truth = dense(model, loss_fn, batch)
    model, (inputs, targets) = model.float().eval(), batch
    if inputs.is_floating_point():
        inputs = inputs.float()
    torch.onnx.export(
        model, (inputs,), tmp_path / "model.onnx", input_names=["x"], dynamo=False,
        dynamic_axes={"x": {0: "samples"}}, do_constant_folding=False,
        training=torch.onnx.TrainingMode.PRESERVE,
    )
    np.savez(tmp_path / "data.npz", x=inputs.numpy(), target=targets.numpy())
    problem = {"file": str(tmp_path / "model.onnx"), "data": str(tmp_path / "data.npz"), "loss": loss}
    answer = _library.answer({
        "schema": "eigenstep.request.spectrum/1", "problem": {"model": problem}, "count": 1,
        "which": "both", "trace": True, "perLayer": True, "resources": {"precision": "float32"},
    })
    agrees(answer.report(), truth, ERRORS[torch.float32])


def test_the_trace_of_many_parameters_lies_within_its_interval() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 100), nn.Tanh(), nn.Linear(100, 10))
    batch = labelled(40, 12, classes=10)
    truth = np.trace(dense(model, nn.CrossEntropyLoss(), batch).hessian)
    for seed in range(3):
        found = eigenstep.torch.spectrum(
            model, nn.CrossEntropyLoss(), batch, count=1, which="largest", trace=True, seed=seed).to_dict()
        assert found["problem"]["parameters"] == 2310
        assert 0 < found["trace"]["standardError"] < 0.05 * truth
        assert abs(found["trace"]["value"] - truth) < 4 * found["trace"]["standardError"]


def agrees(report: dict[str, Any], truth: Dense, error: float) -> None:
    values = truth.values
    scale = float(np.abs(values).max())
    assert report["problem"]["parameters"] == len(values) <= 2000
    assert report["problem"]["loss"] == pytest.approx(truth.loss, rel=error)
    assert report["problem"]["gradientNorm"] == pytest.approx(
        np.linalg.norm(truth.gradient), rel=error)
    assert report["largest"][0]["value"] == pytest.approx(values[-1], abs=error * scale)
    assert report["smallest"][0]["value"] == pytest.approx(values[0], abs=error * scale)
    assert report["upperBound"] >= values[-1] - error * scale
    assert report["lowerBound"] <= values[0] + error * scale
    # A sum of n eigenvalues, each with its error.
    assert report["trace"]["standardError"] == 0
    assert report["trace"]["value"] == pytest.approx(
        values.sum(), abs=error * max(scale, np.abs(values).sum()))
    layers = report["layers"]
    assert sorted(n for layer in layers for n in layer["parameters"]) == sorted(truth.offsets)
    for layer in layers:
        block = np.linalg.eigvalsh(truth.block(layer["parameters"]))
        assert layer["sharpness"] == pytest.approx(block[-1], abs=error * scale), layer["layer"]
        assert layer["trace"] == pytest.approx(
            block.sum(), abs=error * max(scale, np.abs(block).sum()))
