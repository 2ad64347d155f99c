"""Trajectories of every optimizer over 100 steps in float64, for Tests/TrainingTests/TrajectoryTests.swift.

    python3 Scripts/optimizer-trajectories.py > Tests/TrainingTests/Fixtures/trajectories.json

Needs torch, jax, optax and numpy. What PyTorch or optax has is run by them; the others are written out below
from their papers, with the same probes: the generator, the shuffling and the noise of the package are
written out too.
"""

import json
import math

import jax
import numpy as np
import optax
import torch

from seeded_generator import MASK, Generator

jax.config.update("jax_enable_x64", True)
# NAdam keeps the product of its momenta in the default type.
torch.set_default_dtype(torch.float64)
import jax.numpy as jnp  # noqa: E402

STEPS, SIZE, SEED, PROBE_SEED = 100, 5, 11, 7
KEPT = (1, 10, 40, 100)
SHAPES = [(3, 4), (4,), (4, 3), (3,)]


def probe_seed(step):
    return PROBE_SEED ^ ((step * 0x9FB21C651E98DF25) & MASK)


def batch(step, count):
    per_pass = -(-count // SIZE)
    index, at = divmod(step, per_pass)
    order = Generator(SEED ^ ((index * 0xD1B54A32D192ED03) & MASK)).shuffled(count)
    return order[at * SIZE : (at + 1) * SIZE]


# The problem: a network 3-4-3 of tanh, half squared errors.

random = np.random.default_rng(4)
X = random.normal(size=(12, 3))
Y = random.normal(size=(12, 3))
START = [0.7 * random.normal(size=shape) for shape in SHAPES]


def outputs(p, x):
    return jnp.tanh(x @ p[0] + p[1]) @ p[2] + p[3]


def loss(p, x, y):
    return 0.5 * jnp.mean(jnp.sum((outputs(p, x) - y) ** 2, axis=1))


value_and_gradient = jax.jit(jax.value_and_grad(loss))


@jax.jit
def product(p, u, x, y):
    return jax.jvp(lambda q: jax.grad(loss)(q, x, y), (p,), (u,))[1]


@jax.jit
def sampled_gradient(p, noise, x):
    targets = jax.lax.stop_gradient(outputs(p, x)) - noise
    return jax.grad(loss)(p, x, targets)


def split(flat):
    parts, at = [], 0
    for shape in SHAPES:
        n = math.prod(shape)
        parts.append(flat[at : at + n].reshape(shape))
        at += n
    return parts


def samples(step, batched):
    chosen = batch(step, len(X)) if batched else list(range(len(X)))
    return X[chosen], Y[chosen]


# Runs.


def by_torch(make, point=None):
    def run(batched, keep):
        p = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in START]
        optimizer = make(p)
        for step in range(STEPS):
            x, y = (torch.tensor(a) for a in samples(step, batched))
            optimizer.zero_grad()
            out = torch.tanh(x @ p[0] + p[1]) @ p[2] + p[3]
            (0.5 * ((out - y) ** 2).sum(1).mean()).backward()
            optimizer.step()
            now = point(p, optimizer) if point else p
            keep(step + 1, [a.detach().numpy() for a in now])

    return run


def by_optax(transform, point=None, takes_value=False):
    def run(batched, keep):
        p = [jnp.array(a) for a in START]
        state = transform.init(p)
        update = jax.jit(transform.update)
        for step in range(STEPS):
            x, y = samples(step, batched)
            value, g = value_and_gradient(p, x, y)
            extra = {"value": value} if takes_value else {}
            updates, state = update(g, state, p, **extra)
            p = optax.apply_updates(p, updates)
            keep(step + 1, point(p, state) if point else p)

    return run


def by_hand(rule):
    """`rule(p, g, t, memory, x, y)` moves the arrays `p` in place."""

    def run(batched, keep):
        p, memory = [a.copy() for a in START], {}
        for step in range(STEPS):
            x, y = samples(step, batched)
            _, g = value_and_gradient(p, x, y)
            rule(p, [np.array(a) for a in g], step + 1, memory, x, y)
            keep(step + 1, p)

    return run


def zeros(memory, name):
    return memory.setdefault(name, [np.zeros(shape) for shape in SHAPES])


def adam_without_correction(rate, b1=0.9, b2=0.999, eps=1e-8):
    def rule(p, g, t, memory, x, y):
        m, v = zeros(memory, "m"), zeros(memory, "v")
        for i in range(len(p)):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            v[i] = b2 * v[i] + (1 - b2) * g[i] ** 2
            p[i] -= rate / (np.sqrt(v[i]) + eps) * m[i]

    return by_hand(rule)


def hutchinson(p, t, x, y):
    u = split(Generator(probe_seed(t - 1)).signs(sum(a.size for a in p)))
    return [np.array(h) * s for h, s in zip(product(p, u, x, y), u)]


def bartlett(p, t, x):
    generator = Generator(probe_seed(t - 1))
    noise = np.array([[generator.normal() for _ in range(3)] for _ in range(len(x))])
    return [len(x) * np.array(g) ** 2 for g in sampled_gradient(p, noise, x)]


def sophia(rate, form, rho, b1=0.965, b2=0.99, eps=1e-12, every=10, decay=0.1):
    """Algorithm 3 of arXiv:2305.14342."""

    def rule(p, g, t, memory, x, y):
        m, h = zeros(memory, "m"), zeros(memory, "h")
        probe = None
        if (t - 1) % every == 0:
            probe = hutchinson(p, t, x, y) if form == "h" else bartlett(p, t, x)
        for i in range(len(p)):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            if probe is not None:
                h[i] = b2 * h[i] + (1 - b2) * probe[i]
            before = rate * decay * p[i]
            p[i] -= before + rate * np.clip(m[i] / np.maximum(rho * h[i], eps), -1, 1)

    return by_hand(rule)


def adahessian(rate, b1=0.9, b2=0.999, eps=1e-4, power=1.0, every=1):
    """Algorithm 1 of arXiv:2006.00719; means of curvature over the probes alone."""

    def rule(p, g, t, memory, x, y):
        m, v = zeros(memory, "m"), zeros(memory, "v")
        probe = hutchinson(p, t, x, y) if (t - 1) % every == 0 else None
        probes = (t - 1) // every + 1
        for i in range(len(p)):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            if probe is not None:
                v[i] = b2 * v[i] + (1 - b2) * probe[i] ** 2
            root = np.sqrt(v[i] / (1 - b2**probes)) ** power
            p[i] -= rate * (m[i] / (1 - b1**t)) / (root + eps)

    return by_hand(rule)


def soap(rate, b1=0.95, b2=0.95, eps=1e-8, shampoo=0.95, every=10, largest=10_000, decay=0.01):
    """Algorithm 3 of arXiv:2409.11321 with all eigenvectors; the first step gathers alone."""

    def turn(a, bases, back=False):
        for axis, q in bases:
            a = np.moveaxis(np.tensordot(a, q, ([axis], [1 if back else 0])), -1, axis)
        return a

    def rule(p, g, t, memory, x, y):
        m, v = zeros(memory, "m"), zeros(memory, "v")
        if "L" not in memory:
            axes = [
                [k for k in range(len(s)) if s[k] <= largest] if len(s) > 1 else []
                for s in SHAPES
            ]
            memory["L"] = [{k: np.zeros((s[k], s[k])) for k in a} for s, a in zip(SHAPES, axes)]
            memory["Q"] = [{k: np.eye(s[k]) for k in a} for s, a in zip(SHAPES, axes)]
        for i in range(len(p)):
            bases = list(memory["Q"][i].items())
            if t > 1:
                m[i] = b1 * m[i] + (1 - b1) * g[i]
                v[i] = b2 * v[i] + (1 - b2) * turn(g[i], bases) ** 2
                move = turn(turn(m[i], bases) / (np.sqrt(v[i]) + eps), bases, back=True)
                length = rate * math.sqrt(1 - b2 ** (t - 1)) / (1 - b1 ** (t - 1))
                p[i] -= rate * decay * p[i] + length * move
            for k, matrix in memory["L"][i].items():
                others = [a for a in range(g[i].ndim) if a != k]
                outer = np.tensordot(g[i], g[i], (others, others))
                memory["L"][i][k] = shampoo * matrix + (1 - shampoo) * outer
            if (t - 1) % every == 0:
                for k, matrix in memory["L"][i].items():
                    q = memory["Q"][i][k]
                    order = np.argsort(-np.einsum("ij,ij->j", q, matrix @ q), kind="stable")
                    v[i] = np.take(v[i], order, axis=k)
                    memory["Q"][i][k] = np.linalg.eigh(matrix)[1][:, ::-1]

    return by_hand(rule)


def prodigy_without_correction(rate, b1=0.9, b2=0.999, eps=1e-8, d0=1e-6, growth=1.0, decay=0.0):
    """The authors' program, without `growth_rate`."""
    b3 = math.sqrt(b2)

    def rule(p, g, t, memory, x, y):
        m, v, s = (zeros(memory, name) for name in "mvs")
        d, r = memory.get("d", d0), memory.get("r", 0.0)
        start = memory.setdefault("start", [a.copy() for a in p])
        length = d * rate
        r = b3 * r + d / d0 * length * sum(np.vdot(a, b - c) for a, b, c in zip(g, start, p))
        for i in range(len(p)):
            m[i] = b1 * m[i] + (1 - b1) * d * g[i]
            v[i] = b2 * v[i] + (1 - b2) * (d * g[i]) ** 2
            s[i] = b3 * s[i] + d / d0 * length * g[i]
        memory["d"] = max(d, growth * r / sum(np.abs(a).sum() for a in s))
        memory["r"] = r
        for i in range(len(p)):
            before = decay * length * p[i]
            p[i] -= before + length * m[i] / (np.sqrt(v[i]) + memory["d"] * eps)

    return by_hand(rule)


def muon(rate, adam_rate, decay=0.0, b1=0.9, b2=0.999, **options):
    """optax's Muon for the matrices and its AdamW for the rest: its Muon gives Nesterov's form to that too."""
    return by_optax(
        optax.partition(
            {
                2: optax.contrib.muon(rate, weight_decay=decay, **options),
                1: optax.adamw(
                    adam_rate, b1=b1, b2=b2, eps=options.get("eps", 1e-8), weight_decay=decay
                ),
            },
            lambda p: [a.ndim for a in p],
        )
    )


def polyak(rate, **options):
    """The rate outside: `polyak_sgd` takes the norm of the gradient times its `scaling`."""
    return by_optax(
        optax.chain(optax.polyak_sgd(**options), optax.scale(rate)), takes_value=True
    )


def schedule_free(rate, **options):
    return by_optax(
        optax.contrib.schedule_free_adamw(rate, **options),
        lambda p, state: optax.contrib.schedule_free_eval_params(state, p),
    )


def nesterov(rate, beta):
    def ahead(p, optimizer):
        return [a + rate * beta * optimizer.state[a]["momentum_buffer"] for a in p]

    return by_torch(
        lambda p: torch.optim.SGD(p, rate, momentum=beta, nesterov=True), ahead
    )


T = torch.optim
C = optax.contrib
# name, values of hyperparameters that are not the defaults, rate, who ran it, the run
RUNS = [
    ("gd", {}, 0.1, "torch", by_torch(lambda p: T.SGD(p, 0.1))),
    ("momentum", {}, 0.05, "torch", by_torch(lambda p: T.SGD(p, 0.05, momentum=0.9))),
    ("momentum", {"momentum": 0.5}, 0.1, "torch", by_torch(lambda p: T.SGD(p, 0.1, momentum=0.5))),
    ("nesterov", {}, 0.05, "torch", nesterov(0.05, 0.9)),
    ("nesterov", {"momentum": 0.5}, 0.1, "torch", nesterov(0.1, 0.5)),
    ("adam", {}, 0.02, "torch", by_torch(lambda p: T.Adam(p, 0.02))),
    ("adam", {"beta1": 0.6, "beta2": 0.95, "epsilon": 1e-3}, 0.02, "torch",
     by_torch(lambda p: T.Adam(p, 0.02, betas=(0.6, 0.95), eps=1e-3))),
    ("adam", {"bias-correction": 0}, 0.01, "numpy", adam_without_correction(0.01)),
    ("adamw", {}, 0.02, "torch", by_torch(lambda p: T.AdamW(p, 0.02))),
    ("adamw", {"beta1": 0.7, "beta2": 0.9, "epsilon": 1e-4, "weight-decay": 0.3}, 0.02, "torch",
     by_torch(lambda p: T.AdamW(p, 0.02, betas=(0.7, 0.9), eps=1e-4, weight_decay=0.3))),
    ("amsgrad", {}, 0.02, "torch", by_torch(lambda p: T.Adam(p, 0.02, amsgrad=True))),
    ("amsgrad", {"beta1": 0.7, "beta2": 0.9, "epsilon": 1e-3}, 0.02, "torch",
     by_torch(lambda p: T.Adam(p, 0.02, betas=(0.7, 0.9), eps=1e-3, amsgrad=True))),
    ("nadam", {}, 0.02, "torch", by_torch(lambda p: T.NAdam(p, 0.02))),
    ("nadam", {"beta1": 0.7, "beta2": 0.9, "epsilon": 1e-3, "momentum-decay": 0.02}, 0.005, "torch",
     by_torch(lambda p: T.NAdam(p, 0.005, betas=(0.7, 0.9), eps=1e-3, momentum_decay=0.02))),
    ("radam", {}, 0.02, "torch", by_torch(lambda p: T.RAdam(p, 0.02))),
    ("radam", {"beta1": 0.7, "beta2": 0.95, "epsilon": 1e-3}, 0.02, "torch",
     by_torch(lambda p: T.RAdam(p, 0.02, betas=(0.7, 0.95), eps=1e-3))),
    ("adagrad", {}, 0.1, "torch", by_torch(lambda p: T.Adagrad(p, 0.1))),
    ("adagrad", {"epsilon": 1e-3, "rate-decay": 0.01, "initial-sum": 0.1}, 0.1, "torch",
     by_torch(lambda p: T.Adagrad(p, 0.1, eps=1e-3, lr_decay=0.01, initial_accumulator_value=0.1))),
    ("rmsprop", {}, 0.005, "torch", by_torch(lambda p: T.RMSprop(p, 0.005))),
    ("rmsprop", {"alpha": 0.9, "epsilon": 1e-3, "momentum": 0.8}, 0.002, "torch",
     by_torch(lambda p: T.RMSprop(p, 0.002, alpha=0.9, eps=1e-3, momentum=0.8))),
    ("rmsprop", {"centered": 1, "epsilon": 1e-2}, 0.002, "torch",
     by_torch(lambda p: T.RMSprop(p, 0.002, centered=True, eps=1e-2))),
    ("lion", {}, 0.01, "optax", by_optax(optax.lion(0.01))),
    ("lion", {"beta1": 0.8, "beta2": 0.95, "weight-decay": 0.1}, 0.01, "optax",
     by_optax(optax.lion(0.01, b1=0.8, b2=0.95, weight_decay=0.1))),
    ("prodigy", {}, 1, "optax", by_optax(C.prodigy(1.0))),
    ("prodigy", {"beta1": 0.8, "beta2": 0.99, "epsilon": 1e-4, "d0": 1e-4, "d-coefficient": 0.5,
                 "safeguard-warmup": 1}, 0.5, "optax",
     by_optax(C.prodigy(0.5, betas=(0.8, 0.99), eps=1e-4, estim_lr0=1e-4, estim_lr_coef=0.5,
                        safeguard_warmup=True))),
    ("prodigy", {"bias-correction": 0, "d0": 1e-3}, 1, "numpy",
     prodigy_without_correction(1.0, d0=1e-3)),
    ("schedule-free-adamw", {}, 0.03, "optax", schedule_free(0.03)),
    ("schedule-free-adamw", {"beta1": 0.7, "beta2": 0.95, "epsilon": 1e-3, "rate-power": 1}, 0.01,
     "optax", schedule_free(0.01, b1=0.7, b2=0.95, eps=1e-3, weight_lr_power=1.0)),
    ("sophia-h", {}, 0.005, "numpy", sophia(0.005, "h", 0.01)),
    ("sophia-h", {"beta1": 0.8, "beta2": 0.9, "rho": 2, "epsilon": 1e-6, "every": 3,
                  "weight-decay": 0.01}, 0.1, "numpy",
     sophia(0.1, "h", 2, b1=0.8, b2=0.9, eps=1e-6, every=3, decay=0.01)),
    ("sophia-g", {}, 0.02, "numpy", sophia(0.02, "g", 0.04)),
    ("sophia-g", {"beta1": 0.8, "beta2": 0.9, "rho": 2, "epsilon": 1e-6, "every": 3,
                  "weight-decay": 0.01}, 0.1, "numpy",
     sophia(0.1, "g", 2, b1=0.8, b2=0.9, eps=1e-6, every=3, decay=0.01)),
    ("adahessian", {}, 0.05, "numpy", adahessian(0.05)),
    ("adahessian", {"beta1": 0.8, "beta2": 0.9, "epsilon": 1e-2, "power": 0.5, "every": 4}, 0.05,
     "numpy", adahessian(0.05, b1=0.8, b2=0.9, eps=1e-2, power=0.5, every=4)),
    ("muon", {}, 0.02, "optax", muon(0.02, 0.02)),
    ("muon", {"momentum": 0.8, "nesterov": 0, "iterations": 3, "consistent-rms": 0.2,
              "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-4, "adam-rate": 0.5,
              "weight-decay": 0.05}, 0.02, "optax",
     muon(0.02, 0.01, 0.05, 0.8, 0.95, beta=0.8, nesterov=False, ns_steps=3, consistent_rms=0.2,
          eps=1e-4)),
    ("soap", {}, 0.02, "numpy", soap(0.02)),
    ("soap", {"epsilon": 1e-5}, 0.02, "numpy", soap(0.02, eps=1e-5)),
    ("soap", {"beta1": 0.8, "beta2": 0.9, "epsilon": 1e-4, "shampoo-beta": 0.8, "every": 4,
              "largest-axis": 3, "weight-decay": 0.1}, 0.02, "numpy",
     soap(0.02, 0.8, 0.9, 1e-4, 0.8, 4, 3, 0.1)),
    ("polyak", {}, 0.3, "optax", polyak(0.3)),
    ("polyak", {"minimum": 0.3, "largest": 0.2}, 0.5, "optax",
     polyak(0.5, max_learning_rate=0.2, f_min=0.3)),
]


def flat(arrays):
    return np.concatenate([np.asarray(a).ravel() for a in arrays]).tolist()


def main():
    runs = []
    for name, values, rate, source, run in RUNS:
        for batched in (False, True):
            # After the first step, which moves nothing, all samples have the very gradient that the basis was
            # made of: what is zero off its diagonal is rounding, divided by epsilon.
            if name == "soap" and not values and not batched:
                continue
            kept = []
            run(batched, lambda step, p: kept.append(flat(p)) if step in KEPT else None)
            assert all(map(math.isfinite, kept[-1])), name
            runs.append({
                "optimizer": name, "hyperparameters": values, "rate": rate, "source": source,
                "batched": batched, "parameters": kept,
            })
    print(json.dumps({
        "x": X.ravel().tolist(), "y": Y.ravel().tolist(), "start": flat(START),
        "batchSize": SIZE, "seed": SEED, "probeSeed": PROBE_SEED, "steps": list(KEPT),
        "order": [batch(step, len(X)) for step in range(STEPS)], "runs": runs,
    }))


main()
