"""What a diagnosis says of mini-batches.

Written by python/tools/reports.py from the Swift types; edit those.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NoiseFloor:
    """The mean loss gap that a rate settles at. With decoupled weight decay it is that of the loss with
    the decay as the penalty that it is along the way that steps are divided, above its minimum.

    Attributes
    ----------
    end
        After a whole pass over the samples, and after half of its steps; the same where batches are
        drawn with replacement.
    end_error
        Standard errors of the averages over orders of the samples; 0 where exact, None for an estimate.
    relative
        `end` as a share of the loss gap at the point of diagnosis; None where that is not known.
    steps
        Steps after which full-batch training at this rate has come down to the floor; None where
        unknown.
    """

    end: float
    middle: float
    end_error: float | None
    middle_error: float | None
    relative: float | None
    steps: int | None


@dataclass(frozen=True)
class NoiseFloorRun:
    """A run at the given rate that began at the minimum.

    Attributes
    ----------
    end
        Mean loss gaps over the passes behind the first third, and their standard errors; None where a
        loss was not finite.
    predicted_end
        What was predicted for these passes: flat directions take long to come to their share of the
        floor.
    ran_away
        Whether it left for good: a loss was not finite, or losses ended far above that at the point of
        diagnosis.
    """

    steps: int
    end: float | None
    end_error: float | None
    middle: float | None
    middle_error: float | None
    predicted_end: float | None
    predicted_middle: float | None
    ran_away: bool


@dataclass(frozen=True)
class BatchTrial:
    """A run from the point of diagnosis in batches: the given training, or a change to it.

    Attributes
    ----------
    rate
        At the first step.
    passes
        Over all samples, the same for all trials, and the steps that they are.
    seeds
        Orders of the batches that it was run with, each from the same point.
    predicted
        Mean loss gaps over the ends of the last tenth of the passes, the last alone where the rate comes
        down to 0, or losses where the loss at the minimum is not known; None where nothing is foretold,
        and where it diverged.
    error
        Standard error over the orders; None for a single one.
    diverged
        Whether a loss was not finite, or losses ended far above that at the point of diagnosis, in any
        order.
    orders
        What each order came to, the same orders for all trials: gaps as shares of the first, or losses;
        None for a single one.
    relative
        `measured` as a share of the first gap, as prescriptions tell theirs; None where it is a loss.
    """

    change: str
    rate: float
    batch: int
    passes: int
    steps: int
    seeds: int | None
    predicted: float | None
    measured: float | None
    error: float | None
    diverged: bool | None
    orders: tuple[float, ...] | None
    relative: float | None


@dataclass(frozen=True)
class OtherFloor:
    """The floor of another rate or batch.

    Attributes
    ----------
    end
        After a whole pass.
    """

    rate: float
    batch: int
    end: float


@dataclass(frozen=True)
class ErrorGrowth:
    """The mean logarithm by which a step multiplies a large error, along a course of batches."""

    per_step: float
    error: float


@dataclass(frozen=True)
class BatchLimit:
    """The limit of another batch."""

    batch: int
    limit: float


@dataclass(frozen=True)
class MiniBatches:
    """What training on mini-batches changes: the limit of the rate, the loss that a rate settles at, and
    what more samples in a batch are worth.

    Attributes
    ----------
    batch
        `batch`.
    sampling
        `shuffle` (each pass takes every sample once, in an order of its own; the last, smaller batch is
        included) or `replacement`.
    steps_per_pass
        Steps of a pass over all samples.
    last_batch
        Samples of the last batch of a pass, where they are fewer; else None.
    basis
        What the floor is of: `least-squares` (exact), `bowl-at-minimum` (the quadratics that fit the
        samples' losses at the minimum), `bowl-here` (the loss has no known minimum; no floor then),
        `gradient-noise` (the gradients at the point alone are known; neither limit nor floor). Limits of
        a loss that is no quadratic are those at the point of diagnosis.
    samples_used
        Samples that they were made of.
    limit
        The rate up to which the mean of the squared error stays bounded: where the spectral radius of
        the recursion of second moments is one, with batches drawn independently of each other (with
        `shuffle` each of different samples, whose means have `(n − B)/(n − 1)` of the variance that
        draws with replacement give them), or `pass_limit` where that is less. Above it single runs burst
        rarely at first, and further up grow (see `growth`). Of Adam and its like, with the second
        moments that a run came to. A batch of all samples has `limit_on_all`. None where it is not
        known.
    pass_limit
        With `shuffle`: the same of whole passes, over all ways to part the samples into batches where
        they are 1,000 or fewer, else over seeded orders, with the standard error of that (rare orders
        that decide may be among those not drawn); None otherwise, and above 30 directions (15 with
        momentum).
    pass_limit_error
        With `shuffle`: the same of whole passes, over all ways to part the samples into batches where
        they are 1,000 or fewer, else over seeded orders, with the standard error of that (rare orders
        that decide may be among those not drawn); None otherwise, and above 30 directions (15 with
        momentum).
    limit_without_last
        What `limit` would be without the smaller batch at the end of a pass; None where that batch does
        not lower it.
    limit_at_most
        Where `limit` is not known: a bound that it is not above, from the curvatures of single samples
        along the sharpest direction at the point of diagnosis, for the quadratic there; None for
        optimizers that divide their steps.
    limit_on_all
        The limit of all samples at once.
    rate
        `lr`.
    floor
        What runs at it settle at, with decoupled weight decay the gap of the loss with the decay as the
        penalty that it is; None where second moments grow, where batches have no noise, and where it is
        not known.
    run
        A run from the minimum at that rate, with the same sampling: `steps`, `end`, `end_error`,
        `middle`, `middle_error` (mean gaps over the passes behind the first third, and their errors),
        `predicted_end`, `predicted_middle` (for these passes: flat directions take long to come to their
        share), `ran_away` (a loss was not finite, or ended 100 times above that at the point of
        diagnosis).
    half_limit_batch
        The batch whose limit is half of `limit_on_all`.
    noise_scale
        `tr C / ‖g‖²` of the samples' gradients at the point of diagnosis.
    noise_batch
        The batch of which noise and gradient are equal in size there: `noise_scale` with `replacement`,
        `s / (1 + s/n)` of it with `shuffle`.
    condition_number
        Of what the optimizer's steps see: of the Hessian, or of what a preconditioner makes of it.
    growth
        Of least squares, at or above `limit`: the mean logarithm `per_step` by which a step multiplies a
        large error, with its standard `error`; where it is positive, errors grow in almost every run.
    other_floors
        Floors `end` of half of the rate and of twice the batch: `rate`, `batch`, `end`.
    limits
        `batch` and `limit` of smaller and larger batches, without a smaller one at a pass's end.
    binds
        What keeps the rate from more: `noise` (it is at or above the limit of the batches and below that
        of all samples; or its floor is a tenth of the gap or more; or a run from here came down to the
        floor), `rate` (it is below a quarter of the limit, and a run at half of the limit, or at four
        times the rate, ended lower), `conditioning` (`condition_number` is 100 or more), else
        `sharpness`; None without a rate or a limit, where that does not tell, and where a run has shown
        that the limit does not decide (`unstable-here-settles`, `stable-here-diverged`).
    trials
        Runs from the point of diagnosis in batches, all over as many samples, the lowest first: `change`
        (`as-given`, `half-of-limit`, `larger-rate` of four times the given one for optimizers whose
        steps' length the rate bounds, `larger-batch` of four times as many samples at the rate that goes
        with them, `decayed-rate`: lowered step by step to zero, from the given rate or half of the
        limit, whichever came lower), `rate`, `batch`, `passes`, `steps`, `seeds` (orders that it was run
        with), `predicted` and `measured` (mean loss gaps at the ends of the last tenth of the passes, or
        of the last alone where the rate comes down to 0, or losses where `basis` is `bowl-here` or
        `gradient-noise`; None where nothing is foretold, or it diverged), `error` (standard error over
        the orders), `orders` (what each of them came to: gaps as shares of the first, or losses),
        `relative` (`measured` as a share of the first gap; absent where it is a loss), `diverged`. Those
        that are remedies are the remedies' own runs. With weight decay the gaps are those of the loss
        itself.
    remedy_passes
        Passes that each remedy is run in the batches for, whether it was (not with `no_trials`); None
        where none can be run in them.
    note
        Why something is missing.
    """

    batch: int
    sampling: str
    steps_per_pass: int
    last_batch: int | None
    basis: str
    samples_used: int
    limit: float | None
    pass_limit: float | None
    pass_limit_error: float | None
    limit_without_last: float | None
    limit_at_most: float | None
    limit_on_all: float | None
    rate: float | None
    floor: NoiseFloor | None
    run: NoiseFloorRun | None
    half_limit_batch: float | None
    noise_scale: float | None
    noise_batch: float | None
    condition_number: float | None
    growth: ErrorGrowth | None
    other_floors: tuple[OtherFloor, ...] | None
    limits: tuple[BatchLimit, ...]
    binds: str | None
    trials: tuple[BatchTrial, ...]
    remedy_passes: int | None
    note: str | None
