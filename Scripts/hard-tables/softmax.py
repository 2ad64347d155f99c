"""The truth about softmax on a table: whether its classes can be told apart, and its infimum.

Used by judge.py. Needs NumPy and SciPy.
"""

import numpy as np
from scipy.optimize import linprog

import oracle


def differences(x, labels, classes):
    """Rows D with D w = the margin of the right class over another, one per sample and class."""
    a = np.column_stack([x, np.ones(len(x))])
    a = a / np.abs(a).max(0)
    rows, samples = [], []
    for i, label in enumerate(labels):
        for other in range(classes):
            if other != label:
                row = np.zeros((classes, a.shape[1]))
                row[label], row[other] = a[i], -a[i]
                rows.append(row.ravel())
                samples.append(i)
    return np.array(rows), np.array(samples)


def separable(x, labels, classes):
    """'separable', 'quasi-separable' or 'overlapping', and the margins that can grow without end.

    Linear programme: maximise sum t over D w >= t, 0 <= t <= 1. Margins whose t is positive can grow
    while none shrinks; all of them: separable; none: there is a finite minimum.

    Reference: Albert and Anderson, Biometrika 71 (1984).
    """
    d, samples = differences(x, labels, classes)
    rows, columns = d.shape
    found = linprog(
        np.concatenate([np.zeros(columns), -np.ones(rows)]),
        A_ub=np.hstack([-d, np.eye(rows)]), b_ub=np.zeros(rows),
        bounds=[(-1e6, 1e6)] * columns + [(0, 1)] * rows, method="highs")
    assert found.status == 0, found.message
    grows = found.x[columns:] > 1e-6
    state = "separable" if grows.all() else "quasi-separable" if grows.any() else "overlapping"
    return state, grows


class Judge:
    """Whether a report says that no minimum exists where none does, with trials and without."""

    def __init__(self, path, report, text):
        _, x, y = oracle.read(path)
        labels = np.array(y, int)
        self.state, _ = separable(np.array(x), labels, labels.max() + 1)
        self.report, self.text = report, text

    def all(self):
        has_minimum = self.state == "overlapping" or self.report["problem"]["l2"] > 0
        said = not any(f["id"] == "no-finite-minimum" for f in self.report["findings"])
        claims = [{"group": "separable", "claim": "a finite minimum", "said": str(said),
                   "truth": f"{has_minimum} ({self.state})",
                   "status": "right" if said == has_minimum else "false"}]
        if not has_minimum:
            # The gap to an infimum shrinks as 1/k: a count of any method is for another loss.
            for p in self.report["prescriptions"]:
                count = p["predicted"]["iterations"]
                if p["id"] in ("momentum", "diagonal-preconditioner"):
                    claims.append({"group": "separable", "claim": f"{p['id']}: predicted", "said": count,
                                   "truth": "without end", "status": "silent" if count is None else "false"})
        return claims
