"""The program beside the library, for tests that compare the two."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from eigenstep._wording import Wording

ROOT = Path(__file__).resolve().parents[3]


def program() -> Path:
    """Where EIGENSTEP_PROGRAM says, or beside the library."""
    given = os.environ.get("EIGENSTEP_PROGRAM")
    found = Path(given) if given else Path(os.environ.get("EIGENSTEP_LIBRARY", "")).parent / "eigenstep"
    if not found.is_file():
        pytest.skip(f"there is no program {found}; let EIGENSTEP_PROGRAM name it")
    return found


def report(*words: object) -> dict[str, Any]:
    """What a command writes as JSON."""
    done = subprocess.run(
        [str(program()), *map(str, words), "--json", "-"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def refusal(*words: object) -> str:
    done = subprocess.run(
        [str(program()), *map(str, words)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode not in (0, 1)
    return done.stderr.removeprefix("Error: ").split("\n")[0]


def differences(first: Any, second: Any, place: str = "") -> list[str]:
    """Where two reports are not the same, but for their requests, times and sentences."""
    if isinstance(first, dict) and isinstance(second, dict):
        keys = sorted(set(first) | set(second))
        return [
            line
            for key in keys
            if key not in _LEFT_OUT
            for line in differences(first.get(key), second.get(key), f"{place}.{key}")
        ]
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        return [
            line
            for index, pair in enumerate(zip(first, second))
            for line in differences(*pair, f"{place}[{index}]")
        ]
    if isinstance(second, str):
        second = Wording().text(second)
    return [] if first == second else [f"{place}: {first!r} and {second!r}"]


_LEFT_OUT = {
    "request",
    "command",
    "name",
    "sentence",
    "notes",
    "readings",
    "trackingSeconds",
    "measuringSeconds",
}
