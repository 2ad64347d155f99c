"""The wheel in a place that has nothing: an empty environment, no Swift, no variables; a diagnosis soon after."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

WHEEL = os.environ.get("EIGENSTEP_WHEEL")
pytestmark = pytest.mark.skipif(WHEEL is None, reason="EIGENSTEP_WHEEL names no wheel; `make test-python` does")

LINES = """
import numpy as np, eigenstep
rng = np.random.default_rng(0)
a = rng.standard_normal((200, 40))
matrix = a.T @ a
found = eigenstep.eigenpairs(lambda v: matrix @ v, n=40)
assert abs(found.values[0] - np.linalg.eigvalsh(matrix)[-1]) < 1e-6 * found.values[0]
print(found)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], float]:
    """An environment with the wheel, what is set there, and the moment when the installation was over."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    bare = {"PATH": f"{folder / 'env' / 'bin'}:/usr/bin:/bin", "HOME": os.environ.get("HOME", str(folder))}
    assert shutil.which("swift", path=bare["PATH"]) is None
    pip = [folder / "env" / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # What pip was told of the network here.
    network = {key: value for key, value in os.environ.items() if key.startswith("PIP_") or "proxy" in key.lower()}
    subprocess.run([*pip, str(WHEEL)], check=True, env=bare | network, cwd=folder)
    return folder, bare, time.monotonic()


def test_a_diagnosis_comes_within_20_seconds(place: tuple[Path, dict[str, str], float]) -> None:
    folder, bare, installed = place

    def run(*command: str) -> str:
        done = subprocess.run(command, env=bare, cwd=folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    rows = "\n".join(f"{n % 7},{n * n % 11 * 100},{n % 7 - n * n % 11}" for n in range(60))
    (folder / "table.csv").write_text("small,large,y\n" + rows + "\n")
    said = run("eigenstep", "diagnose", "table.csv", "--target", "y", "--lr", "1e-6")
    assert "Why " in said and "large" in said
    assert "largest" in run("python", "-c", LINES)
    assert time.monotonic() - installed < 20
    assert run("eigenstep", "--version").strip() in str(WHEEL)
    assert "onnxruntime: version" in run("eigenstep", "doctor")


def test_the_wheel_holds_each_thing_once_and_is_not_large() -> None:
    assert os.path.getsize(str(WHEEL)) <= 60e6
    with zipfile.ZipFile(str(WHEEL)) as archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
        shared = [info.filename for info in files if ".so" in Path(info.filename).name]
        stems = sorted(Path(name).name.split("-")[0].split(".")[0] for name in shared)
        assert stems == ["libEigenstepC", "libgfortran", "libopenblasp", "libquadmath"]
        checksums = [info.CRC for info in files if info.file_size > 100_000]
        assert len(checksums) == len(set(checksums))
        # No web server, no data base.
        library = archive.read(next(name for name in shared if "libEigenstepC" in name))
        for foreign in (b"sqlite3_open", b"swift-nio", b"libcurl"):
            assert foreign not in library
