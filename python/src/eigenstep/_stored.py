"""What is left of an answer in another process: its numbers, and its text at one width."""

from __future__ import annotations

from typing import Any

import numpy as np


class StoredAnswer:
    """As `_library.Answer`, without the library's memory behind it."""

    error = None

    def __init__(
        self, status: int, report: dict[str, Any], text: str, arrays: dict[str, np.ndarray]
    ) -> None:
        self.status = status
        self._report, self._text, self._arrays = report, text, arrays

    def report(self) -> dict[str, Any]:
        return self._report

    def text(self, width: int) -> str:
        return self._text

    def array(self, name: str) -> np.ndarray | None:
        values = self._arrays.get(name)
        return None if values is None else values.reshape(-1)

    def arrays(self) -> dict[str, np.ndarray]:
        return dict(self._arrays)
