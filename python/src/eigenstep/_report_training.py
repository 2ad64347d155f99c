"""What a training run holds.

Written by python/tools/reports.py from the Swift types; edit those.
"""

from __future__ import annotations

from dataclasses import dataclass

from ._report_curvature import AutoRate


@dataclass(frozen=True)
class DataReading:
    """What a point makes of some samples.

    Attributes
    ----------
    loss
        None where it is not finite.
    accuracy
        The share of labels that the largest output names; None where there are none.
    r_squared
        `1 - sum (y - t)^2 / sum (t - mean t)^2` over all outputs; None for labels, and for a constant
        target.
    """

    loss: float | None
    accuracy: float | None
    r_squared: float | None


@dataclass(frozen=True)
class TrainingMethod:
    """The part of a report that `training_method` names.

    Attributes
    ----------
    name
        The name in the catalogue, and with what was set in words.
    batch
        Samples whose mean gradient makes a step; None for all.
    sampling
        How they are drawn, in words.
    """

    name: str
    phrase: str
    schedule: str
    batch: int | None
    sampling: str


@dataclass(frozen=True)
class StepRates:
    """The part of a report that `step_rates` names."""

    first: float
    last: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class TrainingRate:
    """The part of a report that `training_rate` names.

    Attributes
    ----------
    given
        The rate that the schedule starts from; of one that measures the largest that it takes, 0 for no
        bound.
    steps
        Those of the steps; None before the first.
    chosen
        What it rests on, where `auto` chose it for this run.
    """

    given: float
    steps: StepRates | None
    chosen: AutoRate | None


@dataclass(frozen=True)
class TrainingLength:
    """The part of a report that `training_length` names.

    Attributes
    ----------
    steps_per_pass
        Steps of a pass over the samples; 1 on all samples.
    resumed_after
        Steps that the run was resumed after, in order.
    """

    steps: int
    steps_asked: int
    steps_per_pass: int
    resumed_after: tuple[int, ...]


@dataclass(frozen=True)
class HeldOut:
    """The part of a report that `held_out` names.

    Attributes
    ----------
    lowest
        The lowest loss at an evaluation, and after which step.
    """

    samples: int
    before: DataReading
    after: DataReading
    lowest: float | None
    lowest_step: int | None


@dataclass(frozen=True)
class TrainingEvaluation:
    """Losses and metrics over whole data sets at one point of a run.

    Attributes
    ----------
    step
        Steps taken before.
    pass_
        Whole passes over the samples before.
    training
        Of all samples that are trained on, at this point.
    held_out
        Of the samples that are held out; None where there are none.
    mean_loss_of_steps
        The mean loss of the steps since the last evaluation, each before its step; None before the first
        step.
    """

    step: int
    pass_: int
    training: DataReading
    held_out: DataReading | None
    mean_loss_of_steps: float | None


@dataclass(frozen=True)
class TrackedSeries:
    """All checks of one number.

    Attributes
    ----------
    part
        The parameter or layer that it is of; None for all.
    threshold
        The value above which the run becomes unstable, at the last check.
    crossings
        Checks whose value was above the threshold of that check.
    unreliable
        Checks whose error was too large to go by.
    """

    name: str
    part: str | None
    checks: int
    first: float
    last: float
    lowest: float
    highest: float
    threshold: float | None
    crossings: int
    unreliable: int


@dataclass(frozen=True)
class TrackingFinding:
    """What trackers found over a run: a sentence and the numbers it rests on."""

    id: str
    sentence: str
    values: dict[str, float]


@dataclass(frozen=True)
class TrainingCost:
    """The part of a report that `training_cost` names.

    Attributes
    ----------
    gradients
        Gradients and curvature products of all steps.
    tracking_gradients
        What the checks of trackers took, in gradients of a step and in seconds.
    measuring_gradients
        What measuring for the schedule took, likewise.
    """

    gradients: int
    products: int
    tracking_gradients: float
    tracking_seconds: float
    measuring_gradients: float
    measuring_seconds: float


@dataclass(frozen=True)
class Decision:
    """Something that a run measured or decided by itself, as a log keeps it.

    Attributes
    ----------
    step
        Steps taken before it.
    sentence
        What happened, with its numbers.
    values
        The numbers by name; all finite.
    """

    kind: str
    step: int
    sentence: str
    values: dict[str, float]


@dataclass(frozen=True)
class Alarm:
    """The part of a report that `alarm` names."""

    step: int
    sentence: str


@dataclass(frozen=True)
class TrainingAlarms:
    """The part of a report that `training_alarms` names.

    Attributes
    ----------
    first
        The first hundred.
    """

    count: int
    first: tuple[Alarm, ...]


@dataclass(frozen=True)
class TrainingEnding:
    """How a run came to its end.

    Attributes
    ----------
    sentence
        What happened, with its numbers, and what to do next.
    method
        Why the method ended, where it did.
    """

    reason: str
    sentence: str
    method: str | None


@dataclass(frozen=True)
class Checkpoints:
    """The part of a report that `checkpoints` names.

    Attributes
    ----------
    newest
        The newest, and the step that it was taken after; None where none was written.
    """

    folder: str
    newest: str | None
    step: int | None


@dataclass(frozen=True)
class Standardisation:
    """What was done to a table's columns before anything was measured or trained: `x' = (x - mean) /
    deviation`. Without a bias, which takes up what centring moves, a column is only divided by its root
    mean square. A model that is linear in its parameters stays the same function, and its penalty the
    same penalty, so that everything is a change of variables; a network begins anew.

    Attributes
    ----------
    columns
        Names, in the order of the features.
    means
        What is subtracted from each: 0 without a bias.
    deviations
        What each is divided by then: 1 for a column that does not vary.
    constant
        Columns that do not vary, which are left at 0.
    rows
        Rows that means and deviations are of.
    """

    columns: tuple[str, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    constant: tuple[str, ...]
    rows: int
