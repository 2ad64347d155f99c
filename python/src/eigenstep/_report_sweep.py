"""What a sweep and a lab hold.

Written by python/tools/reports.py from the Swift types; edit those.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class SweepRate:
    """The part of a report that `sweep_rate` names.

    Attributes
    ----------
    losses
        The loss over all samples after the last step, of each seed; None where it was not finite.
    mean
        Their mean; None where one is missing.
    held_out
        The mean loss over the samples that are held out; None where none are, or a run was not finite.
    is_diverged
        Whether a run of it diverged: was not finite, or ended far above the loss that it began with.
    is_above_start
        Whether a run of it was not finite, or ended above the loss that it began with.
    broken_at
        The first step, counted from 0, before which a run was not finite; None where all stayed so.
    """

    rate: float
    losses: tuple[float | None, ...]
    mean: float | None
    held_out: float | None
    is_diverged: bool
    is_above_start: bool
    broken_at: int | None


@dataclass(frozen=True)
class SweepBoundary:
    """The part of a report that `sweep_boundary` names.

    Attributes
    ----------
    stable
        No run at this rate, nor at a smaller one, diverged; None where one did at the smallest.
    diverged
        The smallest rate at which a run diverged; None where none did.
    """

    stable: float | None
    diverged: float | None


@dataclass(frozen=True)
class SweepLimit:
    """The part of a report that `sweep_limit` names.

    Attributes
    ----------
    sharpness
        The largest eigenvalue that it rests on, of the preconditioned Hessian where the optimizer has a
        preconditioner.
    """

    place: str
    rate: float
    sharpness: float
    is_preconditioned: bool


@dataclass(frozen=True)
class SweepBest:
    """The part of a report that `sweep_best` names.

    Attributes
    ----------
    loss
        The mean loss over the seeds.
    lower
        The rates around it that lose no more than a hundredth of the way down from the start and, of
        several seeds, whose losses cannot be told from its own, end here.
    tied
        The first and the last of several rates that ended at the same loss to rounding, of which `rate`
        is in the middle; None where there is one.
    """

    rate: float
    loss: float
    lower: float
    upper: float
    sentence: str
    tied: tuple[float, ...] | None


@dataclass(frozen=True)
class RangeTest:
    """The learning-rate range test: one run whose rate grows by the same factor in every step, and the
    loss of each step's samples over it. The rate suggested is where the smoothed loss falls steepest, as
    fast.ai's and torch-lr-finder's default has it. It is one number of one noisy run: nothing in it says
    how sure it is. Reference: Smith, "Cyclical learning rates for training neural networks",
    arXiv:1506.01186, section 3.3.

    Attributes
    ----------
    losses
        Of each step, smoothed with the ones before: `0.05 l + 0.95 s`.
    suggestion
        Where the smoothed loss falls steepest; None for fewer than three steps, or where it never falls.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float | None


@dataclass(frozen=True)
class LabCheck:
    """A number that theory predicts beside the one that was measured.

    Attributes
    ----------
    tolerance
        The largest difference allowed.
    row
        The id of the row of the table of scientific claims that it tests; None where it tests none.
    """

    what: str
    predicted: float
    measured: float
    tolerance: float
    relation: str
    is_passed: bool = field(metadata={"key": "passed"})
    row: str | None
