"""The largest stable rates of mini-batch least squares on Gaussian inputs of variances 1 and 2, by the dense
operator of the second moments along the axes, for Tests/TrainingTests/BatchNoiseTests.swift; and the
floors of shuffled and replaced batches of one seeded problem by plain simulation, to look at. Needs NumPy.

    python3 Scripts/noise-limits.py
"""

import numpy as np
from math import sqrt


def limit(variances, batch):
    """The rate at which the spectral radius of the second moments' recursion is one, by bisection."""
    s = np.array(variances)

    def radius(a):
        step = np.diag(1 - 2 * a * s + a * a * (1 + 1 / batch) * s * s) + a * a / batch * np.outer(s, s)
        return np.abs(np.linalg.eigvals(step)).max()

    low, high = 0.0, 2 / s.max()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if radius(middle) < 1 else (low, middle)
    return low


def floors(x, y, batch, rate, shuffled, passes=4000, settle=500, seed=0):
    """Mean loss gap at the ends of passes of one long run."""
    rng = np.random.default_rng(seed)
    n, d = x.shape
    best = np.linalg.lstsq(x, y, rcond=None)[0]
    w, total = best.copy(), 0.0
    for one in range(settle + passes):
        order = rng.permutation(n) if shuffled else rng.integers(0, n, n)
        for start in range(0, n, batch):
            chosen = order[start : start + batch]
            w -= rate * x[chosen].T @ (x[chosen] @ w - y[chosen]) / len(chosen)
        if one >= settle:
            total += np.sum((x @ (w - best)) ** 2) / (2 * n)
    return total / passes


if __name__ == "__main__":
    for batch in (1, 2, 4, 16, 64):
        print("batch", batch, "limit", limit([1, 2], batch))
    print("closed form of batch 1:", 4 / (9 + sqrt(17)))
    rng = np.random.default_rng(1)
    x = rng.standard_normal((60, 3))
    y = x @ np.ones(3) + 0.5 * rng.standard_normal(60)
    for rate in (0.01, 0.1, 0.3):
        print(
            "rate", rate, "replacement", floors(x, y, 1, rate, False), "shuffle", floors(x, y, 1, rate, True)
        )
