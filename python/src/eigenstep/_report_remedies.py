"""What a diagnosis tried and advises.

Written by python/tools/reports.py from the Swift types; edit those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PredictedTrial:
    """What theory says beforehand; None where it gives no number.

    Attributes
    ----------
    iterations
        Steps until the loss gap is at or below the tolerance, to stay.
    momentum
        The heavy-ball coefficient, where there is one.
    peak_relative_gap
        The largest gap on the way, relative to the start's; None where it only falls.
    mean_gap
        In mini-batches: the mean gap over the last passes of the run, relative to the start's.
    """

    condition_number: float | None
    rate: float | None
    iterations: int | None
    momentum: float | None
    peak_relative_gap: float | None
    mean_gap: float | None


@dataclass(frozen=True)
class TrialInBatches:
    """How a run was judged where the user trains in mini-batches: `loss` and `relative_gap` are means
    over orders of the batches, of the ends of its last passes.

    Attributes
    ----------
    batch
        Samples of a step; None where it took all of them, for the work of as many passes.
    passes
        Passes over all samples, the same for every run.
    averaged
        Passes of each order that the means are over, the last alone where the rate comes down to 0; None
        for the last loss alone.
    loss_error
        Standard errors of the means of loss and gap, over the orders where there are several; None for a
        single value.
    orders
        What each order of the batches came to, the same orders for every run: `relative_gap` where that
        is known, else `loss`; None for a single one.
    """

    batch: int | None
    passes: int
    averaged: int | None
    loss_error: float | None
    gap_error: float | None
    orders: tuple[float, ...] | None


@dataclass(frozen=True)
class MeasuredTrial:
    """What the run gave.

    Attributes
    ----------
    iterations
        Steps to the tolerance, to stay; None where it was not reached.
    reached
        Whether the gap to a certified minimum came down to the tolerance and stayed there.
    loss
        The last loss, of the original objective; None where it is not finite.
    relative_gap
        `(f_k - f*) / (f_0 - f*)` at that step or the last one, or a bound on it where rounding blurs it.
    gradient_equivalents
        The work in evaluations of the full gradient; a Hessian product counts what it costs.
    steps_run
        Steps that were run, reached or not.
    loss_at_equal_work
        The lowest loss for the work that every run had; where nothing certifies a minimum, runs are
        ranked by it.
    rate
        The learning rate that the run chose itself; None where it was given one.
    was_cut
        True where it was stopped before the end of its work, since it could no longer win; else None.
    loss_at_end
        The loss where the run ended, watched steps included, in mini-batches that in the order which a
        training draws; None where it is not finite.
    settled
        Whether the loss ended below its start and was below it for the second half of the run.
    sharpness_at_end
        The largest eigenvalue found where the run ended; None where it was not measured.
    in_batches
        Of training in mini-batches, how long and how surely; None where every step is of all samples.
    """

    iterations: int | None
    reached: bool
    diverged: bool
    loss: float | None
    relative_gap: float | None
    gradient_equivalents: float | None
    steps_run: int | None
    loss_at_equal_work: float | None
    rate: float | None
    was_cut: bool | None
    loss_at_end: float | None
    settled: bool | None
    sharpness_at_end: float | None
    in_batches: TrialInBatches | None


@dataclass(frozen=True)
class Prescription:
    """A change to training, what theory promises of it, and what running it gave.

    Attributes
    ----------
    change
        The change in words: "divide every column by its standard deviation".
    measured
        None where it was not run.
    note
        A caveat, or why it was not run.
    course
        How it was run, as a command takes it; None where it was not run, or no command does it.
    """

    id: str
    change: str
    predicted: PredictedTrial
    measured: MeasuredTrial | None
    note: str | None
    course: dict[str, Any] | None


@dataclass(frozen=True)
class AdviceWhy:
    """The answer to "why".

    Attributes
    ----------
    findings
        Ids of the findings that the sentence tells.
    """

    findings: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class AdviceRate:
    """Which learning rate.

    Attributes
    ----------
    suggested
        A rate of plain descent that is advised; None for other optimizers, or where there is none.
    """

    stability_limit: float | None
    suggested: float | None
    suggestion: str | None
    given: float | None
    verdict: str | None
    sentence: str


@dataclass(frozen=True)
class TrialFigures:
    """What a prescription came to, or what is predicted where it was not run.

    Attributes
    ----------
    steps
        To the tolerance, to stay; predicted where it was not run.
    work
        In evaluations of the gradient.
    loss
        The last loss, or, where runs are compared by loss, the lowest for the work that every run had.
    relative_gap
        What is left of the loss gap.
    """

    steps: int | None
    work: float | None
    loss: float | None
    relative_gap: float | None
    steps_run: int | None
    diverged: bool


@dataclass(frozen=True)
class AdviceComparison:
    """The part of a report that `advice_comparison` names."""

    prescription: str
    figures: TrialFigures


@dataclass(frozen=True)
class AdviceAlternative:
    """The part of a report that `advice_alternative` names."""

    prescription: str
    change: str
    reason: str
    figures: TrialFigures


@dataclass(frozen=True)
class AdviceAction:
    """What to do.

    Attributes
    ----------
    prescription
        The id of the prescription.
    rate
        The learning rate of it, and the coefficient of momentum, where theory names them.
    against
        What is done now, or else the safe rate, for comparison; None where it was not run.
    alternative
        What may be done instead.
    first
        What should come first; None where nothing need.
    command
        The command that trains so, word by word; None where there is none.
    """

    prescription: str
    change: str
    rate: float | None
    momentum: float | None
    certainty: str
    figures: TrialFigures
    against: AdviceComparison | None
    alternative: AdviceAlternative | None
    first: str | None
    sentence: str
    command: tuple[str, ...] | None


@dataclass(frozen=True)
class AdviceBasis:
    """What advice and predictions rest on.

    Attributes
    ----------
    is_quadratic
        Whether the loss is a quadratic: predictions are exact, and the limit holds everywhere. Else both
        are for the curvature at the point of diagnosis.
    is_minimum_certified
        Whether something certifies the minimum that gaps are measured against; None without a trial.
    is_tried
        Whether any remedy was run.
    """

    is_quadratic: bool
    is_minimum_certified: bool | None
    is_tried: bool


@dataclass(frozen=True)
class Advice:
    """What a diagnosis advises: why training is as it is, which rate, what to do, how surely, and the
    numbers that it rests on. Made once, where a report is made; every view of the report shows it and
    decides nothing anew.

    Attributes
    ----------
    rate
        None where nothing is known of a rate.
    action
        None where there is nothing to do: training has arrived, or no remedy came to anything.
    also
        Ids of the findings to be told after everything else, in the report's order: those that neither
        `why` nor `notes` tell, and without prescriptions all of them.
    notes
        How predictions and trials are to be read, in sentences; empty without prescriptions.
    """

    why: AdviceWhy
    rate: AdviceRate | None
    action: AdviceAction | None
    basis: AdviceBasis
    also: tuple[str, ...]
    notes: tuple[str, ...]
