#!/usr/bin/env python3
"""hessian-eigenthings: its Lanczos and its stochastic Lanczos quadrature. See protocol.py.

    spectrum_eigenthings.py FOLDER/MODEL THREADS

    density STEPS PROBES SEED   the quadrature's nodes, without the smoothing

Its Lanczos takes a fixed number of steps and says whether the residuals are small enough; where
they are not, the steps are doubled, from 10 for each eigenvalue, and all are counted.
"""

import importlib.metadata
import sys

import torch
from hessian_eigenthings import HessianOperator, lanczos, spectral_density, supervised_loss

import protocol
from torch_network import network


def main():
    module, inputs, labels = network(sys.argv[1], int(sys.argv[2]))
    total = 0

    class Counted(HessianOperator):
        def matvec(self, vector):
            nonlocal total
            total += 1
            return super().matvec(vector)

    def operator():
        return Counted(
            module, [(inputs, labels)], supervised_loss(torch.nn.functional.cross_entropy))

    def solve(count, which, tolerance, seed):
        steps = 10 * count
        while True:
            result = lanczos(
                operator(), k=count, max_iter=steps, tol=tolerance, which=which, seed=seed)
            if bool(result.converged.all()) or steps > 600:
                return dict(values=result.eigenvalues.tolist())
            steps *= 2

    def density(steps, probes, seed):
        # Its probe r of seed s has the seed s + r.
        result = spectral_density(
            operator(), num_runs=probes, lanczos_steps=steps, seed=10_000 * seed)
        return dict(
            nodes=result.raw_eigenvalues.tolist(), weights=result.raw_weights.tolist())

    calls = {
        "largest": lambda tolerance, seed: solve(1, "LA", tolerance, seed),
        "top": lambda count, tolerance, seed: solve(count, "LA", tolerance, seed),
        "density": density,
    }
    solve(1, "LA", 1.0, 0)
    version = importlib.metadata.version("hessian-eigenthings")
    protocol.serve_spectra("hessian-eigenthings", version, calls, lambda: total)


if __name__ == "__main__":
    main()
