"""The version: the wheel's, or that of the sources which Python runs from."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def _version() -> str:
    source = Path(__file__).parents[3] / "Sources/Problems/EigenstepVersion.swift"
    if source.exists():
        found = re.search(r'current = "([^"]+)"', source.read_text())
        if found:
            return found.group(1)
    try:
        return version("eigenstep")
    except PackageNotFoundError:
        return "unknown"


__version__ = _version()
