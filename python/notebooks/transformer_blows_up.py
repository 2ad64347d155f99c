# %% [markdown]
# # A transformer that blows up
#
# A small transformer learns to repeat sequences backwards, by momentum at a rate of 3. Its loss blows
# up. Is the rate too high, and by how much?

# %%
import copy
import math

import torch
from torch import nn

import eigenstep.torch


class Reverser(nn.Module):
    """One encoder layer over tokens and their places."""

    def __init__(self, kinds: int = 8, length: int = 6, width: int = 16) -> None:
        super().__init__()
        self.tokens = nn.Embedding(kinds, width)
        self.places = nn.Parameter(0.1 * torch.randn(length, width))
        self.layer = nn.TransformerEncoderLayer(width, 2, 32, dropout=0.0, batch_first=True)
        self.head = nn.Linear(width, kinds)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(self.tokens(tokens) + self.places))


def loss_fn(model: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(model(tokens).flatten(0, 1), tokens.flip(1).flatten())


torch.manual_seed(0)
tokens = torch.randint(8, (64, 6))
transformer = Reverser()


def train(model: nn.Module, lr: float, steps: int) -> list[float]:
    optimizer, losses = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_fn(model, tokens)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    return losses


# %%
rate = 3.0
blown = train(copy.deepcopy(transformer), rate, 100)
print(f"guessing costs {math.log(8):.2f}")
print(f"loss at first {blown[0]:.2f}, at worst {max(blown):.3g}, at last {blown[-1]:.3g}")

# %% [markdown]
# ## Why
#
# The limit that counts is the one of the optimizer in use: heavy-ball momentum 0.9 may go 3.8 times as
# fast as plain descent, 2 (1 + 0.9) over the largest eigenvalue.

# %%
optimizer = torch.optim.SGD(transformer.parameters(), lr=rate, momentum=0.9)
report = eigenstep.torch.diagnose(
    transformer, loss_fn, tokens, optimizer=optimizer, trials=False, effort=0.2
)
print(report)
over = rate / report.stability_limit
print(f"the rate is {over:.1f} times the limit {report.stability_limit:.3g} of heavy-ball momentum 0.9")

# %% [markdown]
# ## Mended
#
# The same optimizer from the same start, at a quarter of its limit: while it trains a network becomes
# sharper at first, so some room is left.

# %%
mended = train(copy.deepcopy(transformer), report.stability_limit / 4, 100)
print(f"loss at first {mended[0]:.2f}, at worst {max(mended):.3g}, at last {mended[-1]:.3g}")

# %% [markdown]
# The rate of 3 was one and a half times the limit, and the loss rose a thousandfold and more. At a
# quarter of the limit it never rose above its start, and after 100 steps the sequences come out
# backwards.

# %%
assert 1.4 < over < 1.6 and abs(report.stability_limit - 3.8 / report.largest_eigenvalue) < 1e-3
assert not max(filter(math.isfinite, blown)) < 1000 * blown[0]
assert max(mended) == mended[0]
# A token that came out wrong would by itself cost more than log 2.
assert mended[-1] * tokens.numel() < math.log(2)
