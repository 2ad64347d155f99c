"""The functions on files, arrays, frames and estimators."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from . import _library, _options, _requests
from ._library import Answer
from ._reports import Diagnosis, Spectrum, Sweep, Training, diagnosis_of, spectrum_of, sweep_of, training_of
from ._wording import Wording
from .errors import EigenstepError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._keywords import DiagnoseKeywords, SpectrumKeywords, SweepKeywords, TrainKeywords

R = TypeVar("R")
Progress = Callable[[str, "float | None"], None]

_DATA = """
    Parameters
    ----------
    problem, more
        A table (the path of a CSV file with a header) or a model (of an ONNX file, with ``data``); features and a
        target, as NumPy arrays, lists, pandas frames and series, whose columns the report names; a frame whose
        column ``target`` is predicted; or a fitted estimator of scikit-learn, X and y: it is measured at its
        fitted parameters.
    progress
        Called with a stage and the part of it that is done, or None.
"""


def _answered(
    function: str,
    make: Callable[[Answer, Wording], R],
    data: Any,
    more: tuple[Any, ...],
    progress: Progress | None,
    options: dict[str, Any],
) -> R:
    asked = _requests.request(function, data, more, options)

    def show(stage: str, fraction: float | None) -> None:
        assert progress is not None
        progress(asked.wording.text(stage), fraction)

    try:
        answer = _library.answer(asked.body, asked.arrays, progress=None if progress is None else show)
    except EigenstepError as error:
        raise asked.wording.error(error) from None
    return make(answer, asked.wording)


def diagnose(
    problem: Any, /, *more: Any, progress: Progress | None = None, **options: Unpack[DiagnoseKeywords]
) -> Diagnosis:
    """Why training is slow or blows up, which learning rate to use, and what to change; the remedies are run.

    eigenstep.diagnose(X, y, model="softmax", lr=0.1)
    """
    return _answered(_options.DIAGNOSE, diagnosis_of, problem, more, progress, dict(options))


def spectrum(
    problem: Any, /, *more: Any, progress: Progress | None = None, **options: Unpack[SpectrumKeywords]
) -> Spectrum:
    """Eigenvalues, density, trace and layers of a curvature matrix, with their certificates.

    eigenstep.spectrum("digits.onnx", data="digits.npz", loss="cross-entropy", count=3)
    """
    return _answered(_options.SPECTRUM, spectrum_of, problem, more, progress, dict(options))


def train(
    problem: Any, /, *more: Any, progress: Progress | None = None, **options: Unpack[TrainKeywords]
) -> Training:
    """Trains a model, with its curvature in view; ``parameters`` of the result are what it came to.

    eigenstep.train(X, y, optimizer="adam", lr=1e-3, epochs=20, batch=32, track="sharpness")
    """
    return _answered(_options.TRAIN, training_of, problem, more, progress, dict(options))


def sweep(
    problem: Any, /, *more: Any, progress: Progress | None = None, **options: Unpack[SweepKeywords]
) -> Sweep:
    """Trains at many learning rates and seeds at once, and names the rate to use.

    eigenstep.sweep(X, y, lr=(1e-4, 10, 64), epochs=5, batch=32)
    """
    return _answered(_options.SWEEP, sweep_of, problem, more, progress, dict(options))


def _describe(function: Callable[..., Any]) -> None:
    """Writes the options into a function's docstring and signature, where help and editors look."""
    name = function.__name__
    function.__doc__ = (
        f"{function.__doc__}{_DATA}{_options.documentation(name)}\n\n    Returns\n    -------\n"
        f"    {function.__annotations__['return']}\n\n    Raises\n    ------\n    EigenstepError\n"
        "        Where it cannot be answered: one sentence with the offending name and the next step.\n    "
    )
    signature = inspect.signature(function)
    own = [item for item in signature.parameters.values() if item.kind is not inspect.Parameter.VAR_KEYWORD]
    keywords = [
        inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=None)
        for option in _options.options_of(name)
    ]
    function.__signature__ = signature.replace(parameters=own + keywords)  # type: ignore[attr-defined]


for _function in (diagnose, spectrum, train, sweep):
    _describe(_function)
