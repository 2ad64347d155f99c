#!/usr/bin/env python3
"""Writes Examples/digits.onnx, a small convolutional network as PyTorch initialises it, and
Examples/digits.npz, 200 scanned digits with pixels from 0 to 16, as scikit-learn gives them.

    Scripts/models/example.py

Needs torch, onnx, onnxscript and scikit-learn.
"""

import pathlib

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from export import save

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "Examples"


def main():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64, 10))
    digits = load_digits()
    images = digits.images[:200, None].astype(np.float32)
    program = torch.onnx.export(
        network.eval(), (torch.from_numpy(images),), dynamo=True, input_names=["image"],
        output_names=["logits"], dynamic_shapes=({0: torch.export.Dim("batch")},), opset_version=20,
        optimize=False, verbose=False, do_constant_folding=False)
    save(program.model_proto, FOLDER / "digits.onnx")
    np.savez_compressed(
        FOLDER / "digits.npz", image=images, target=digits.target[:200].astype(np.int64))


if __name__ == "__main__":
    main()
