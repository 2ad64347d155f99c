#!/usr/bin/env python3
"""Hessian products beside PyTorch and JAX, on the same inputs, float32, the same thread count.

Each runtime is a process of its own that waits while another is measured: in one process, or
without a pause, the spinning threads of one pool slow the next runtime many times over. Blocks of
calls alternate; medians are compared; every product is compared with PyTorch's in float64.

    bench.py [--threads N] [--rounds R] [--models A,B] [--json PATH] [--strict]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np

from driver import DATA, PEERS, Worker, add_options, claim, make_inputs, ours, peer, save

# (model, what is measured, the figure, its bound): a claim holds if the figure is within the bound.
CLAIMS = [
    ("mnist-tanh", "hvp / PyTorch", 0.90),
    ("mnist-tanh", "hvp / JAX", 1.05),
    ("mnist-tanh", "hvp / gradient", 2.0),
    ("mnist-tanh", "sgemm share", 0.75),
    ("mnist-relu", "hvp / PyTorch", 0.90),
    ("mnist-relu", "hvp / JAX", 1.20),
    ("mnist-relu", "hvp / gradient", 2.0),
    ("mnist-relu", "sgemm share", 0.75),
    ("small-tanh", "hvp / PyTorch", 0.85),
    ("small-tanh", "hvp8 per direction / hvp", 0.70),
]


def block(worker, what, seconds, pause):
    """The median call of a block of about so many seconds, after calls that wake the threads."""
    time.sleep(pause)
    first = statistics.median(worker.ask(f"run 3 {what}")["seconds"])
    count = max(3, min(400, int(seconds / first)))
    return statistics.median(worker.ask(f"run {count} {what}")["seconds"])


def result(worker, what, count):
    path = DATA / f"result-{os.getpid()}.bin"
    worker.ask(f"write {what} {path}")
    values = np.fromfile(path, dtype="<f4").astype(float).reshape(-1, count)
    path.unlink()
    return values


def flops_of_product(manifest):
    """Multiplications and additions of the matrix products that a linearised Hessian product has:
    two in the first layer, whose input does not move, and six in each other."""
    layers = manifest["layers"]
    sizes = [fan_in * fan_out for fan_in, fan_out in zip(layers, layers[1:])]
    return 2 * manifest["batch"] * (2 * sizes[0] + 6 * sum(sizes[1:]))


def relative_error(got, exact):
    return float(
        np.max(np.linalg.norm(got - exact, axis=1) / np.linalg.norm(exact, axis=1))
    )


def measure(model, arguments):
    folder = DATA / model
    manifest = json.loads((folder / "manifest.json").read_text())
    threads = str(arguments.threads)
    if not (folder / "reference.bin").exists():
        subprocess.run(
            [sys.executable, "hvp_torch.py", str(folder), threads, "--reference"],
            check=True, cwd=PEERS,
        )
    exact = np.fromfile(folder / "reference.bin", dtype="<f8").reshape(-1, manifest["parameters"])
    exact_gradient = np.fromfile(folder / "reference-gradient.bin", dtype="<f8")[None, :]

    commands = ours("hvp-worker", folder, threads) + [
        peer(script, folder, threads) for script in ("hvp_torch", "hvp_jax", "sgemm_numpy")
    ]
    workers = [Worker(command) for command in commands]
    wanted = {
        worker.name: ["sgemm", "sgemm-layer"] if worker.name == "numpy"
        else ["hvp", "gradient"]
        + (["hvp8"] if model == "small-tanh" else [])
        + (["sgemm", "sgemm-layer"] if worker.name == "PyTorch" else [])
        for worker in workers
    }

    errors = {}
    for worker in workers:
        if "hvp" not in wanted[worker.name]:
            continue
        for what in wanted[worker.name]:
            reference = {"hvp": exact[:1], "hvp8": exact, "gradient": exact_gradient}.get(what)
            if reference is not None:
                got = result(worker, what, manifest["parameters"])
                errors[worker.name, what] = relative_error(got, reference)

    times = {}
    for _ in range(arguments.rounds):
        for worker in workers:
            for what in wanted[worker.name]:
                median = block(worker, what, arguments.seconds, arguments.pause)
                times.setdefault((worker.name, what), []).append(median)
    versions = {worker.name: worker.version for worker in workers}
    for worker in workers:
        worker.close()
    return manifest, times, errors, versions


def figures(manifest, times):
    """The figures the claims are about, for the runtime called Eigenstep if it was measured, and
    the same for each peer where they make sense."""
    median = {key: statistics.median(values) for key, values in times.items()}
    layers = manifest["layers"]
    work = {
        "sgemm": 2 * 2048**3, "sgemm-layer": 2 * manifest["batch"] * layers[0] * layers[1]
    }
    rate = max(work[what] / value for (_, what), value in median.items() if what in work)
    table = {}
    for (name, what), value in median.items():
        if what == "hvp":
            row = table.setdefault(name, {})
            for peer in ("PyTorch", "JAX"):
                if peer != name and (peer, "hvp") in median:
                    row[f"hvp / {peer}"] = value / median[peer, "hvp"]
            row["hvp / gradient"] = value / median[name, "gradient"]
            row["sgemm share"] = flops_of_product(manifest) / value / rate
            if (name, "hvp8") in median:
                row["hvp8 per direction / hvp"] = median[name, "hvp8"] / 8 / value
    return rate, table


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_options(parser, "mnist-tanh,mnist-relu,small-tanh", "results.json")
    parser.add_argument("--seconds", type=float, default=0.6, help="length of a block")
    arguments = parser.parse_args()

    models = arguments.models.split(",")
    make_inputs(models)
    results, failed = {}, 0
    for model in models:
        manifest, times, errors, versions = measure(model, arguments)
        rate, table = figures(manifest, times)
        shape = "-".join(map(str, manifest["layers"]))
        print(
            f"\nMLP {shape} {manifest['activation']}, batch {manifest['batch']}, float32, "
            f"{arguments.threads} threads; sgemm {rate / 1e9:.0f} GFLOP/s"
        )
        print(f"  {'':<24}{'median ms':>12}{'block min-max':>20}{'relative error':>18}")
        for (name, what), values in times.items():
            error = errors.get((name, what))
            print(
                f"  {name + ' ' + what:<24}{1e3 * statistics.median(values):>12.3f}"
                f"{f'{1e3 * min(values):.3f}-{1e3 * max(values):.3f}':>20}"
                f"{'' if error is None else f'{error:.1e}':>18}"
            )
        measured = table.get("Eigenstep", {})
        for claimed, figure, bound in CLAIMS:
            if claimed == model and figure in measured:
                failed += not claim(
                    figure, measured[figure], bound, least=figure == "sgemm share")
        results[model] = dict(
            threads=arguments.threads, versions=versions, sgemmRate=rate, figures=table,
            medians={f"{name} {what}": values for (name, what), values in times.items()},
            errors={f"{name} {what}": value for (name, what), value in errors.items()},
        )
    save(arguments.json, results)
    return 1 if arguments.strict and failed else 0


if __name__ == "__main__":
    sys.exit(main())
