"""The result of a diagnosis."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Sequence

from ._figures import Plot, Series
from ._report_batches import MiniBatches
from ._report_curvature import LayerCurvature, Problem
from ._report_diagnosis import Curvature, EigenDirection, Finding, FirstAnswer, LearningRate, Prediction
from ._report_remedies import Advice, Prescription
from ._results import Result, Rows

_TRIALS = (
    "id",
    "change",
    "predicted_steps",
    "steps",
    "reached",
    "diverged",
    "loss",
    "relative_gap",
    "work",
    "steps_run",
    "rate",
    "note",
)


@dataclass(frozen=True, repr=False)
class Diagnosis(Result):
    """What was found out about a training problem; ``repr`` is the report as the terminal shows it.

    Attributes
    ----------
    problem
        What was measured, and where: the loss and the gradient's norm there.
    curvature
        The ends of the Hessian's spectrum, with their certificates, and condition numbers.
    learning_rate
        The optimizer's stability limit, and the verdict on the rate that was given.
    directions
        What each eigen-direction does at the rate, the sharpest first.
    prediction
        Steps to the tolerance at the rate, by theory.
    findings
        What the measurements show, the most important first.
    prescriptions
        The remedies, the best first: predicted, and measured where they were run.
    layers
        The curvature of each layer of a network by itself.
    advice
        Why training is as it is, which rate, and what to do.
    request
        What was asked for, complete with all defaults.
    stage
        How far it got: ``start``, ``sharpness``, ``curvature``, ``trials`` or ``complete``.
    first
        What was known as soon as the largest eigenvalue was.
    mini_batches
        What batches change; None without ``batch``.
    """

    problem: Problem
    curvature: Curvature
    learning_rate: LearningRate
    directions: tuple[EigenDirection, ...]
    prediction: Prediction
    findings: tuple[Finding, ...]
    prescriptions: tuple[Prescription, ...]
    layers: tuple[LayerCurvature, ...]
    advice: Advice
    request: dict[str, Any] | None = None
    stage: str | None = None
    first: FirstAnswer | None = None
    mini_batches: MiniBatches | None = None

    @property
    def largest_eigenvalue(self) -> float | None:
        """Of the Hessian at the point: the sharpness."""
        return self.curvature.largest.value

    @property
    def stability_limit(self) -> float | None:
        """The largest stable rate of the optimizer, by the curvature at the point."""
        return self.learning_rate.stability_limit

    @property
    def command(self) -> str | None:
        """The call that trains as is advised; None where there is none."""
        words = None if self.advice.action is None else self.advice.action.command
        return None if words is None else " ".join(words)

    def finding(self, id: str) -> Finding | None:
        """The finding of that id, where there is one."""
        return next((finding for finding in self.findings if finding.id == id), None)

    def _tables(self) -> dict[str, Rows]:
        return {
            "trials": [_trial(item) for item in self.prescriptions],
            "findings": [{"id": item.id, "sentence": item.sentence} for item in self.findings],
            "directions": [asdict(item) for item in self.directions],
            "layers": [
                {
                    "layer": item.layer,
                    "parameters": item.parameter_count,
                    "sharpness": item.sharpness,
                    "upper_bound": item.upper_bound,
                }
                for item in self.layers
            ],
        }

    def _columns(self, table: str) -> Sequence[str]:
        return {
            "trials": _TRIALS,
            "findings": ("id", "sentence"),
            "layers": ("layer", "parameters", "sharpness", "upper_bound"),
        }.get(table, ())

    def _paragraphs(self) -> list[tuple[str, str]]:
        advice = self.advice
        parts = [("Why", advice.why.sentence)]
        if advice.rate is not None:
            parts.append(("Rate", advice.rate.sentence))
        if advice.action is not None:
            parts.append(("Do", advice.action.sentence))
        elif self.finding("at-minimum") is not None:
            parts.append(("Do", "Nothing: there is nothing left to train."))
        if self.command is not None:
            parts.append(("", self.command))
        return [(lead, sentence) for lead, sentence in parts if sentence]

    def _plot(self) -> Plot | None:
        shown = [item for item in self.directions if item.ideal_rate is not None]
        if not shown:
            return None
        marks = []
        if self.stability_limit is not None:
            marks.append((f"limit {self.stability_limit:.3g}", self.stability_limit))
        if self.learning_rate.given is not None:
            marks.append((f"your rate {self.learning_rate.given:.3g}", self.learning_rate.given))
        return Plot(
            "The learning rate that each direction wants",
            "ideal rate 1/λ",
            "curvature λ",
            [
                Series(
                    "directions",
                    [item.ideal_rate for item in shown],
                    [item.eigenvalue for item in shown],
                    "markers",
                )
            ],
            log_x=True,
            log_y=True,
            marks=marks,
        )


def _trial(item: Prescription) -> dict[str, Any]:
    measured = item.measured
    row: dict[str, Any] = dict.fromkeys(_TRIALS)
    row.update(id=item.id, change=item.change, predicted_steps=item.predicted.iterations, note=item.note)
    row["rate"] = item.predicted.rate
    if measured is not None:
        row.update(
            steps=measured.iterations,
            reached=measured.reached,
            diverged=measured.diverged,
            loss=measured.loss,
            relative_gap=measured.relative_gap,
            work=measured.gradient_equivalents,
            steps_run=measured.steps_run,
        )
        row["rate"] = measured.rate if measured.rate is not None else item.predicted.rate
    return row
