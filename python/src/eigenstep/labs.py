"""Small experiments of the field, with their published numbers as checks.

import eigenstep.labs

print(eigenstep.labs.names())
print(eigenstep.labs.run("bowls", largest=100))
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Callable

from . import _library, _values
from ._report_sweep import LabCheck
from ._reports import result_of
from ._results import Result, Rows
from ._wording import Wording

__all__ = ["Lab", "LabResult", "labs", "names", "run"]

_SCHEMA = "eigenstep.request.lab/1"


@dataclass(frozen=True)
class LabParameter:
    """A number that a lab takes, with its default, its range and what it is."""

    name: str
    summary: str


@dataclass(frozen=True)
class Lab:
    """An experiment: the question it answers, and the numbers it takes."""

    name: str
    summary: str
    parameters: tuple[LabParameter, ...]

    def run(self, **values: Any) -> LabResult:
        """Runs it; see `run`."""
        return run(self.name, **values)


@dataclass(frozen=True, repr=False)
class LabResult(Result):
    """What a lab found.

    Attributes
    ----------
    checks
        Numbers that theory predicts beside those that were measured.
    setting
        ``full`` or ``small``.
    parameters
        Every number of the lab, as set or by default.
    """

    checks: tuple[LabCheck, ...]
    setting: str
    seed: int
    parameters: dict[str, float]
    values: dict[str, Any] = field(default_factory=dict)
    """What is the lab's own, as ``docs/json.md`` describes it."""

    @property
    def is_passed(self) -> bool:
        """Whether every check came out as predicted."""
        return all(check.is_passed for check in self.checks)

    def _tables(self) -> dict[str, Rows]:
        tables: dict[str, Rows] = {"checks": [asdict(check) for check in self.checks]}
        for name, value in self.values.items():
            if isinstance(value, list) and value and isinstance(value[0], dict):
                tables[name] = value
        return tables

    def _paragraphs(self) -> list[tuple[str, str]]:
        failed = [check.what for check in self.checks if not check.is_passed]
        return [("", f"Not as predicted: {', '.join(failed)}." if failed else "All went as predicted.")]


def labs() -> tuple[Lab, ...]:
    """All labs."""
    report = _library.answer({"schema": _SCHEMA}).report()
    return tuple(
        Lab(lab["name"], lab["summary"], tuple(LabParameter(**item) for item in lab["parameters"]))
        for lab in report["labs"]
    )


def names() -> list[str]:
    """The names of all labs."""
    return [lab.name for lab in labs()]


def run(
    name: str,
    *,
    seed: int = 0,
    small: bool = False,
    progress: Callable[[str, float | None], None] | None = None,
    **values: float,
) -> LabResult:
    """Runs a lab; that a check failed is a result.

    Parameters
    ----------
    small
        Fewer numbers, as many as show the point.
    values
        Numbers of the lab, by name.

    Raises
    ------
    EigenstepError
        Where there is no such lab, or no such number of it.
    """
    request = {
        "schema": _SCHEMA,
        "name": name,
        "seed": _values.plain("seed", seed),
        "small": bool(small),
        "values": {key: _values.plain(key, value) for key, value in values.items()},
    }
    answer = _library.answer(request, progress=progress)
    common = {"schema", "checks", "setting", "seed", "parameters"}
    own = {key: value for key, value in answer.report().items() if key not in common}
    return result_of(LabResult, answer, Wording(), values=own)
