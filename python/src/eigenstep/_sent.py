"""Results as another process gets them."""

from __future__ import annotations

import dataclasses
from typing import Any

from .errors import UnavailableError

_WIDTHS = (60, 80, 100, 120)


class SentAnswer:
    """An answer that another rank has: its report, and its text at some widths."""

    status, error = 0, None

    def __init__(self, answer: Any) -> None:
        self._report = answer.report()
        self._texts = {width: answer.text(width) for width in _WIDTHS}

    def report(self) -> dict[str, Any]:
        return self._report

    def text(self, width: int) -> str:
        """The text at the widest of the widths that were sent that fits."""
        return self._texts[max((known for known in _WIDTHS if known <= width), default=_WIDTHS[0])]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise UnavailableError(f"The answer's {name} is with rank 0 alone; ask there.")


def sent(result: Any) -> Any:
    """The result as the other ranks get it."""
    answer = getattr(result, "_answer", None)
    if answer is None:
        return result
    return dataclasses.replace(result, _answer=SentAnswer(answer))
