"""Discrete measures on the line, and their distance."""

import numpy as np


def wasserstein(left, right):
    """`W1 = integral |F - G|` of two pairs (nodes, weights), each scaled to mass 1."""
    nodes = np.concatenate([left[0], right[0]])
    order = np.argsort(nodes)
    changes = np.concatenate([left[1] / np.sum(left[1]), -right[1] / np.sum(right[1])])[order]
    return float(np.sum(np.abs(np.cumsum(changes)[:-1]) * np.diff(nodes[order])))


def together(nodes, weights):
    """The mean of one measure per probe, each of mass 1; nodes that are not numbers pad."""
    parts = []
    for at, mass in zip(nodes, weights):
        at, mass = np.asarray(at, dtype=float), np.asarray(mass, dtype=float)
        kept = np.isfinite(at)
        parts.append((at[kept], mass[kept] / np.sum(mass[kept])))
    return np.concatenate([at for at, _ in parts]), np.concatenate([mass for _, mass in parts])
