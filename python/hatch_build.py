"""The wheel's tag: one library for every Python 3, made for this machine."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class LibraryHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        library = Path(self.root) / "src/eigenstep/_lib/libEigenstepC.so"
        if version == "standard" and not library.exists():
            raise FileNotFoundError(f"{library} is missing: run `make library` first.")
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"
        build_data["pure_python"] = False
