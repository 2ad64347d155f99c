#!/usr/bin/env python3
"""What the answers are compared with, from PyTorch's products in float64.

    reference_spectrum.py FOLDER/MODEL THREADS [smallest] [density]

Writes into the folder
    reference-spectrum.json   the ten largest eigenvalues and, where asked for, the two smallest, by
                              ARPACK to 1e-8
    reference-density.npz     nodes and weights of the spectral density, and its own error

The density is exact in its 100 largest |eigenvalues|; the rest is the mean of 60 runs of 200
Lanczos steps, fully orthogonalised, from random directions in the complement. Its error is
the distance of the two halves of the runs, halved.
"""

import json
import os
import sys

os.environ["OPENBLAS_NUM_THREADS"] = sys.argv[2]

import numpy as np
import torch
from scipy.linalg import eigh_tridiagonal
from scipy.sparse.linalg import LinearOperator, eigsh

from measures import together, wasserstein
from torch_network import HessianProducts, network

DEFLATED, PROBES, STEPS = 100, 60, 200


def lanczos(product, start, steps):
    """Nodes and weights of the Gauss rule of `start`, of unit norm."""
    basis = np.empty((steps, start.size))
    basis[0] = start
    alphas, betas = [], []
    for k in range(steps):
        w = product(basis[k])
        alphas.append(basis[k] @ w)
        for _ in range(2):
            w -= basis[: k + 1].T @ (basis[: k + 1] @ w)
        betas.append(np.linalg.norm(w))
        if k + 1 < steps:
            basis[k + 1] = w / betas[k]
    nodes, vectors = eigh_tridiagonal(alphas, betas[:-1])
    return nodes, vectors[0] ** 2


def density(operator, path):
    n, random = operator.shape[0], np.random.RandomState(1)
    values, vectors = eigsh(
        operator, k=DEFLATED, which="LM", ncv=3 * DEFLATED, tol=1e-10, v0=random.randn(n))

    def projected(v):
        return v - vectors @ (vectors.T @ v)

    runs = []
    for _ in range(PROBES):
        start = projected(random.randn(n))
        start /= np.linalg.norm(start)
        runs.append(lanczos(lambda v: projected(operator.matvec(v)), start, STEPS))

    def whole(runs):
        nodes, weights = together(*zip(*runs))
        return (
            np.concatenate([values, nodes]),
            np.concatenate([np.ones(DEFLATED), weights * (n - DEFLATED) / len(runs)]) / n,
        )

    nodes, weights = whole(runs)
    error = wasserstein(whole(runs[::2]), whole(runs[1::2])) / 2
    np.savez(path, nodes=nodes, weights=weights, error=error)


def main():
    folder = sys.argv[1]
    products = HessianProducts(*network(folder, int(sys.argv[2]), torch.float64))
    shape = (products.dimension, products.dimension)
    operator = LinearOperator(shape, matvec=products, dtype=np.float64)
    start = np.random.RandomState(0).randn(products.dimension)

    path = f"{folder}/reference-spectrum.json"
    if not os.path.exists(path):
        found = dict(largest=sorted(
            eigsh(operator, k=10, which="LA", tol=1e-8, ncv=40, v0=start)[0], reverse=True))
        if "smallest" in sys.argv:
            found["smallest"] = sorted(
                eigsh(operator, k=2, which="SA", tol=1e-8, ncv=200, v0=start)[0])
        with open(path, "w") as file:
            json.dump(found, file)
    if "density" in sys.argv and not os.path.exists(f"{folder}/reference-density.npz"):
        density(operator, f"{folder}/reference-density.npz")


if __name__ == "__main__":
    main()
