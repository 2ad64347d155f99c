"""docs/python-api.md is what the package says, and leaves nothing out that can be imported."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import eigenstep
from eigenstep import errors, operators

ROOT = Path(__file__).parents[2]


def page() -> str:
    return (ROOT / "docs/python-api.md").read_text()


def test_the_page_is_up_to_date() -> None:
    run = subprocess.run(
        [sys.executable, str(ROOT / "Scripts/python_api.py"), "--check"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


def test_every_public_name_has_an_entry() -> None:
    titles = {title.split(".")[-1] for title in re.findall(r"(?m)^### (\S+)", page())}
    for module in (eigenstep, operators):
        names = {name for name in module.__all__ if not name.startswith("__")}
        # Not by getattr: what needs PyTorch is imported by it.
        modules = {name for name in names if type(vars(module).get(name)).__name__ == "module"}
        assert names - modules - titles == set()
    kinds = {
        name for name, kind in vars(errors).items()
        if isinstance(kind, type) and kind.__module__ == errors.__name__
    }
    assert kinds - titles == set()


def test_an_entry_shows_defaults_and_parameters() -> None:
    section = page().split("### eigenstep.eigenpairs\n")[1].split("\n### ")[0]
    assert "which: str = 'largest'" in section and "-> Eigenpairs" in section
    assert re.search(r"(?m)^- `count`: How many at each end\.$", section)
    assert "    import eigenstep.torch\n" in page()
