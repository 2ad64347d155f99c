# %% [markdown]
# # A network that trains slowly
#
# A small network predicts a smooth function of four columns. One column is measured in other units than
# the rest. Training neither blows up nor gets anywhere.

# %%
import copy

import torch
from torch import nn

import eigenstep.torch

torch.manual_seed(0)
columns = torch.randn(256, 4, dtype=torch.float64)
targets = torch.sin(columns[:, :1]) + columns[:, 3:] ** 2 / 4
as_measured = columns * torch.tensor([1.0, 1.0, 1.0, 50.0]) + torch.tensor([0.0, 0.0, 0.0, 100.0])
loss_fn = nn.functional.mse_loss
network = nn.Sequential(nn.Linear(4, 16), nn.Softplus(), nn.Linear(16, 1)).double()


def train(model: nn.Module, inputs: torch.Tensor, lr: float, steps: int) -> list[float]:
    """The losses before each step of gradient descent, and the last."""
    optimizer, losses = torch.optim.SGD(model.parameters(), lr=lr), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_fn(model(inputs), targets)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    return losses + [loss_fn(model(inputs), targets).item()]


# %% [markdown]
# ## What the curvature says
#
# The limit of gradient descent is two over the largest eigenvalue of the Hessian. The effective
# condition number is what one rate has to span: the sharpest curvature over the flattest that still
# matters within 1,000 steps.

# %%
before = eigenstep.torch.diagnose(
    network, loss_fn, (as_measured, targets), lr=1e-5, trials=False
)
print(before)

# %% [markdown]
# Which column is it? The sharpest direction says so: a unit vector with one entry for each parameter,
# in their order: the sixteen by four weights of the first layer, their biases, the sixteen weights of
# the last layer and its bias.

# %%
sharpest = eigenstep.torch.eigenpairs(network, loss_fn, (as_measured, targets)).vectors[:, 0]
columns_share = (sharpest[:64].reshape(16, 4) ** 2).sum(0)
last_share = (sharpest[80:96] ** 2).sum()
print("shares of the columns:", columns_share.round(3), "of the last layer's weights:", last_share.round(3))

# %% [markdown]
# Of the columns it is the fourth alone; the rest are the weights of the last layer, whose inputs grow
# with that column. The remedy is the first that the textbooks name: take each column less its mean,
# over its deviation.

# %%
scaled = (as_measured - as_measured.mean(0)) / as_measured.std(0)
after = eigenstep.torch.diagnose(network, loss_fn, (scaled, targets), lr=1e-5, trials=False)
print(f"largest eigenvalue  {before.largest_eigenvalue:12,.0f} -> {after.largest_eigenvalue:.1f}")
print(f"stability limit     {before.stability_limit:12.1e} -> {after.stability_limit:.2g}")

# %% [markdown]
# ## Measured
#
# Both are trained from the same start for 500 steps, each at half of its own limit.

# %%
slow = train(copy.deepcopy(network), as_measured, before.stability_limit / 2, 500)
fast = train(copy.deepcopy(network), scaled, after.stability_limit / 2, 500)
constant = targets.var(correction=0).item()
print(f"the best constant: {constant:.3g}")
print(f"as measured: {slow[0]:.3g} -> {slow[-1]:.3g} in 500 steps")
print(f"scaled:      {fast[0]:.3g} -> {fast[-1]:.3g} in 500 steps")

# %% [markdown]
# On scaled columns the limit is hundreds of times as high. In 500 steps the network as it was has not
# become as good as a constant; the other has taken more than eight tenths of the constant's loss away.

# %%
assert columns_share[3] > 100 * columns_share[:3].sum() and columns_share[3] + last_share > 0.95
assert after.stability_limit > 500 * before.stability_limit
assert slow[-1] > constant and fast[-1] < 0.2 * constant
