#!/usr/bin/env python3
"""The truth about least squares on a table, in 200 digits: spectrum, rank, minimum, step counts.

    python3 Scripts/hard-tables/oracle.py TABLE.csv [RATE [MOMENTUM]]

The loss is 1/(2n) ||Xw + b - y||^2 over the float64 values of the file, its start w = b = 0, its
Hessian A'A/n with A = [X, 1]. In the eigenbasis of the Hessian the gap to the minimum is a sum of
modes, f_k - f* = sum_i c_i p_k(lambda_i)^2, from which every count here is read. `Modes` holds the
pairs (lambda_i, c_i) for the columns as they are, standardised (less the mean, over the population
standard deviation) or with the gradient's entries divided by the Hessian's diagonal. Needs mpmath,
NumPy.
"""

import csv
import math
import pathlib
import sys

import mpmath
import numpy as np
from mpmath import mp, mpf

mp.dps = 200
ZERO = mpf(10) ** -150
NEVER = math.inf


class Modes:
    """Eigenvalues above zero, descending, and what each adds to the gap of the start."""

    def __init__(self, eigenvalues, gaps, nullity, start_loss):
        self.eigenvalues, self.gaps, self.nullity = eigenvalues, gaps, nullity
        self.start_loss = start_loss
        self.gap = mpmath.fsum(gaps)
        self.minimum = start_loss - self.gap

    @property
    def condition(self):
        """Of the eigenvalues that are not exactly zero."""
        return float(self.eigenvalues[0] / self.eigenvalues[-1]) if self.eigenvalues else math.nan

    # -- plain descent

    def relative_gap(self, k, rate, momentum=0):
        """(f_k - f*) / (f_0 - f*) in exact arithmetic."""
        if self.gap == 0:
            return 0.0
        with mp.workdps(120):
            rate, k = mpf(rate), int(k)
            if momentum:
                terms = [c * _swing(rate * l, mpf(momentum), k) ** 2 for l, c in self.pairs]
            else:
                terms = [c * mpmath.exp(2 * k * _log_factor(rate * l)) for l, c in self.pairs]
            value = mpmath.fsum(terms) / self.gap
            return float(value) if value < mpf(10) ** 300 else math.inf

    @property
    def pairs(self):
        return [(l, c) for l, c in zip(self.eigenvalues, self.gaps) if c > 0]

    def steps(self, rate, tolerance, momentum=0):
        """(low, high): the step from which the relative gap stays within the tolerance lies there.

        (NEVER, NEVER) where some direction does not converge. Plain descent: low == high. Momentum:
        low is the step after the last one above, high that from which the envelope is within.
        """
        if self.gap == 0:
            return (0, 0)
        if momentum:
            return self._steps_of_momentum(mpf(rate), mpf(momentum), tolerance)
        with mp.workdps(60):
            logs = [(2 * _log_factor(mpf(rate) * l), c) for l, c in self.pairs]
            goal = mpf(tolerance) * self.gap
            if mpmath.fsum(c for e, c in logs if e >= 0) > goal:
                return (NEVER, NEVER)
            k = _first(lambda k: mpmath.fsum(c * mpmath.exp(k * e) for e, c in logs) <= goal)
            return (k, k)

    def fewest_steps(self, tolerance):
        """(steps, rate times largest eigenvalue) of plain descent at its best rate."""
        if self.gap == 0:
            return (0, 1.0)
        ratios = [float(l / self.eigenvalues[0]) for l, _ in self.pairs]
        shares = [float(c / self.gap) for _, c in self.pairs]

        def steps(short):  # rate = (2 - short) / largest
            logs = [2 * _float_log_factor(2 - short, q, short) for q in ratios]
            f = lambda k: sum(c * math.exp(max(e * k, -700)) if e < 0 else c
                              for e, c in zip(logs, shares))
            low, high = 0.0, 1.0
            while f(high) > tolerance and high < 1e60:
                high *= 2
            for _ in range(60):
                middle = (low + high) / 2
                low, high = (middle, high) if f(middle) > tolerance else (low, middle)
            return high

        grid = np.concatenate([np.linspace(1, 0.1, 181), np.logspace(-1, -15, 281)])
        best = min(grid, key=steps)
        fine = np.linspace(best * 0.95, min(1, best * 1.05), 41)
        best = min(fine, key=steps)
        return (steps(best), 2 - best)

    # -- heavy-ball momentum: v = b v + g, x -= rate v

    def _steps_of_momentum(self, rate, b, tolerance):
        if any(rate * l >= 2 * (1 + b) for l, c in self.pairs):
            return (NEVER, NEVER)
        with mp.workdps(120):
            swings = [_Swing(rate * l, b) for l, _ in self.pairs]
            shares = [float(c / self.gap) for _, c in self.pairs]

            def envelope(k):
                return sum(c * math.exp(2 * s.log_envelope(k)) for c, s in zip(shares, swings))

            high = _first(lambda k: envelope(k) <= tolerance)
        if high > 1e15:
            return (high, high)
        low = None
        for k in _backwards(high, swings):
            above = np.nonzero(_gaps(k, swings, shares) > tolerance)[0]
            if above.size:
                low = int(k[above[0]]) + 1
                break
        return (low if low is not None else 0, high)

    def peak(self, rate, b):
        """The largest relative gap on momentum's way."""
        if self.gap == 0:
            return 1.0
        with mp.workdps(120):
            swings = [_Swing(mpf(rate) * l, mpf(b)) for l, _ in self.pairs]
        shares = [float(c / self.gap) for _, c in self.pairs]
        k = np.concatenate([np.arange(100_000.0), np.round(np.logspace(5, 12, 400_000))])
        return float(_gaps(k, swings, shares).max())


def _first(holds):
    """The smallest k >= 0 from which on `holds`, by doubling and bisection."""
    if holds(0):
        return 0
    high = 1
    while not holds(high):
        high *= 2
        if high > 10**80:
            return NEVER
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _log_factor(product):
    """log |1 - product|."""
    if product < mpf("0.5"):
        return mpmath.log1p(-product)
    return mpmath.log(abs(1 - product)) if product != 1 else mpf("-1e9")


def _float_log_factor(t, q, short):
    if q > 0.999999999 and q == 1.0:
        return math.log(max(1 - short, 1e-300))
    product = t * q
    return math.log1p(-product) if product < 0.5 else math.log(max(abs(1 - product), 1e-300))


class _Swing:
    """p_k of one mode: A z1^k + B z2^k, with p_0 = p_-1 = 1."""

    def __init__(self, product, b):
        s = 1 + b - product
        discriminant = s * s - 4 * b
        self.is_complex = discriminant < 0
        if self.is_complex:
            r = mpmath.sqrt(b)
            cosine = s / (2 * r)
            sine = mpmath.sqrt(1 - cosine * cosine)
            self.alpha = float((cosine - r) / sine)
            self.theta = float(mpmath.atan2(sine, cosine))
            self.log1 = float(mpmath.log(r))
        else:
            root = mpmath.sqrt(discriminant)
            z1 = (s + root) / 2 if s > 0 else (s - root) / 2  # the larger in size
            z2 = b / z1
            if z1 == z2:
                z1 *= 1 + mpf(10) ** -40
            self.a = float(z1 * (1 - z2) / (z1 - z2))
            self.b = float(-z2 * (1 - z1) / (z1 - z2))
            self.is_negative = bool(z1 < 0)
            self.log1, self.log2 = float(mpmath.log(abs(z1))), float(mpmath.log(abs(z2)))
        self.period = 2 * math.pi / self.theta if self.is_complex else math.inf

    def log_envelope(self, k):
        k = float(k)
        if self.is_complex:
            size = min(math.hypot(1, self.alpha), 1 + abs(self.alpha) * k * self.theta)
            return k * self.log1 + math.log(size)
        tail = math.exp(max((self.log2 - self.log1) * k, -700))
        size = abs(self.a) + abs(self.b) * tail if self.is_negative else self.a + self.b * tail
        return k * self.log1 + math.log(max(size, 1e-300))

    def values(self, k):
        if self.is_complex:
            return np.exp(k * self.log1) * (np.cos(k * self.theta) + self.alpha * np.sin(k * self.theta))
        sign = np.where(k % 2 == 1, -1.0, 1.0) if self.is_negative else 1.0
        return sign * (self.a * np.exp(k * self.log1) + self.b * np.exp(k * self.log2))


def _swing(product, b, k):
    """p_k in high precision."""
    s = 1 + b - product
    root = mpmath.sqrt(mpmath.mpc(s * s - 4 * b))
    z1, z2 = (s + root) / 2, (s - root) / 2
    if z1 == z2:
        z1 *= 1 + mpf(10) ** -50
    return mpmath.re((z1 ** (k + 1) * (1 - z2) - z2 ** (k + 1) * (1 - z1)) / (z1 - z2))


def _gaps(k, swings, shares):
    with np.errstate(over="ignore"):
        return sum(c * s.values(k) ** 2 for c, s in zip(shares, swings))


def _backwards(high, swings):
    """Steps downwards from `high` in pieces: every one of the last two million, then ever fewer."""
    k = high
    for _ in range(10):
        low = max(0, k - 200_000)
        yield np.arange(k, low - 1, -1, dtype=float)
        k = low
        if k == 0:
            return
    stride = 7
    while k > 0:
        low = max(0, k - stride * 500_000)
        yield np.arange(k, low, -stride, dtype=float)
        k, stride = low, 2 * stride + 1


# -- from a table to its modes


def read(path):
    rows = list(csv.reader(open(path)))
    values = [[float(v) for v in row] for row in rows[1:]]
    return rows[0], [row[:-1] for row in values], [row[-1] for row in values]


def float32(x):
    return [[float(np.float32(v)) for v in row] for row in x]


def standardised(x):
    """Columns less their mean over their population standard deviation; constant ones are zero."""
    result = []
    for column in zip(*x):
        column = [mpf(v) for v in column]
        mean = mpmath.fsum(column) / len(column)
        spread = mpmath.sqrt(mpmath.fsum((v - mean) ** 2 for v in column) / len(column))
        is_constant = min(column) == max(column)
        result.append([mpf(0) if is_constant else (v - mean) / spread for v in column])
    return [list(row) for row in zip(*result)]


def modes(x, y, preconditioned=False, floor=0):
    """The modes of a table; with the gradient divided by max(diagonal, floor) if preconditioned."""
    n = len(y)
    a = mpmath.matrix([[mpf(v) for v in row] + [mpf(1)] for row in x])
    y = mpmath.matrix([mpf(v) for v in y])
    h = a.T * a / n
    g = a.T * y / n
    d = h.rows
    if preconditioned:
        scale = [1 / mpmath.sqrt(max(h[i, i], mpf(floor))) if h[i, i] or floor else mpf(0)
                 for i in range(d)]
    else:
        # In units of its own a column is found to full relative accuracy; undone below.
        scale = [mpf(1)] * d
    for i in range(d):
        g[i] *= scale[i]
        for j in range(d):
            h[i, j] *= scale[i] * scale[j]
    values, vectors = mpmath.eigsy(h)
    order = sorted(range(d), key=lambda i: -values[i])
    positive = [i for i in order if values[i] > ZERO * values[order[0]]]
    gaps = []
    for i in positive:
        slope = mpmath.fsum(vectors[j, i] * g[j] for j in range(d))
        gap = slope**2 / (2 * values[i])
        gaps.append(gap if gap > mpf(10) ** -150 else mpf(0))
    start = (y.T * y)[0] / (2 * n)
    return Modes([values[i] for i in positive], gaps, d - len(positive), start)


def exact_rank(x):
    """The rank of [X, 1], in whole numbers (fraction-free elimination)."""
    from fractions import Fraction

    rows = [[Fraction(v) for v in row] + [Fraction(1)] for row in x]
    columns = []
    for column in zip(*rows):
        scale = max(v.denominator for v in column)
        columns.append([int(v * scale) for v in column])
    m, rank = columns, 0  # the transpose has the same rank
    previous = 1
    for c in range(len(m[0])):
        pivot = next((r for r in range(rank, len(m)) if m[r][c]), None)
        if pivot is None:
            continue
        m[rank], m[pivot] = m[pivot], m[rank]
        for r in range(rank + 1, len(m)):
            m[r] = [(m[rank][c] * p - m[r][c] * q) // previous for p, q in zip(m[r], m[rank])]
        previous, rank = m[rank][c], rank + 1
        if rank == len(m):
            break
    return rank


def loss_rounding(x, y, truth, share, epsilon):
    """What a loss of this relative gap, evaluated in floating point, may be off by.

    Taken at the shortest parameters that come so near: eps times the sizes that cancel in a residual.
    """
    a = np.array([[*map(float, row), 1.0] for row in x])
    y = np.array([float(v) for v in y])
    u, s, v = np.linalg.svd(a, full_matrices=False)
    share = truth.gap * mpf(share)
    left, weights = truth.gap, np.zeros(a.shape[1])
    for i, c in enumerate(truth.gaps):
        if left <= share or i >= len(s) or s[i] <= 1e-17 * s[0]:
            break
        weights += v[i] * (u[:, i] @ y) / s[i]
        left -= c
    size = np.sqrt(np.mean((np.abs(a) @ np.abs(weights) + np.abs(y)) ** 2))
    f = float(truth.minimum)
    return epsilon * (math.sqrt(2 * max(f, 0)) * size + 4 * f) + (epsilon * size) ** 2


if __name__ == "__main__":
    names, x, y = read(pathlib.Path(sys.argv[1]))
    rate = float(sys.argv[2]) if len(sys.argv) > 2 else None
    momentum = float(sys.argv[3]) if len(sys.argv) > 3 else 0
    print("rank", exact_rank(x), "of", len(names))
    for name, m in [("as they are", modes(x, y)), ("standardised", modes(standardised(x), y)),
                    ("by the diagonal", modes(x, y, preconditioned=True))]:
        print(f"{name}: condition number {m.condition:.6g}, {m.nullity} flat, minimum "
              f"{mpmath.nstr(m.minimum, 12)} of {mpmath.nstr(m.start_loss, 12)}")
        for l, c in zip(m.eigenvalues, m.gaps):
            print("  ", mpmath.nstr(l, 10), "share of the gap", mpmath.nstr(c / m.gap, 6) if m.gap else 0)
        if rate and m.eigenvalues:
            print("   steps to 1e-6:", m.steps(rate, 1e-6, momentum))
