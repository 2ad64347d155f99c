#!/usr/bin/env python3
"""Physics-informed networks beside SciPy's BFGS and published numbers: the identical loss, points and starts,
float64, each run a process of its own.

    pinns.py [--threads N] [--seeds S] [--problems A,B] [--minutes M] [--json PATH] [--strict]

`poisson` and `diffusion` run 200 iterations of each of our methods and of SciPy's BFGS, with seconds by the wall
clock, compilation included, and of processor time over all threads; `convection` runs from each of three starts
under a budget of processor time.
"""

import argparse
import json
import statistics
import subprocess
import sys

from driver import DATA, PEERS, claim, cores, need, save

# Final losses after 200 iterations as published: BFGS, L-BFGS, and Adam for 50 iterations, then BFGS.
PUBLISHED = {
    "poisson": (1.76e-5, 3.40e-4, 1.53e-5), "diffusion": (7.77e-5, 6.56e-4, 1.03e-4),
}
METHODS = [
    ["bfgs"], ["ssbroyden"], ["lbfgs"], ["levenberg-marquardt"], ["nystrom-newton-cg"],
    ["ssbroyden", "--adam", "50", "0.05"],
]
SECONDS = 20
CONVECTION = 4.19e-3
CONVECTION_SEEDS = 3
CONVECTION_STEPS = 4000


def lines(command):
    output = subprocess.run(
        [str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def table(name, arguments):
    seeds = range(1, arguments.seeds + 1)
    rows = {"SciPy's BFGS": lines(
        [sys.executable, PEERS / "pinn_scipy.py", "bfgs", name, "--seeds", arguments.seeds])}
    for method, *options in METHODS:
        found = [
            lines([need("pinn-worker"), name, method, 200, seed, "--threads", arguments.threads]
                  + options)[-1]
            for seed in seeds
        ]
        rows[found[0]["method"]] = found
    published = ", ".join(f"{value:.2e}" for value in PUBLISHED[name])
    print(f"\n{name}, 200 iterations, medians over {arguments.seeds} seeds "
          f"(published: BFGS, L-BFGS, Adam then BFGS: {published})")
    print(f"  {'':<28}{'loss':>10}{'least':>10}{'most':>10}{'finer':>10}{'error':>10}"
          f"{'gradients':>11}{'seconds':>9}{'processor':>11}")
    medians = {}
    for method, found in rows.items():
        def median(key):
            values = [row[key] for row in found if row.get(key) is not None]
            return statistics.median(values) if values else float("nan")

        losses = [row["loss"] for row in found]
        medians[method] = median("loss")
        print(f"  {method:<28}{median('loss'):>10.2e}{min(losses):>10.2e}{max(losses):>10.2e}"
              f"{median('refined'):>10.2e}{median('error'):>10.2e}"
              f"{median('gradients' if 'gradients' in found[0] else 'evaluations'):>11.0f}"
              f"{median('seconds'):>9.2f}{median('processorSeconds'):>11.2f}")
    scipy = medians.pop("SciPy's BFGS")
    best = min(medians, key=medians.get)
    slowest = max(row["seconds"] for row in rows[best])
    holds = claim(f"{best} / SciPy's BFGS", medians[best] / scipy, 1.0, width=40, form=".3g")
    holds &= claim("its slowest run, seconds", slowest, SECONDS, width=40)
    return rows, holds


def convection(arguments):
    rows = []
    for seed in range(1, CONVECTION_SEEDS + 1):
        command = [
            need("pinn-worker"), "convection", "ssbroyden", CONVECTION_STEPS, seed, "--threads",
            arguments.threads, "--every", 250,
        ] + arguments.convection.split()
        print(f"\nconvection (beta 40), {arguments.minutes:g} minutes at most: "
              f"{' '.join(map(str, command[1:]))}")
        process = subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE, text=True)
        last = {}
        try:
            for line in process.stdout:
                row = json.loads(line)
                if row["processorSeconds"] > 60 * arguments.minutes:
                    break
                last = row
                print(f"  iteration {last['iterations']:>7}, {last['processorSeconds']:>5.0f} s: "
                      f"loss {last['loss']:.2e}, error {last['error']:.2e}", flush=True)
                if "ending" in last:
                    print(f"  {last['ending']}")
        finally:
            process.kill()
            process.wait()
        rows.append(last)
    worst = max((row.get("error", float("nan")) for row in rows), default=float("nan"))
    holds = claim(
        "largest relative L2 error (published: Adam, then L-BFGS)", worst, CONVECTION, width=58,
        form=".2e")
    return rows, holds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--problems", default="poisson,diffusion,convection")
    parser.add_argument("--minutes", type=float, default=15, help="budget of each run of the convection")
    parser.add_argument(
        "--convection", default="--width 24 --refine 2 --time-scale 20", help="more arguments of its worker")
    parser.add_argument("--json", default=DATA / "pinns.json")
    parser.add_argument("--strict", action="store_true", help="exit status 1 if a claim fails")
    # The options of the other drivers are theirs.
    arguments, _ = parser.parse_known_args()
    results, failed = {}, 0
    for name in arguments.problems.split(","):
        results[name], holds = convection(arguments) if name == "convection" else table(
            name, arguments)
        failed += not holds
    save(type(DATA)(arguments.json), results)
    return 1 if arguments.strict and failed else 0


if __name__ == "__main__":
    sys.exit(main())
