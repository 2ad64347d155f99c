#!/usr/bin/env python3
"""Writes Tests/TrainingTests/Fixtures/schedules.json: learning rates step by step, from PyTorch's and optax'
schedulers where they have one, else from a transcription of the paper in NumPy.

Needs torch, optax, jax and numpy; the tests need none of them.
"""

import json
import math
import os

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp
import numpy as np
import optax
import torch
from optax import contrib

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.path.join(HERE, "..", "Tests", "TrainingTests", "Fixtures", "schedules.json")
CASES = []


def add(source, name, rate, rates, total=None, warm_up=None, losses=None, **hyperparameters):
    case = {
        "source": source,
        "schedule": dict(name=name, **{k.replace("_", "-"): v for k, v in hyperparameters.items()}),
        "rate": rate,
        "steps": total or len(rates),
        "rates": [float(r) for r in rates],
    }
    if warm_up is not None:
        case["warmUp"] = warm_up
    if losses is not None:
        case["losses"] = losses
    CASES.append(case)


def torch_rates(make, rate, steps, losses=None, **options):
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=rate, **options)
    scheduler = make(optimizer)
    rates = []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if losses is None:
            scheduler.step()
        else:
            scheduler.step(losses[step])
    return rates


def optax_rates(schedule, steps):
    return [float(schedule(jnp.asarray(step))) for step in range(steps)]


S = torch.optim.lr_scheduler
N = 130


def pytorch():
    add("torch ConstantLR(factor=1)", "constant", 0.3,
        torch_rates(lambda o: S.ConstantLR(o, factor=1.0), 0.3, N))
    add("torch StepLR", "step", 0.3,
        torch_rates(lambda o: S.StepLR(o, step_size=17, gamma=0.4), 0.3, N), every=17, factor=0.4)
    add("torch ExponentialLR", "exponential", 0.3,
        torch_rates(lambda o: S.ExponentialLR(o, gamma=0.97), 0.3, N), factor=0.97**50, length=50)
    add("torch PolynomialLR", "polynomial", 0.3,
        torch_rates(lambda o: S.PolynomialLR(o, total_iters=100, power=1.7), 0.3, N),
        power=1.7, length=100, end=0)
    add("torch LinearLR", "polynomial", 0.3,
        torch_rates(lambda o: S.LinearLR(o, 1.0, 0.2, total_iters=90), 0.3, N),
        power=1, length=90, end=0.2)
    add("torch CosineAnnealingLR", "cosine", 0.3,
        torch_rates(lambda o: S.CosineAnnealingLR(o, T_max=N, eta_min=0.03), 0.3, N), end=0.1)
    for growth in (1, 2, 3):
        add("torch CosineAnnealingWarmRestarts", "sgdr", 0.3,
            torch_rates(lambda o: S.CosineAnnealingWarmRestarts(o, 9, growth, eta_min=0.006), 0.3, N),
            length=9, growth=growth, end=0.02)
    for mode, name in (("triangular", "triangular"), ("triangular2", "triangular2"),
                       ("exp_range", "exp-range")):
        more = {"fade": 0.99**N} if mode == "exp_range" else {}
        add(f"torch CyclicLR {mode}", name, 0.6,
            torch_rates(lambda o: S.CyclicLR(o, 0.1, 0.6, step_size_up=13, mode=mode, gamma=0.99,
                                             cycle_momentum=False), 0.6, N),
            low=0.1 / 0.6, half=13, **more)
    add("torch OneCycleLR, its defaults", "one-cycle", 0.3,
        torch_rates(lambda o: S.OneCycleLR(o, max_lr=0.3, total_steps=N, cycle_momentum=False), 0.3, N))
    add("torch OneCycleLR", "one-cycle", 0.3,
        torch_rates(lambda o: S.OneCycleLR(o, max_lr=0.3, total_steps=N, pct_start=0.2, div_factor=10,
                                           final_div_factor=50, cycle_momentum=False), 0.3, N),
        rise=0.2, start=0.1, end=1 / 500)
    losses = plateau_losses()
    add("torch ReduceLROnPlateau, its defaults", "reduce-on-plateau", 0.3,
        torch_rates(lambda o: S.ReduceLROnPlateau(o, eps=0), 0.3, N, losses), losses=losses)
    add("torch ReduceLROnPlateau", "reduce-on-plateau", 0.3,
        torch_rates(lambda o: S.ReduceLROnPlateau(o, factor=0.5, patience=3, threshold=0.01, cooldown=2,
                                                  min_lr=0.003, eps=0), 0.3, N, losses),
        factor=0.5, patience=3, threshold=0.01, cooldown=2, minimum=0.01, losses=losses)
    add("torch SequentialLR(LinearLR, CosineAnnealingLR)", "cosine", 0.3,
        torch_rates(lambda o: S.SequentialLR(
            o, [S.LinearLR(o, 1 / 16, 1.0, total_iters=15), S.CosineAnnealingLR(o, T_max=N - 15)],
            milestones=[15]), 0.3, N), warm_up=15)


def plateau_losses():
    generator = np.random.default_rng(7)
    falling = 1 / (1 + 0.1 * np.minimum(np.arange(N), 40))
    return [float(v) for v in falling + 0.03 * generator.standard_normal(N) * (np.arange(N) % 5 == 0)]


def with_optax():
    add("optax constant_schedule", "constant", 0.3, optax_rates(optax.constant_schedule(0.3), N))
    add("optax exponential_decay(staircase)", "step", 0.3,
        optax_rates(optax.exponential_decay(0.3, 17, 0.4, staircase=True), N), every=17, factor=0.4)
    add("optax exponential_decay", "exponential", 0.3,
        optax_rates(optax.exponential_decay(0.3, N, 0.01), N))
    add("optax polynomial_schedule", "polynomial", 0.3,
        optax_rates(optax.polynomial_schedule(0.3, 0.06, 2.5, 80), N), power=2.5, length=80, end=0.2)
    add("optax linear_schedule", "polynomial", 0.3, optax_rates(optax.linear_schedule(0.3, 0.0, N), N))
    add("optax cosine_decay_schedule", "cosine", 0.3,
        optax_rates(optax.cosine_decay_schedule(0.3, 80, alpha=0.05), N), length=80, end=0.05)
    add("optax join_schedules(linear_schedule, cosine_decay_schedule)", "cosine", 0.3,
        optax_rates(optax.join_schedules(
            [optax.linear_schedule(0.3 / 21, 0.3, 20), optax.cosine_decay_schedule(0.3, N - 20)], [20]), N),
        warm_up=20)
    add("optax sgdr_schedule without warm-up", "sgdr", 0.3,
        optax_rates(optax.join_schedules(
            [optax.cosine_decay_schedule(0.3, 10 * 2**k, alpha=0.1) for k in range(4)], [10, 30, 70]), N),
        length=10, growth=2, end=0.1)
    losses = plateau_losses()
    plateau = contrib.reduce_on_plateau(factor=0.5, patience=4, rtol=0.01, cooldown=3, min_scale=0.02)
    state = plateau.init({"x": jnp.zeros(1)})
    rates = []
    for loss in losses:
        rates.append(0.3 * float(state.scale))
        _, state = plateau.update({"x": jnp.ones(1)}, state, value=loss)
    add("optax reduce_on_plateau", "reduce-on-plateau", 0.3, rates, losses=losses,
        factor=0.5, patience=3, threshold=0.01, cooldown=3, minimum=0.02)


def with_numpy():
    t = np.arange(N)
    add("1 / (1 + decay t / length)", "inverse-time", 0.3, 0.3 / (1 + 4 * t / 50), decay=4, length=50)
    # Hu et al., arXiv:2404.06395: rise, hold, fall; Hägele et al., arXiv:2405.18392: 1 - sqrt over a fifth.
    rise, fall = 0.05 * N, N - 0.2 * N
    stable = np.where(
        t < rise, (t + 1) / (rise + 1),
        np.where(t > fall, 1 - np.sqrt(np.maximum(t - fall, 0) / (N - fall)), 1.0))
    add("warm-up, stable, 1 - sqrt", "warmup-stable-decay", 0.3, 0.3 * stable)
    line = np.where(t < 10, (t + 1) / 11, np.where(t > 90, 1 - 0.9 * (t - 90) / 40, 1.0))
    add("warm-up, stable, line", "warmup-stable-decay", 0.3, 0.3 * line, warm_up=None,
        **{"warm-up": 10}, decay=40, end=0.1, power=1)


def runs():
    """Rates of rules that measure, along runs on sum(lambda x^2 / 2 + kappa x^4 / 4)."""
    values = np.array([4.0, 1.5, 0.6, 0.2])
    kappa = 0.1
    start = np.array([1.0, -0.8, 0.6, 1.2])
    gradient = lambda x: values * x + kappa * x**3
    hessian = lambda x: values + 3 * kappa * x**2
    loss = lambda x: float(np.sum(values * x**2 / 2 + kappa * x**4 / 4))

    def aware(sigma, kept, every, beta):
        # Roulet et al., arXiv:2407.06183, section 4, with heavy-ball momentum's update for beta > 0.
        x, v, n, d, rates, rate = start.copy(), np.zeros(4), 0.0, 0.0, [], 0.1
        for step in range(120):
            g = gradient(x)
            u = -(beta * v + g)
            if step % every == 0:
                n = kept * n + (1 - kept) * max(-g @ u, 0)
                d = kept * d + (1 - kept) * abs(u @ (hessian(x) * u))
                rate = sigma * n / d
            rates.append(rate)
            v = beta * v + g
            x = x - rate * v
        return rates

    def critical(share, every):
        # The first rate at which the loss is that of before the step, by bisection; while the loss has digits.
        x, rates, rate = start.copy(), [], 0.1
        for step in range(25):
            g = gradient(x)
            if step % every == 0:
                low, high = 0.0, 1e-3
                while loss(x - high * g) <= loss(x):
                    low, high = high, high * 1.05
                for _ in range(200):
                    middle = (low + high) / 2
                    low, high = (middle, high) if loss(x - middle * g) <= loss(x) else (low, middle)
                rate = share * low
            rates.append(rate)
            x = x - rate * g
        return rates

    def following(share, every):
        x, rates, rate = start.copy(), [], 0.1
        for step in range(120):
            if step % every == 0:
                rate = share * 2 / hessian(x).max()
            rates.append(rate)
            x = x - rate * gradient(x)
        return rates

    quartic = {"curvatures": list(values), "quartic": kappa, "start": list(start)}
    return quartic, [
        dict(schedule=dict(name="curvature-dynamics-aware", sigma=1.2, memory=0.9, every=1),
             rates=aware(1.2, 0.9, 1, 0.0)),
        dict(schedule=dict(name="curvature-dynamics-aware", sigma=0.5, memory=0.8, every=5), momentum=0.5,
             rates=aware(0.5, 0.8, 5, 0.5)),
        dict(schedule=dict(name="critical-sharpness", share=0.6, every=1), rates=critical(0.6, 1)),
        dict(schedule=dict(name="sharpness-following", share=0.8, every=4), rates=following(0.8, 4)),
    ]


pytorch()
with_optax()
with_numpy()
problem, measured = runs()
with open(TARGET, "w") as file:
    json.dump({"cases": CASES, "problem": problem, "measured": measured}, file, indent=0)
    file.write("\n")
print(len(CASES), "cases,", len(measured), "runs")
