#!/usr/bin/env python3
"""SciPy's BFGS on the losses, points and starts of `Sources/Labs/PINN`, written anew.

The network's derivatives in its inputs are propagated by hand (value, first and second derivative through
each layer); JAX only compiles, and takes the gradient in the parameters.

    pinn_scipy.py goldens            the loss of each problem at fixed weights, by NumPy alone
    pinn_scipy.py bfgs NAME [--iterations 200] [--seeds 5]   one JSON line per seed
"""

import argparse
import json
import math
import pathlib
import sys
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Scripts"))
from seeded_generator import Generator

PI = math.pi


def gauss(count, low, high):
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return low + (high - low) * (nodes + 1) / 2, weights / 2


def at(value):
    return np.array([value]), np.array([1.0])


def product(*axes):
    """Points `[n, d]` and weights, the last axis fastest."""
    grids = np.meshgrid(*[nodes for nodes, _ in axes], indexing="ij")
    weights = axes[0][1]
    for _, more in axes[1:]:
        weights = np.multiply.outer(weights, more)
    return np.stack([grid.ravel() for grid in grids], axis=1), weights.ravel()


def drawn(count, *box):
    """Points drawn uniformly from a box with the seed 0, and equal weights."""
    generator = Generator(0)
    points = [[low + (high - low) * generator.uniform() for low, high in box] for _ in range(count)]
    return np.array(points), np.full(count, 1 / count)


def grid(*axes):
    return np.stack(
        [g.ravel() for g in np.meshgrid(*[np.linspace(*axis) for axis in axes], indexing="ij")],
        axis=1)


class Problem:
    def __init__(self, layers, domain, operation, source, conditions, exact, test):
        self.layers, self.operation, self.exact, self.test = layers, operation, exact, test
        self.points, self.weights = domain
        self.source = source(self.points.T) * np.ones(len(self.points))
        self.conditions = conditions

    def count(self):
        return sum((i + 1) * o for i, o in zip(self.layers, self.layers[1:]))

    def start(self, seed):
        generator, values = Generator(seed), []
        for i, o in zip(self.layers, self.layers[1:]):
            bound = math.sqrt(6 / (i + o))
            values += [bound * (2 * generator.uniform() - 1) for _ in range(i * o)] + [0.0] * o
        return np.array(values)

    def field(self, theta, points, np):
        """`derivatives(axis)` gives u, u_axis and u_axis,axis at the points."""
        def derivatives(axis):
            offset, value, first, second = 0, points, None, None
            for layer, (i, o) in enumerate(zip(self.layers, self.layers[1:])):
                w = theta[offset : offset + i * o].reshape(i, o)
                b = theta[offset + i * o : offset + (i + 1) * o]
                offset += (i + 1) * o
                value = value @ w + b
                if layer == 0:
                    first, second = w[axis] * np.ones_like(value), np.zeros_like(value)
                else:
                    first, second = first @ w, second @ w
                if layer < len(self.layers) - 2:
                    value = np.tanh(value)
                    slope = 1 - value**2
                    second = slope * second - 2 * value * slope * first**2
                    first = slope * first
            return value[:, 0], first[:, 0], second[:, 0]

        return derivatives

    def loss(self, theta, np):
        """`np` is NumPy, or something with the same names."""
        residual = self.operation(self.field(theta, np.asarray(self.points), np))
        residual = residual - np.asarray(self.source)
        total = np.sum(np.asarray(self.weights) * residual**2)
        for condition in self.conditions:
            points, weights = product(*condition["at"])
            part = condition.get("part", 0)
            axis = condition.get("axis", 0)
            values = self.field(theta, np.asarray(points), np)(axis)[part]
            if "equals" in condition:
                partners, _ = product(*condition["equals"])
                values = values - self.field(theta, np.asarray(partners), np)(axis)[part]
            if "target" in condition:
                values = values - np.asarray(condition["target"](points.T))
            total = total + np.sum(np.asarray(weights) * values**2)
        return total

    def error(self, theta):
        values = self.field(theta, self.test, np)(0)[0]
        exact = self.exact(self.test.T)
        return float(np.linalg.norm(values - exact) / np.linalg.norm(exact))


def evolution(length, operation, initial, exact, periodic, rest=False, width=50):
    x, t = gauss(64, 0, length), gauss(64, 0, 1)
    conditions = [dict(at=[x, at(0.0)], target=lambda p: initial(p[0]))]
    if rest:
        conditions.append(dict(at=[x, at(0.0)], part=1, axis=1))
    if periodic:
        conditions.append(dict(at=[at(length), t], equals=[at(0.0), t]))
    else:
        conditions += [dict(at=[at(0.0), t]), dict(at=[at(length), t])]
    return Problem(
        [2, width, width, width, 1], drawn(4096, (0, length), (0, 1)), operation, lambda p: 0.0, conditions, exact,
        grid((0, length, 257), (0, 1, 101)))


def problems():
    s, e, c = np.sin, np.exp, np.cos
    unit = gauss(20, 0, 1)
    bar = gauss(32, 0, 1)
    bump = lambda x: e(-8 * (x - PI) ** 2 / PI**2)
    ripple = lambda x: s(PI * x) + s(5 * PI * x) / 2

    def logistic(f):
        value, slope, _ = f(1)
        return slope - 5 * value * (1 - value)

    return {
        "poisson": Problem(
            [2, 16, 16, 1], product(unit, unit), lambda f: f(0)[2] + f(1)[2],
            lambda p: -s(PI * p[0]) * s(PI * p[1]),
            [dict(at=[at(0.0), unit]), dict(at=[at(1.0), unit]), dict(at=[unit, at(0.0)]),
             dict(at=[unit, at(1.0)])],
            lambda p: s(PI * p[0]) * s(PI * p[1]) / (2 * PI**2), grid((0, 1, 51), (0, 1, 51))),
        "diffusion": Problem(
            [2, 18, 18, 1], product(gauss(24, -1, 1), unit), lambda f: f(1)[1] - f(0)[2],
            lambda p: -e(-p[1]) * (s(PI * p[0]) - PI**2 * s(PI * p[0])),
            [dict(at=[gauss(24, -1, 1), at(0.0)], target=lambda p: s(PI * p[0])),
             dict(at=[at(-1.0), unit]), dict(at=[at(1.0), unit])],
            lambda p: e(-p[1]) * s(PI * p[0]), grid((-1, 1, 101), (0, 1, 51))),
        "convection": evolution(
            2 * PI, lambda f: f(1)[1] + 40 * f(0)[1], s, lambda p: s(p[0] - 40 * p[1]), True),
        "reaction": evolution(
            2 * PI, logistic, bump,
            lambda p: bump(p[0]) * e(5 * p[1]) / (bump(p[0]) * e(5 * p[1]) + 1 - bump(p[0])), True),
        "wave": evolution(
            1, lambda f: f(1)[2] - 4 * f(0)[2], ripple,
            lambda p: s(PI * p[0]) * c(2 * PI * p[1]) + s(5 * PI * p[0]) * c(10 * PI * p[1]) / 2,
            False, rest=True),
        "bar": Problem(
            [1, 16, 16, 1], product(bar), lambda f: -f(0)[2], lambda p: PI**2 * s(PI * p[0]),
            [dict(at=[at(0.0)]), dict(at=[at(1.0)])], lambda p: s(PI * p[0]), grid((0, 1, 201))),
        "loaded-bar": Problem(
            [1, 16, 16, 1], product(bar), lambda f: -f(0)[2], lambda p: p[0],
            [dict(at=[at(0.0)]), dict(at=[at(1.0)], part=1)],
            lambda p: p[0] / 2 - p[0] ** 3 / 6, grid((0, 1, 201))),
    }


def goldens():
    for name, problem in problems().items():
        theta = 0.5 * np.sin(1.7 * np.arange(problem.count()) + 0.3)
        start = problem.start(1)
        print(
            f'("{name}", {problem.loss(theta, np):.15e}, {problem.error(theta):.15e}, '
            f"{problem.loss(start, np):.15e}),")


def bfgs(name, iterations, seeds):
    import jax
    import scipy
    from scipy.optimize import minimize

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    problem = problems()[name]
    evaluate = jax.jit(jax.value_and_grad(lambda theta: problem.loss(theta, jnp)))
    evaluate(problem.start(1))[0].block_until_ready()

    def function(theta):
        value, gradient = evaluate(theta)
        return float(value), np.asarray(gradient)

    for seed in range(1, seeds + 1):
        began, spent = time.perf_counter(), time.process_time()
        result = minimize(
            function, problem.start(seed), jac=True, method="BFGS",
            options=dict(maxiter=iterations, gtol=0))
        print(json.dumps(dict(
            problem=name, seed=seed, start=function(problem.start(seed))[0], loss=result.fun,
            error=problem.error(result.x), iterations=result.nit, evaluations=result.nfev,
            seconds=time.perf_counter() - began,
            processorSeconds=time.process_time() - spent, message=result.message,
            scipy=scipy.__version__)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("mode", choices=["goldens", "bfgs"])
    parser.add_argument("problem", nargs="?", choices=list(problems()))
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.mode == "goldens":
        goldens()
    elif arguments.problem is None:
        parser.error("bfgs needs a problem's name")
    else:
        bfgs(arguments.problem, arguments.iterations, arguments.seeds)


if __name__ == "__main__":
    main()
