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


def infimum(x, labels, classes, l2, grows, d, samples):
    """(start, infimum) of the mean cross-entropy and its penalty: margins that grow add nothing.

    Newton's method in standardised columns, which are the same functions; the penalty is carried over.
    """
    n = len(x)
    mean, spread = x.mean(0), x.std(0)
    spread[spread == 0] = 1
    a = np.column_stack([(x - mean) / spread, np.ones(n)])
    width = a.shape[1]
    mask = np.ones((n, classes), bool)
    for i, other, gone in zip(samples, others(labels, classes), grows):
        mask[i, other] = not gone
    weights = np.tile(np.append(l2 / spread**2, 0), classes)
    one_hot = np.eye(classes)[labels]

    def evaluate(w):
        z = np.where(mask, a @ w.reshape(classes, width).T, -np.inf)
        top = z.max(1, keepdims=True)
        e = np.exp(z - top)
        p = e / e.sum(1, keepdims=True)
        loss = np.mean(np.log(e.sum(1)) + top[:, 0] - z[np.arange(n), labels])
        gradient = ((p - one_hot).T @ a / n).ravel() + weights * w
        blocks = np.einsum("ij,jk->ijk", p, np.eye(classes)) - np.einsum("ij,ik->ijk", p, p)
        h = np.einsum("ijk,il,im->jlkm", blocks, a, a).reshape(len(w), len(w)) / n
        return loss + (weights * w) @ w / 2, gradient, h + np.diag(weights)

    w = np.zeros(classes * width)
    value, gradient, h = evaluate(w)
    for _ in range(200):
        step = np.linalg.lstsq(h, gradient, rcond=1e-13)[0]
        if gradient @ step <= 1e-30:
            break
        share = 1.0
        while share > 1e-8:
            trial = evaluate(w - share * step)
            if trial[0] <= value - 1e-4 * share * (gradient @ step):
                break
            share /= 2
        if share <= 1e-8:
            break
        w, (value, gradient, h) = w - share * step, trial
    return np.log(classes), value


def others(labels, classes):
    return [other for label in labels for other in range(classes) if other != label]


class Judge:
    """Whether a report says that no minimum exists where none does, and its infimum and gaps."""

    def __init__(self, path, report, text):
        _, x, y = oracle.read(path)
        x, labels = np.array(x), np.array(y, int)
        classes = labels.max() + 1
        self.state, grows = separable(x, labels, classes)
        self.report, self.l2 = report, report["problem"]["l2"]
        self.has_minimum = self.state == "overlapping" or self.l2 > 0
        d, samples = differences(x, labels, classes)
        if self.has_minimum:
            grows = np.zeros(len(grows), bool)
        self.start, self.infimum = infimum(x, labels, classes, self.l2, grows, d, samples)

    def all(self):
        self.claims = []
        tolerance, gap = self.report["prediction"]["tolerance"], self.start - self.infimum
        said = not any(f["id"] == "no-finite-minimum" for f in self.report["findings"])
        self.add("separable", "a finite minimum", str(said), f"{self.has_minimum} ({self.state})",
                 said == self.has_minimum)
        for f in self.report["findings"]:
            if f["id"] == "reference-loss":
                value, source = f["evidence"]["loss"], f["evidence"]["source"]
                ok = abs(value - self.infimum) <= max(0.01 * tolerance * gap, 1e-13)
                self.add("softmax minimum", f"minimum, from {source}", value, self.infimum,
                         ok if "lowest" not in source or ok else "silent")
        for p in self.report["prescriptions"]:
            m, count = p["measured"], p["predicted"]["iterations"]
            if not self.has_minimum and p["id"] in ("momentum", "diagonal-preconditioner"):
                # The gap to an infimum shrinks as 1/k: a count of the bowl at the start is none.
                self.add("separable", f"{p['id']}: predicted", count, "for another loss",
                         "silent" if count is None else "false")
            if m and m["loss"] is not None:
                truth = (m["loss"] - self.infimum) / gap
                if m["reached"]:
                    self.add("softmax reached", f"{p['id']}: reached", m["stepsRun"],
                             f"gap {truth:.3g}", truth <= 1.01 * tolerance + 1e-13 / gap)
                if m["relativeGap"] is not None:
                    ok = abs(m["relativeGap"] - truth) <= 0.01 * (abs(truth) + tolerance)
                    self.add("softmax gap", f"{p['id']}: gap left", m["relativeGap"], truth, ok)
        return self.claims

    def add(self, group, claim, said, truth, status):
        if isinstance(status, (bool, np.bool_)):
            status = "right" if status else "false"
        plain = lambda v: v if v is None or isinstance(v, str) else float(v)
        self.claims.append({"group": group, "claim": claim, "said": plain(said), "truth": plain(truth),
                            "status": status})
