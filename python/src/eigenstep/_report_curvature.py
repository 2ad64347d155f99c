"""What several reports say of a problem and its curvature.

Written by python/tools/reports.py from the Swift types; edit those.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Convergence:
    """How an iteration ended: the reason, what it cost, and one sentence of advice.

    Attributes
    ----------
    operator_applications
        Products with the operator, everything counted.
    advice
        One sentence: what was reached, and what to do for more.
    """

    reason: str
    operator_applications: int
    advice: str


@dataclass(frozen=True)
class Reading:
    """Something about a problem that was decided for the user, who might have decided otherwise: which
    columns are left out, whether a target names classes, in which precision a model runs. Readings stand
    in a report's first lines, before any number that rests on them.

    Attributes
    ----------
    id
        A stable name of the kind, in words joined by hyphens: `target-as-classes`.
    sentence
        What was decided, why, and what decides otherwise; one or two sentences.
    names
        The columns, parameters or nodes that it concerns, all of them.
    """

    id: str
    sentence: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Problem:
    """What was diagnosed, and where on its loss.

    Attributes
    ----------
    parameters
        Numbers that training moves.
    samples
        Rows or samples; columns of a table that enter the model, one-hot columns counted each (None for
        a model file).
    features
        Rows or samples; columns of a table that enter the model, one-hot columns counted each (None for
        a model file).
    loss
        The loss at the point of diagnosis, penalty included.
    gradient_norm
        Euclidean norm of its gradient.
    seed
        `seed`.
    precision
        `float32` or `float64`.
    executor
        `onnxruntime` or `reference`: what ran, never `auto`.
    name
        The table's or the model's file.
    model
        `linear`, `logistic`, `softmax`, `mlp:64,64:tanh`, or the model's file.
    loss_name
        `half-squared-error`, `mse`, `cross-entropy`, `binary`; for a model also `mae`, `huber`, `nll`,
        `kl`, or the output of `loss_output`.
    target
        The column, or the array.
    optimizer
        The name in the catalogue: `gd` (also understood as `sgd`), `momentum`, `nesterov`, `adam`,
        `adamw`, `amsgrad`, `nadam`, `radam`, `adagrad`, `rmsprop`, `lion`, `prodigy`,
        `schedule-free-adamw`, `sophia-h`, `sophia-g`, `adahessian`, `muon`, `soap`, `polyak`.
    at
        Full-batch steps taken before the diagnosis.
    l2
        `c` of the penalty `c/2 ‖w‖²`.
    notes
        What was noticed on the way, in sentences.
    data
        The file of `data`; None for a table.
    layers
        Layers with parameters; None for a table.
    is_quadratic
        Whether the loss is a quadratic in the parameters, so that predictions are exact and the limit
        holds everywhere; None where it was not said.
    readings
        What was decided for the user, who might have decided otherwise: `id` (the kind), `sentence`,
        `names` (columns, parameters or nodes concerned); the text's first lines. Those of tables are
        listed below. Of either: `some-samples` (how many rows or samples of all are diagnosed),
        `held-out` (how many are not trained on), `standardised` (what `standardise` did to the columns).
        Of a model file: `score-output` (the output taken where labels come first),
        `attribute-parameters` (coefficients that the file keeps as attributes of a node),
        `parameters-left-out`, `output-as-loss`, `output-is-no-logit`, `softmax-of-another-axis`,
        `one-logit`, `folded-normalisation`, `tied-weights-stored-twice`; of its form: `quantised`,
        `half-precision`, `random-nodes`, `batch-axis`, `one-batch`, `branches`, `loops`.
    """

    parameters: int
    samples: int
    features: int | None
    loss: float | None
    gradient_norm: float | None
    seed: int
    precision: str
    executor: str
    name: str | None
    model: str | None
    loss_name: str | None
    target: str | None
    optimizer: str | None
    at: int
    l2: float
    notes: tuple[str, ...]
    data: str | None
    layers: int | None
    is_quadratic: bool | None
    readings: tuple[Reading, ...] | None


@dataclass(frozen=True)
class SamplingError:
    """How far a number measured on a sample may be from what a larger sample would give, by the
    delete-one- group jackknife over `G` disjoint random groups of `m_j` of the `n` samples, `h_j = n /
    m_j`: corrected = G theta - sum_j (1 - m_j / n) theta_(j) error^2 = (1/G) sum_j (tau_j - corrected)^2
    / (h_j - 1), tau_j = h_j theta - (h_j - 1) theta_(j) with `theta_(j)` the value without group `j`.
    The interval is `center -+ t error` at Student's quantile of `G - 1` degrees of freedom. It takes the
    samples to be independent draws. Reference: Busing, Meijer and van der Leeden, "Delete-m jackknife
    for unequal m", Statistics and Computing 9 (1999).

    Attributes
    ----------
    value
        The value on all samples.
    corrected
        `value` without the jackknife's estimate of its bias.
    lower
        Ends of the interval; what it covers is said where it is made.
    confidence
        Nominal coverage.
    group_applications
        Products with one group's map; `groups` of them cost one product over all samples.
    warning
        Why the sample is too small to say, with the next step; None where it is not.
    tail_index
        Hill's index of the tail of the samples' curvatures along the eigenvector: moments from this
        order on are infinite. None where the tail was not looked at, or has none.
    unseen
        By how much the interval's outer end lies further out for samples sharper than any that was seen;
        None where the tail was not looked at.
    """

    value: float
    corrected: float
    standard_error: float
    lower: float
    upper: float
    confidence: float
    groups: int
    group_applications: int
    warning: str | None
    tail_index: float | None
    unseen: float | None


@dataclass(frozen=True)
class LayerCurvature:
    """The curvature of a loss in one layer's parameters alone: the spectrum of its diagonal block.

    Attributes
    ----------
    parameters
        Names of its parameters.
    sharpness
        The block's largest eigenvalue; that of the whole matrix is at least as large.
    residual
        Some eigenvalue of the block lies within it of `sharpness`.
    upper_bound
        The block's largest eigenvalue is not above it, but for the failure probability asked for.
    trace
        The sum of the block's eigenvalues; None where none was asked for. Over all layers they add up to
        the trace of the whole matrix.
    trace_standard_error
        0 for a trace from all diagonal entries.
    convergence
        How the search for `sharpness` ended, and what it cost.
    trace_applications
        Products for the trace.
    """

    layer: str
    parameters: tuple[str, ...]
    parameter_count: int
    sharpness: float
    residual: float
    upper_bound: float | None
    trace: float | None
    trace_standard_error: float | None
    convergence: Convergence
    trace_applications: int


@dataclass(frozen=True)
class RateCandidate:
    """The part of a report that `rate_candidate` names.

    Attributes
    ----------
    loss
        The mean loss over all samples at the end of its short runs; None where one was not finite.
    """

    rate: float
    loss: float | None


@dataclass(frozen=True)
class AutoRate:
    """A learning rate for an optimizer, a batch, a schedule and a number of steps: what `--lr auto`
    stands for.

    Attributes
    ----------
    rate
        One of `candidates`: that of the least loss, of several equal to rounding the middle one; among
        batches the least of those run in further orders that never ended above the start.
    lower
        Those of `candidates` around the rate that lose against it no more than a hundredth of the way
        down from the start end here.
    expected
        What curvature and gradient noise at the start lead to expect; None where the optimizer's limit
        is not known there.
    limit
        The largest stable rate by the curvature at the start.
    sharpness
        The largest eigenvalue that the limit rests on.
    noise
        The variance of the batches' gradients over the squared gradient, at the start; None for all
        samples.
    steps
        Steps of each short run, and how many orders of the batches every rate was run with; the best
        have four more.
    candidates
        What was run, ascending.
    sentence
        What the rate rests on, with the numbers.
    """

    rate: float
    lower: float
    upper: float
    expected: float | None
    limit: float | None
    sharpness: float | None
    noise: float | None
    steps: int
    orders: int
    candidates: tuple[RateCandidate, ...]
    sentence: str
