#!/usr/bin/env python3
"""`eigenstep.torch` beside PyHessian, hessian-eigenthings and curvlinops, on the same PyTorch model.

All run in this process on one thread and take turns; times are processor time. The library is looked for where
EIGENSTEP_LIBRARY says. Values are compared with ARPACK on products in float64, densities with all eigenvalues of
a network that is small enough.

    door.py [--rounds R] [--large] [--no-density] [--json PATH] [--strict]
"""

import argparse
import copy
import pathlib
import statistics
import sys
import time
import warnings

import numpy as np
import torch
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "peers"), str(HERE.parent / "python" / "src")]
warnings.filterwarnings("ignore")

from curvlinops import HessianLinearOperator  # noqa: E402
from curvlinops.papyan2020traces.spectrum import fast_lanczos  # noqa: E402
from hessian_eigenthings import (  # noqa: E402
    HessianOperator, lanczos, spectral_density, supervised_loss)
from scipy.sparse.linalg import LinearOperator, eigsh  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402

import pyhessian  # noqa: E402
from driver import DATA, claim, save  # noqa: E402
from measures import together, wasserstein  # noqa: E402
from torch_network import HessianProducts  # noqa: E402

import eigenstep  # noqa: E402
import eigenstep.torch  # noqa: E402
from eigenstep._torch_loss import TorchLoss  # noqa: E402

LOSS = nn.CrossEntropyLoss()
# Of PyHessian's products and processor time, as it comes and with the accuracy that ours certifies, at most.
ASKED = {"largest": 0.5, "five largest": 0.2}
PEERS = ("PyHessian", "PyHessian to 1e-3")
CERTIFIED = 1e-3
DENSITY, OUTSIDE = 0.5, 0.10
DENSITY_ERRORS = [0.02, 0.005]


class Counter:
    """Products of each peer, whichever way it takes them."""

    def __init__(self):
        self.count = 0

    def counting(self, function):
        def counted(*arguments, **options):
            self.count += 1
            return function(*arguments, **options)

        return counted


counter = Counter()
implementation = sys.modules["pyhessian.hessian"]  # The class hides the module's name.
implementation.hessian_vector_product = counter.counting(implementation.hessian_vector_product)
HessianOperator.matvec = counter.counting(HessianOperator.matvec)


class CountedLinearOperator(HessianLinearOperator):
    def _matmat(self, columns):
        counter.count += columns[0].shape[-1]
        return super()._matmat(columns)


def network(widths, steps=300):
    """A trained network on scikit-learn's digits."""
    data = load_digits()
    inputs = torch.from_numpy(data.data / 16).float()
    labels = torch.from_numpy(data.target).long()
    if widths[0] == 784:
        inputs = nn.functional.interpolate(inputs.view(-1, 1, 8, 8), (28, 28)).flatten(1)[:500]
        labels = labels[:500]
    torch.manual_seed(0)
    parts = []
    for first, last in zip(widths, widths[1:]):
        parts += [nn.Linear(first, last), nn.Tanh()]
    module = nn.Sequential(*parts[:-1])
    descent = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(steps):
        descent.zero_grad()
        LOSS(module(inputs), labels).backward()
        descent.step()
    return module, inputs, labels


def exact(module, inputs, labels, count):
    products = HessianProducts(copy.deepcopy(module).double(), inputs.double(), labels)
    map = LinearOperator((products.dimension,) * 2, matvec=products, dtype=np.float64)
    return np.sort(eigsh(map, k=count, which="LA", tol=1e-9, return_eigenvectors=False))[::-1]


def askers(module, inputs, labels, true):
    """Who answers `largest` and `five largest`: values, and a bound where there is one."""

    def ours(count, seed):
        # The residual that is asked for, relative to the largest eigenvalue, is also what a peer's tolerance is
        # about; with it come a bound that no eigenvalue is above, and vectors.
        found = eigenstep.torch.eigenpairs(
            module, LOSS, (inputs, labels), count=count, tolerance=1e-3 if count == 1 else 3e-4, seed=seed)
        assert found.is_converged.all()
        counter.count += found.certificate.products
        return found.values

    def power(count, seed, tolerance=1e-3):
        torch.manual_seed(seed)
        module.zero_grad()
        operator = pyhessian.hessian(module, LOSS, data=(inputs, labels), cuda=False)
        return operator.eigenvalues(maxIter=2000, tol=tolerance, top_n=count)[0]

    def close(count, seed):
        return power(count, seed, close_tolerance)

    # The loosest with which its largest comes as close as ours certifies.
    for close_tolerance in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7):
        if abs(power(1, 7, close_tolerance)[0] / true[0] - 1) < CERTIFIED:
            break

    def arpack(count, seed):
        map = CountedLinearOperator(
            module, LOSS, list(module.parameters()), [(inputs, labels)], check_deterministic=False,
        ).to_scipy()
        start = np.random.RandomState(seed).randn(map.shape[0]).astype(np.float32)
        return eigsh(map, k=count, which="LA", tol=1e-3, v0=start, return_eigenvectors=False)[::-1]

    def eigenthings(count, seed):
        steps = 10 * count
        while True:
            operator = HessianOperator(
                module, [(inputs, labels)], supervised_loss(nn.functional.cross_entropy))
            found = lanczos(operator, k=count, max_iter=steps, tol=1e-3, which="LA", seed=seed)
            if bool(found.converged.all()) or steps > 600:
                return found.eigenvalues.numpy()
            steps *= 2

    return {
        "Eigenstep": ours, "PyHessian": power, "PyHessian to 1e-3": close, "curvlinops": arpack,
        "eigenthings": eigenthings,
    }


def race(asked, true, rounds):
    """Rows per asker and question: processor seconds, products, and the worst relative error."""
    rows = {}
    for name, ask in asked.items():
        ask(1, 99)
    for seed in range(rounds):
        for question, count in (("largest", 1), ("five largest", 5)):
            for name, ask in asked.items():
                counter.count = 0
                began = time.process_time()
                values = np.asarray(ask(count, seed), dtype=float)[:count]
                seconds = time.process_time() - began
                rows.setdefault((question, name), []).append(dict(
                    seconds=seconds, products=counter.count,
                    error=float(np.max(np.abs(values - true[:count]) / np.abs(true[:count])))))
    return rows


def middle(row, what):
    return statistics.median(answer[what] for answer in row)


def shown(rows):
    """The table, and our parts of PyHessian's."""
    print(f"  {'':<34}{'cpu ms':>10}{'products':>10}{'worst error':>14}")
    for (question, name), row in rows.items():
        print(
            f"  {question + ', ' + name:<34}{1e3 * middle(row, 'seconds'):>10.1f}"
            f"{middle(row, 'products'):>10.0f}{max(a['error'] for a in row):>14.1e}")
    return {
        (question, peer, what):
            middle(rows[question, "Eigenstep"], what) / middle(rows[question, peer], what)
        for question in ASKED for peer in PEERS for what in ("products", "seconds")
    }


def densities(rounds):
    """Our products over the fewest of each peer at the error that ours reached."""
    module, inputs, labels = network([64, 16, 10])
    products = HessianProducts(copy.deepcopy(module).double(), inputs.double(), labels)
    values = np.linalg.eigvalsh(np.stack([products(row) for row in np.eye(products.dimension)]))
    everything, span = (values, np.ones(len(values))), values[-1] - values[0]

    def slq(steps, probes, seed):
        torch.manual_seed(seed)
        operator = CountedLinearOperator(
            module, LOSS, list(module.parameters()), [(inputs, labels)], check_deterministic=False)
        runs = [fast_lanczos(operator, steps) for _ in range(probes)]
        return together([v for v, _ in runs], [x[0] ** 2 for _, x in runs])

    def quadrature(steps, probes, seed):
        operator = HessianOperator(
            module, [(inputs, labels)], supervised_loss(nn.functional.cross_entropy))
        found = spectral_density(operator, num_runs=probes, lanczos_steps=steps, seed=10_000 * seed)
        return together(found.raw_eigenvalues.tolist(), found.raw_weights.tolist())

    loss = TorchLoss(module, LOSS, [(inputs, labels)])
    point = loss.start().astype(np.float32)

    def product(v):
        result = np.empty_like(v)
        loss.hessian_product(0, point, v, result)
        return result

    tried = {}
    for name, peer in (("curvlinops", slq), ("hessian-eigenthings", quadrature)):
        for steps in (3, 5, 10, 20, 40):
            for probes in (1, 2, 4, 8, 16):
                errors = [
                    wasserstein(peer(steps, probes, seed), everything) / span for seed in range(rounds)]
                tried.setdefault(name, []).append((steps * probes, statistics.median(errors)))
    ratios = {}
    for asked in DENSITY_ERRORS:
        found = [
            eigenstep.density(product, products.dimension, error=asked, dtype=np.float32, seed=seed)
            for seed in range(rounds)]
        ours = [wasserstein((d.nodes, d.weights), everything) / span for d in found]
        error = statistics.median(ours)
        spent = statistics.median(d.certificate.products for d in found)
        for name, rows in tried.items():
            fewest = min((count for count, reached in rows if reached <= error), default=None)
            ratios[asked, name] = None if fewest is None else spent / fewest
            print(
                f"  density, {asked:g} asked: {error:.1e} reached with {spent:.0f} products; {name} needs "
                + (f"{fewest}" if fewest else f"more than {max(count for count, _ in rows)}"))
    return ratios


def outside(module, inputs, labels):
    """The part of `eigenpairs` that is not spent in the product."""
    loss = TorchLoss(module, LOSS, [(inputs, labels)])
    point = loss.start().astype(np.float32)
    inside = 0.0

    def product(v):
        nonlocal inside
        began = time.process_time()
        result = np.empty_like(v)
        loss.hessian_product(1, point, v, result)
        inside += time.process_time() - began
        return result

    began = time.process_time()
    eigenstep.eigenpairs(product, point.size, dtype=np.float32, count=1, tolerance=1e-3)
    return 1 - inside / (time.process_time() - began)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="a million parameters instead, on 500 samples")
    parser.add_argument("--no-density", action="store_true")
    parser.add_argument("--json", type=pathlib.Path, default=DATA / "door.json")
    parser.add_argument("--strict", action="store_true", help="exit status 1 if a claim fails")
    options, _ = parser.parse_known_args()
    torch.set_num_threads(1)
    results, held = {}, []
    for widths in [[784, 1024, 256, 10]] if options.large else [[64, 128, 128, 10]]:
        module, inputs, labels = network(widths, 300 if widths[0] == 64 else 30)
        size = sum(p.numel() for p in module.parameters())
        print(f"\n{'-'.join(map(str, widths))}: {size:,} parameters, {len(labels)} samples")
        true = exact(module, inputs, labels, 6)
        rows = race(askers(module, inputs, labels, true), true, options.rounds)
        ratios = shown(rows)
        for question, limit in ASKED.items():
            for peer in PEERS:
                for what in ("products", "seconds"):
                    held.append(claim(
                        f"{question}: {what}, of {peer}'s", ratios[question, peer, what], limit, width=50))
        part = outside(module, inputs, labels)
        if options.large:
            print(f"  outside of the product, with {len(labels)} samples: {part:.2f}")
            part = outside(module, inputs.repeat(4, 1), labels.repeat(4))
            held.append(claim(f"outside of the product, with {4 * len(labels)}", part, OUTSIDE, width=50))
        results[str(size)] = {f"{q}, {n}": row for (q, n), row in rows.items()} | {"outside": part}
    if not options.no_density:
        print()
        for (asked, name), ratio in densities(options.rounds).items():
            results[f"density {asked:g}, {name}"] = ratio
            if ratio is not None:
                held.append(claim(f"density {asked:g}: products, of {name}'s", ratio, DENSITY, width=50))
    save(options.json, results)
    return 1 if options.strict and not all(held) else 0


if __name__ == "__main__":
    sys.exit(main())
