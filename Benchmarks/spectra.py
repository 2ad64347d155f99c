#!/usr/bin/env python3
"""Eigenvalues and densities beside PyHessian, ARPACK, curvlinops and hessian-eigenthings.

Each runtime is a process of its own; questions alternate between them with a pause and a short
solve before each, which wakes the threads. Every answer is compared with one in float64.

The first model also has its density compared; of the last only our own memory is measured.

    spectra.py [--threads N] [--rounds R] [--models A,B] [--no-density] [--json PATH] [--strict]
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

import numpy as np

from driver import DATA, PEERS, Worker, add_options, claim, make_inputs, ours, peer, save

sys.path.insert(0, str(PEERS))
from measures import together, wasserstein  # noqa: E402

RUNTIMES = ["pyhessian", "arpack", "curvlinops", "eigenthings"]
# What is asked of the peers, and what of us: the same or more. Tolerances are relative to the
# eigenvalue; ours is relative to the largest, so that one is converted.
QUESTIONS = {
    "largest": ("largest 1e-3", "largest 1e-3"),
    "bound": (None, "bound 1e-3"),
    "five largest": ("top 5 1e-3", "top 5 3e-4"),
    "smallest": ("smallest 1e-3", "smallest 1e-3"),
    "both ends": ("both 1e-3", "both 1e-3"),
}
ASKED = {"digits": list(QUESTIONS), "digits-1e6": ["largest", "bound", "five largest"]}
# Of our products the most over all seeds, of times the ratio of medians, at most.
PRODUCTS = {"largest": 13, "bound": 17, "five largest": 15, "smallest": 105}
TIMES = [("largest", "PyHessian", 0.45), ("bound", "PyHessian", 0.45),
         ("five largest", "PyHessian", 0.20)]
BOUND_ABOVE = 1e-3
DENSITY_PRODUCTS = 0.5
# Requested Wasserstein errors, relative to the spectrum's range.
DENSITY_ERRORS = [0.02, 0.002, 0.0005]
# Steps that a peer may take per probe, and how many probes are tried at most with each.
DENSITY_PROBES = {3: 32, 5: 32, 10: 32, 20: 32, 40: 16, 80: 8, 160: 4}
# Model, bytes of the budget, largest eigenvalues wanted, their tolerance.
MEMORY = ("digits-5e6", 1 << 30, 10, 1e-5)
MEMORY_EXCESS = 1.10


def reference(folder, threads, *more):
    command = [sys.executable, "reference_spectrum.py", folder, threads, *more]
    subprocess.run(command, check=True, cwd=PEERS)
    return json.loads((folder / "reference-spectrum.json").read_text())


def exact_values(question, count, exact):
    if question == "smallest":
        return exact["smallest"][:1]
    if question == "both ends":
        return [exact["largest"][0], exact["smallest"][0]]
    return exact["largest"][:count]


def words_for(worker, question, exact):
    theirs, own = QUESTIONS[question]
    if worker.name != "Eigenstep":
        return theirs
    kind, *numbers = own.split()
    if question in ("smallest", "both ends"):
        ratio = abs(exact["smallest"][0]) / exact["largest"][0]
        numbers[-1] = f"{float(numbers[-1]) * ratio:.3e}"
    return " ".join([kind, *numbers])


def measure(folder, arguments, questions, exact):
    """Per runtime and question: seconds, products and errors, one per seed."""
    threads = str(arguments.threads)
    commands = ours("spectrum-worker", folder, threads)
    commands += [peer(f"spectrum_{runtime}", folder, threads) for runtime in RUNTIMES]
    workers = [Worker(command) for command in commands]
    rows = {}
    for seed in range(arguments.rounds):
        for worker in workers:
            for question in questions:
                words = words_for(worker, question, exact)
                if words is None or (worker.name, question) in rows and not rows[
                    worker.name, question]:
                    continue
                row = rows.setdefault((worker.name, question), [])
                time.sleep(arguments.pause)
                worker.ask("largest 1e-1 0")
                answer = worker.ask(f"{words} {seed}")
                if "unsupported" in answer:
                    continue
                values = np.array(answer["values"])
                true = np.array(exact_values(question, len(values), exact))
                answer["error"] = float(np.max(np.abs(values - true) / np.abs(true)))
                if "bound" in answer:
                    answer["above"] = answer["bound"] / exact["largest"][0] - 1
                row.append(answer)
    return workers, {key: row for key, row in rows.items() if row}


def middle(row, what):
    return statistics.median(answer[what] for answer in row)


def show(rows):
    print(f"  {'':<30}{'median ms':>11}{'min-max':>18}{'products':>11}{'error, worst':>22}")
    for (name, question), row in rows.items():
        seconds = [1e3 * answer["seconds"] for answer in row]
        products = [answer["products"] for answer in row]
        span = f"{min(products)}-{max(products)}" if min(products) < max(products) else products[0]
        worst = max(answer["error"] for answer in row)
        print(
            f"  {name + ' ' + question:<30}{statistics.median(seconds):>11.1f}"
            f"{f'{min(seconds):.1f}-{max(seconds):.1f}':>18}{span:>11}"
            f"{middle(row, 'error'):>12.1e}{worst:>10.1e}"
            + (f"  bound +{max(answer['above'] for answer in row):.1e}"
               if question == "bound" else "")
        )


def claims(rows):
    failed = 0
    for question, bound in PRODUCTS.items():
        row = rows.get(("Eigenstep", question))
        if row:
            most = max(answer["products"] for answer in row)
            failed += not claim(f"{question}: products", most, bound, width=36, form=".0f")
    for question, other, bound in TIMES:
        row = rows.get(("Eigenstep", question))
        theirs = rows.get((other, "largest" if question == "bound" else question))
        if row and theirs:
            ratio = middle(row, "seconds") / middle(theirs, "seconds")
            failed += not claim(f"{question}: time / {other}'s", ratio, bound, width=36)
    row = rows.get(("Eigenstep", "bound"))
    if row:
        above = [answer["above"] for answer in row]
        failed += not claim(
            "bound: above the largest, most", max(above), BOUND_ABOVE, width=36, form=".1e")
        # To the rounding of float32 products, which the reference does not have.
        failed += not claim(
            "bound: above the largest, least", min(above), -1e-6, least=True, width=36, form=".1e")
    both, end = (rows.get(("Eigenstep", question)) for question in ("both ends", "smallest"))
    if both and end:
        ratio = middle(both, "products") / middle(end, "products")
        failed += not claim("both ends: products / smallest's", ratio, 1.05, width=36)
    theirs = rows.get(("ARPACK", "smallest"))
    if end and theirs:
        ratio = middle(end, "seconds") / middle(theirs, "seconds")
        figure = "smallest: time / ARPACK's"
        print(f"  {figure:<36} {ratio:.2f}")
    return failed


def density_errors(worker, exact, width):
    """Of a peer, the median error for each (steps, probes), the probes in disjoint groups; and the
    seconds of a product."""
    errors, spent, products = {}, 0.0, 0
    for steps, most in DENSITY_PROBES.items():
        answer = worker.ask(f"density {steps} {most} 0")
        spent, products = spent + answer["seconds"], products + answer["products"]
        probes = 1
        while probes <= most:
            groups = [slice(first, first + probes) for first in range(0, most, probes)]
            errors[steps, probes] = statistics.median(
                wasserstein(together(answer["nodes"][group], answer["weights"][group]), exact)
                / width for group in groups
            )
            probes *= 2
    return errors, spent / products


def fewest_products(errors, wanted):
    """The fewest products of a peer with an error of at most `wanted`, and whether that many were
    measured: beyond the most probes the error is taken to fall with their square root."""
    best, measured = float("inf"), False
    for steps in DENSITY_PROBES:
        ladder = sorted((probes, error) for (at, probes), error in errors.items() if at == steps)
        for (few, high), (many, low) in zip([(0, float("inf"))] + ladder, ladder):
            if low <= wanted:
                # Between two rungs, on the line in logarithms.
                share = (
                    np.log(high / wanted) / np.log(high / low) if few and low < high else 1.0)
                probes = np.exp((1 - share) * np.log(max(few, 1)) + share * np.log(many))
                if steps * probes < best:
                    best, measured = steps * probes, True
                break
        else:
            probes, error = ladder[-1]
            reach = steps * probes * (error / wanted) ** 2
            if reach < best:
                best, measured = reach, False
    return best, measured


def densities(workers, folder, arguments, exact):
    stored = np.load(folder / "reference-density.npz")
    truth, width = (stored["nodes"], stored["weights"]), exact["largest"][0] - exact["smallest"][0]
    print(
        f"  density: Wasserstein distances over the range {width:.3f}; the reference's own is "
        f"{float(stored['error']) / width:.1e}"
    )
    peers, failed, own = {}, 0, {}
    for worker in workers:
        if worker.name in ("curvlinops", "hessian-eigenthings"):
            peers[worker.name] = density_errors(worker, truth, width)
        elif worker.name == "Eigenstep":
            for error in DENSITY_ERRORS:
                answers = []
                for seed in range(arguments.rounds):
                    time.sleep(arguments.pause)
                    answer = worker.ask(f"density {error} {seed}")
                    if "unsupported" in answer:
                        break
                    answer["distance"] = wasserstein(
                        together(answer["nodes"], answer["weights"]), truth) / width
                    del answer["nodes"], answer["weights"]
                    answers.append(answer)
                if answers:
                    own[error] = answers
    for name, (errors, seconds) in peers.items():
        for (steps, probes), error in errors.items():
            if probes in (1, DENSITY_PROBES[steps]):
                print(f"  {f'{name}, {steps} steps x {probes}':<36} {steps * probes:>6} products, "
                      f"{1e3 * seconds * steps * probes:>8.1f} ms, error {error:.1e}")
    for error, answers in own.items():
        products, distance = middle(answers, "products"), middle(answers, "distance")
        stated = middle(answers, "error") / width
        print(f"  {f'Eigenstep, {error} asked':<36} {products:>6.0f} products, "
              f"{1e3 * middle(answers, 'seconds'):>8.1f} ms, error {distance:.1e}, "
              f"stated {stated:.1e}")
        for name, (errors, seconds) in peers.items():
            theirs, measured = fewest_products(errors, distance)
            failed += not claim(
                f"density {error}: products / {name}'s", products / theirs, DENSITY_PRODUCTS,
                width=48)
            print(f"  {'':<48} theirs {theirs:.0f}{'' if measured else ' by extrapolation'}, "
                  f"{1e3 * seconds * theirs:.0f} ms")
    return failed, dict(
        own={str(error): answers for error, answers in own.items()},
        peers={
            name: dict(secondsPerProduct=seconds, errors={
                f"{steps} x {probes}": error for (steps, probes), error in errors.items()})
            for name, (errors, seconds) in peers.items()
        },
    )


def memory(folder, arguments, exact, manifest):
    """The most memory that our worker holds resident within a budget, and whether that changes the
    answer."""
    _, budget, count, tolerance = MEMORY
    commands = ours("spectrum-worker", folder, arguments.threads)
    if not commands:
        return 0, {}
    worker = Worker(commands[0])
    answer = worker.ask(f"memory {budget} {count} {tolerance} 0")
    worker.close()
    given = sum((folder / f"{name}.bin").stat().st_size
                for name in ("parameters", "inputs", "labels"))
    print(f"\n{count} largest eigenvalues of {manifest['parameters']} parameters within "
          f"{budget / 2**20:.0f} MiB beside model and data ({given / 2**20:.0f} MiB): "
          f"{answer['products']} products, {answer['seconds']:.1f} s")
    for stage in answer["memory"]:
        print(f"  {stage['name']:<36} {stage['bytes'] / 2**20:>7.0f} MiB at most so far")
    peak = answer["memory"][-1]["bytes"] / (given + budget)
    differences = np.abs(np.array(answer["values"]) - exact["largest"][:count])
    worst = float(np.max(differences / exact["largest"][0] / answer["residuals"]))
    failed = not claim("peak / (model + data + budget)", peak, MEMORY_EXCESS, width=36)
    failed += not claim("difference from exact / residual", worst, 1.0, width=36)
    return failed, answer


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_options(parser, "digits,digits-1e6,digits-5e6", "spectra.json")
    parser.add_argument("--no-density", action="store_true", help="leave the densities out")
    arguments = parser.parse_args()
    models = arguments.models.split(",")
    make_inputs(models)
    results, failed = {}, 0
    for model in models:
        folder = DATA / model
        density = model == "digits" and not arguments.no_density
        more = ["smallest"] * ("smallest" in ASKED.get(model, [])) + ["density"] * density
        exact = reference(folder, str(arguments.threads), *more)
        manifest = json.loads((folder / "manifest.json").read_text())
        if model == MEMORY[0]:
            fewer, results[model] = memory(folder, arguments, exact, manifest)
            failed += fewer
            continue
        shape = "-".join(map(str, manifest["layers"]))
        workers, rows = measure(folder, arguments, ASKED[model], exact)
        print(f"\nspectrum of MLP {shape} {manifest['activation']}, {manifest['parameters']} "
              f"parameters, batch {manifest['batch']}, float32, {arguments.threads} threads")
        show(rows)
        failed += claims(rows)
        results[model] = dict(
            threads=arguments.threads, versions={w.name: w.version for w in workers},
            answers={f"{name} {question}": row for (name, question), row in rows.items()},
        )
        if density:
            fewer, results[model]["density"] = densities(workers, folder, arguments, exact)
            failed += fewer
        for worker in workers:
            worker.close()
    save(arguments.json, results)
    return 1 if arguments.strict and failed else 0


if __name__ == "__main__":
    sys.exit(main())
