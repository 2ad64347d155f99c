"""Eigenstep leaves the cores to the framework that computes: no threads of its own, none that spin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")

# Says how many threads there are, and what processor time each has taken besides the first.
COUNT = """
import os, time
def threads():
    return len(os.listdir("/proc/self/task"))
def others():
    taken = 0.0
    for task in os.listdir("/proc/self/task"):
        if int(task) != os.getpid():
            fields = open(f"/proc/self/task/{task}/stat").read().rsplit(")", 1)[1].split()
            taken += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return taken
def maps():
    return {line.split()[-1].rsplit("/", 1)[-1] for line in open("/proc/self/maps") if ".so" in line}
"""


def _run(code: str, **environment: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", COUNT + code], capture_output=True, text=True, timeout=120,
        env=dict(os.environ) | environment,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_makes_no_thread_and_loads_nothing() -> None:
    found = _run(
        """
import json, numpy
before = threads(), maps()
import eigenstep
print(json.dumps({"before": before[0], "after": threads(), "loaded": sorted(maps() - before[1])}))
"""
    )
    assert found["after"] == found["before"]
    assert not [name for name in found["loaded"] if "Eigenstep" in name or "onnxruntime" in name]


def test_a_loss_that_python_computes_makes_no_pool_and_nothing_spins() -> None:
    # The numbers of threads that OpenBLAS would take must not come from the test's own surroundings.
    found = _run(
        """
import json
import numpy as np
from eigenstep import _library
n = 400
rng = np.random.default_rng(0)
scale = np.linspace(1.0, 100.0, n)

def value_and_gradient(number, point, gradient):
    time.sleep(0.002)
    if gradient is not None:
        gradient[:] = scale * point
    return 0.5 * float(point @ (scale * point))

def product(number, point, direction, result):
    time.sleep(0.002)
    result[:] = scale * direction

loss = _library.LossFunctions(
    {"name": "bowl", "parameters": [{"name": "w", "shape": [n]}]}, rng.standard_normal(n),
    value_and_gradient, product)
request = {"schema": "eigenstep.request.spectrum/1", "problem": {"memory": "bowl"},
           "resources": {"precision": "float64"}, "count": 1, "which": "largest"}
_library.library()
before = threads(), others()
report = _library.answer(request, loss=loss).report()
print(json.dumps({"before": before[0], "after": threads(), "others": others() - before[1],
                  "own": time.thread_time(), "loaded": sorted(maps()),
                  "largest": report["largest"][0]["value"]}))
""",
        OPENBLAS_NUM_THREADS="4", OMP_NUM_THREADS="4",
    )
    assert abs(found["largest"] - 100) < 1e-4
    assert not [name for name in found["loaded"] if "onnxruntime" in name]
    assert found["after"] <= found["before"] + 1
    # A pool that spins would take as long as the products last, on each of its threads.
    assert found["others"] <= 0.1 + 0.2 * found["own"]
