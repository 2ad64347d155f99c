"""What a monitor tells: alarms and reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import _library
from ._results import Result
from .errors import EigenstepError


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


def report_of(answer: _library.Answer) -> MonitorReport:
    report = answer.report()
    return MonitorReport(
        _answer=answer, _report=report, steps=report["steps"],
        alarms=tuple(alarm["sentence"] for alarm in report["alarms"]),
        findings=tuple(finding["sentence"] for finding in report["findings"]),
        tracked=tuple(report["tracked"]), rate_factor=report["rateFactor"],
    )
