#!/usr/bin/env python3
"""Prints the table of docs/effective-condition-number.md from runs of the program.

    Scripts/effective-condition-table.py .build/release/eigenstep [--keep FOLDER] [--only TEXT]

Each row is one run of `eigenstep diagnose` on a trained model; the counts are those of its
prescription `safe-rate`, plain descent at 1/upperBound from the point that training reached. Rows
run one after the other on one thread; how long each took goes to standard error. The tables are
Examples/wine.csv with standardised columns, two generated from a seed, and two that come with
scikit-learn, whose rows are left out where it is not installed. Otherwise needs only the standard
library.
"""

import argparse
import csv
import json
import math
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMON = "--precision float64 --max-iterations 20000 --threads 1 --json -"

# A table and the options of the run on it.
ROWS = [
    ("wine", "--model softmax --l2 1e-2 --lr 0.3 --at 100 --tolerance 1e-3"),
    ("wine", "--model softmax --l2 1e-3 --lr 0.3 --at 100 --tolerance 1e-3"),
    ("wine", "--model softmax --l2 1e-4 --lr 0.3 --at 100 --tolerance 1e-3"),
    ("clouds", "--model softmax --l2 1e-3 --lr 0.3 --at 100 --tolerance 1e-2"),
    ("clouds", "--model softmax --l2 1e-3 --lr 0.3 --at 100 --tolerance 1e-3"),
    ("cancer", "--model softmax --l2 1e-3 --lr 0.1 --at 100 --tolerance 1e-3"),
    ("wine", "--model mlp:4:tanh --l2 1e-2 --lr 0.5 --at 300 --tolerance 1e-3"),
    ("wine", "--model mlp:4:tanh --l2 1e-2 --lr 0.5 --at 2000 --tolerance 1e-3"),
    ("wine", "--model mlp:16:tanh --l2 1e-2 --lr 0.5 --at 300 --tolerance 1e-3"),
    ("wine", "--model mlp:16:tanh --l2 1e-2 --lr 0.5 --at 3000 --tolerance 1e-3"),
    ("wine", "--model mlp:16:tanh --l2 1e-3 --lr 0.5 --at 300 --tolerance 1e-2"),
    ("wine", "--model mlp:16:gelu --l2 1e-2 --lr 0.5 --at 300 --tolerance 1e-2"),
    ("wine", "--model mlp:16:gelu --l2 1e-2 --lr 0.5 --at 3000 --tolerance 1e-2"),
    ("wine", "--model mlp:32,32:tanh --l2 1e-2 --lr 0.3 --at 300 --tolerance 1e-2"),
    ("wine", "--model mlp:32,32:tanh --l2 1e-2 --lr 0.3 --at 5000 --tolerance 1e-2"),
    ("clouds", "--model mlp:16:tanh --l2 1e-2 --lr 0.3 --at 300 --tolerance 1e-2"),
    ("waves", "--model mlp:4:tanh --l2 1e-2 --lr 0.2 --at 300 --tolerance 1e-3"),
    ("waves", "--model mlp:4:tanh --l2 1e-2 --lr 0.2 --at 3000 --tolerance 1e-3"),
    ("cancer", "--model mlp:8:tanh --l2 1e-2 --lr 0.1 --at 300 --tolerance 1e-2"),
    ("wine", "--model mlp:64,64:tanh --l2 1e-2 --lr 0.3 --at 300 --tolerance 1e-2"),
    ("wine", "--model mlp:64,64:tanh --l2 1e-2 --lr 0.3 --at 5000 --tolerance 1e-2"),
    ("clouds", "--model mlp:64,64:tanh --l2 1e-2 --lr 0.3 --at 300 --tolerance 1e-2"),
]


def standardised(columns):
    """Each column less its mean, by its population standard deviation; constant ones left out."""
    result = []
    for column in columns:
        mean, deviation = statistics.fmean(column), statistics.pstdev(column)
        if deviation > 0:
            result.append([(value - mean) / deviation for value in column])
    return result


def wine():
    with open(ROOT / "Examples" / "wine.csv", newline="") as file:
        columns = list(zip(*list(csv.reader(file))[1:]))
    return [[float(cell) for cell in column] for column in columns[:-1]], columns[-1]


def clouds():
    """Four overlapping normal clouds in twelve dimensions, neighbouring columns correlated."""
    source = random.Random(1)
    centres = [[source.gauss(0, 0.8) for _ in range(12)] for _ in range(4)]
    rows, classes = [], []
    for index in range(300):
        label = index % 4
        noise, row = 0.0, []
        for centre in centres[label]:
            noise = 0.7 * noise + math.sqrt(1 - 0.49) * source.gauss(0, 1)
            row.append(centre + noise)
        rows.append(row)
        classes.append("abcd"[label])
    return list(zip(*rows)), classes


def waves():
    """A sine of one direction and a product, with noise: a table to regress on."""
    source = random.Random(2)
    rows = [[source.gauss(0, 1) for _ in range(6)] for _ in range(240)]
    target = [
        math.sin(row[0] + 0.5 * row[1]) + 0.5 * row[2] * row[3] + source.gauss(0, 0.2)
        for row in rows
    ]
    return list(zip(*rows)), [repr(value) for value in target]


def from_sklearn(load):
    def table():
        import sklearn.datasets

        data = getattr(sklearn.datasets, load)()
        classes = [f"class{label}" for label in data.target]
        return data.data.T.tolist(), classes

    return table


TABLES = {
    "wine": wine,
    "clouds": clouds,
    "waves": waves,
    "cancer": from_sklearn("load_breast_cancer"),
    "digits": from_sklearn("load_digits"),
}


def write(name, folder):
    path = folder / f"{name}.csv"
    columns, target = TABLES[name]()
    columns = standardised(columns)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([f"x{index + 1}" for index in range(len(columns))] + ["y"])
        writer.writerows(zip(*[map(repr, column) for column in columns], target))


def estimate(condition_number, tolerance):
    """Steps until exp(-2 k / kappa), the gap along the flattest direction, is the tolerance."""
    if condition_number is None:
        return None
    return math.ceil(condition_number / 2 * math.log(1 / tolerance))


def measure(program, folder, name, options):
    command = [program, "diagnose", f"{name}.csv", "--target", "y", *options.split()]
    start = time.monotonic()
    run = subprocess.run(command + COMMON.split(), cwd=folder, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{name} {options}: {run.stderr.strip()}")
    report = json.loads(run.stdout)
    seconds = time.monotonic() - start
    curvature, tolerance = report["curvature"], report["prediction"]["tolerance"]
    safe = [one for one in report["prescriptions"] if one["id"] == "safe-rate"][0]
    plain = None
    if curvature["smallestPositive"] and not curvature["indefinite"]:
        plain = curvature["largest"]["value"] / curvature["smallestPositive"]["value"]
    effective = curvature["effectiveConditionNumber"]
    notes = [one["sentence"] for one in report["findings"] if one["id"] == "reference-loss"]
    print(
        f"{seconds:5.1f} s  {name} {options}: loss {report['problem']['loss']:.7g}, then"
        f" {safe['measured']['loss']:.7g} at {safe['predicted']['rate']:.3g}. {' '.join(notes)}",
        file=sys.stderr, flush=True)
    return {
        "indefinite": curvature["indefinite"],
        "smallest": curvature["smallest"]["value"] / curvature["largest"]["value"],
        "parameters": report["problem"]["parameters"],
        "plain": plain,
        "effective": effective,
        "estimates": [
            estimate(plain, tolerance), estimate(effective, tolerance),
            safe["predicted"]["iterations"],
        ],
        "measured": safe["measured"],
    }


def count(value):
    return "–" if value is None else f"{value:,.0f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path, help="folder for the tables, kept")
    parser.add_argument("--only", default="", help="rows that hold this text")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        table(str(options.program.resolve()), folder, options.only)


def table(program, folder, only):
    print("| table, model, training | parameters | λ_min / λ_max | κ | from κ | κ_eff"
          " | from κ_eff | forecast | measured |")
    print("|---|---|---|---|---|---|---|---|---|")
    rows = []
    for name, arguments in ROWS:
        if only not in f"{name} {arguments}":
            continue
        try:
            write(name, folder)
        except ImportError:
            print(f"{name}: left out, scikit-learn is not installed", file=sys.stderr)
            continue
        row = measure(program, folder, name, arguments)
        rows.append(row)
        measured = row["measured"]["iterations"]
        smallest = f"{row['smallest']:.1g}" if abs(row["smallest"]) > 1e-12 else "0"
        cells = [f"`{name} {arguments}`", f"{row['parameters']:,}", smallest]
        for kappa, value in zip((row["plain"], row["effective"]), row["estimates"]):
            cells += [count(kappa), count(value)]
        cells += [count(row["estimates"][2])]
        cells += [count(measured) if measured else f"> {count(row['measured']['stepsRun'])}"]
        print(f"| {' | '.join(cells)} |", flush=True)
    print()
    print("| estimate / measured | no negative curvature | some |")
    print("|---|---|---|")
    for index, title in enumerate(("from κ", "from κ_eff", "forecast")):
        cells = [spread(rows, index, indefinite) for indefinite in (False, True)]
        print(f"| {title} | {' | '.join(cells)} |")


def spread(rows, index, indefinite):
    """The median and range of estimate over measurement, where both exist."""
    some = [row for row in rows if row["indefinite"] == indefinite]
    ratios = [
        row["estimates"][index] / row["measured"]["iterations"]
        for row in some
        if row["estimates"][index] is not None and row["measured"]["iterations"]
    ]
    if not ratios:
        return f"– (0 of {len(some)} rows)"
    return (
        f"median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}"
        f" ({len(ratios)} of {len(some)} rows)")


if __name__ == "__main__":
    main()
