#!/usr/bin/env python3
"""The rate of float32 matrix products by numpy's OpenBLAS. See protocol.py.

    sgemm_numpy.py FOLDER/MODEL THREADS
"""

import os
import sys

os.environ["OPENBLAS_NUM_THREADS"] = sys.argv[2]

import numpy as np

import protocol


def main():
    model = protocol.load(sys.argv[1])
    random = np.random.RandomState(0)

    def matrix(*shape):
        return random.randn(*shape).astype(np.float32)

    left = matrix(2048, 2048)
    rows, columns = matrix(model.batch, model.layers[0]), matrix(model.layers[0], model.layers[1])
    protocol.serve(
        "numpy",
        np.__version__,
        {"sgemm": lambda: left @ left, "sgemm-layer": lambda: rows @ columns},
    )


if __name__ == "__main__":
    main()
