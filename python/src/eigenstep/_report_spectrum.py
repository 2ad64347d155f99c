"""What a spectrum holds.

Written by python/tools/reports.py from the Swift types; edit those.
"""

from __future__ import annotations

from dataclasses import dataclass

from ._report_curvature import Convergence, SamplingError


@dataclass(frozen=True)
class MeasuredOperator:
    """Which matrix.

    Attributes
    ----------
    dimension
        Rows and columns.
    parameters
        Names of the parameters that it is taken in.
    """

    kind: str
    dimension: int
    parameters: tuple[str, ...]
    preconditioning: str


@dataclass(frozen=True)
class SpectrumIntervals:
    """What a larger sample of the same kind would give."""

    largest: SamplingError | None
    smallest: SamplingError | None


@dataclass(frozen=True)
class SpectrumOutliers:
    """Eigenvalues that stand apart from the bulk of a spectrum. A classifier of `K` classes has `K - 1`
    or `K` of them: its Gauss-Newton matrix is a covariance around class means, of which the softmax
    leaves `K - 1` directions. Reference: Sagun, Evci, Guney, Dauphin and Bottou, arXiv:1706.04454;
    Papyan, arXiv:1901.08244.

    Attributes
    ----------
    separation
        The smallest outlier over the largest eigenvalue of the bulk, `lambda_count / lambda_{count+1}`;
        None without outliers, or where nothing of the bulk was given.
    classes
        Number of classes, if the problem has any.
    """

    rule: str
    count: int
    separation: float | None
    classes: int | None


@dataclass(frozen=True)
class Interval:
    """Two numbers that something lies between."""

    lower: float
    upper: float


@dataclass(frozen=True)
class DensitySplit:
    """What is known of the eigenvalues on the two sides of a number: of all numbers asked for together,
    except with the failure probability of the density. The share below a number is no smooth function of
    the density: where many eigenvalues lie near it, an estimate that is right in Wasserstein distance
    may put them on either side, and the interval says so by its width. `k` Lanczos steps from a probe
    leave its CDF at `x` between the sums of the weights before and up to `x` of the one quadrature rule
    that has a node there (Chebyshev, Markov, Stieltjes). Between probes, the CDF at `x` is the mean of
    `m` Beta variables of parameters `n F / 2` and `n (1 - F) / 2`, close to one of `m` times these,
    which is inverted as a share is by Clopper and Pearson. Reference: Clopper and Pearson, "The use of
    confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26 (1934).

    Attributes
    ----------
    share
        The share of the eigenvalues below it.
    below
        `(1/n) sum max(at - lambda, 0)`, over all eigenvalues.
    above
        `(1/n) sum max(lambda - at, 0)`.
    """

    at: float
    share: Interval
    below: Interval
    above: Interval


@dataclass(frozen=True)
class SpectralDensity:
    """The density of eigenvalues `(1/n) sum_i delta(t - lambda_i)` of a symmetric map, as weighted nodes
    with an error bar: the Wasserstein-1 distance, the area between the two CDFs. `wasserstein_bound` is
    the sum of what the finite number of products can hide and of what the random probes can miss. The
    first part is a theorem (Chebyshev, Markov, Stieltjes for Lanczos; the second moment of the Jackson
    kernel for Chebyshev moments), the interval of the spectrum included, which holds except with a small
    share of `failure_probability`. The second part is a theorem about the true density (exact variance
    of a uniform probe, see `density_sampling_bound`) into which the estimated density is put: an
    estimate, and calibrated as such. `wasserstein_estimate` is the expected size. Reference: Chen,
    Trogdon and Ubaru, "Analysis of stochastic Lanczos quadrature for spectrum approximation" (2021);
    Weisse, Wellein, Alvermann and Fehske, "The kernel polynomial method" (2006).

    Attributes
    ----------
    nodes
        Ascending.
    weights
        Not negative, one per node; their sum is 1.
    probes
        Random vectors that the density averages over; 0 where all eigenvalues were computed.
    steps
        Products of the longest probe.
    deflated
        Outlying eigenvalues found first and counted exactly, outside of the sampling.
    operator_applications
        Products with the map, everything counted.
    lower
        An interval that holds every eigenvalue, except with a small share of the failure probability.
    range
        The distance between the outermost Ritz values, never more than between the outermost eigenvalues
        (up to rounding): what relative errors are relative to.
    wasserstein_bound
        The Wasserstein-1 distance to the true density is at most this, except with
        `failure_probability`; in units of the eigenvalues.
    step_bound
        The part of the bound that more steps would reduce; the rest needs more probes.
    wasserstein_estimate
        The expected distance, without a guarantee.
    splits
        At the numbers that the options name.
    """

    nodes: tuple[float, ...]
    weights: tuple[float, ...]
    method: str
    probes: int
    steps: int
    deflated: int
    seed: int
    operator_applications: int
    lower: float
    upper: float
    range: float
    wasserstein_bound: float
    step_bound: float
    wasserstein_estimate: float
    failure_probability: float
    convergence: Convergence
    splits: tuple[DensitySplit, ...]


@dataclass(frozen=True)
class SpectrumDensity:
    """The density of eigenvalues, and what follows from it.

    Attributes
    ----------
    negative_share
        The share of eigenvalues below minus the zero threshold: counted, zero where nothing can be
        negative, or the estimate where its interval is narrow; None where it tells nothing.
    negative_curvature_share
        `sum |lambda_-| / sum |lambda|`, as `negative_share`.
    negative_share_interval
        Between what the two lie, but for the failure probability of the distribution.
    """

    distribution: SpectralDensity
    negative_share: float | None
    negative_curvature_share: float | None
    negative_share_interval: Interval
    negative_curvature_share_interval: Interval


@dataclass(frozen=True)
class EstimatedValue:
    """A number with its standard error, which is 0 where it is exact up to rounding."""

    value: float
    standard_error: float


@dataclass(frozen=True)
class TraceEstimate:
    """The trace of a symmetric map from random probes, with its standard error. Hutchinson's error falls
    like `1/sqrt(products)` whatever the spectrum; Hutch++ and XTrace remove the range of `A` that their
    probes show, and gain orders of magnitude on spectra that decay. On flat spectra they cost about
    `sqrt(2)` in error. Where the number of products allowed makes the exact trace affordable (`n`
    products), that is what comes back in the end, with a standard error of 0. Memory: 8 vectors for
    Hutchinson, two per probe for the others. Reference: Girard (1989) and Hutchinson (1990); Meyer,
    Musco, Musco and Woodruff, "Hutch++: Optimal Stochastic Trace Estimation" (2021); Epperly, Tropp and
    Webber, "XTrace: Making the Most of Every Sample in Stochastic Trace Estimation" (2024).

    Attributes
    ----------
    standard_error
        Of the mean over probes; for XTrace from the scatter of its leave-one-out values, times `sqrt(2)`
        because each pair of probes shares in two of them. 0 where exact.
    rounding
        What rounding in the map's precision may add: `eps sqrt(n) ‖A‖_F`.
    squared_frobenius_norm
        `‖A‖_F²` from the same products.
    """

    value: float
    standard_error: float
    rounding: float
    squared_frobenius_norm: EstimatedValue
    method: str
    probes: int
    operator_applications: int
    seed: int
    convergence: Convergence


@dataclass(frozen=True)
class SpectrumDiagonal:
    """The diagonal, whose entries go to a file of their own.

    Attributes
    ----------
    largest
        Of the entries as estimated: see `largest_standard_error`.
    relative_error
        Euclidean norm of the entries' standard errors, over that of the entries; 0 for an exact
        diagonal.
    largest_standard_error
        The largest standard error of any entry; 0 for an exact diagonal.
    """

    largest: float
    smallest: float
    relative_error: float
    operator_applications: int
    convergence: Convergence
    largest_standard_error: float
