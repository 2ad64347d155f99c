#!/usr/bin/env python3
"""Kills training runs at seeded moments and lets them go on: their parameters must be those of a run that was
never stopped, bit for bit.

    Scripts/kill-resume.py PROGRAM [--moments 50] [--seed 0] [--threads 1] [--only NAME]

Each run of the list below is trained once to its end. Then it is begun in another folder, killed with SIGKILL
after a drawn time, resumed, killed again, and so on, until
the moments are used up; checkpoints come so often that some moments lie within the writing of one. At last it is
left alone, and the files of parameters are compared.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

ROWS = 60


def table():
    lines = ["a,b,y"]
    generator = random.Random(1)
    for _ in range(ROWS):
        a, b = generator.gauss(0, 1), generator.gauss(0, 1)
        lines.append(f"{a!r},{b!r},{2 * a - b + 0.3 * a * b + 0.1 * generator.gauss(0, 1)!r}")
    return "\n".join(lines) + "\n"


COURSES = {
    "adam-batches": "--model mlp:12:tanh --optimizer adam --lr 0.01 --batch 7 --steps 4000 "
    "--checkpoint-every 5 --held-out 0.2 --patience 100000",
    "momentum-replacement": "--model mlp:12:tanh --optimizer momentum --lr 0.01 --batch 8 "
    "--sampling replacement --accumulate 2 --steps 4000 --checkpoint-every 1 --clip-norm 1",
    "nesterov-all": "--model mlp:12:tanh --optimizer nesterov --lr 0.01 --steps 6000 "
    "--checkpoint-every 3",
    # Adam on batches, then L-BFGS in float32 and, from where that ends for rounding (step 584), in float64.
    "adam-then-lbfgs": "--model mlp:20,20:tanh --optimizer adam --lr 0.003 --batch 16 --then lbfgs:tolerance=0 "
    "--switch stalled:period=20,latest=200 --l2 0.02 --steps 900 --checkpoint-every 1",
    # Large enough that most moments lie within the inner iterations of a step.
    "lbfgs-large": "--model mlp:300,300:tanh --optimizer lbfgs:curvature=0.1,tolerance=0 --l2 0.0001 "
    "--steps 150 --checkpoint-every 1",
}

def courses(program):
    """With a run of each method with inner iterations that the program has: few steps of many gradients."""
    found = dict(COURSES)
    text = subprocess.run([program, "train", "--help"], capture_output=True, text=True).stdout
    listed = re.search(r"Methods of all samples: ([^\n.]*(?:\n[^\n.]*)*)\.", text)
    names = re.split(r",\s*", listed.group(1).replace("\n", " ")) if listed else []
    for name in names:
        if name.strip() not in ("", "none"):
            found[name.strip()] = (
                f"--model mlp:60,60:tanh --optimizer {name.strip()} --steps 60 --checkpoint-every 1"
            )
    return found


def arguments(program, path, folder, course, threads):
    os.makedirs(folder, exist_ok=True)
    return [
        program, "train", path, "--target", "y", "--threads", str(threads), *course.split(),
        "--checkpoint", os.path.join(folder, "c"), "--log", os.path.join(folder, "log"),
        "--save", os.path.join(folder, "w.safetensors"),
    ]


def check(program, name, course, moments, seed, threads):
    generator = random.Random(f"{seed} {name}")
    with tempfile.TemporaryDirectory() as root:
        path = os.path.join(root, "t.csv")
        with open(path, "w") as file:
            file.write(table())
        whole, killed = os.path.join(root, "whole"), os.path.join(root, "killed")
        began = time.monotonic()
        subprocess.run(
            arguments(program, path, whole, course, threads), check=True, capture_output=True)
        span = time.monotonic() - began
        began = time.monotonic()
        first = re.sub(r"--steps \d+", "--steps 1", course)
        subprocess.run(
            arguments(program, path, os.path.join(root, "first"), first, threads), check=True,
            capture_output=True)
        start = time.monotonic() - began
        command = arguments(program, path, killed, course, threads) + ["--resume"]
        kills, unfinished, ended = 0, 0, 0
        # A run that comes to its end before it is killed begins again: moments are spread over all of it.
        share = max(0.0, span - start) * 1.5 / moments
        while kills < moments:
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            try:
                process.wait(
                    timeout=start * generator.uniform(0.6, 1.1) + share * generator.uniform(0, 2))
                if process.returncode != 0:
                    sys.exit(f"{name}: {process.stderr.read().decode()}")
                ended += 1
                if ended > moments:
                    break
                subprocess.run(["rm", "-rf", killed], check=True)
                os.makedirs(killed)
                continue
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
            checkpoints = os.path.join(killed, "c")
            if os.path.isdir(checkpoints):
                unfinished += any(n.endswith(".part") for n in os.listdir(checkpoints))
        last = subprocess.run(command, capture_output=True, text=True)
        if last.returncode != 0:
            sys.exit(f"{name}: {last.stderr}")
        files = [os.path.join(folder, "w.safetensors") for folder in (whole, killed)]
        one, other = (open(file, "rb").read() for file in files)
        steps = [
            [line for line in open(os.path.join(folder, "log", "events.jsonl"))
             if line.startswith('{"event":"step"')] for folder in (whole, killed)
        ]
        same = one == other and steps[0] == steps[1]
        words = "the same bits"
        if one != other:
            words = "OTHER PARAMETERS"
        elif not same:
            words = "the same parameters, but ANOTHER LOG"
        print(
            f"{name}: {kills} kills, {unfinished} within the writing of a checkpoint, {ended} runs that were done"
            f" first: {words}", flush=True)
        return same


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only")
    options = parser.parse_args()
    results = [
        check(options.program, name, course, options.moments, options.seed, options.threads)
        for name, course in courses(options.program).items() if options.only in (None, name)
    ]
    sys.exit(0 if results and all(results) else 1)


if __name__ == "__main__":
    main()
