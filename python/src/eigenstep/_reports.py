"""Reports as results."""

from __future__ import annotations

from typing import Any, TypeVar

from . import _library
from ._diagnosis import Diagnosis
from ._results import Result
from ._schema import decoded
from ._spectrum import Eigenvalue, Spectrum
from ._training import Sweep, Training
from ._wording import Wording

__all__ = [
    "Diagnosis", "Eigenvalue", "Spectrum", "Sweep", "Training",
    "diagnosis_of", "spectrum_of", "sweep_of", "training_of",
]

R = TypeVar("R", bound=Result)


def diagnosis_of(answer: _library.Answer, wording: Wording = Wording()) -> Diagnosis:
    return result_of(Diagnosis, answer, wording)


def spectrum_of(answer: _library.Answer, wording: Wording = Wording()) -> Spectrum:
    return result_of(Spectrum, answer, wording, diagonal_entries=answer.array("diagonal"))


def training_of(answer: _library.Answer, wording: Wording = Wording()) -> Training:
    arrays = answer.arrays()
    groups: dict[str, dict[str, Any]] = {"parameters": {}, "given": {}}
    for name, values in arrays.items():
        group, _, own = name.partition("/")
        if group in groups:
            groups[group][own] = values
    return result_of(
        Training, answer, wording, parameters=groups["parameters"], parameters_of_given_columns=groups["given"])


def sweep_of(answer: _library.Answer, wording: Wording = Wording()) -> Sweep:
    return result_of(Sweep, answer, wording)


def result_of(kind: type[R], answer: _library.Answer, wording: Wording, **more: Any) -> R:
    """A result of any kind from what the library answered."""
    report = wording.report(answer.report())
    return decoded(kind, report, _answer=answer, _report=report, _wording=wording, **more)
