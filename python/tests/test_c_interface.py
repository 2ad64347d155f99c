"""Callbacks from the library into Python: what they raise, write and leave behind."""

from __future__ import annotations

import gc
import os
import signal
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import eigenstep
from eigenstep import EigenstepError, _library

SCALE = np.linspace(1.0, 50.0, 60)


class Odd(Exception):
    pass


def test_what_a_product_raises_is_raised_again_at_once() -> None:
    calls = []

    def product(v: np.ndarray) -> np.ndarray:
        calls.append(1)
        if len(calls) == 4:
            raise Odd("in the fourth product")
        return SCALE * v

    with pytest.raises(Odd, match="fourth"):
        eigenstep.eigenpairs(product, n=60, count=5)
    assert len(calls) == 4


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals come to the main thread"
)
def test_an_interrupt_ends_the_work_within_one_product() -> None:
    calls = []

    def product(v: np.ndarray) -> np.ndarray:
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return SCALE * v

    with pytest.raises(KeyboardInterrupt):
        eigenstep.eigenpairs(product, n=60, count=5)
    assert len(calls) <= 4


@pytest.mark.parametrize(
    ("wrong", "word"), [(np.full(60, np.nan), "NaN"), (np.ones(59), "59"), (np.ones((60, 2)), "shape")]
)
def test_a_wrong_product_is_told_in_one_sentence(wrong: np.ndarray, word: str) -> None:
    with pytest.raises(EigenstepError, match=word) as caught:
        eigenstep.eigenpairs(lambda v: wrong, n=60)
    assert "\n" not in str(caught.value)


def test_threads_get_what_one_gets() -> None:
    def work(seed: int) -> tuple[np.ndarray, np.ndarray]:
        scale = np.random.default_rng(seed).uniform(1, 100, 80)
        found = eigenstep.eigenpairs(lambda v: scale * v, n=80, count=3)
        return found.values, found.vectors

    alone = [work(seed) for seed in range(6)]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(work, range(6)))
    for one, other in zip(alone, together):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_nothing_holds_the_operator_after_the_call() -> None:
    class Product:
        def __call__(self, v: np.ndarray) -> np.ndarray:
            return SCALE * v

    product = Product()
    seen = weakref.ref(product)
    found = eigenstep.eigenpairs(product, n=60)
    del product
    gc.collect()
    assert seen() is None
    assert found.values[0] == pytest.approx(50)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_a_thousand_calls_hold_no_more_memory_than_two_hundred() -> None:
    def value_and_gradient(number: int, point: np.ndarray, gradient: np.ndarray | None) -> float:
        if gradient is not None:
            gradient[:] = SCALE * point
        return 0.5 * float(point @ (SCALE * point))

    def product(number: int, point: np.ndarray, direction: np.ndarray, result: np.ndarray) -> None:
        result[:] = SCALE * direction

    loss = _library.LossFunctions(
        {"name": "bowl", "parameters": [{"name": "w", "shape": [60]}]}, np.ones(60),
        value_and_gradient, product,
    )
    request = {
        "schema": "eigenstep.request.spectrum/1", "problem": {"memory": "bowl"}, "count": 1,
        "which": "largest", "resources": {"precision": "float64"},
    }

    def call(number: int) -> None:
        if number % 4 == 0:
            _library.answer(request, loss=loss).report()
        elif number % 4 == 1:
            with pytest.raises(Odd):
                eigenstep.eigenpairs(raising, n=60)
        else:
            eigenstep.eigenpairs(lambda v: SCALE * v, n=60).to_dict()

    def raising(v: np.ndarray) -> np.ndarray:
        raise Odd

    early = 0
    for number in range(1000):
        call(number)
        if number == 200:
            gc.collect()
            early = _resident()
    gc.collect()
    assert _resident() <= 1.03 * early + 2e6
