"""The notebooks run from top to bottom, and what they say at their ends holds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import eigenstep

FOLDER = Path(__file__).parents[2] / "notebooks"


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
def test_a_notebook_runs(name: str, tmp_path: Path) -> None:
    source = (FOLDER / f"{name}.py").read_text()
    if "eigenstep.Monitor" in source and not hasattr(eigenstep, "Monitor"):
        pytest.skip("this package has no Monitor")
    # Cells of words and of code in turn, the last of them what holds at the end.
    cells = re.split(r"(?m)^# %%.*$", source)
    assert source.startswith("# %% [markdown]\n# # ") and "assert" in cells[-1]
    run = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py")],
        cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
