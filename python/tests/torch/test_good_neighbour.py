"""What stands beside Eigenstep in the process goes on as before: loaders that fork, memory, models."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref

import numpy as np
import pytest
import torch
from torch import nn

import eigenstep
import eigenstep.torch as et


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1)).double()


def batch(count: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(count, 4, generator=generator, dtype=torch.float64),
        torch.randn(count, 1, generator=generator, dtype=torch.float64),
    )


FORKING = """
import sys
import numpy as np
import torch
import eigenstep
import eigenstep.torch as et
from eigenstep import _library

class Rows(torch.utils.data.Dataset):
    # Each row is made by the worker with what a user's data set may call: BLAS.
    def __len__(self):
        return 40
    def __getitem__(self, i):
        square = np.full((60, 60), float(i + 1))
        return torch.full((4,), float((square @ square)[0, 0])), torch.ones(1)

def total():
    loader = torch.utils.data.DataLoader(
        Rows(), batch_size=4, num_workers=2, multiprocessing_context="fork", timeout=30)
    return sum(float(x.sum()) for x, _ in loader)

expected = sum(4 * 60.0 * (i + 1) ** 2 for i in range(40))
_library.library()
assert total() == expected, "after loading"
model = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1))
loss, rows = torch.nn.functional.mse_loss, (torch.randn(12, 4), torch.randn(12, 1))
et.diagnose(model, loss, rows, lr=0.1)
assert total() == expected, "after a diagnosis"
# The library answers in the middle of an epoch too, while workers wait.
for x, y in torch.utils.data.DataLoader(
        Rows(), batch_size=20, num_workers=2, multiprocessing_context="fork", timeout=30):
    assert et.spectrum(model, loss, (x / 1e5, y), count=1).largest[0] > 0
print("fine")
"""


def test_loaders_with_forked_workers() -> None:
    run = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=120
    )
    assert run.stdout.strip() == "fine", run.stderr


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads /proc")
def test_a_thousand_calls_leave_no_memory_behind() -> None:
    model, loss, rows = network(), nn.functional.mse_loss, batch()
    matrix = np.diag(np.arange(1.0, 65.0))

    def call() -> None:
        et.eigenpairs(model, loss, rows)
        eigenstep.eigenpairs(matrix)

    for _ in range(150):
        call()
    gc.collect()
    before = resident_bytes()
    for _ in range(500):
        call()
    gc.collect()
    # An answer that stayed would hold at least its report and its vector: some kilobytes each.
    assert resident_bytes() - before < 1000 * 1024


@pytest.mark.parametrize("raises", [False, True])
def test_a_model_is_freed_after_its_diagnosis(raises: bool) -> None:
    model = network()

    def loss(model: nn.Module, rows: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        if raises and calls.append(0) is None and len(calls) > 8:
            raise ValueError("the disc is full")
        return nn.functional.mse_loss(model(rows[0]), rows[1])

    calls: list[int] = []
    if raises:
        with pytest.raises(ValueError, match="the disc is full"):
            et.diagnose(model, loss, batch(), lr=0.1)
    else:
        report = et.diagnose(model, loss, batch(), lr=0.1, trials=False)
    alive = weakref.ref(model)
    del model, loss
    gc.collect()
    assert alive() is None
    if not raises:
        # The answer outlives what it is about.
        assert "parameters" in report.text(80)
