#!/usr/bin/env python3
"""225 seeded least-squares tables that are hard to judge, and 24 for softmax.

    python3 Scripts/hard-tables/tables.py FOLDER

writes FOLDER/*.csv and FOLDER/index.json: of each table its kind and the options that a diagnosis of
it gets. Nine kinds of 25: near-constant and collinear columns (to 1e-6..1e-14), duplicates, offsets
(Unix times, 1e8 and more), columns of 1e-12, huge and mixed units, more columns than rows, outliers,
integers (Vandermonde powers among them). Targets are noisy, in the span of the columns, 1e10 in size
or zero; some tables have a constant column besides. Needs NumPy.
"""

import json
import pathlib
import sys

import numpy as np

KINDS = [
    "near-constant", "collinear", "duplicate", "offset", "tiny", "huge", "wide", "outliers", "integers",
]
PER_KIND = 25


def mixture(r, x):
    """A combination of the columns, its weights rounded to eighths so that copies can be exact."""
    return x @ np.round(r.normal(size=x.shape[1]) * 8) / 8


def columns(kind, index, r):
    n, d = int(r.integers(8, 33)), int(r.integers(2, 8))
    x = r.normal(size=(n, d))
    if kind == "near-constant":
        for j in r.permutation(d)[: 1 + index % 3]:
            level = 10.0 ** r.integers(-2, 4) * (1 + r.random())
            x[:, j] = level * (1 + 10.0 ** r.uniform(-14, -4) * x[:, j])
    elif kind == "collinear":
        for _ in range(1 + index % 2):
            j = int(r.integers(1, d))
            x[:, j] = mixture(r, np.delete(x, j, 1)) + 10.0 ** r.uniform(-14, -5) * x[:, j]
    elif kind == "duplicate":
        # Half of them beside a nearly equal or a sum column.
        x[:, 1] = x[:, 0] * (2.0 ** r.integers(-3, 4) if index % 2 else 1)
        if index % 4 == 3 and d > 2:
            x[:, 2] = np.round(x[:, 0] * 64) / 64
            x[:, 0] = np.round(x[:, 1] * 64) / 64
            x[:, 1] = x[:, 0] + x[:, 2]
        elif index % 4 == 2 and d > 2:
            x[:, 2] = x[:, 0] + 1e-9 * x[:, 2]
    elif kind == "offset":
        x = r.random((n, d))
        for j in range(1 + index % 2):
            if index % 3 == 0:
                x[:, j] = np.round(1.7e9 + 86400 * 365 * r.random(n))
            else:
                x[:, j] = 10.0 ** r.integers(5, 10) + x[:, j] * 10.0 ** r.integers(-1, 3)
    elif kind == "tiny":
        for j in range(1 + index % d):
            x[:, j] *= 10.0 ** r.uniform(-13, -6)
    elif kind == "huge":
        x *= 10.0 ** r.uniform(-4 if index % 2 else 8, 12, size=d)
    elif kind == "wide":
        n = int(r.integers(4, 9))
        d = n + int(r.integers(0, 5))
        x = r.normal(size=(n, d))
        if index % 2:
            x *= 10.0 ** r.uniform(-3, 3, size=d)
        if index % 5 == 0:
            x[:, 0] = x[:, 1] + 1e-8 * x[:, 0]
    elif kind == "outliers":
        x = r.standard_t(1.0, size=(n, d)) if index % 2 else x
        for j in range(d):
            if r.random() < 0.6:
                x[r.integers(n), j] *= 10.0 ** r.uniform(2, 8)
    elif kind == "integers":
        if index % 2:
            d = min(d + 1, 7)
            base = np.arange(1, n + 1) if index % 4 == 1 else r.integers(-9, 10, size=n)
            x = np.stack([base.astype(float) ** (p + 1) for p in range(d)], 1)
        else:
            x = r.integers(-5, 1 + 10 ** int(r.integers(1, 6)), size=(n, d)).astype(float)
            if index % 4 == 0 and d > 2:
                x[:, 2] = x[:, 0] + 3 * x[:, 1] + (r.integers(0, 2, size=n) if index % 8 else 0)
    if index % 9 == 4:
        x = np.column_stack([x, np.full(len(x), [1.0, 0.1, 1e6, 0.0][index % 4])])
    return x


def target(kind, index, r, x):
    n = len(x)
    scaled = x / np.maximum(np.abs(x).max(0), 1e-300)
    y = scaled @ r.normal(size=x.shape[1]) + r.normal()
    choice = (index * 7 + 3) % 25
    if choice == 0:
        return np.zeros(n)
    if choice in (1, 2, 3):  # in the span, to rounding or exactly
        return mixture(r, x) if kind in ("integers", "duplicate") else y
    y = y + 10.0 ** r.uniform(-3, 0) * r.normal(size=n)
    if choice in (4, 5):
        return y * 1e10
    return np.round(y * 10) if kind == "integers" else y


def options(index, r, x):
    """What the diagnosis is asked: a rate of some ratio to the limit or none, in some precision."""
    a = np.column_stack([x, np.ones(len(x))])
    limit = 2 / (np.linalg.svd(a, compute_uv=False)[0] ** 2 / len(a))
    result = ["--model", "linear"]
    ratio = r.choice([0, 0, 0, 1e-6, 0.01, 0.1, 0.3, 0.5, 0.5, 0.9, 0.97, 0.999, 1.3, 4])
    momentum = ratio > 0 and r.random() < 0.15
    if ratio:
        result += ["--lr", repr(float(ratio * limit * (1.9 if momentum else 1)))]
    if momentum:
        result += ["--optimizer", "momentum"]
    if index % 7 == 5:
        result += ["--precision", "float32"]
    if index % 12 == 7:
        result += ["--tolerance", "1e-3" if r.random() < 0.5 else "1e-9"]
    result += ["--max-iterations", "200000" if index % 25 == 11 else "20000"]
    return result


def softmax_table(index, r):
    """Classes in 2 or 3 clouds: apart, touching along one column, or overlapping."""
    shape = ["separable", "quasi-separable", "overlapping"][index % 3]
    classes, d = 2 + (index // 3) % 2, int(r.integers(1, 5))
    n = int(r.integers(12, 40))
    labels = np.arange(n) % classes
    x = r.normal(size=(n, d))
    if shape == "separable":
        x[:, 0] = 3 * labels + r.random(n) * [1.0, 2.9][index // 12]
    elif shape == "quasi-separable":
        # Of each pair of neighbours some rows lie on the border itself, on both sides.
        x[:, 0] = labels + np.round(r.random(n), 2)
        x[: 2 * classes, 0] = np.maximum(1, labels[: 2 * classes])
        x[: 2 * classes, 1:] = np.round(r.normal(size=d - 1), 1)
    else:
        x[:, 0] += labels * r.uniform(0, 1.5)
        x[: 2 * classes] = np.repeat(r.normal(size=(2, d)), classes, 0)  # no line tells copies apart
    if index % 4 == 1:
        x[:, -1] = x[:, -1] * 100 + 500
    given = ["--l2", "1e-3"] if index % 5 == 3 else []
    given += ["--no-trials"] if index % 2 else []
    return x, labels, ["--model", "softmax", "--max-iterations", "20000"] + given


def write(path, x, y):
    def text(value):
        return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))

    names = [f"x{j + 1}" for j in range(x.shape[1])] + ["target"]
    rows = [",".join(text(v) for v in [*row, t]) for row, t in zip(x, y)]
    path.write_text("\n".join([",".join(names), *rows]) + "\n")


def main(folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    index = []
    for k, kind in enumerate(KINDS):
        for i in range(PER_KIND):
            r = np.random.default_rng([10, k, i])
            x = columns(kind, i, r)
            y = target(kind, i, r, x)
            name = f"{kind}-{i:02}"
            write(folder / f"{name}.csv", x, y)
            index.append({"name": name, "kind": kind, "options": options(i, r, x)})
    for i in range(24):
        x, y, given = softmax_table(i, np.random.default_rng([11, i]))
        write(folder / f"softmax-{i:02}.csv", x, y)
        index.append({"name": f"softmax-{i:02}", "kind": "softmax", "options": given})
    (folder / "index.json").write_text(json.dumps(index, indent=1))
    print(f"{len(index)} tables in {folder}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
