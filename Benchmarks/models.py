#!/usr/bin/env python3
"""Gradients and Hessian products of exported networks beside PyTorch and JAX, float32, the same
thread count, each runtime in a process of its own, blocks alternating; every product is compared
with PyTorch's in float64.

    models.py [--threads N] [--rounds R] [--models A,B] [--json PATH] [--strict]
"""

import argparse
import os
import statistics
import subprocess
import sys

import numpy as np

from bench import block
from driver import DATA, HERE, Worker, add_options, claim, ours, peer, save

FOLDER = DATA / "models"
NETWORKS = {
    "convnet": "three 3 x 3 convolutions of 32 channels, tanh, 32 x 32 images, batch 128",
    "resnet18-16": "ResNet-18 with 16 base channels, 32 x 32 images, batch 64",
    "gpt-256": "GPT of 4 layers, width 256, sequences of 128, batch 8",
    "lstm-128": "LSTM of width 128 over 64 steps, batch 32",
}
# The most that our Hessian product may take of PyTorch's time; of JAX's and of PyTorch's memory.
OF_PYTORCH = {"convnet": 1.2, "resnet18-16": 1.2, "gpt-256": 0.9, "lstm-128": 1.0}
OF_JAX, OF_MEMORY = 1.15, 1.5


def golden(name):
    """The Hessian product and the gradient in float64, flat, parameters in the order of names."""
    with np.load(FOLDER / f"{name}.golden.npz") as data:
        names = sorted(key[9:] for key in data.files if key.startswith("gradient/"))
        return [
            np.concatenate([data[f"{kind}/{name}"].ravel() for name in names])
            for kind in ("product", "gradient")
        ]


def error(worker, what, exact):
    path = FOLDER / f"result-{os.getpid()}.bin"
    worker.ask(f"write {what} {path}")
    got = np.fromfile(path, dtype="<f4").astype(float)
    path.unlink()
    return float(np.linalg.norm(got - exact) / np.linalg.norm(exact))


def exported(name):
    """Where a network lies, written there if it was not yet."""
    if not (FOLDER / f"{name}.golden.npz").exists():
        script = HERE.parent / "Scripts" / "models" / "export.py"
        subprocess.run([sys.executable, script, "--large", FOLDER, name], check=True)
    return FOLDER / name


def measure(name, arguments):
    path, threads = exported(name), str(arguments.threads)
    commands = ours("model-worker", path, threads) + [
        peer(script, path, threads) for script in ("model_torch", "model_jax")
    ]
    workers = [Worker(command) for command in commands]
    product, gradient = golden(name)
    errors, times = {}, {}
    for worker in workers:
        errors[worker.name, "hvp"] = error(worker, "hvp", product)
        errors[worker.name, "gradient"] = error(worker, "gradient", gradient)
    for _ in range(arguments.rounds):
        for worker in workers:
            for what in ["hvp", "gradient"] + ["sgemm"] * (worker.name == "PyTorch"):
                median = block(worker, what, arguments.seconds, arguments.pause)
                times.setdefault((worker.name, what), []).append(median)
    peaks = {worker.name: worker.ready.get("peak") for worker in workers}
    operations = next((w.ready["operations"] for w in workers if "operations" in w.ready), None)
    for worker in workers:
        worker.close()
    return times, errors, peaks, operations


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_options(parser, ",".join(NETWORKS), "models.json")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a block")
    arguments = parser.parse_args()
    results, failed = {}, 0
    for name in arguments.models.split(","):
        times, errors, peaks, operations = measure(name, arguments)
        median = {key: statistics.median(values) for key, values in times.items()}
        rate = 2 * 2048**3 / median["PyTorch", "sgemm"]
        print(f"\n{NETWORKS[name]}, float32, {arguments.threads} threads; "
              f"sgemm {rate / 1e9:.0f} GFLOP/s")
        print(f"  {'':<22}{'median ms':>12}{'block min-max':>22}{'relative error':>18}")
        for (runtime, what), values in times.items():
            wrong = errors.get((runtime, what))
            spread = f"{1e3 * min(values):.2f}-{1e3 * max(values):.2f}"
            print(f"  {runtime + ' ' + what:<22}{1e3 * statistics.median(values):>12.2f}"
                  f"{spread:>22}{'' if wrong is None else f'{wrong:.1e}':>18}")
        for runtime, peak in peaks.items():
            print(f"  {runtime} memory of a product: {peak / 2**20:.0f} MiB")
        figures = {}
        if ("Eigenstep", "hvp") in median:
            own = median["Eigenstep", "hvp"]
            figures = {
                "hvp / PyTorch": own / median["PyTorch", "hvp"],
                "hvp / JAX": own / median["JAX", "hvp"],
                "gradient / PyTorch":
                    median["Eigenstep", "gradient"] / median["PyTorch", "gradient"],
                "memory / PyTorch": peaks["Eigenstep"] / peaks["PyTorch"],
                "sgemm share": operations / own / rate,
            }
            bounds = {"hvp / PyTorch": OF_PYTORCH[name], "hvp / JAX": OF_JAX,
                      "memory / PyTorch": OF_MEMORY}
            for figure, value in figures.items():
                if figure in bounds:
                    failed += not claim(figure, value, bounds[figure])
                else:
                    print(f"  {figure:<26} {value:.2f}")
        results[name] = dict(
            figures=figures, peaks=peaks,
            medians={f"{runtime} {what}": values for (runtime, what), values in times.items()},
            errors={f"{runtime} {what}": value for (runtime, what), value in errors.items()})
    save(arguments.json, results)
    return 1 if arguments.strict and failed else 0


if __name__ == "__main__":
    sys.exit(main())
