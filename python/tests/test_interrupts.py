"""KeyboardInterrupt ends a call soon, and what callbacks raise comes back."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest

import eigenstep

random = np.random.default_rng(2)
X, Y = random.normal(size=(400, 20)), random.normal(size=400)


def test_an_interrupt_ends_a_training_soon():
    threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        eigenstep.train(X, Y, lr=1e-4, steps=100_000_000)
    assert time.monotonic() - start < 30
    # Nothing is left of it.
    assert eigenstep.train(X, Y, lr=1e-4, steps=3).length.steps == 3


def test_what_progress_raises_is_raised():
    class Enough(Exception):
        pass

    def stop(stage: str, share: float | None) -> None:
        raise Enough(stage)

    with pytest.raises(Enough):
        eigenstep.diagnose(X, Y, progress=stop)


def test_threads_have_results_of_their_own():
    found: dict[int, float] = {}

    def work(seed: int) -> None:
        values = np.random.default_rng(seed).normal(size=(50, 3))
        found[seed] = eigenstep.spectrum(values, values[:, 0], model="linear", count=1).largest[0]

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, value in found.items():
        values = np.random.default_rng(seed).normal(size=(50, 3))
        design = np.column_stack([values, np.ones(50)])
        assert value == pytest.approx(np.linalg.eigvalsh(design.T @ design / 50)[-1], rel=1e-9)
