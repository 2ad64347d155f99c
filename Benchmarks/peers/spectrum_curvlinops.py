#!/usr/bin/env python3
"""curvlinops' Hessian: ARPACK on it as its documentation does, and its stochastic Lanczos
quadrature. See protocol.py.

    spectrum_curvlinops.py FOLDER/MODEL THREADS

    density STEPS PROBES SEED   the quadrature's nodes, without the products that look for the ends
                                and without the smoothing, which would only add error
"""

import importlib.metadata
import os
import sys

os.environ["OPENBLAS_NUM_THREADS"] = sys.argv[2]

import numpy as np
import torch
from curvlinops import HessianLinearOperator
from curvlinops.papyan2020traces.spectrum import fast_lanczos
from scipy.sparse.linalg import eigsh

import protocol
from torch_network import network


class Counted(HessianLinearOperator):
    total = 0

    def _matmat(self, columns):
        Counted.total += columns[0].shape[-1]
        return super()._matmat(columns)


def main():
    module, inputs, labels = network(sys.argv[1], int(sys.argv[2]))

    def operator():
        return Counted(
            module, torch.nn.CrossEntropyLoss(), list(module.parameters()), [(inputs, labels)],
            check_deterministic=False,
        )

    def solve(count, which, tolerance, seed):
        map = operator().to_scipy()
        start = np.random.RandomState(seed).randn(map.shape[0]).astype(np.float32)
        values = eigsh(map, k=count, which=which, tol=tolerance, v0=start)[0]
        return dict(values=sorted(values.tolist(), reverse=which == "LA"))

    def density(steps, probes, seed):
        torch.manual_seed(seed)
        nodes, weights = [], []
        for _ in range(probes):
            values, vectors = fast_lanczos(operator(), steps)
            nodes.append(values.tolist())
            weights.append((vectors[0] ** 2).tolist())
        return dict(nodes=nodes, weights=weights)

    calls = {
        "largest": lambda tolerance, seed: solve(1, "LA", tolerance, seed),
        "top": lambda count, tolerance, seed: solve(count, "LA", tolerance, seed),
        "density": density,
    }
    solve(1, "LA", 1e-1, 0)
    version = importlib.metadata.version("curvlinops-for-pytorch")
    protocol.serve_spectra("curvlinops", version, calls, lambda: Counted.total)


if __name__ == "__main__":
    main()
