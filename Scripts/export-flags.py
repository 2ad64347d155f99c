#!/usr/bin/env python3
"""Exports a small network of each kind with the flags that the README names for PyTorch, and checks what the
program makes of it: the parameters by name and size, the loss in float32, no random nodes.

    python3 Scripts/export-flags.py .build/release/eigenstep [older|newer|older-default|newer-default] [kind]

Needs torch, onnx, onnxscript and numpy. The last line counts what passed and failed.
"""

import json
import math
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy
import torch
from torch import nn

warnings.filterwarnings("ignore")

FLAGS = {
    "older": dict(
        dynamo=False, do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE,
        opset_version=18),
    "newer": dict(dynamo=True, optimize=False),
    # As people export who read nothing: what differs must be said.
    "older-default": dict(dynamo=False),
    "newer-default": dict(dynamo=True),
}
TRACES = {
    "random-nodes", "folded-normalisation", "tied-weights-stored-twice", "equal-tensors-merged"}


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(2, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2)
        self.head = nn.Linear(2, 3)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)) + x)
        return self.head(x.mean(dim=(2, 3)))


class Eye(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 4)

    def forward(self, x):
        y = self.layer(x)
        return y @ (torch.eye(4) * 0.5 + 1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            8, 2, 16, dropout=0.1, batch_first=True, activation="gelu")
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.layer(x).mean(dim=1))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cell, self.head = kind(4, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(7, 6), nn.Linear(6, 7, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x):
        return self.head(torch.tanh(self.embedding(x).mean(dim=1)))


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale, self.layer = nn.Parameter(torch.tensor(0.7)), nn.Linear(4, 3)

    def forward(self, x):
        return self.scale * self.layer(x)


class Chunked(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(4, 8), nn.Linear(4, 3)

    def forward(self, x):
        a, b = self.layer(x).chunk(2, dim=-1)
        return self.head(a * torch.sigmoid(b))


def kinds():
    wide = torch.randn(6, 2, 5, 5)
    steps = torch.randn(6, 5, 4)
    yield "linear", nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)), torch.randn(6, 4)
    yield "equal-layers", nn.Sequential(*[norm(8) for norm in (nn.LayerNorm, nn.LayerNorm)],
                                        nn.Linear(8, 3)), torch.randn(6, 8)
    yield "dropout", nn.Sequential(
        nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3)), torch.randn(6, 4)
    yield "batchnorm", Residual(), wide
    yield "convolution", nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(4, 3)), wide
    yield "batchnorm1d", nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.GELU(), nn.Linear(8, 3)), torch.randn(6, 4)
    yield "groupnorm", nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.SiLU(), nn.Flatten(), nn.Linear(36, 3)), wide
    yield "eye", Eye(), torch.randn(6, 5)
    yield "gru", Recurrent(nn.GRU), steps
    yield "lstm", Recurrent(nn.LSTM), steps
    yield "rnn", Recurrent(nn.RNN), steps
    yield "attention", Attention(), torch.randn(6, 4, 8)
    yield "embedding", nn.Sequential(
        nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, 3)), torch.randint(0, 9, (6, 3))
    yield "tied", Tied(), torch.randint(0, 7, (6, 3))
    yield "scalar", Scale(), torch.randn(6, 4)
    yield "chunk", Chunked(), torch.randn(6, 4)
    yield "prelu", nn.Sequential(nn.Linear(4, 6), nn.PReLU(), nn.Linear(6, 3)), torch.randn(6, 4)


def check(program, folder, exporter, name, model, x):
    """What is wrong, in words; empty where nothing is, None where the report says so itself."""
    model.eval()
    with torch.no_grad():
        for value in model.buffers():
            if value.is_floating_point():
                value.add_(torch.rand_like(value))
        outputs = model(x)
    target = torch.arange(len(x)) % outputs.shape[1]
    loss = nn.functional.cross_entropy(outputs, target).item()
    path = folder / f"{exporter}-{name}.onnx"
    axes = (
        dict(dynamic_axes={"x": {0: "n"}}) if exporter.startswith("older")
        else dict(dynamic_shapes=({0: torch.export.Dim("n", min=2)},)))
    torch.onnx.export(
        model, (x,), str(path), input_names=["x"], output_names=["out"], **FLAGS[exporter], **axes)
    data = folder / f"{exporter}-{name}.npz"
    numpy.savez(data, x=x.numpy(), target=target.numpy())
    run = subprocess.run(
        [program, "diagnose", str(path), "--data", str(data), "--loss", "cross-entropy", "--no-trials",
         "--json", "-"], capture_output=True, text=True)
    if run.returncode != 0:
        return run.stderr.strip()
    report = json.loads(run.stdout)
    problem = report["problem"]
    wrong = []
    count = sum(p.numel() for p in model.parameters())
    if problem["parameters"] != count:
        wrong.append(f"{problem['parameters']} parameters for {count}")
    if not math.isclose(problem["loss"], loss, rel_tol=1e-5):
        wrong.append(f"loss {problem['loss']} for {loss}")
    traces = [finding["id"] for finding in report["findings"] if finding["id"] in TRACES]
    # Folded parameters that may be trained are named in the first lines, with the words that add them.
    said = traces + [
        reading["id"] for reading in problem["readings"]
        if reading["id"] == "parameters-left-out" and "--parameters '" in reading["sentence"]]
    if wrong and said and exporter != "newer":
        print(f"{exporter} {name}: {'; '.join(wrong)}, and said so: {', '.join(said)}", flush=True)
        return None
    return "; ".join(wrong + traces)


def main():
    program = sys.argv[1]
    exporters = sys.argv[2].split(',') if len(sys.argv) > 2 else list(FLAGS)
    only = sys.argv[3] if len(sys.argv) > 3 else None
    failed = passed = 0
    with tempfile.TemporaryDirectory() as folder:
        for exporter in exporters:
            torch.manual_seed(0)
            for name, model, x in kinds():
                if only and name != only:
                    continue
                try:
                    wrong = check(program, Path(folder), exporter, name, model, x)
                except Exception as error:  # an exporter's refusal is a result
                    wrong = f"{type(error).__name__}: {str(error).splitlines()[0]}"
                failed, passed = failed + bool(wrong), passed + (not wrong)
                if wrong is not None:
                    print(f"{exporter} {name}: {wrong or 'as in PyTorch'}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
