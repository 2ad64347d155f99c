"""What a monitor tells: alarms and reports."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Sequence

from . import _library
from ._results import Result
from .errors import DataError, EigenstepError, Interrupted, OutputError


class EigenstepWarning(UserWarning):
    """An alarm of a monitor with ``guard="warn"``."""


class EigenstepAlarm(EigenstepError):
    """An alarm of a monitor with ``guard="stop"``."""

    status = 1


@dataclass(frozen=True)
class Alarm:
    """What was seen, and what was done about it."""

    step: int
    sentence: str
    rate_factor: float
    back_to: int | None


@dataclass(frozen=True, repr=False)
class MonitorReport(Result):
    """What a monitor has seen; ``repr`` is the text for the terminal.

    Attributes
    ----------
    tracked
        Of each number: ``name``, ``part``, ``checks``, ``first``, ``last``, ``lowest``, ``highest``, ``threshold``
        (above which the run becomes unstable, at the last check), ``crossings``.
    findings
        What that says, in sentences.
    """

    steps: int
    alarms: tuple[str, ...]
    findings: tuple[str, ...]
    tracked: tuple[dict[str, Any], ...]
    rate_factor: float


class Sight:
    """Whether the curvature can be looked at: a loop is not ended for want of it."""

    def __init__(self) -> None:
        self.is_lost = False
        self.notes: list[str] = []

    def fails(self, error: EigenstepError) -> None:
        """Warns of it, of each reason once; raises what has to be known at once.

        What is wrong with the numbers of one check may be right at the next; what a loss lacks it will lack.
        """
        if isinstance(error, (Interrupted, OutputError)):
            raise error
        self.is_lost = not isinstance(error, DataError)
        what = "The curvature cannot be looked at" if self.is_lost else "A check could not be made"
        note = f"{what}, and the guard goes by the losses alone: {error}"
        if note not in self.notes:
            self.notes.append(note)
            warnings.warn(note, EigenstepWarning, stacklevel=5)

    def note(self, loss: Any, more: Sequence[str] = ()) -> str | None:
        """All that is to be noted, with what a loss notes."""
        return " ".join([*([] if loss is None else loss.notes), *more, *self.notes]) or None


def report_of(answer: _library.Answer) -> MonitorReport:
    report = answer.report()
    return MonitorReport(
        _answer=answer, _report=report, steps=report["steps"],
        alarms=tuple(alarm["sentence"] for alarm in report["alarms"]),
        findings=tuple(finding["sentence"] for finding in report["findings"]),
        tracked=tuple(report["tracked"]), rate_factor=report["rateFactor"],
    )
