#!/usr/bin/env python3
"""Short transcriptions of the papers of SSBroyden, Levenberg-Marquardt and Nystrom Newton-CG, run on problems of
More, Garbow and Hillstrom in float64: writes Tests/TrainingTests/MethodTrajectories.swift, every iterate of
each run. The line search is SciPy's DCSRCH; the probes are those of `SeededGenerator`.

    Scripts/method-trajectories.py > Tests/TrainingTests/MethodTrajectories.swift
"""
import importlib.util
import math
import os
import sys

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize._dcsrch import DCSRCH

from seeded_generator import Generator

here = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("mgh", os.path.join(here, "mgh-scipy.py"))
mgh = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mgh)

TOLERANCE = 1e-8


class Problem:
    def __init__(self, name):
        _, residuals, start, _ = next(row for row in mgh.PROBLEMS if row[0] == name)
        self.start = np.array(start, float)
        loss = lambda x: residuals(x) @ residuals(x)
        self.pair = jax.jit(jax.value_and_grad(loss))
        self.hess = jax.jit(jax.hessian(loss))
        self.jac = jax.jit(jax.jacobian(residuals))

    def fg(self, x):
        value, gradient = self.pair(x)
        return float(value), np.array(gradient)

    def hessian(self, x):
        return np.array(self.hess(x))

    def gauss_newton(self, x):
        j = np.array(self.jac(x))
        return 2 * j.T @ j


def ssbroyden(problem, steps):
    """Urban, Stefanou and Pons, arXiv:2405.04230, section 3."""
    x = problem.start
    n = len(x)
    f, g = problem.fg(x)
    H, path = np.eye(n), [x]
    for k in range(steps):
        if abs(g).max() <= TOLERANCE:
            break
        d = -H @ g
        first = 1 if k else min(1, 1 / np.linalg.norm(g))
        search = DCSRCH(lambda t: problem.fg(x + t * d)[0], lambda t: problem.fg(x + t * d)[1] @ d,
                        1e-4, 0.9, 1e-14, 0, 1e10)
        t, _, _, task = search(first, phi0=f, derphi0=g @ d, maxiter=40)
        s = t * d
        f, new = problem.fg(x + s)
        y, b = new - g, -t * (s @ g)
        x, g = x + s, new
        path.append(x)
        ys, Hy = y @ s, H @ y
        h, b = y @ Hy / ys, b / ys
        a = h * b - 1
        c = math.sqrt(abs(a / (1 + a)))
        low = min(1, h * (1 - c))
        theta = max((low - 1) / a, min(1 / low, (1 - b) / b))
        sigma = 1 + theta * a
        if k == 0:
            tau = h / sigma
        else:
            high, root = min(1, 1 / b), abs(sigma) ** (1 / (1 - n))
            tau = min(high * root, sigma) if theta <= 0 else high * min(root, 1 / theta)
        phi = (1 - theta) / sigma
        v = math.sqrt(y @ Hy) * (s / ys - Hy / (y @ Hy))
        H = (H - np.outer(Hy, Hy) / (y @ Hy) + phi * np.outer(v, v)) / tau + np.outer(s, s) / ys
    return path


def levenberg_marquardt(problem, steps):
    """Madsen, Nielsen and Tingleff (2004), algorithm 3.16."""
    x = problem.start
    f, g = problem.fg(x)
    G = problem.gauss_newton(x)
    damping, growth, path = 1e-3 * G.diagonal().max(), 2.0, [x]
    while len(path) <= steps and abs(g).max() > TOLERANCE:
        d = np.linalg.solve(G + damping * np.eye(len(x)), -g)
        value, gradient = problem.fg(x + d)
        gain = (f - value) / (0.5 * d @ (damping * d - g))
        if gain > 0:
            x, f, g, G = x + d, value, gradient, problem.gauss_newton(x + d)
            damping, growth = damping * max(1 / 3, 1 - (2 * gain - 1) ** 3), 2.0
            path.append(x)
        else:
            damping, growth = damping * growth, growth * 2
    return path


def nystrom(H, rank, damping, seed):
    """Frangella, Tropp and Udell (2023), algorithm 2.1, and the preconditioner (1.3): the inverse."""
    n = len(H)
    generator = Generator(seed)
    omega = np.linalg.qr(np.array([[generator.normal() for _ in range(n)] for _ in range(rank)]).T)[0]
    Y = H @ omega
    nu = math.sqrt(n) * 2.0 ** -52 * np.linalg.norm(Y, axis=0).max()
    Y = Y + nu * omega
    C = np.linalg.cholesky((omega.T @ Y + Y.T @ omega) / 2)
    U, S, _ = np.linalg.svd(np.linalg.solve(C, Y.T).T, full_matrices=False)
    L = np.maximum(0, S ** 2 - nu)
    return np.eye(n) + U @ np.diag((L[-1] + damping) / (L + damping) - 1) @ U.T


def pcg(A, b, inverse, tolerance, limit):
    x, r = np.zeros_like(b), b.copy()
    z = inverse @ r
    p, rz = z, r @ z
    for _ in range(limit):
        if np.linalg.norm(r) <= tolerance * np.linalg.norm(b):
            break
        Ap = A @ p
        assert p @ Ap > 0, "negative curvature"
        t = rz / (p @ Ap)
        x, r = x + t * p, r - t * Ap
        z = inverse @ r
        p, rz = z + (r @ z) / rz * p, r @ z
    return x


def nystrom_newton(problem, steps, rank=3, damping=1e-4, period=4, residual=1e-3):
    """Rathore and others, arXiv:2402.01868, algorithms 4 to 7; the damping falls to a tenth after a full step
    whose gradient is at most twice what the damping leaves of it."""
    x = problem.start
    f, g = problem.fg(x)
    path, most = [x], damping
    while len(path) <= steps and abs(g).max() > TOLERANCE:
        k = len(path) - 1
        H = problem.hessian(x)
        if k % period == 0:
            inverse = nystrom(H, rank, damping, k // period)
        d = pcg(H + damping * np.eye(len(x)), -g, inverse, residual, 1000)
        t = 1.0
        while problem.fg(x + t * d)[0] > f + 0.1 * t * (g @ d):
            t /= 2
        x = x + t * d
        f, g = problem.fg(x)
        if t < 1:
            damping = min(most, 10 * damping)
        elif np.linalg.norm(g) <= 2 * damping * np.linalg.norm(d):
            damping = max(damping / 10, 1e-12 * most)
        path.append(x)
    return path


# Problems along which a change of the start in its last place does not grow beyond 1e-11: on others (biggs-exp6,
# chebyquad, rosenbrock under SSBroyden) two programs that round differently part, whatever they compute.
RUNS = [
    ("ssbroyden", ssbroyden,
     ["broyden-tridiagonal", "helical-valley", "beale", "broyden-banded"]),
    ("levenberg-marquardt", levenberg_marquardt,
     ["kowalik-osborne", "helical-valley", "bard", "rosenbrock", "broyden-tridiagonal"]),
    ("nystrom-newton-cg", nystrom_newton,
     ["penalty-1", "powell-singular", "rosenbrock", "discrete-integral-equation", "broyden-banded"]),
]


def main():
    print("// Written by Scripts/method-trajectories.py.")
    print("// swift-format-ignore-file")
    print("let methodTrajectories: [(method: String, problem: String, path: [[Double]])] = [")
    for name, method, problems in RUNS:
        for problem in problems:
            path = method(Problem(problem), 60)
            gradient = abs(Problem(problem).fg(path[-1])[1]).max()
            print(name, problem, len(path) - 1, gradient, file=sys.stderr)
            print(f'  ("{name}", "{problem}", [')
            for x in path:
                print("    [" + ", ".join(repr(float(v)) for v in x) + "],")
            print("  ]),")
    print("]")


if __name__ == "__main__":
    main()
