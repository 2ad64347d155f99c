#!/usr/bin/env python3
"""What the program prints, recorded: a change of its inside must not change it but on purpose.

    recordings.py PROGRAM              compare with outcomes/, small differences of arithmetic allowed
    recordings.py PROGRAM --exact      compare every digit (on the machine that recorded)
    recordings.py PROGRAM --record     write outcomes/ anew
    ... --only TEXT                    the commands whose names hold TEXT

A command's exit code, standard output, standard error and JSON are compared. Keys may be added to the
JSON, none may go or change. Of an interrupted run, which ends wherever it is, only what does not depend
on the moment is kept.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TABLES = "Tests/Recordings/tables"
MODELS = "Tests/ModelTests/Models"
WINE = "diagnose Examples/wine.csv --target class"
DIGITS = "Examples/digits.onnx --data Examples/digits.npz --loss cross-entropy"
SPECTRUM = "spectrum Examples/wine.csv --target class"

# Run once by each executor, printing JSON beside the text.
MEASURED = {
    "wine": f"{WINE} --model linear --lr 1e-6 --max-iterations 8000",
    "wine-softmax": f"{WINE} --lr 1e-4 --max-iterations 400",
    "wine-network": f"{WINE} --model mlp:8:tanh --lr 0.01 --max-iterations 200",
    "wine-momentum": f"{WINE} --model linear --optimizer momentum --momentum 0.95 --lr 1e-7 "
    "--max-iterations 3000",
    "wine-adam": f"{WINE} --model linear --optimizer adam --lr 0.01 --at 20 --max-iterations 300",
    "wine-adam-at-the-start": f"{WINE} --model linear --optimizer adam --lr 0.01 --no-trials",
    "wine-unstable": f"{WINE} --model linear --lr 1 --no-trials",
    "wine-float32": f"{WINE} --model linear --precision float32 --no-trials",
    "wine-mse": f"{WINE} --model linear --loss mse --lr 1e-9 --features alcohol,proline --no-trials",
    "wine-penalty": f"{WINE} --l2 0.1 --max-iterations 300",
    "wine-walked": f"{WINE} --model linear --lr 1e-7 --at 50 --no-trials",
    "wine-exploded": f"{WINE} --model linear --lr 10 --at 500",
    "wine-relu": f"{WINE} --model mlp:6,4:relu --loss half-squared-error --seed 3 --no-trials",
    "collinear": f"diagnose {TABLES}/collinear.csv --target y --lr 1e-5 --max-iterations 5000",
    "separable": f"diagnose {TABLES}/separable.csv --target kind --lr 0.1 --max-iterations 300",
    "overlapping": f"diagnose {TABLES}/overlapping.csv --target kind --lr 0.1 --max-iterations 1000",
    "holes": f"diagnose {TABLES}/holes.csv --target y --missing mean --model mlp:3:gelu --lr 0.1 "
    "--max-iterations 200",
    "few": f"diagnose {TABLES}/few.csv --target y --model linear --drop c",
    "few-rows": f"diagnose {TABLES}/few.csv --target y --model linear --lr 0.01 --no-trials",
    "digits": f"diagnose {DIGITS} --samples 40 --lr 0.1 --max-iterations 20",
    "digits-momentum": f"diagnose {DIGITS} --samples 40 --optimizer momentum --lr 0.05 --at 5 "
    "--no-trials",
    "sklearn": f"diagnose {MODELS}/sklearn.onnx --data {MODELS}/sklearn.npz --loss mse "
    "--output variable --lr 0.1 --max-iterations 200",
    "pinn": f"diagnose {MODELS}/pinn.onnx --data {MODELS}/pinn.npz --loss-output output "
    "--optimizer adam --lr 0.001 --at 10 --max-iterations 50",
    "jax": f"diagnose {MODELS}/jax.onnx --data {MODELS}/jax.npz --loss cross-entropy --seed 2 "
    "--max-iterations 50 --precision float64",
    "spectrum-wine": f"{SPECTRUM} --model linear --density --trace --per-layer --intervals",
    "spectrum-network": f"{SPECTRUM} --model mlp:8:tanh --count 3 --operator gauss-newton "
    "--density --trace",
    "spectrum-features": f"{SPECTRUM} --precondition features --which largest",
    "spectrum-adam": f"{SPECTRUM} --model linear --precondition adam --optimizer adam --lr 0.01 "
    "--at 10",
    "spectrum-digits": f"spectrum {DIGITS} --samples 100 --which largest --count 2 --per-layer",
    "train-wine": "train Examples/wine.csv --target class --optimizer adam --lr 0.01 --batch 32 "
    "--epochs 5 --held-out 0.2 --patience 2",
    "train-digits": f"train {DIGITS} --optimizer momentum --lr 0.05 --batch 64 --epochs 2 "
    "--clip-norm 1 --no-decay biases --weight-decay 0.01",
    "train-lost": "train Examples/wine.csv --target class --model mlp:8:gelu --lr 1e30 --steps 50",
    "spectrum-part": f"spectrum {DIGITS} --parameters *bias* --trace --operator fisher",
}

# Run once.
PLAIN = {
    "lab-list": "lab",
    "lab-bowls": "lab bowls --json JSON",
    "list-parameters": f"diagnose {MODELS}/lenet.onnx --list-parameters",
    "help-lab": "lab --help",
    "no-file": "diagnose nowhere.csv --target y",
    "no-column": "diagnose Examples/wine.csv --target klass",
    "no-target": "diagnose Examples/wine.csv",
    "empty-cell": f"diagnose {TABLES}/holes.csv --target y",
    "bad-rate": f"{WINE} --lr -1",
    "bad-momentum": f"{WINE} --optimizer momentum --momentum 1",
    "bad-optimizer": f"{WINE} --optimizer adadelta",
    "bad-model": f"{WINE} --model mlp:x",
    "bad-loss": f"{WINE} --loss nll",
    "bad-memory": f"{WINE} --memory lots",
    "at-without-rate": f"{WINE} --at 10",
    "no-data": "diagnose Examples/digits.onnx --loss cross-entropy",
    "no-loss": "diagnose Examples/digits.onnx --data Examples/digits.npz",
    "unknown-loss": "diagnose Examples/digits.onnx --data Examples/digits.npz --loss cosine",
    "no-parameter": f"diagnose {DIGITS} --parameters nothing*",
    "not-a-model-option": f"diagnose {DIGITS} --drop x",
    "too-many-samples": f"diagnose {DIGITS} --samples 1000000",
    "wrong-loss": "diagnose Examples/digits.onnx --data Examples/digits.npz --loss mse",
    "no-lab": "lab bowl",
    "unwritable": f"{WINE} --no-trials --json /nowhere/r.json",
    "itself": f"{WINE} --no-trials --json Examples/wine.csv",
    "too-many-eigenvalues": f"{SPECTRUM} --model linear --count 100",
    "adam-without-state": f"{SPECTRUM} --precondition adam",
}

INTERRUPTED = {
    f"interrupted-{executor}": f"diagnose {TABLES}/endless.csv --target y --tolerance 1e-12 "
    f"--max-iterations 1000000000 --executor {executor}"
    for executor in ("reference", "onnxruntime")
}


def commands():
    for name, command in MEASURED.items():
        for executor in ("reference", "onnxruntime"):
            yield f"{name}-{executor}", f"{command} --executor {executor} --json JSON", False
    for name, command in PLAIN.items():
        yield name, command, False
    for name, command in INTERRUPTED.items():
        yield name, f"{command} --json JSON", True


# What a long run says every ten seconds.
PROGRESS = re.compile(r"eigenstep: .*, after \d+ s$")


def run(program, command, is_interrupted):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "r.json")
        arguments = [path if word == "JSON" else word for word in command.split()]
        for delay in (3, 8, 20):
            process = subprocess.Popen(
                [program] + arguments, cwd=ROOT, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            if is_interrupted:
                time.sleep(delay)
                process.send_signal(signal.SIGINT)
            output, errors = process.communicate()
            # A slow machine may not have measured anything by then.
            if not is_interrupted or output:
                break
        report = None
        if os.path.exists(path):
            with open(path) as file:
                report = json.load(file)
        return {
            "status": process.returncode,
            "output": (headings(output) if is_interrupted else output).splitlines(),
            "errors": [
                line for line in errors.replace(folder, "FOLDER").splitlines()
                if not PROGRESS.match(line)
            ],
            "report": shape(report) if is_interrupted else report,
        }


def headings(text):
    """Lines that begin at the margin, without their numbers."""
    lines = [line for line in text.splitlines() if line[:1].isalpha()]
    return "\n".join(re.sub(r"[0-9][0-9.,e-]*", "#", line) for line in lines if len(line) < 60)


def shape(value):
    """Keys and kinds of values, for a report whose numbers depend on the moment."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items() if key not in ("findings",)}
    if isinstance(value, list):
        return []
    return None


NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*\.?\d*(?:e-?\d+)?(?!\w)")


# What is rounding or an estimate's noise below this size.
NOISE = ("residual", "nodes", "weights", "rounding", "bias", "smallest", "directions", "splits")
DRAWING = re.compile(r"^[ #o|+^-]*$")


def are_close(a, b, exact, relative, floor=0.0):
    if a == b:
        return True
    return not exact and (
        abs(a - b) <= relative * max(abs(a), abs(b)) or max(abs(a), abs(b)) < floor)


def text_differences(where, old, new, exact):
    if exact or len(old) != len(new):
        if old != new:
            for a, b in zip(old + ["(end)"], new + ["(end)"]):
                if a != b:
                    yield f"{where}:\n    - {a}\n    + {b}"
                    return
        return
    for a, b in zip(old, new):
        # A place or a bar's length may move by a character; it may not be lost.
        if DRAWING.match(a) and DRAWING.match(b) and len(a) > 20:
            same = bool(a.strip()) == bool(b.strip()) and set(a) >= set("o#") & set(b)
        else:
            plain = [re.sub(r" +", " ", NUMBER.sub("@", line)).strip() for line in (a, b)]
            plain = [re.sub(r"#+", "#", line) for line in plain]
            numbers = [
                [float(number.replace(",", "")) for number in NUMBER.findall(line)]
                for line in (a, b)
            ]
            same = plain[0] == plain[1] and len(numbers[0]) == len(numbers[1]) and all(
                are_close(x, y, False, 0.02, 1e-7) for x, y in zip(*numbers))
        if not same:
            yield f"{where}:\n    - {a}\n    + {b}"


def json_differences(where, old, new, exact):
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old:
            if key not in new:
                yield f"{where}.{key} is gone"
            else:
                yield from json_differences(f"{where}.{key}", old[key], new[key], exact)
        if all(key in new for key in old) and list(new)[: len(old)] != list(old):
            yield f"{where} has its keys in another order, or new ones not at the end"
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield f"{where} has {len(new)} entries, not {len(old)}"
        for index, (a, b) in enumerate(zip(old, new)):
            yield from json_differences(f"{where}[{index}]", a, b, exact)
    elif type(old) in (int, float) and type(new) is type(old):
        floor = 1e-7 if any(word in where for word in NOISE) else 1e-15
        if not are_close(old, new, exact, 1e-3, floor):
            yield f"{where}: {old} -> {new}"
    elif isinstance(old, str) and isinstance(new, str):
        yield from text_differences(where, [old], [new], exact)
    elif old != new or type(old) is not type(new):
        yield f"{where}: {old} -> {new}"


def differences(old, new, exact):
    if old["status"] != new["status"]:
        yield f"exit code: {old['status']} -> {new['status']} {new['errors']}"
    yield from text_differences("standard output", old["output"], new["output"], exact)
    yield from text_differences("standard error", old["errors"], new["errors"], exact)
    yield from json_differences("report", old["report"], new["report"], exact)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--exact", action="store_true")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    program = os.path.abspath(options.program)
    wrong = 0
    count = 0
    for name, command, is_interrupted in commands():
        if options.only not in name:
            continue
        count += 1
        begin = time.time()
        result = run(program, command, is_interrupted)
        path = os.path.join(HERE, "outcomes", f"{name}.json")
        if options.record:
            with open(path, "w") as file:
                json.dump(result, file, indent=1, ensure_ascii=False)
                file.write("\n")
            print(f"{name}: recorded in {time.time() - begin:.1f} s")
            continue
        with open(path) as file:
            old = json.load(file)
        found = list(differences(old, result, options.exact))
        wrong += 1 if found else 0
        for difference in found[:12]:
            print(f"{name}: {difference}")
    if not options.record:
        print(f"{count - wrong} of {count} recorded commands print what they printed")
    return 1 if wrong or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
