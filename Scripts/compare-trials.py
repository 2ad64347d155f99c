#!/usr/bin/env python3
"""What a build's shorter trials cost and whether they still choose well, beside an earlier build.

    Scripts/compare-trials.py OLD NEW [--rounds N] [--only TEXT] [--effort E]

OLD and NEW are two `eigenstep` programs. Both diagnose 20 models, in alternation. The table shows the processor time of
both (the median of the rounds) and the remedy that each advises. Both remedies are then judged by NEW's trials with
`--effort 10`, which cut nothing and do not know which was advised: `work` where they arrived at a certified minimum,
else the loss for the same work. A rate that these did not run is run as the given one. `worse` marks more than twice
the work, within which the advice prefers the simpler change, or a loss above by more than 2 % of the decrease.

Needs nothing beside Python.
"""

import argparse
import json
import math
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODELS = ROOT / "Tests/ModelTests/Models"
WINE = str(ROOT / "Examples/wine.csv")


def table(folder, name, rows, scales, classes=None, noise=0.1, seed=0, mixed=0.0):
    """Normal columns of these scales with a numeric target, or overlapping clouds, one per class."""
    generator = random.Random(seed)
    path = folder / f"{name}.csv"
    centres = [[generator.gauss(0, 1) for _ in scales] for _ in range(classes or 1)]
    with open(path, "w") as file:
        print(",".join(f"x{i}" for i in range(len(scales))) + ",y", file=file)
        for row in range(rows):
            label = row % (classes or 1)
            shared = generator.gauss(0, 1)
            z = [mixed * shared + (1 - mixed) * generator.gauss(0, 1) for _ in scales]
            if classes:
                z = [1.5 * a + b for a, b in zip(z, centres[label])]
                y = "abcdefgh"[label]
            else:
                y = sum(math.sin(a) if i % 3 == 2 else a * (1 - i % 2 * 1.5) for i, a in enumerate(z))
                y = f"{y + noise * generator.gauss(0, 1):.6f}"
            print(",".join(f"{a * s:.6g}" for a, s in zip(z, scales)) + f",{y}", file=file)
    return str(path)


def problems(folder):
    def model(name, loss=("--loss", "cross-entropy")):
        return [str(MODELS / f"{name}.onnx"), "--data", str(MODELS / f"{name}.npz"), *loss]

    even = table(folder, "even", 300, [1, 1, 1, 1, 1], seed=1)
    wide = table(folder, "wide", 300, [0.1, 1, 10, 100], seed=2)
    close = table(folder, "close", 200, [1] * 6, mixed=0.8, seed=3)
    two = table(folder, "two", 300, [1] * 8, classes=3, seed=4)
    clouds = table(folder, "clouds", 300, [1, 3, 1, 10], classes=4, seed=5)
    y = ["--target", "y"]
    return {
        "wine linear": [WINE, "--target", "alcohol", "--model", "linear", "--lr", "1e-6"],
        "wine softmax": [WINE, "--target", "class", "--model", "softmax", "--l2", "1e-3"],
        "wine mlp:8,8": [WINE, "--target", "class", "--model", "mlp:8,8"],
        "wine mlp:16:tanh": [WINE, "--target", "class", "--model", "mlp:16:tanh", "--lr", "0.01"],
        "even linear": [even, *y, "--lr", "0.1"],
        "wide linear": [wide, *y],
        "close linear": [close, *y, "--lr", "0.01"],
        "even mlp:16:tanh": [even, *y, "--model", "mlp:16:tanh"],
        "wide mlp:16": [wide, *y, "--model", "mlp:16", "--lr", "1e-3"],
        "two softmax": [two, *y, "--model", "softmax", "--lr", "0.1"],
        "clouds softmax": [clouds, *y, "--model", "softmax"],
        "two mlp:8,8": [two, *y, "--model", "mlp:8,8", "--lr", "0.1"],
        "clouds mlp:32,32:tanh": [clouds, *y, "--model", "mlp:32,32:tanh"],
        "digits.onnx": [
            str(ROOT / "Examples/digits.onnx"), "--data", str(ROOT / "Examples/digits.npz"), "--loss",
            "cross-entropy", "--lr", "0.1"],
        "lenet": model("lenet"),
        "lstm": model("lstm"),
        "sklearn": model("sklearn", ("--loss", "mse", "--output", "variable")),
        "jax": model("jax", ("--loss", "cross-entropy", "--output", "add_out_2")),
        "pinn": model("pinn", ("--loss-output", "output")),
        "normalised": model("normalised", ("--loss", "cross-entropy", "--training")),
    }


def run(program, arguments):
    """A diagnosis as JSON, and the processor seconds that it took."""
    process = subprocess.Popen(
        [program, "diagnose", *arguments, "--json", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True)
    output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{program} {' '.join(arguments)}: {errors.strip().splitlines()[-1]}")
    return json.loads(output), usage.ru_utime + usage.ru_stime


EFFORT = {"as-given": 0, "safe-rate": 1, "fastest-rate": 1, "standardise-features": 2, "momentum": 2, "adam": 3}


def own_rate(row):
    """The rate of a prescription; an older report names Adam's in words only."""
    words = re.match(r"Adam at ([0-9.e-]+),", row["change"])
    return row["predicted"]["rate"] or (row["measured"] or {}).get("rate") or (words and float(words[1]))


def advised(report):
    """The remedy that a report advises and its rate; by the rule of the advice where an older report holds none."""
    if "advice" in report:
        action = report["advice"]["action"]
        return action and (action["prescription"], action["rate"])
    run = [p for p in report["prescriptions"] if p["measured"] and not p["measured"]["diverged"]]
    ordinary = [p for p in run if p["measured"]["reached"] and p["id"] in EFFORT]
    if ordinary:
        least = min(p["measured"]["gradientEquivalents"] for p in ordinary)
        near = [p for p in ordinary if p["measured"]["gradientEquivalents"] <= 2 * least]
        best = min(near, key=lambda p: EFFORT[p["id"]])
    elif any(p["measured"]["reached"] for p in run):
        best = next(p for p in run if p["measured"]["reached"])
    else:
        key = "lossAtEqualWork" if any(p["measured"]["lossAtEqualWork"] for p in run) else "relativeGap"
        known = [p for p in run if p["measured"][key] is not None]
        if not known:
            return None
        best = min(known, key=lambda p: p["measured"][key])
    return best["id"], own_rate(best)


def figure(report, remedy, rate, ask):
    """What the judge's trial of a remedy came to: (work, None), or (None, loss for the same work)."""
    row = next((p for p in report["prescriptions"] if p["id"] == remedy), None)
    own = row and own_rate(row)
    if remedy == "adam" and own and rate and abs(own - rate) > 1e-3 * rate:
        row = next(p for p in ask("adam", rate)["prescriptions"] if p["id"] == "as-given")
    elif own and rate and abs(own - rate) > 0.05 * rate and remedy in ("safe-rate", "fastest-rate"):
        row = next(p for p in ask("gd", rate)["prescriptions"] if p["id"] == "as-given")
    measured = row and row["measured"]
    if not measured or measured["diverged"]:
        return None, math.inf
    if measured["reached"]:
        return measured["gradientEquivalents"], None
    losses = [measured["lossAtEqualWork"], measured["loss"]]
    return None, next((loss for loss in losses if loss is not None), math.inf)


def without_rate(arguments):
    at = arguments.index("--lr") if "--lr" in arguments else len(arguments)
    return arguments[:at] + arguments[at + 2:]


def is_worse(old, new, start):
    if old[0] is not None:
        return new[0] is None or new[0] > 2 * old[0]
    return new[0] is None and new[1] > old[1] + 0.02 * abs(start - old[1])


def text(value):
    return "none" if value is None else f"{value[0]:.0f} work" if value[0] is not None else f"{value[1]:.4g}"


def main():
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("old")
    options.add_argument("new")
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--only", default="")
    options.add_argument("--effort")
    chosen = options.parse_args()
    effort = ["--effort", chosen.effort] if chosen.effort else []
    thorough = ["--effort", "10"]
    print("| model | before | now | ratio | advised before | advised now | before | now | cut | |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    totals, ratios, worse, count = [0.0, 0.0], [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments in problems(pathlib.Path(folder)).items():
            if chosen.only not in name:
                continue
            times = ([], [])
            for _ in range(chosen.rounds):
                old, seconds = run(chosen.old, arguments)
                times[0].append(seconds)
                new, seconds = run(chosen.new, arguments + effort)
                times[1].append(seconds)
            before, now = map(statistics.median, times)

            def ask(optimizer, rate):
                return run(
                    chosen.new,
                    without_rate(arguments) + thorough + ["--optimizer", optimizer, "--lr", repr(rate)])[0]

            names = [advised(old), advised(new)]
            judge = run(chosen.new, arguments + thorough)[0] if names[0] != names[1] else old
            figures = [figure(judge, *n, ask) if n else None for n in names]
            is_bad = figures[0] is not None and (
                figures[1] is None or is_worse(*figures, old["problem"]["loss"]))
            cut = sum(bool((p["measured"] or {}).get("wasCut")) for p in new["prescriptions"])
            words = [f"{n[0]} {n[1]:.3g}" if n and n[1] else n[0] if n else "none" for n in names]
            print(
                f"| {name} | {before:.2f} s | {now:.2f} s | {now / before:.2f} | {words[0]} | {words[1]} | "
                f"{text(figures[0])} | {text(figures[1])} | {cut} | {'worse' if is_bad else ''} |",
                flush=True)
            totals[0] += before
            totals[1] += now
            ratios.append(now / before)
            worse += is_bad
            count += 1
    if count:
        print(
            f"\n{count} models: {worse} worse; processor time {totals[0]:.1f} s before, {totals[1]:.1f} s now, "
            f"ratio {totals[1] / totals[0]:.2f} in all, {statistics.median(ratios):.2f} in the median")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
