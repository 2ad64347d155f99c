#!/usr/bin/env python3
"""What users of PyTorch report: Adam for thousands of steps, then `torch.optim.LBFGS`, which stops at once.

    pinn_torch.py [PROBLEM] [--adam 5000] [--rate 1e-3] [--iterations 500] [--seeds 3]

The losses, points and starts are those of `pinn_scipy.py`. After Adam in float32 PyTorch's L-BFGS goes on with
its defaults, with a strong Wolfe search, with that and tolerances of zero, and so in float64.
"""

import argparse
import types

import torch

from pinn_scipy import problems


def namespace(dtype):
    return types.SimpleNamespace(
        asarray=lambda values: torch.as_tensor(values, dtype=dtype), tanh=torch.tanh,
        ones_like=torch.ones_like, zeros_like=torch.zeros_like, sum=torch.sum)


def lbfgs(problem, theta, dtype, iterations, **settings):
    """Iterations taken, and the loss there in float64."""
    theta = theta.detach().to(dtype).clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS([theta], max_iter=iterations, **settings)

    def closure():
        optimizer.zero_grad()
        loss = problem.loss(theta, namespace(dtype))
        loss.backward()
        return loss

    optimizer.step(closure)
    exact = problem.loss(theta.detach().double(), namespace(torch.float64))
    return optimizer.state[theta]["n_iter"], exact.item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("problem", nargs="?", default="bar", choices=list(problems()))
    parser.add_argument("--adam", type=int, default=5000)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--iterations", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    problem, n = problems()[arguments.problem], arguments.iterations
    untiring = dict(line_search_fn="strong_wolfe", tolerance_grad=0, tolerance_change=0)
    print(f"{arguments.problem}, torch {torch.__version__}, Adam for {arguments.adam} steps in float32")
    for seed in range(1, arguments.seeds + 1):
        theta = torch.tensor(problem.start(seed), dtype=torch.float32, requires_grad=True)
        optimizer = torch.optim.Adam([theta], lr=arguments.rate)
        for _ in range(arguments.adam):
            optimizer.zero_grad()
            problem.loss(theta, namespace(torch.float32)).backward()
            optimizer.step()
        reached = problem.loss(theta.detach().double(), namespace(torch.float64)).item()
        print(f"seed {seed}: loss after Adam {reached:.3e}")
        for label, dtype, settings in [
            ("float32, defaults", torch.float32, {}),
            ("float32, strong Wolfe", torch.float32, dict(line_search_fn="strong_wolfe")),
            ("float32, strong Wolfe, no tolerances", torch.float32, untiring),
            ("float64, strong Wolfe, no tolerances", torch.float64, untiring),
        ]:
            steps, loss = lbfgs(problem, theta, dtype, n, **settings)
            print(f"  {label:<38}{steps:>4} of {n} iterations, loss {loss:.3e}", flush=True)


if __name__ == "__main__":
    main()
