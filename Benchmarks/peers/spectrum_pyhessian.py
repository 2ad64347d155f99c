#!/usr/bin/env python3
"""PyHessian's eigenvalues, by deflated power iteration. See protocol.py.

    spectrum_pyhessian.py FOLDER/MODEL THREADS

Its `density` calls `torch.eig`, which PyTorch has removed. Its tolerance is the relative change of
an eigenvalue from one product to the next.
"""

import importlib.metadata
import sys

import torch
from pyhessian import hessian

import protocol
from torch_network import network


def main():
    module, inputs, labels = network(sys.argv[1], int(sys.argv[2]))
    total = 0
    implementation = sys.modules["pyhessian.hessian"]  # the class hides the module's name
    product = implementation.hessian_vector_product

    def counted(*arguments):
        nonlocal total
        total += 1
        return product(*arguments)

    implementation.hessian_vector_product = counted

    def solve(count, tolerance, seed):
        torch.manual_seed(seed)
        module.zero_grad()
        operator = hessian(
            module, torch.nn.functional.cross_entropy, data=(inputs, labels), cuda=False
        )
        values, _ = operator.eigenvalues(tol=tolerance, top_n=count)
        return dict(values=values)

    calls = {
        "largest": lambda tolerance, seed: solve(1, tolerance, seed),
        "top": solve,
    }
    solve(1, 1e-1, 0)
    version = importlib.metadata.version("pyhessian")
    protocol.serve_spectra("PyHessian", version, calls, lambda: total)


if __name__ == "__main__":
    main()
