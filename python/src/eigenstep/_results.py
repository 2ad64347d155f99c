"""What every result can do: be told as text, as a dictionary, as a page of a notebook."""

from __future__ import annotations

import html
import shutil
from dataclasses import dataclass, field
from typing import Any

from . import _library


@dataclass(frozen=True, repr=False)
class Result:
    """An answer with the report that it was taken from."""

    _answer: _library.Answer = field(repr=False, compare=False, kw_only=True)
    _report: dict[str, Any] = field(repr=False, compare=False, kw_only=True)

    def to_dict(self) -> dict[str, Any]:
        """The report as ``docs/json.md`` describes it."""
        return self._report

    def text(self, width: int | None = None) -> str:
        """The report as the terminal shows it."""
        return self._answer.text(shutil.get_terminal_size().columns if width is None else width)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.text(100))}</pre>"
