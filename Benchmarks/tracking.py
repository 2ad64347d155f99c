#!/usr/bin/env python3
"""What tracking the sharpness costs, and where full-batch runs settle beside each optimizer's limit, by
`tracking-bench` (docs/edge-of-stability.md).

    tracking.py [--steps N] [--json PATH] [--strict]
"""

import argparse
import json
import subprocess
import sys

from driver import BUILT, DATA, claim, need, save

# What tracking may add to a run, a check's steps, the median error of a check: percent, steps, percent.
ADDS, CHECK, ERROR = 10, 4, 5
# Where the plateau's mean may lie, of the optimizer's limit.
DESCENT, OTHERS = (0.95, 1.05), (0.85, 1.15)


def rows(*words):
    output = subprocess.run(
        [str(word) for word in (need("tracking-bench"), *words, "--json")], check=True,
        stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000, help="of the runs whose cost is measured")
    parser.add_argument("--json", type=type(DATA), default=DATA / "tracking.json")
    parser.add_argument("--strict", action="store_true", help="exit status 1 if a claim fails")
    # The options of the other drivers are theirs.
    options, _ = parser.parse_known_args()
    failed = 0
    cost = rows("cost", options.steps)
    for row in cost:
        print(f"\n{row['network']}, {row['optimizer']}: a step takes {row['step'] * 1e3:.2f} ms; of "
              f"{row['checks']} checks {row['flagged']} were flagged, the others off by "
              f"{row['most']:.1f} % at most")
        failed += not claim("tracking adds, percent", row["adds"], ADDS, form=".1f")
        failed += not claim("a check, in steps", row["check"], CHECK, form=".1f")
        failed += not claim("median error, percent", row["error"], ERROR, form=".1f")
    edge = rows("edge", max(1, 2000 // options.steps))
    print("\nthe last third of full-batch runs, of the optimizer's limit")
    for row in edge:
        least, most = DESCENT if row["name"] == "gd" else OTHERS
        print(f"{row['optimizer']} at {row['rate']:g}, {row['steps']} steps: from {row['first']:.3f} to "
              f"{row['low']:.3f}-{row['high']:.3f}")
        failed += not claim("mean", row["mean"], least, least=True, form=".3f")
        failed += not claim("mean", row["mean"], most, form=".3f")
    save(options.json, {"cost": cost, "edge": edge})
    return 1 if options.strict and failed else 0


if __name__ == "__main__":
    sys.exit(main())
