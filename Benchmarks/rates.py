#!/usr/bin/env python3
"""`--lr auto` beside the best of 24 rates, torch-lr-finder, PyTorch's default and Prodigy, on the tasks of
rates/tasks.py. What rates/results.jsonl holds is not run again.

    rates.py [--tasks A,B] [--fresh] [--json PATH] [--strict]
"""

import argparse
import shutil
import subprocess
import sys

from driver import DATA, HERE, claim

FOLDER = DATA / "rates"
PROGRAM = HERE.parent / ".build" / "release" / "eigenstep"
# Of the regrets of --lr auto.
MEDIAN, WORST = 0.05, 0.5


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--tasks", default="", help="these alone")
    parser.add_argument("--fresh", action="store_true", help="run everything again")
    parser.add_argument("--json", type=type(DATA), default=DATA / "rates.json")
    parser.add_argument("--strict", action="store_true", help="exit status 1 if a claim fails")
    options, _ = parser.parse_known_args()
    if not PROGRAM.exists():
        sys.exit(f"there is no {PROGRAM}: make build")
    FOLDER.mkdir(parents=True, exist_ok=True)
    results = FOLDER / "results.jsonl"
    if options.fresh:
        results.unlink(missing_ok=True)
    elif not results.exists():
        shutil.copy(HERE / "rates" / "results.jsonl", results)
    tasks = options.tasks.split(",") if options.tasks else []
    for words in (["rates.py", "sweeps", FOLDER, PROGRAM], ["peers.py", FOLDER],
                  ["rates.py", "rules", FOLDER, PROGRAM]):
        script, *rest = words
        subprocess.run(
            [sys.executable, "-W", "ignore", HERE / "rates" / script, *map(str, rest), *tasks],
            check=True)
    sys.path.insert(0, str(HERE / "rates"))
    import summary

    regrets = summary.table(FOLDER)
    auto = regrets["auto"]
    print()
    failed = sum(not holds for holds in (
        claim("median regret of --lr auto", summary.median(auto), MEDIAN, width=32, form=".3f"),
        claim("worst regret of --lr auto", max(auto), WORST, width=32, form=".3f"),
        claim("settings in which --lr auto is lost", summary.lost["auto"], 0, width=32, form="d")))
    summary.save(options.json, regrets)
    return 1 if options.strict and failed else 0


if __name__ == "__main__":
    sys.exit(main())
