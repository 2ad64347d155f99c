"""The networks that tests and benchmarks share, in plain PyTorch.

Attention is written out, so that it can be differentiated twice on every device.
"""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional


# Numbers that float32 holds exactly, as a model file stores them: the same function in float64.
PI, PI_SQUARED = float(np.float32(math.pi)), float(np.float32(math.pi**2))


class LeNet(nn.Module):
    """Two convolutions with max-pooling and two dense layers, on 28 x 28 images."""

    def __init__(self, channels=4, hidden=32):
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 5)
        self.conv2 = nn.Conv2d(channels, 2 * channels, 5)
        self.dense1 = nn.Linear(2 * channels * 16, hidden)
        self.dense2 = nn.Linear(hidden, 10)

    def forward(self, x):
        x = functional.max_pool2d(torch.tanh(self.conv1(x)), 2)
        x = functional.max_pool2d(torch.tanh(self.conv2(x)), 2)
        return self.dense2(torch.tanh(self.dense1(x.flatten(1))))


class ConvNet(nn.Module):
    """Three 3 x 3 convolutions on 32 x 32 images, then the mean over places and a dense layer."""

    def __init__(self, channels=32):
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv3 = nn.Conv2d(channels, channels, 3, padding=1)
        self.dense = nn.Linear(channels, 10)

    def forward(self, x):
        for conv in (self.conv1, self.conv2, self.conv3):
            x = torch.tanh(conv(x))
        return self.dense(x.mean((2, 3)))


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.short = None
        if stride != 1 or inputs != outputs:
            self.short = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.norm3 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        y = self.norm2(self.conv2(functional.relu(self.norm1(self.conv1(x)))))
        return functional.relu(y + (x if self.short is None else self.norm3(self.short(x))))


class ResNet18(nn.Module):
    """ResNet-18 for 32 x 32 images; its running statistics stand for those of training."""

    def __init__(self, base=16):
        super().__init__()
        self.conv = nn.Conv2d(3, base, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(base)
        sizes = [base, 2 * base, 4 * base, 8 * base]
        blocks, inputs = [], base
        for stage, outputs in enumerate(sizes):
            for index in range(2):
                blocks.append(Block(inputs, outputs, 2 if stage > 0 and index == 0 else 1))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.dense = nn.Linear(8 * base, 10)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0, 0.1)
                nn.init.normal_(module.running_mean, 0, 0.1)
                nn.init.uniform_(module.running_var, 0.5, 1.5)

    def forward(self, x):
        x = self.blocks(functional.relu(self.norm(self.conv(x))))
        return self.dense(x.mean((2, 3)))


class Attention(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.inputs = nn.Linear(width, 3 * width)
        self.outputs = nn.Linear(width, width)

    def forward(self, x):
        length, width = x.shape[1], x.shape[2]
        parts = self.inputs(x).reshape(-1, length, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        scores = q @ k.transpose(2, 3) / math.sqrt(width // self.heads)
        if self.causal:
            mask = torch.ones(length, length, dtype=torch.bool).triu(1)
            scores = scores.masked_fill(mask, -1e9)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(-1, length, width)
        return self.outputs(mixed)


class Layer(nn.Module):
    """A pre-norm transformer layer."""

    def __init__(self, width, heads, causal):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads, causal)
        self.norm2 = nn.LayerNorm(width)
        self.dense1 = nn.Linear(width, 4 * width)
        self.dense2 = nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.dense2(functional.gelu(self.dense1(self.norm2(x))))


class GPT(nn.Module):
    """A causal transformer over tokens: logits of the next one at each place."""

    def __init__(self, tokens=32, width=16, heads=4, layers=4, length=12):
        super().__init__()
        self.tokens = nn.Embedding(tokens, width)
        self.places = nn.Parameter(0.1 * torch.randn(length, width))
        self.layers = nn.Sequential(*[Layer(width, heads, True) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.dense = nn.Linear(width, tokens, bias=False)

    def forward(self, tokens):
        return self.dense(self.norm(self.layers(self.tokens(tokens) + self.places)))


class ViT(nn.Module):
    """A vision transformer on 16 x 16 images cut into patches of 4 x 4, with a class token."""

    def __init__(self, width=16, heads=4, layers=2):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.token = nn.Parameter(0.1 * torch.randn(1, 1, width))
        self.places = nn.Parameter(0.1 * torch.randn(17, width))
        self.layers = nn.Sequential(*[Layer(width, heads, False) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.dense = nn.Linear(width, 10)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], 1, x.shape[2]), x], 1) + self.places
        return self.dense(self.norm(self.layers(x))[:, 0])


class LSTM(nn.Module):
    """A recurrent network over a sequence, read at its last step."""

    def __init__(self, inputs=6, width=16, classes=5):
        super().__init__()
        self.lstm = nn.LSTM(inputs, width, batch_first=True)
        self.dense = nn.Linear(width, classes)

    def forward(self, x):
        return self.dense(self.lstm(x)[0][:, -1])


class UNet(nn.Module):
    """An encoder and decoder with two skips, for a class at each place of a 16 x 16 image."""

    def __init__(self, channels=4, classes=3):
        super().__init__()
        c = channels
        self.down1 = nn.Conv2d(1, c, 3, padding=1)
        self.down2 = nn.Conv2d(c, 2 * c, 3, padding=1)
        self.middle = nn.Conv2d(2 * c, 4 * c, 3, padding=1)
        self.grow2 = nn.ConvTranspose2d(4 * c, 2 * c, 2, 2)
        self.up2 = nn.Conv2d(4 * c, 2 * c, 3, padding=1)
        self.up1 = nn.Conv2d(3 * c, c, 3, padding=1)
        self.dense = nn.Conv2d(c, classes, 1)
        self.norm1, self.norm2 = nn.GroupNorm(2, c), nn.GroupNorm(2, 2 * c)

    def forward(self, x):
        one = functional.silu(self.norm1(self.down1(x)))
        two = functional.silu(self.norm2(self.down2(functional.avg_pool2d(one, 2))))
        low = functional.silu(self.middle(functional.avg_pool2d(two, 2)))
        up = functional.silu(self.up2(torch.cat([self.grow2(low), two], 1)))
        up = functional.interpolate(up, scale_factor=2, mode="bilinear", align_corners=False)
        return self.dense(functional.silu(self.up1(torch.cat([up, one], 1))))


class PINN(nn.Module):
    """The loss of `u'' = -pi^2 sin(pi x)`, `u(0) = u(1) = 0` for a tanh network `u(x)`.

    The derivatives in x go forwards through the layers, so that the graph holds them.
    """

    def __init__(self, width=16):
        super().__init__()
        self.dense1 = nn.Linear(1, width)
        self.dense2 = nn.Linear(width, width)
        self.dense3 = nn.Linear(width, 1)

    def field(self, x):
        """u, u' and u'' at points `[n, 1]`."""
        value, slope, curve = x, torch.ones_like(x), torch.zeros_like(x)
        for dense in (self.dense1, self.dense2):
            z = dense(value)
            dz, ddz = slope @ dense.weight.T, curve @ dense.weight.T
            value = torch.tanh(z)
            first = 1 - value * value
            slope, curve = first * dz, first * ddz - 2 * value * first * dz * dz
        weight = self.dense3.weight.T
        return self.dense3(value), slope @ weight, curve @ weight

    def forward(self, x, ends):
        curve = self.field(x)[2]
        residual = curve + PI_SQUARED * torch.sin(PI * x)
        return (residual**2).mean() + 10 * (self.field(ends)[0] ** 2).mean()


class NormNet(nn.Module):
    """Batch normalization as while training, which couples the samples of a batch."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.0)
        self.dense = nn.Linear(3 * 36, 4)

    def forward(self, x):
        return self.dense(self.drop(torch.tanh(self.norm(self.conv(x)))).flatten(1))
