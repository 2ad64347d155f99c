#!/usr/bin/env python3
"""SciPy's L-BFGS-B, BFGS and trust-ncg on the More-Garbow-Hillstrom problems: writes
Tests/TrainingTests/ScipyRuns.swift. Derivatives are JAX's, in float64. Needs jax and scipy.

    Scripts/mgh-scipy.py > Tests/TrainingTests/ScipyRuns.swift

Reference: More, Garbow and Hillstrom, "Testing unconstrained optimization software", ACM Transactions on
Mathematical Software 7 (1981).
"""
import sys

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from scipy.optimize import minimize

jax.config.update("jax_enable_x64", True)

TOLERANCE = 1e-8  # of the gradient: its largest entry (L-BFGS-B, BFGS), its norm (trust-ncg)
LIMIT = 5000  # steps
CLOSE = 1e-8  # solved: this share of the start's distance from a known minimum is left, or less

bard = jnp.array([.14, .18, .22, .25, .29, .32, .35, .39, .37, .58, .73, .96, 1.34, 2.1, 4.39])
gauss = jnp.array([.0009, .0044, .0175, .054, .1295, .242, .3521, .3989, .3521, .242, .1295, .054,
                   .0175, .0044, .0009])
meyer = jnp.array([34780., 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147,
                   4427, 3820, 3307, 2872])
kowalik_y = jnp.array([.1957, .1947, .1735, .16, .0844, .0627, .0456, .0342, .0323, .0235, .0246])
kowalik_u = jnp.array([4., 2, 1, .5, .25, .167, .125, .1, .0833, .0714, .0625])
osborne1 = jnp.array([.844, .908, .932, .936, .925, .908, .881, .850, .818, .784, .751, .718, .685,
                      .658, .628, .603, .580, .558, .538, .522, .506, .490, .478, .467, .457, .448,
                      .438, .431, .424, .420, .414, .411, .406])
osborne2 = jnp.array([1.366, 1.191, 1.112, 1.013, .991, .885, .831, .847, .786, .725, .746, .679,
                      .608, .655, .616, .606, .602, .626, .651, .724, .649, .649, .694, .644, .624,
                      .661, .612, .558, .533, .495, .5, .423, .395, .375, .372, .391, .396, .405,
                      .428, .429, .523, .562, .607, .653, .672, .708, .633, .668, .645, .632, .591,
                      .559, .597, .625, .739, .710, .729, .720, .636, .581, .428, .292, .162, .098,
                      .054])


def i(m, first=1):
    return jnp.arange(first, first + m, dtype=jnp.float64)


def freudenstein(x):
    a, b = x
    return jnp.array([-13 + a + ((5 - b) * b - 2) * b, -29 + a + ((b + 1) * b - 14) * b])


def helical(x):
    theta = jnp.arctan(x[1] / x[0]) / (2 * jnp.pi) + jnp.where(x[0] < 0, .5, 0)
    return jnp.array([10 * (x[2] - 10 * theta), 10 * (jnp.hypot(x[0], x[1]) - 1), x[2]])


def gulf(x):
    t = i(99) / 100
    y = 25 + (-50 * jnp.log(t)) ** (2 / 3)
    return jnp.exp(-jnp.abs(y - x[1]) ** x[2] / x[0]) - t


def biggs(x):
    t = i(13) / 10
    y = jnp.exp(-t) - 5 * jnp.exp(-10 * t) + 3 * jnp.exp(-4 * t)
    return x[2] * jnp.exp(-t * x[0]) - x[3] * jnp.exp(-t * x[1]) + x[5] * jnp.exp(-t * x[4]) - y


def brown_dennis(x):
    t = i(20) / 5
    return (x[0] + t * x[1] - jnp.exp(t)) ** 2 + (x[2] + x[3] * jnp.sin(t) - jnp.cos(t)) ** 2


def osborne_two(x):
    t = i(65, 0) / 10
    return osborne2 - (x[0] * jnp.exp(-t * x[4]) + x[1] * jnp.exp(-(t - x[8]) ** 2 * x[5])
                       + x[2] * jnp.exp(-(t - x[9]) ** 2 * x[6])
                       + x[3] * jnp.exp(-(t - x[10]) ** 2 * x[7]))


def watson(x):
    n = len(x)
    t = i(29)[:, None] / 29
    slope = (t ** i(n - 1, 0)) @ (i(n - 1) * x[1:])
    value = (t ** i(n, 0)) @ x
    return jnp.concatenate([slope - value ** 2 - 1, jnp.array([x[0], x[1] - x[0] ** 2 - 1])])


def penalty_one(x):
    return jnp.append(jnp.sqrt(1e-5) * (x - 1), x @ x - .25)


def penalty_two(x):
    n, a = len(x), jnp.sqrt(1e-5)
    e, k = jnp.exp(x / 10), jnp.exp(i(n) / 10)
    return jnp.concatenate([x[:1] - .2, a * (e[1:] + e[:-1] - k[1:] - k[:-1]),
                            a * (e[1:] - jnp.exp(-.1)), jnp.array([(n - i(n) + 1) @ x ** 2 - 1])])


def variably(x):
    s = i(len(x)) @ (x - 1)
    return jnp.concatenate([x - 1, jnp.array([s, s ** 2])])


def trigonometric(x):
    n = len(x)
    return n - jnp.cos(x).sum() + i(n) * (1 - jnp.cos(x)) - jnp.sin(x)


def almost_linear(x):
    return jnp.append((x + x.sum() - len(x) - 1)[:-1], jnp.prod(x) - 1)


def boundary(x):
    n = len(x)
    h = 1 / (n + 1)
    p = jnp.pad(x, 1)
    return 2 * x - p[:-2] - p[2:] + h ** 2 * (x + i(n) * h + 1) ** 3 / 2


def integral(x):
    n = len(x)
    h = 1 / (n + 1)
    t = i(n) * h
    c = (x + t + 1) ** 3
    kernel = jnp.where(t[None, :] <= t[:, None], (1 - t[:, None]) * t[None, :],
                       t[:, None] * (1 - t[None, :]))
    return x + h / 2 * (kernel @ c)


def tridiagonal(x):
    p = jnp.pad(x, 1)
    return (3 - 2 * x) * x - p[:-2] - 2 * p[2:] + 1


def banded(x):
    n = len(x)
    j = np.arange(n)
    mask = (j[None, :] != j[:, None]) & (j[None, :] >= j[:, None] - 5) & (j[None, :] <= j[:, None] + 1)
    return x * (2 + 5 * x ** 2) + 1 - jnp.array(mask, float) @ (x * (1 + x))


def chebyquad(x):
    n = len(x)
    t = 2 * x - 1
    before, now, means = jnp.ones(n), t, []
    for k in range(1, n + 1):
        means.append(now.mean() - (0 if k % 2 else -1 / (k * k - 1)))
        before, now = now, 2 * t * now - before
    return jnp.array(means)


def full_rank(x):
    n, m = len(x), 20
    return jnp.concatenate([x, jnp.zeros(m - n)]) - 2 / m * x.sum() - 1


def rank_one(x):
    return i(20) * (i(len(x)) @ x) - 1


def rank_one_zero(x):
    n, m = len(x), 20
    return jnp.concatenate([jnp.zeros(1), i(m - 2), jnp.zeros(1)]) * (i(n - 2, 2) @ x[1:-1]) - 1


root5, root10, root90 = jnp.sqrt(5.), jnp.sqrt(10.), jnp.sqrt(90.)


def j(n):
    return np.arange(1, n + 1.)


t10 = i(10)
beale_y = jnp.array([1.5, 2.25, 2.625])
# name, residuals, start, known minima (those at infinity with a "reached" minimum are named too)
PROBLEMS = [
    ("rosenbrock", lambda x: jnp.array([10 * (x[1] - x[0] ** 2), 1 - x[0]]), [-1.2, 1], [0]),
    ("freudenstein-roth", freudenstein, [.5, -2], [0, 48.98425367924001]),
    ("powell-badly-scaled",
     lambda x: jnp.array([1e4 * x[0] * x[1] - 1, jnp.exp(-x[0]) + jnp.exp(-x[1]) - 1.0001]),
     [0, 1], [0]),
    ("brown-badly-scaled", lambda x: jnp.array([x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2]),
     [1, 1], [0]),
    ("beale", lambda x: beale_y - x[0] * (1 - x[1] ** i(3)), [1, 1], [0]),
    ("jennrich-sampson",
     lambda x: 2 + 2 * t10 - (jnp.exp(t10 * x[0]) + jnp.exp(t10 * x[1])), [.3, .4],
     [124.36218235561489]),
    ("helical-valley", helical, [-1, 0, 0], [0]),
    ("bard", lambda x: bard - (x[0] + i(15) / ((16 - i(15)) * x[1]
                                               + jnp.minimum(i(15), 16 - i(15)) * x[2])),
     [1, 1, 1], [8.214877306578963e-3]),
    ("gaussian", lambda x: x[0] * jnp.exp(-x[1] * ((8 - i(15)) / 2 - x[2]) ** 2 / 2) - gauss,
     [.4, 1, 0], [1.1279327696188612e-8]),
    ("meyer", lambda x: x[0] * jnp.exp(x[1] / (45 + 5 * i(16) + x[2])) - meyer,
     [.02, 4000, 250], [87.94585517105312]),
    ("gulf", gulf, [5, 2.5, .15], [0]),
    ("box",
     lambda x: jnp.exp(-t10 / 10 * x[0]) - jnp.exp(-t10 / 10 * x[1])
     - x[2] * (jnp.exp(-t10 / 10) - jnp.exp(-t10)), [0, 10, 20], [0]),
    ("powell-singular",
     lambda x: jnp.array([x[0] + 10 * x[1], root5 * (x[2] - x[3]), (x[1] - 2 * x[2]) ** 2,
                          root10 * (x[0] - x[3]) ** 2]), [3, -1, 0, 1], [0]),
    ("wood",
     lambda x: jnp.array([10 * (x[1] - x[0] ** 2), 1 - x[0], root90 * (x[3] - x[2] ** 2), 1 - x[2],
                          root10 * (x[1] + x[3] - 2), (x[1] - x[3]) / root10]),
     [-3, -1, -3, -1], [0]),
    ("kowalik-osborne",
     lambda x: kowalik_y - x[0] * (kowalik_u ** 2 + kowalik_u * x[1])
     / (kowalik_u ** 2 + kowalik_u * x[2] + x[3]), [.25, .39, .415, .39],
     [3.0750560384923645e-4]),
    ("brown-dennis", brown_dennis, [25, 5, -5, -1], [85822.20162635628]),
    ("osborne-1",
     lambda x: osborne1 - (x[0] + x[1] * jnp.exp(-10 * i(33, 0) * x[3])
                           + x[2] * jnp.exp(-10 * i(33, 0) * x[4])),
     [.5, 1.5, -1, .01, .02], [5.464894697482687e-5]),
    ("biggs-exp6", biggs, [1, 2, 1, 1, 1, 1], [0, 5.65564992585598e-3]),
    ("osborne-2", osborne_two, [1.3, .65, .65, .7, .6, 3, 5, 7, 2, 4.5, 5.5],
     [4.013773629354771e-2]),
    ("watson", watson, [0] * 9, [1.399760138089055e-6]),
    ("extended-rosenbrock",
     lambda x: jnp.concatenate([10 * (x[1::2] - x[::2] ** 2), 1 - x[::2]]), [-1.2, 1] * 5, [0]),
    ("extended-powell",
     lambda x: jnp.concatenate([x[::4] + 10 * x[1::4], root5 * (x[2::4] - x[3::4]),
                                (x[1::4] - 2 * x[2::4]) ** 2, root10 * (x[::4] - x[3::4]) ** 2]),
     [3, -1, 0, 1] * 3, [0]),
    ("penalty-1", penalty_one, j(10), [7.087651466920264e-5]),
    ("penalty-2", penalty_two, [.5] * 10, [2.936605374567187e-4]),
    ("variably-dimensioned", variably, 1 - j(10) / 10, [0]),
    ("trigonometric", trigonometric, [.1] * 10, [0, 2.795056131876484e-5]),
    ("brown-almost-linear", almost_linear, [.5] * 10, [0, 1]),
    ("discrete-boundary-value", boundary, j(10) / 11 * (j(10) / 11 - 1), [0]),
    ("discrete-integral-equation", integral, j(10) / 11 * (j(10) / 11 - 1), [0]),
    ("broyden-tridiagonal", tridiagonal, [-1] * 10, [0]),
    ("broyden-banded", banded, [-1] * 10, [0]),
    ("linear-full-rank", full_rank, [1] * 10, [10]),
    ("linear-rank-1", rank_one, [1] * 10, [20 * 19 / 82]),
    ("linear-rank-1-zero", rank_one_zero, [1] * 10, [(400 + 60 - 6) / 74]),
    ("chebyquad", chebyquad, j(8) / 9, [3.51687372567791e-3]),
]


class Counted:
    """A loss whose calls are counted, and where it first came close to a minimum."""

    def __init__(self, residuals, start, minima):
        def loss(x):
            r = residuals(x)
            return r @ r
        self.pair = jax.jit(jax.value_and_grad(loss))
        self.value = jax.jit(loss)
        self.product = jax.jit(lambda x, v: jax.jvp(jax.grad(loss), (x,), (v,))[1])
        self.start, self.minima = np.array(start, float), minima
        self.first = float(self.value(self.start))
        self.reset()

    def reset(self):
        self.calls, self.products, self.solved_at = 0, 0, None

    def note(self, value):
        self.calls += 1
        if self.solved_at is None and self.is_solved(value):
            self.solved_at = self.calls + self.products

    def is_solved(self, value):
        return any(value - low <= CLOSE * (self.first - low) for low in self.minima)

    def both(self, x):
        value, gradient = self.pair(x)
        self.note(float(value))
        return float(value), np.array(gradient)

    def f(self, x):
        value = float(self.value(x))
        self.note(value)
        return value

    def g(self, x):
        return np.array(self.pair(x)[1])

    def hvp(self, x, v):
        self.products += 1
        return np.array(self.product(x, v))


def runs(loss):
    """Per method: the least loss, evaluations when solved, evaluations at the end, whether it converged."""
    rows = []
    for method in ["L-BFGS-B", "BFGS", "trust-ncg"]:
        loss.reset()
        options = {"gtol": TOLERANCE, "maxiter": LIMIT}
        if method == "L-BFGS-B":
            options |= {"ftol": 0, "maxfun": 10 * LIMIT}
        if method == "trust-ncg":
            found = minimize(loss.f, loss.start, jac=loss.g, hessp=loss.hvp, method=method,
                             options=options)
        else:
            found = minimize(loss.both, loss.start, jac=True, method=method, options=options)
        solved = "nil" if loss.solved_at is None else loss.solved_at
        rows.append(f".init({found.fun:.6e}, solvedAt: {solved}, total: {loss.calls + loss.products})")
        print(f"{method:10s} {rows[-1]} {found.message}", file=sys.stderr)
    return rows


def text(values):
    return "[" + ", ".join(repr(float(value)) for value in values) + "]"


def main():
    print("// Written by Scripts/mgh-scipy.py.")
    print(f"// SciPy {scipy.__version__}, JAX {jax.__version__}, float64.")
    print("// swift-format-ignore-file")
    print("let scipyRuns: [ScipyRun] = [")
    for name, residuals, start, minima in PROBLEMS:
        print(name, file=sys.stderr)
        loss = Counted(residuals, start, minima)
        value, gradient = loss.both(loss.start)
        product = loss.hvp(loss.start, np.cos(np.arange(len(start))))
        print(f'  ScipyRun(\n    "{name}", minima: {text(minima)}, value: {value!r},')
        print(f"    gradient: {text(gradient)},")
        print(f"    product: {text(product)},")
        print("    runs: [\n      " + ",\n      ".join(runs(loss)) + ",\n    ]),")
    print("]")


if __name__ == "__main__":
    main()
