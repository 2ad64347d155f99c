"""What a diagnosis measured at a point.

Written by python/tools/reports.py from the Swift types; edit those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ._report_curvature import SamplingError


@dataclass(frozen=True)
class Sharpness:
    """The largest eigenvalue with a bound it does not exceed, but for the failure probability.

    Attributes
    ----------
    failure_probability
        Zero for a dense solve.
    """

    value: float | None
    residual: float | None
    upper_bound: float | None
    failure_probability: float | None


@dataclass(frozen=True)
class MeasuredEigenvalue:
    """An eigenvalue and the norm of its residual `||H v - lambda v||`."""

    value: float | None
    residual: float | None


@dataclass(frozen=True)
class SharpnessOnAllSamples:
    """What is known of the sharpness over all samples, from some of them.

    Attributes
    ----------
    samples
        All samples, of which `problem.samples` were diagnosed.
    value
        A Rayleigh quotient of the Hessian over all samples: its largest eigenvalue is at least this.
    residual
        An eigenvalue lies within this of `value`.
    operator_applications
        Products with the Hessian over all samples.
    """

    samples: int
    value: float
    residual: float
    operator_applications: int


@dataclass(frozen=True)
class OpenConditionNumber:
    """The range of a condition number whose flat end is lost in rounding.

    Attributes
    ----------
    unresolved
        Directions that rounding does not let tell from flat.
    at_least
        The condition number is not below this.
    other
        With unresolved directions: it is not below this if any of them curves upwards. Without: it is
        not above this; None where nothing bounds it.
    """

    unresolved: int
    at_least: float
    other: float | None


@dataclass(frozen=True)
class Curvature:
    """The curvature of the loss at the point of diagnosis.

    Attributes
    ----------
    smallest
        The most negative eigenvalue, or the smallest.
    smallest_positive
        Smallest eigenvalue above `zero_threshold`, with residual; None where no dense solve was
        affordable.
    effective_smallest
        99 % of the decrease reachable in 1,000 steps at `1/upper_bound` lies in eigenvalues from this
        one up; without a dense solve an estimate, which has been off by a factor of ten; None where too
        few products were affordable.
    condition_number
        `largest / smallest`; None for an indefinite or singular Hessian, or where the smallest
        eigenvalue is not known to 1 %.
    effective_condition_number
        `largest / effective_smallest`.
    gauss_newton_condition_number
        Of the Gauss-Newton matrix. For `linear`, `logistic` and `softmax`, where it is the Hessian, the
        spread of its eigenvalues above `zero_threshold`; for networks its effective condition number.
        None where the loss has no model output.
    indefinite
        An eigenvalue lies below `-zero_threshold`.
    operator_applications
        Hessian products spent.
    zero_threshold
        Eigenvalues within this of zero count as zero.
    severity
        `good` (below 10), `moderate` (1e3), `bad` (1e6), `severe`, `unresolved` (from 1/eps of the
        precision on), by the condition number or, where the Hessian is singular, the spread of its
        eigenvalues above `zero_threshold`, else the effective one; None for an indefinite Hessian.
    largest_on_larger_sample
        What the largest eigenvalue would be on a larger sample of the same kind, from ten random groups
        of the rows: `value`, `corrected` (without the jackknife's estimate of the bias),
        `standard_error`, `lower`, `upper`, `confidence`, `groups`, `group_applications` (products with
        one group's matrix), `warning`, `tail_index` (Hill's, of the samples' curvatures along the
        sharpest direction; None where they have no tail), `unseen` (how far the outer end was moved for
        samples sharper than any seen; sampling-error.md). None where nothing curves upwards, where there
        are under ten rows (or batches, of a model that takes batches of one size), where samples depend
        on each other, or where it would take too long.
    largest_on_all_samples
        Where only some samples were diagnosed: `samples` (all of them), `value` (their largest
        eigenvalue is at least this), `residual` (an eigenvalue lies this near), `operator_applications`.
    precision
        The arithmetic that solved the spectrum: that of `problem`, or `float64` where float32 left the
        flat end of up to 500 parameters open and was not asked for.
    condition_number_open
        What the rounding of float32 leaves open of a convex loss's condition number, which is None then:
        `unresolved` (directions within `zero_threshold` of flat), `at_least` (it is not below this),
        `other` (if any of those curves upwards it is not below this; without any, it is not above this;
        None where nothing bounds it). None where the condition number is known to a tenth.
    """

    largest: Sharpness
    smallest: MeasuredEigenvalue
    smallest_positive: MeasuredEigenvalue | None
    effective_smallest: float | None
    condition_number: float | None
    effective_condition_number: float | None
    gauss_newton_condition_number: float | None
    indefinite: bool
    operator_applications: int
    zero_threshold: float | None
    severity: str | None
    largest_on_larger_sample: SamplingError | None
    largest_on_all_samples: SharpnessOnAllSamples | None
    precision: str | None
    condition_number_open: OpenConditionNumber | None


@dataclass(frozen=True)
class RateRun:
    """What a run of the given optimizer at the given rate did, beside what the curvature at its start
    says.

    Attributes
    ----------
    steps
        For how many steps it was watched; of a run that diverged, until it had.
    loss_at_end
        None where it is not finite.
    sharpness_at_end
        The largest eigenvalue found where the run ended; None where it was not measured.
    limit_at_end
        The optimizer's stability limit for that sharpness.
    """

    outcome: str
    steps: int
    loss_at_start: float | None
    loss_at_end: float | None
    sharpness_at_end: float | None
    limit_at_end: float | None


@dataclass(frozen=True)
class LearningRate:
    """What the curvature says about the learning rate.

    Attributes
    ----------
    stability_limit
        Rates below it are stable along every direction of positive curvature: `2/upper_bound` for
        descent, `(2+2b)/upper_bound` for momentum, `(2+2b)/((1+2b) upper_bound)` for Nesterov's,
        `(2+2β₁)/((1−β₁) λ)` on Adam's preconditioned Hessian.
    minimax
        `2/(λ_min + λ_max)`; None unless positive definite, and for an optimizer that is unstable there.
    contraction
        `(κ−1)/(κ+1)`, the error per step at that rate.
    given
        `lr`.
    given_times_sharpness
        `given` times the largest eigenvalue.
    verdict
        See below; None without `lr`, or where the limit is not known.
    note
        Why the limit is missing.
    optimizer
        Whose limit it is, in words.
    verdict_here
        The verdict of the limit at this point alone, without the run.
    rests_on
        What `verdict` rests on: `limit-everywhere` (the loss is a quadratic), `limit-here` (the rate was
        not run), `limit-here-and-run`; None without a verdict.
    run
        What the trial `as-given` did; None where it was not run.
    """

    stability_limit: float | None
    minimax: float | None
    contraction: float | None
    given: float | None
    given_times_sharpness: float | None
    verdict: str | None
    note: str | None
    optimizer: str | None
    verdict_here: str | None
    rests_on: str | None
    run: RateRun | None


@dataclass(frozen=True)
class EigenDirection:
    """What one eigen-direction of the Hessian does at a given rate.

    Attributes
    ----------
    eigenvalue
        Curvature along it.
    ideal_rate
        `1/λ`; None unless the curvature is positive.
    contraction
        The error's factor per step at `prediction.rate`, with its sign: `1 − ηλ` for descent; None for
        Adam's rates, which act on another curvature.
    iterations
        Steps until its part of the loss gap has shrunk by the tolerance; None if never, and where
        `regime` is None: of optimizers whose course has no closed form nothing is foretold.
    regime
        `monotone`, `one-step`, `oscillating`, `two-cycle`, `diverging`, `frozen`.
    half_life
        Steps in which the error halves.
    """

    eigenvalue: float
    ideal_rate: float | None
    contraction: float | None
    iterations: int | None
    regime: str | None
    half_life: float | None


@dataclass(frozen=True)
class CurvePoint:
    """A point of the predicted loss curve."""

    step: int
    relative_gap: float


@dataclass(frozen=True)
class Prediction:
    """How many steps of the given rate (or, without one, of the safe rate) the tolerance takes.

    Attributes
    ----------
    rate
        `lr`, or else `1/upper_bound`.
    iterations
        Smallest `k` from which on `f_k − f* ≤ tolerance (f_0 − f*)`, to stay; None if never, beyond
        1e15, or where nothing can be vouched for: slopes along directions that rounding flattens, or no
        finite minimum.
    tolerance
        `tolerance`.
    momentum
        With `optimizer` momentum` or `nesterov`.
    curve
        The predicted loss curve.
    """

    rate: float | None
    iterations: int | None
    tolerance: float
    momentum: float | None
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class Finding:
    """One thing that the measurements show, in a sentence and in numbers.

    Attributes
    ----------
    id
        A stable name, listed in `docs/json.md`: `rate-above-limit`, `saddle`, ...
    sentence
        What it means, for a reader who has never heard of a Hessian.
    evidence
        The numbers and names that the sentence rests on.
    """

    id: str
    sentence: str
    evidence: dict[str, Any]


@dataclass(frozen=True)
class FirstAnswer:
    """What the largest curvature says of the learning rate, told before anything else is measured.
    Whatever is found out later, it stays true: it is of the limit at the point of diagnosis alone, and
    says so. Where `rate` falls between what the two ends of the sharpness allow, it takes no side.

    Attributes
    ----------
    sharpness
        A lower bound on the largest eigenvalue: a Ritz value.
    upper_bound
        The largest eigenvalue does not exceed this, but for `failure_probability`.
    stability_limit
        The largest rate of the optimizer that is certainly stable here; None where it is not known.
    given
        The rate asked about.
    suggested
        `1 / upper_bound`, a rate of plain descent to begin with; None for other optimizers.
    """

    sharpness: float
    upper_bound: float
    failure_probability: float
    stability_limit: float | None
    given: float | None
    suggested: float | None
    sentence: str
