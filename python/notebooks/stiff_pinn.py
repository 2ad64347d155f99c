# %% [markdown]
# # A physics-informed network
#
# A network is to solve `u'' = -(2 pi)^2 sin(2 pi x)` on the unit interval, `u` zero at both ends: its
# loss is the mean square of what the equation and the ends are off by. Adam begins; what should go on?

# %%
import copy
import math

import torch
from torch import nn

import eigenstep.torch

torch.manual_seed(0)
network = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1)).double()
points = torch.linspace(0, 1, 64, dtype=torch.float64).reshape(-1, 1)
ends = torch.tensor([[0.0], [1.0]], dtype=torch.float64)


def loss_fn(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    x = x.detach().requires_grad_()
    u = model(x)
    slope = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
    bend = torch.autograd.grad(slope.sum(), x, create_graph=True)[0]
    frequency = 2 * math.pi
    return ((bend / frequency**2 + torch.sin(frequency * x)) ** 2).mean() + (model(ends) ** 2).mean()


def train(model: nn.Module, optimizer: torch.optim.Optimizer, evaluations: int) -> float:
    """The least loss within so many evaluations of the gradient."""
    count, least = 0, math.inf

    def closure() -> torch.Tensor:
        nonlocal count, least
        optimizer.zero_grad()
        loss = loss_fn(model, points)
        loss.backward()
        count, least = count + 1, min(least, loss.item())
        return loss

    while count < evaluations:
        optimizer.step(closure)
    return least


# %% [markdown]
# ## How stiff it is
#
# The curvature after 1,000 steps of Adam:

# %%
first = copy.deepcopy(network)
begun = train(first, torch.optim.Adam(first.parameters(), lr=1e-3), 1000)
report = eigenstep.torch.diagnose(first, loss_fn, points, lr=1e-3, trials=False, effort=0.2)
print(report)
span = report.to_dict()["curvature"]["effectiveConditionNumber"]

# %% [markdown]
# The effective condition number is the sharpest curvature over the flattest that matters within 1,000
# steps. Gradient descent at half its limit takes about as many steps as it says to shorten the flattest
# of them by a factor of e. Methods that learn the curvature on the way do not: L-BFGS, which takes it
# from its last gradients, beside further Adam and gradient descent, for the same number of evaluations.

# %%
print(f"effective condition number {span:,.0f}")
further = {}
for name, make in {
    "gradient descent": lambda p: torch.optim.SGD(p, lr=report.stability_limit / 2),
    "Adam": lambda p: torch.optim.Adam(p, lr=1e-3),
    "L-BFGS": lambda p: torch.optim.LBFGS(p, history_size=20, line_search_fn="strong_wolfe"),
}.items():
    model = copy.deepcopy(first)
    further[name] = train(model, make(model.parameters()), 1000)
    print(f"{name:18} {begun:.2e} -> {further[name]:.2e} in 1,000 evaluations")
with torch.no_grad():
    off = (model(points) - torch.sin(2 * math.pi * points)).abs().max().item()
print(f"L-BFGS ends within {off:.1e} of the solution at the points")

# %% [markdown]
# L-BFGS ends more than fifty times below Adam and more than a thousand times below gradient descent,
# within a thousandth of the solution.

# %%
assert span > 10_000
assert further["L-BFGS"] < further["Adam"] / 50
assert further["L-BFGS"] < further["gradient descent"] / 1000
assert off < 1e-3
