#!/usr/bin/env python3
"""Prints the rows of Tests/CurvatureTests/LayerTests.swift: layers of PyTorch in float64 on inputs and
parameters `sin(a k + b)`, so that nothing needs to be stored but the outputs. Needs torch."""

import torch
from torch import nn
from torch.nn import functional

torch.set_default_dtype(torch.float64)


def wave(a, b, *shape):
    return torch.sin(a * torch.arange(torch.Size(shape).numel()) + b).reshape(shape)


def fill(layer):
    for value in layer.parameters():
        value.data = wave(1.3, 0.5, *value.shape)
    return layer


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.output = (nn.Linear(4, 4) for _ in range(4))

    def forward(self, x):
        heads = [part(x).reshape(2, 3, 2, 2).transpose(1, 2) for part in (self.query, self.key, self.value)]
        mixed = functional.scaled_dot_product_attention(*heads, is_causal=True)
        return self.output(mixed.transpose(1, 2).reshape(2, 3, 4))


def lstm():
    layer = fill(nn.LSTM(2, 2, batch_first=True))
    layer.bias_hh_l0.data.zero_()
    return lambda x: layer(x)[0]


rows = {
    "dense": (fill(nn.Linear(3, 2)), (2, 3)),
    "convolution": (fill(nn.Conv2d(2, 2, 3, stride=2, padding=1)), (1, 2, 4, 4)),
    "max pooling": (nn.MaxPool2d(2), (1, 1, 4, 4)),
    "average pooling": (nn.AvgPool2d(2), (1, 1, 4, 4)),
    "batch normalization": (fill(nn.BatchNorm2d(2)), (2, 2, 1, 2)),
    "layer normalization": (fill(nn.LayerNorm(4)), (2, 4)),
    "group normalization": (fill(nn.GroupNorm(2, 4)), (1, 4, 1, 2)),
    "attention": (fill(Attention()), (2, 3, 4)),
    "lstm": (lstm(), (2, 3, 2)),
}
for name, (layer, shape) in rows.items():
    values = layer(wave(0.7, 0.2, *shape)).detach().flatten().tolist()
    print(f'    "{name}": [')
    for start in range(0, len(values), 4):
        print("      " + ", ".join(f"{v:.15g}" for v in values[start : start + 4]) + ",")
    print("    ],")
