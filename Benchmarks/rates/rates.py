#!/usr/bin/env python3
"""Compares rules for the learning rate on the tasks of tasks.py: `--lr auto`, PyTorch's default,
torch-lr-finder's suggestion and Prodigy, against the best of 24 rates.

    rates.py sweeps FOLDER PROGRAM [TASK ...]     losses at 24 rates, for each seed
    rates.py rules FOLDER PROGRAM [TASK ...]      the rates that the rules name, and their losses
    rates.py table FOLDER                         the table, in Markdown

Every result is a line of FOLDER/results.jsonl as soon as it is known; what is there already is not run
again. L is the mean over the seeds of the loss over all samples at the end; the regret of a rate is
(L - best) / max(best, 0.02 L at the start).
"""

import json
import os
import pathlib
import subprocess
import sys

from tasks import BATCH, EPOCHS, TASKS, make

OPTIMIZERS = ["momentum", "adamw"]
SCHEDULES = ["constant", "one-cycle"]
DEFAULT = 1e-3


def rates(task, optimizer):
    if optimizer == "momentum" and task.endswith("-raw"):
        return (1e-8, 0.1)
    return (1e-4, 10.0)


class Results:
    """Lines of JSON, by what they are of."""

    def __init__(self, folder):
        self.path = folder / "results.jsonl"
        self.known = {}
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                entry = json.loads(line)
                self.known[tuple(entry["key"])] = entry

    def get(self, key, make):
        if key not in self.known:
            entry = {"key": list(key), **make()}
            with open(self.path, "a") as file:
                file.write(json.dumps(entry) + "\n")
            self.known[key] = entry
        return self.known[key]


def needed(folder, task):
    """Makes the task's files where they are not there."""
    if not (folder / f"{task}-{TASKS[task][3] - 1}.onnx").exists():
        make(folder, task)


def sweep(folder, program, task, optimizer, schedule, seed, lower, upper, count, more=()):
    needed(folder, task)
    command = [
        program, "sweep", folder / f"{task}-{seed}.onnx", "--data", folder / f"{task}.npz", "--loss",
        TASKS[task][2], "--lr", f"{lower!r}:{upper!r}:{count}", "--batch", str(BATCH), "--epochs",
        str(EPOCHS), "--optimizer", optimizer, "--schedule", schedule, "--seed", str(seed), "--threads",
        "1", "--json", "-", *more]
    report = json.loads(subprocess.run(
        [str(word) for word in command], check=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL).stdout)
    return {
        "rates": [entry["rate"] for entry in report["rates"]],
        "losses": [entry["losses"][0] for entry in report["rates"]],
        "start": report["problem"]["loss"], "steps": report["steps"]}


def settings(chosen):
    for task in chosen or TASKS:
        for schedule in SCHEDULES:
            for optimizer in OPTIMIZERS:
                yield task, optimizer, schedule


def sweeps(folder, program, chosen):
    results = Results(folder)
    for task, optimizer, schedule in settings(chosen):
        for seed in range(TASKS[task][3]):
            results.get(
                ("sweep", task, optimizer, schedule, seed),
                lambda: sweep(folder, program, task, optimizer, schedule, seed,
                              *rates(task, optimizer), 24))
        print(task, optimizer, schedule, flush=True)


def auto(folder, program, task, optimizer, schedule):
    """The rate that `--lr auto` names from the first seed's start, or none where it refuses."""
    needed(folder, task)
    lower, upper = rates(task, optimizer)
    command = [
        program, "sweep", folder / f"{task}-0.onnx", "--data", folder / f"{task}.npz", "--loss",
        TASKS[task][2], "--lr", f"{lower!r}:{upper!r}:2", "--batch", str(BATCH), "--epochs", str(EPOCHS),
        "--optimizer", optimizer, "--schedule", schedule, "--auto", "--threads", "1", "--json", "-"]
    report = json.loads(subprocess.run(
        [str(word) for word in command], check=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL).stdout)
    return {"auto": report["auto"], "rate": (report["auto"] or {}).get("rate"),
            "sentence": report["sentences"][-1]}


def losses_at(folder, program, task, optimizer, schedule, rate):
    """The losses of each seed at one rate; the program takes two at least."""
    runs = [sweep(folder, program, task, optimizer, schedule, seed, rate, rate * 1.0001, 2)
            for seed in range(TASKS[task][3])]
    return {"rate": rate, "losses": [run["losses"][0] for run in runs]}


def rules(folder, program, chosen):
    results = Results(folder)
    for task, optimizer, schedule in settings(chosen):
        setting = (task, optimizer, schedule)
        named = {"default": DEFAULT}
        named["auto"] = results.get(
            ("auto", *setting), lambda: auto(folder, program, *setting))["rate"]
        found = results.known.get(("lr-finder", task, optimizer, "constant"))
        if found:
            named["lr-finder"] = found["rate"]
        for rule, rate in named.items():
            if rate is not None:
                results.get((f"{rule} losses", *setting),
                            lambda: losses_at(folder, program, *setting, rate))
        print(*setting, named, flush=True)


if __name__ == "__main__":
    command, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    if command == "table":
        from summary import table

        table(folder)
    else:
        {"sweeps": sweeps, "rules": rules}[command](folder, sys.argv[3], sys.argv[4:])
