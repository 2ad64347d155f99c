"""What each of two ranks runs for test_distributed.py; what it found lies in FOLDER/RANK.json after."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Callable

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

import eigenstep.torch as et
from eigenstep import _distributed, _fsdp, _ranks, operators

FOLDER, SCENARIO = Path(sys.argv[1]), sys.argv[2]
LOSS = nn.functional.mse_loss


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 1)
    ).double()


def data() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return (
        torch.randn(20, 3, generator=generator, dtype=torch.float64),
        torch.randn(20, 1, generator=generator, dtype=torch.float64),
    )


def part(rank: int, cut: int) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = data()
    return (x[:cut], y[:cut]) if rank == 0 else (x[cut:], y[cut:])


def loader(rank: int) -> torch.utils.data.DataLoader:
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*part(rank, 10)), batch_size=5)


def sharded() -> nn.Module:
    model = network()
    for layer in model:
        if isinstance(layer, nn.Linear):
            fully_shard(layer)
    return fully_shard(model)


def eigenvalues(model: nn.Module, batch: Any) -> list[float]:
    found = et.eigenpairs(model, LOSS, batch, count=3, which="both", tolerance=1e-10)
    assert found.vectors.shape[1] == 6
    return found.values.tolist()


def by_differences(model: nn.Module, batch: Any) -> dict[str, Any]:
    loss = _distributed.loss_of(model, LOSS, [batch], products="differences")
    start = loss.start()

    def product(v: np.ndarray) -> np.ndarray:
        result = np.empty_like(v)
        loss.hessian_product(1, start, v, result)
        return result

    found = _distributed.asked(
        loss, lambda: operators.eigenpairs(product, start.size, count=3, which="both", tolerance=1e-7)
    )
    return {"values": found.values.tolist(), "notes": loss.notes}


def caught(work: Callable[[], Any]) -> list[str]:
    try:
        work()
    except BaseException as error:  # noqa: BLE001
        return [type(error).__name__, str(error)]
    return ["nothing", ""]


def measure(rank: int, found: dict[str, Any]) -> None:
    for name, cut in (("equal", 10), ("unequal", 6)):
        batch = part(rank, cut)
        found[f"ddp {name}"] = eigenvalues(DistributedDataParallel(network()), batch)
        found[f"given {name}"] = et.eigenpairs(
            network(), LOSS, batch, count=3, which="both", tolerance=1e-10, group=dist.group.WORLD
        ).values.tolist()
        model = sharded()
        before = [p.to_local().detach().clone() for p in model.parameters()]
        found[f"fsdp {name}"] = eigenvalues(model, batch)
        found[f"differences {name}"] = by_differences(model, batch)
        found[f"untouched {name}"] = all(
            torch.equal(p.to_local(), old) and p.grad is None
            for p, old in zip(model.parameters(), before)
        )
        # FSDP goes on as if nothing had been.
        LOSS(model(batch[0]), batch[1]).backward()
        found[f"trains {name}"] = all(p.grad is not None for p in model.parameters())
    model = sharded()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss = _distributed.loss_of(model, LOSS, [part(rank, 6)])
    found["own"] = [id(p) for p in loss.parameters.values()] == [id(p) for p in model.parameters()]
    diagnosis = et.diagnose(model, LOSS, part(rank, 6), optimizer=optimizer, trials=False)
    found["diagnosis"] = [diagnosis.largest_eigenvalue, diagnosis.text(80), diagnosis.to_dict()]
    # As where the parameters would not fit on a device.
    decided, _fsdp.is_by_differences = _fsdp.is_by_differences, lambda *_: True
    spectrum = et.spectrum(model, LOSS, part(rank, 6), count=1)
    found["spectrum"] = [spectrum.largest[0], spectrum.smallest[0]]
    _fsdp.is_by_differences = decided
    bent = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)).double()
    spectrum = et.spectrum(DistributedDataParallel(bent), LOSS, part(rank, 10), count=1)
    found["notes"] = str(spectrum.to_dict())


def fail(rank: int, found: dict[str, Any]) -> None:
    model, calls = DistributedDataParallel(network()), 0

    def loss(model: nn.Module, batch: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if rank == 1 and calls == 25:
            raise ValueError("the disc is full")
        return LOSS(model(batch[0]), batch[1])

    found["raises"] = caught(lambda: et.diagnose(model, loss, loader(rank), lr=0.1))
    # Nothing is left in the group's pipes: the next question is answered.
    found["after"] = eigenvalues(model, part(rank, 10))

    def interrupted(model: nn.Module, batch: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if rank == 0 and calls == 25:
            os.kill(os.getpid(), signal.SIGINT)
        return LOSS(model(batch[0]), batch[1])

    calls = 0
    found["interrupt"] = caught(lambda: et.diagnose(model, interrupted, loader(rank), lr=0.1))
    found["after interrupt"] = eigenvalues(model, part(rank, 10))
    batch = part(rank, 10) if rank == 0 else (part(rank, 10)[0], part(rank, 10)[1][:3])
    found["shapes"] = caught(lambda: et.spectrum(model, LOSS, batch))
    found["scalar"] = caught(
        lambda: et.spectrum(model, lambda m, b: (m(b[0]) - b[1]) ** 2, part(rank, 10))
    )
    found["sync"] = caught(
        lambda: et.spectrum(
            nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))),
            LOSS, part(rank, 10), group=dist.group.WORLD,
        )
    )
    other = nn.Linear(3, 1 if rank == 0 else 2).double()
    found["sizes"] = caught(
        lambda: et.spectrum(
            other, lambda m, b: m(b[0]).square().mean(), part(rank, 10), group=dist.group.WORLD)
    )
    _ranks.ARRIVAL = 0.5
    if rank == 0:
        found["alone"] = caught(lambda: et.spectrum(model, LOSS, part(rank, 10)))
    else:
        time.sleep(1)


def fail_amid_collectives(rank: int, found: dict[str, Any]) -> None:
    calls = 0

    def loss(model: nn.Module, batch: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if rank == 1 and calls == 30:
            raise ValueError("the disc is full")
        return LOSS(model(batch[0]), batch[1])

    def work() -> None:
        function = _distributed.loss_of(sharded(), loss, [part(rank, 10)], products="differences")
        start = function.start()

        def product(v: np.ndarray) -> np.ndarray:
            result = np.empty_like(v)
            function.hessian_product(1, start, v, result)
            return result

        _distributed.asked(function, lambda: operators.eigenpairs(product, start.size, count=3))

    found["raises"] = caught(work)


def be_killed(rank: int, found: dict[str, Any]) -> None:
    calls = 0

    def loss(model: nn.Module, batch: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if rank == 1 and calls == 25:
            os._exit(9)
        return LOSS(model(batch[0]), batch[1])

    model = DistributedDataParallel(network())
    found["raises"] = caught(lambda: et.diagnose(model, loss, loader(rank), lr=0.1))
    print("said:", found["raises"][1], flush=True)


def main() -> None:
    dist.init_process_group("gloo")
    rank, found = dist.get_rank(), dict[str, Any]()
    began = time.monotonic()
    {"measure": measure, "fail": fail, "collectives": fail_amid_collectives, "killed": be_killed}[
        SCENARIO
    ](rank, found)
    found["seconds"] = time.monotonic() - began
    (FOLDER / f"{rank}.json").write_text(json.dumps(found))
    if SCENARIO in ("measure", "fail"):
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
