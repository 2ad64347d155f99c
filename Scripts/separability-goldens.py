"""Whether the small tables of SeparabilityTests are separable, proved in exact arithmetic.

    pip install numpy scipy
    python3 Scripts/separability-goldens.py 400

Prints one letter per table: C completely separable, Q separable but not completely, O overlapping.
A linear programme over the tables' integers finds a direction and the dual multipliers; both are
made rational and checked by `fractions`, so that no letter rests on floating-point numbers. The tables
come from the generator below, which SeparabilityTests repeats; the columns' factors and offsets, which
it applies, change no answer.
"""
import sys
from fractions import Fraction

import numpy as np
from scipy.optimize import linprog


class Generator:
    def __init__(self, seed):
        self.state = seed * 2 + 1

    def draw(self, count):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % count


def table(seed):
    """Rows of integers, labels, classes."""
    g = Generator(seed)
    kind = seed % 6
    rows, columns, classes = 6 + g.draw(24), 1 + g.draw(3), 2 + g.draw(3)
    reach = 50 if kind == 3 else 3
    weights = [[g.draw(7) - 3 for _ in range(columns + 1)] for _ in range(classes)]
    x, y = [], []
    for row in range(rows):
        if kind == 4 and row >= 4 and g.draw(3) > 0:
            x.append(x[g.draw(row)])
        else:
            x.append([g.draw(2 * reach + 1) - reach for _ in range(columns)])
        scores = [sum(w * v for w, v in zip(weight, x[-1] + [1])) for weight in weights]
        # Ties fall on any of them.
        best = max(scores)
        winners = [c for c in range(classes) if scores[c] == best]
        label = winners[g.draw(len(winners))]
        if kind == 0 or kind in (2, 4) and g.draw(6) == 0:
            label = g.draw(classes)
        if kind == 5 and label == classes - 1 and g.draw(4) > 0:
            label = 0
        y.append(label)
    if seed % 5 == 0:
        for row in x:
            row.append(row[0] + (row[1] if columns > 1 else 0))
        x = [row[: columns + 1] for row in x]
    return x, y, classes


def answer(x, y, classes):
    x = [row + [1] for row in x]
    width = len(x[0])
    a = []
    for row, label in zip(x, y):
        for other in range(classes):
            if other == label:
                continue
            margin = [0] * (classes * width)
            for j, value in enumerate(row):
                margin[label * width + j] += value
                margin[other * width + j] -= value
            a.append(margin)
    a = np.array(a)
    pairs, unknowns = a.shape
    solved = linprog(
        np.concatenate([np.zeros(unknowns), -np.ones(pairs)]),
        A_ub=np.hstack([-a, np.eye(pairs)]), b_ub=np.zeros(pairs),
        bounds=[(None, None)] * unknowns + [(0, 1)] * pairs, method="highs-ds")
    assert solved.status == 0, solved.message
    strict = [bool(t > 0.5) for t in solved.x[unknowns:]]
    exact = lambda value: Fraction(float(value)).limit_denominator(10**7)
    v = [exact(value) for value in solved.x[:unknowns]]
    for margin, is_strict in zip(a.tolist(), strict):
        value = sum(m * w for m, w in zip(margin, v))
        assert value > 0 if is_strict else value == 0, value
    multipliers = [exact(-value) for value in solved.ineqlin.marginals]
    for value, is_strict in zip(multipliers, strict):
        assert value == 0 if is_strict else value > 0, value
    for column in a.T.tolist():
        assert sum(m * value for m, value in zip(column, multipliers)) == 0
    return "C" if all(strict) else "Q" if any(strict) else "O"


if __name__ == "__main__":
    letters = "".join(answer(*table(seed)) for seed in range(int(sys.argv[1])))
    for start in range(0, len(letters), 80):
        print(letters[start : start + 80])
