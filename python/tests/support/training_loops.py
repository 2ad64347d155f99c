"""Networks and data that several tests of loops train with."""

from __future__ import annotations

import torch
from torch import nn


def network(seed: int, widths: tuple[int, ...] = (8, 16, 4), kind: type = nn.Tanh) -> nn.Sequential:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for a, b in zip(widths, widths[1:]):
        layers += [nn.Linear(a, b), kind()]
    return nn.Sequential(*layers[:-1])


def classes(seed: int, count: int = 480) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 8, generator=generator)
    w = torch.randn(8, 4, generator=generator)
    noise = 0.5 * torch.randn(count, 4, generator=generator)
    return x, (x @ w + noise).argmax(1)


def numbers(seed: int, count: int = 100) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 5, generator=generator)
    return x, torch.sin(x[:, :1]) + 0.3 * torch.randn(count, 1, generator=generator)


def batches(data, size, steps, seed):
    """Batches in shuffled order; all samples for no size."""
    x, y = data
    if size is None:
        yield from [(x, y)] * steps
        return
    generator = torch.Generator().manual_seed(seed)
    taken = 0
    while True:
        for part in torch.randperm(len(x), generator=generator).split(size):
            if taken == steps:
                return
            taken += 1
            yield x[part], y[part]
