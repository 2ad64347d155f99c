"""The results of a training run and of a sweep."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Sequence

import numpy as np

from ._figures import Plot, Series
from ._report_curvature import AutoRate, Problem
from ._report_sweep import RangeTest, SweepBest, SweepBoundary, SweepLimit, SweepRate
from ._report_training import (
    Checkpoints,
    DataReading,
    Decision,
    HeldOut,
    Standardisation,
    TrackedSeries,
    TrackingFinding,
    TrainingAlarms,
    TrainingCost,
    TrainingEnding,
    TrainingEvaluation,
    TrainingLength,
    TrainingMethod,
    TrainingRate,
)
from ._results import Result, Rows

_EVALUATION = (
    "step",
    "pass",
    "training_loss",
    "training_accuracy",
    "training_r_squared",
    "held_out_loss",
    "held_out_accuracy",
    "held_out_r_squared",
    "mean_loss_of_steps",
)


@dataclass(frozen=True, repr=False)
class Training(Result):
    """A training run, with what was tracked on the way.

    Attributes
    ----------
    before, after
        Loss and accuracy or R² at the start and with the parameters of the result.
    evaluations
        The course: loss over all samples at the start, at the end of each pass and at the end.
    tracked
        Each number that was tracked, with its extremes.
    findings
        What those numbers say.
    ending
        Why it ended, in a word and a sentence.
    next
        What to do next, in sentences.
    parameters
        The trained parameters by name; empty where they are not finite.
    parameters_of_given_columns
        The same for the columns as they were given, where a model that is linear in its parameters was trained
        on standardised ones.
    """

    problem: Problem
    method: TrainingMethod
    rate: TrainingRate
    length: TrainingLength
    before: DataReading
    after: DataReading
    held_out: HeldOut | None
    evaluations: tuple[TrainingEvaluation, ...]
    tracked: tuple[TrackedSeries, ...]
    findings: tuple[TrackingFinding, ...]
    cost: TrainingCost
    decisions: tuple[Decision, ...]
    alarms: TrainingAlarms
    ending: TrainingEnding
    next: tuple[str, ...]
    checkpoints: Checkpoints | None
    standardisation: Standardisation | None
    result: str
    request: dict[str, Any] | None = None
    parameters: dict[str, np.ndarray] = field(default_factory=dict, compare=False)
    parameters_of_given_columns: dict[str, np.ndarray] = field(default_factory=dict, compare=False)

    def _tables(self) -> dict[str, Rows]:
        rows = []
        for item in self.evaluations:
            row: dict[str, Any] = dict.fromkeys(_EVALUATION)
            row.update(step=item.step, mean_loss_of_steps=item.mean_loss_of_steps)
            row["pass"] = item.pass_
            for name, reading in (("training", item.training), ("held_out", item.held_out)):
                if reading is not None:
                    row[f"{name}_loss"] = reading.loss
                    row[f"{name}_accuracy"] = reading.accuracy
                    row[f"{name}_r_squared"] = reading.r_squared
            rows.append(row)
        return {
            "evaluations": rows,
            "tracked": [asdict(item) for item in self.tracked],
            "findings": [{"id": item.id, "sentence": item.sentence} for item in self.findings],
        }

    def _columns(self, table: str) -> Sequence[str]:
        return {"evaluations": _EVALUATION, "findings": ("id", "sentence")}.get(table, ())

    def _paragraphs(self) -> list[tuple[str, str]]:
        return [("", self.ending.sentence)] + [("Next", sentence) for sentence in self.next]

    def _plot(self) -> Plot | None:
        steps = [float(item.step) for item in self.evaluations]
        training = [item.training.loss for item in self.evaluations]
        if not any(loss is not None for loss in training):
            return None
        series = [Series("training", steps, training)]
        if any(item.held_out is not None for item in self.evaluations):
            series.append(
                Series(
                    "held out",
                    steps,
                    [None if item.held_out is None else item.held_out.loss for item in self.evaluations],
                )
            )
        is_positive = all(loss is None or loss > 0 for part in series for loss in part.y)
        return Plot("The course of the training", "step", "loss", series, log_y=is_positive)


@dataclass(frozen=True, repr=False)
class Sweep(Result):
    """Runs at many learning rates.

    Attributes
    ----------
    steps
        Steps of each run.
    rates
        Each rate with the losses that its runs ended at, ascending.
    boundary
        Between which rates runs begin to diverge.
    limits
        The largest stable rates by the curvature.
    best
        The rate to use; None where no rate brought the loss down.
    range_test, auto
        Where they were asked for.
    sentences
        What all this means, the most important first.
    """

    problem: Problem
    method: str
    steps: int
    rates: tuple[SweepRate, ...]
    boundary: SweepBoundary
    limits: tuple[SweepLimit, ...]
    best: SweepBest | None
    range_test: RangeTest | None
    auto: AutoRate | None
    lanes_per_chunk: int
    sentences: tuple[str, ...]
    request: dict[str, Any] | None = None

    def _tables(self) -> dict[str, Rows]:
        return {
            "rates": [
                {
                    "rate": item.rate,
                    "loss": item.mean,
                    "losses": item.losses,
                    "held_out": item.held_out,
                    "is_diverged": item.is_diverged,
                    "is_above_start": item.is_above_start,
                    "broken_at": item.broken_at,
                }
                for item in self.rates
            ],
            "limits": [asdict(item) for item in self.limits],
        }

    def _paragraphs(self) -> list[tuple[str, str]]:
        return [("", sentence) for sentence in self.sentences]

    def _plot(self) -> Plot | None:
        rates = [item.rate for item in self.rates]
        means = [item.mean for item in self.rates]
        if not any(mean is not None for mean in means):
            return None
        series = [Series("mean loss", rates, means, "lines+markers")]
        if any(item.held_out is not None for item in self.rates):
            series.append(
                Series("held out", rates, [item.held_out for item in self.rates], "lines+markers")
            )
        marks = [(f"limit at the {item.place} {item.rate:.3g}", item.rate) for item in self.limits]
        if self.best is not None:
            marks.append((f"best {self.best.rate:.3g}", self.best.rate))
        is_positive = all(loss is None or loss > 0 for part in series for loss in part.y)
        return Plot(
            "Loss against rate", "learning rate", "loss", series, log_x=True, log_y=is_positive, marks=marks
        )
