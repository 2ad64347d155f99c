# %% [markdown]
# # A loop that is watched
#
# A network is trained while its rate doubles every 400 steps, as a schedule that was set wrongly might
# do it. At some point the rate is too much. Who notices, and when?

# %%
import copy
import math
import warnings

import torch
from torch import nn

import eigenstep

torch.manual_seed(0)
inputs = torch.randn(512, 10)
targets = torch.sin(inputs[:, :1]) + 0.5 * inputs[:, 1:2] * inputs[:, 2:3]
network = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
loss_fn = nn.functional.mse_loss


def train(guard: str | None, steps: int = 2400) -> tuple[list[float], eigenstep.Monitor | None]:
    """The losses of the steps, and what watched them."""
    model = copy.deepcopy(network)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 2.0 ** (step / 400))
    monitor = None if guard is None else eigenstep.Monitor(model, loss_fn, optimizer, every=20, guard=guard)
    order = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(steps):
        rows = torch.randint(512, (64,), generator=order)
        batch = inputs[rows], targets[rows]
        optimizer.zero_grad()
        loss = loss_fn(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if monitor is not None:
            monitor.step(batch, losses[-1])
    return losses, monitor


# %% [markdown]
# ## Nobody watches

# %%
losses, _ = train(None)
lost = next((step for step, loss in enumerate(losses) if not loss < 10 * losses[0]), len(losses))
print(f"loss at first {losses[0]:.2f}, least {min(losses[:lost]):.3f}; ten times its start at step {lost}")

# %% [markdown]
# ## Three more lines
#
# `Monitor(model, loss_fn, optimizer)`, `monitor.step(batch, loss)` behind each step, and
# `monitor.report()`. With `guard="warn"` an alarm is a Python warning.

# %%
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    watched, monitor = train("warn")
first = monitor.alarms[0]
print(f"step {first.step}: {first.sentence}")

# %% [markdown]
# ## The guard acts
#
# With `guard="lower-rate"` the parameters go back to where they were good, and the rates of the
# optimizer's groups are multiplied by a factor that the schedule does not undo.

# %%
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    guarded, monitor = train("lower-rate")
print(monitor.report())
print(f"loss at last {sum(guarded[-50:]) / 50:.3f} after {len(monitor.alarms)} alarms")

# %% [markdown]
# Without a guard the run was lost. The alarm came within ten steps of where the loss left its range,
# and with the guard the same run, at the same schedule, ended below half of its start, at a rate that goes on
# doubling: the guard keeps a run from being lost, and does not replace a better schedule.

# %%
assert lost < len(losses)
assert abs(first.step - lost) <= 10
assert math.isfinite(guarded[-1]) and sum(guarded[-50:]) / 50 < 0.5 * guarded[0]
