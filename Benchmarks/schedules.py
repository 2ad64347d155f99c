#!/usr/bin/env python3
"""Schedules that measure beside constant rates, by `schedule-sweep`: whether the greedy rule is as good as the
best constant rate for some hundred steps, and loses to it in the long run.

    schedules.py [--steps N] [--starts N] [--json PATH] [--strict]
"""

import argparse
import subprocess
import sys

from driver import DATA, claim, need, save

GREEDY = "curvature-dynamics-aware, sigma 1.0"
EARLY, SLACK = 300, 1.15


def number(text):
    try:
        return float(text)
    except ValueError:
        return float("inf")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--steps", type=int, default=10000)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--json", type=type(DATA), default=DATA / "schedules.json")
    parser.add_argument("--strict", action="store_true", help="exit status 1 if a claim fails")
    options, _ = parser.parse_known_args()
    output = subprocess.run(
        [str(need("schedule-sweep")), str(options.steps), str(options.starts)], check=True,
        stdout=subprocess.PIPE, text=True).stdout
    print(output)
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in output.splitlines()]
    marks = [int(cell) for cell in table[0][1:-2]]
    losses = {row[0]: [number(cell) for cell in row[1:-2]] for row in table[2:]}
    constants = [row for name, row in losses.items() if name.startswith("constant")]

    def ratio(mark):
        place = marks.index(mark)
        return losses[GREEDY][place] / min(row[place] for row in constants)

    failed = 0
    if EARLY in marks:
        failed += not claim(
            f"greedy of the best constant's loss, {EARLY} steps", ratio(EARLY), SLACK, width=48)
    if marks[-1] > EARLY:
        failed += not claim(
            f"greedy of the best constant's loss, {marks[-1]} steps", ratio(marks[-1]), 1,
            least=True, width=48)
    save(options.json, {"marks": marks, "losses": losses})
    return 1 if options.strict and failed else 0


if __name__ == "__main__":
    sys.exit(main())
