#!/usr/bin/env python3
"""SciPy's ARPACK (implicitly restarted Lanczos) over PyTorch's Hessian products. See protocol.py.

    spectrum_arpack.py FOLDER/MODEL THREADS
"""

import os
import sys

os.environ["OPENBLAS_NUM_THREADS"] = sys.argv[2]

import numpy as np
import scipy
from scipy.sparse.linalg import LinearOperator, eigsh

import protocol
from torch_network import HessianProducts, network


def main():
    problem = network(sys.argv[1], int(sys.argv[2]))
    total = 0

    def solve(count, which, tolerance, seed):
        nonlocal total
        products = HessianProducts(*problem)
        shape = (products.dimension, products.dimension)
        operator = LinearOperator(shape, matvec=products, dtype=np.float32)
        start = np.random.RandomState(seed).randn(products.dimension).astype(np.float32)
        values = eigsh(
            operator, k=count, which=which, tol=tolerance, v0=start, return_eigenvectors=True
        )[0]
        total += products.count
        return dict(values=sorted(map(float, values), reverse=which == "LA"))

    calls = {
        "largest": lambda tolerance, seed: solve(1, "LA", tolerance, seed),
        "top": lambda count, tolerance, seed: solve(count, "LA", tolerance, seed),
        "smallest": lambda tolerance, seed: solve(1, "SA", tolerance, seed),
        "both": lambda tolerance, seed: dict(
            values=solve(2, "BE", tolerance, seed)["values"][::-1]
        ),
    }
    solve(1, "LA", 1e-1, 0)
    protocol.serve_spectra("ARPACK", scipy.__version__, calls, lambda: total)


if __name__ == "__main__":
    main()
