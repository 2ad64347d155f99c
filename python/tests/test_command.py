"""The command that comes with the package does what the program does: output, errors, exit codes, signals."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

import eigenstep
from eigenstep import _library

COMMAND = [sys.executable, "-m", "eigenstep"]


def _program() -> list[str]:
    """The program itself: named, or built beside the library that is tested."""
    named = os.environ.get("EIGENSTEP_PROGRAM")
    beside = os.environ.get("EIGENSTEP_LIBRARY")
    place = Path(named) if named else Path(beside).with_name("eigenstep") if beside else None
    if place is None or not place.exists():
        pytest.skip("the program is not there to compare with; EIGENSTEP_PROGRAM names it")
    return [str(place)]


def _environment() -> dict[str, str]:
    environment = dict(os.environ, TERM="xterm")
    environment.pop("NO_COLOR", None)
    runtime = environment.get("ORT_DYLIB_PATH") or _library._onnx_runtime()
    if runtime is not None:
        environment["ORT_DYLIB_PATH"] = str(runtime)
    return environment


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("command")
    rows = ["x,z,y"]
    for n in range(40):
        x, z = (n * 7 % 13) / 3, (n * 5 % 11) * 20
        rows.append(f"{x:.4f},{z},{2 * x - 0.01 * z + (n % 3) * 0.1:.4f}")
    (place / "table.csv").write_text("\n".join(rows) + "\n")
    return place


def _run(program: list[str], arguments: list[str], folder: Path, **options) -> tuple[int, bytes, bytes]:
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(
        program + arguments, cwd=folder, env=_environment(), capture_output=True, timeout=120, **options
    )
    return done.returncode, done.stdout, done.stderr


DIAGNOSE = ["diagnose", "table.csv", "--target", "y", "--model", "linear", "--lr", "1e-3"]
TRAIN = ["train", "table.csv", "--target", "y", "--model", "linear", "--optimizer", "gd", "--lr", "1e-5"]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--version"], 0),
        ([], 0),
        (["--help"], 0),
        (["help", "train"], 0),
        (["train", "--help"], 0),
        (DIAGNOSE, 0),
        (DIAGNOSE + ["--no-trials", "--json", "-"], 0),
        (["spectrum", "table.csv", "--target", "y", "--model", "linear", "--count", "2"], 0),
        (TRAIN + ["--steps", "20"], 0),
        (TRAIN[:-1] + ["1", "--steps", "500"], 1),
        (["lab", "no-such-lab"], 64),
        (["diagnose", "table.csv", "--target", "yy"], None),
        (["diagnose", "none.csv", "--target", "y"], 66),
        (["diagnose", "table.csv", "--no-such-option"], 64),
        (["diagnose", "a\nb.csv", "--target", "y"], 66),
        (DIAGNOSE + ["--no-trials", "--json", "nowhere/report.json"], 73),
        (["doctor"], 0),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_output_and_exit_code(arguments: list[str], status: int | None, folder: Path) -> None:
    program = _run(_program(), arguments, folder)
    command = _run(COMMAND, arguments, folder)
    assert command == program
    if status is not None:
        assert command[0] == status, command[2].decode()
    assert command[1] or command[2]


def test_version_is_the_package_s(folder: Path) -> None:
    assert _run(COMMAND, ["--version"], folder)[1].decode().strip() == eigenstep.__version__


def test_standard_input_is_read(folder: Path) -> None:
    arguments = ["diagnose", "-", "--target", "y", "--model", "linear", "--no-trials"]

    def run(program: list[str]) -> tuple[int, bytes, bytes]:
        with open(folder / "table.csv") as table:
            return _run(program, arguments, folder, stdin=table)

    found = run(COMMAND)
    assert found[0] == 0 and b"40 rows" in found[1]
    assert found == run(_program())


def _on_terminal(program: list[str], arguments: list[str], folder: Path, width: int) -> tuple[int, bytes]:
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    process = subprocess.Popen(
        program + arguments, cwd=folder, env=_environment(), stdin=subprocess.DEVNULL, stdout=inner,
        stderr=subprocess.DEVNULL,
    )
    os.close(inner)
    printed = b""
    try:
        while block := os.read(outer, 65536):
            printed += block
    except OSError:  # the program's end closes the terminal
        pass
    os.close(outer)
    return process.wait(60), printed


@pytest.mark.parametrize("width", [52, 96])
def test_terminal_width_and_colours(width: int, folder: Path) -> None:
    arguments = DIAGNOSE + ["--no-trials"]
    status, printed = _on_terminal(COMMAND, arguments, folder, width)
    assert status == 0 and b"\x1b[" in printed
    assert (status, printed) == _on_terminal(_program(), arguments, folder, width)


def test_a_pipe_that_nobody_reads_ends_it_as_it_ends_the_program(folder: Path) -> None:
    def status(program: list[str]) -> int:
        reader, writer = os.pipe()
        os.close(reader)
        process = subprocess.Popen(
            program + ["train", "--help"], cwd=folder, env=_environment(), stdout=writer,
            stderr=subprocess.DEVNULL,
        )
        os.close(writer)
        return process.wait(60)

    assert status(COMMAND) == status(_program())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_is_told(folder: Path) -> None:
    def run(program: list[str]) -> tuple[int, bytes]:
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                program + DIAGNOSE + ["--no-trials"], cwd=folder, env=_environment(), stdout=full,
                stderr=subprocess.PIPE,
            )
        return done.returncode, done.stderr

    found = run(COMMAND)
    assert found[0] == 73 and b"Standard output cannot be written" in found[1]
    assert found == run(_program())


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_a_checkpoint(number: int, status: int, folder: Path, tmp_path: Path) -> None:
    def interrupted(program: list[str], name: str) -> tuple[int, bool]:
        checkpoints, log = tmp_path / name, tmp_path / f"{name}.log"
        arguments = TRAIN + ["--steps", "100000000", "--checkpoint", str(checkpoints), "--log", str(log)]
        process = subprocess.Popen(
            program + arguments, cwd=folder, env=_environment(), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        until = time.monotonic() + 60
        while not log.exists() or not list(log.rglob("*")) and log.stat().st_size == 0:
            assert process.poll() is None and time.monotonic() < until, process.communicate()
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(number)
        printed, complained = process.communicate(timeout=60)
        assert b"Traceback" not in complained
        return process.returncode, any(checkpoints.iterdir())

    assert interrupted(COMMAND, "command") == interrupted(_program(), "program") == (status, True)
