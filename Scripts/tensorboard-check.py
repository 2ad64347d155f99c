#!/usr/bin/env python3
"""Opens the event files of a training run with TensorBoard's own reader and compares every number with the run's
events.jsonl; a run that was interrupted and resumed too.

    Scripts/tensorboard-check.py PROGRAM

Needs the package tensorboard; without it, it says so and ends with 0.
"""

import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError:
    print("skipped: the package tensorboard is not installed")
    sys.exit(0)


def single(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def check(log):
    """Returns how many numbers were compared."""
    accumulator = EventAccumulator(log, size_guidance={"scalars": 0})
    accumulator.Reload()
    found = {
        tag: {event.step: event.value for event in accumulator.Scalars(tag)}
        for tag in accumulator.Tags()["scalars"]
    }
    wanted = {}
    for line in open(os.path.join(log, "events.jsonl")):
        event = json.loads(line)
        step = event["step"]
        if event["event"] == "step":
            for tag, key in (("loss/step", "loss"), ("gradient_norm", "gradientNorm"), ("rate", "rate")):
                wanted.setdefault(tag, {})[step] = event[key]
        elif event["event"] == "tracked":
            for value in event["values"]:
                tag = "tracked/" + value["name"] + ("/" + value["part"] if value["part"] else "")
                wanted.setdefault(tag, {})[step] = value["value"]
        elif event["event"] == "evaluation":
            for place, name in (("training", "training"), ("heldOut", "held_out")):
                for key, tag in (("loss", "loss"), ("accuracy", "accuracy"), ("rSquared", "r_squared")):
                    if event[place] and event[place][key] is not None:
                        wanted.setdefault(f"{tag}/{name}", {})[step] = event[place][key]
        elif event["event"] == "alarm":
            wanted.setdefault("alarm/rate_factor", {})[step] = event["rateFactor"]
    assert found.keys() == wanted.keys(), (sorted(found), sorted(wanted))
    count = 0
    for tag, values in wanted.items():
        assert found[tag].keys() == values.keys(), tag
        for step, value in values.items():
            assert found[tag][step] == single(value), (tag, step, found[tag][step], value)
            count += 1
    return count


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as root:
        path = os.path.join(root, "t.csv")
        with open(path, "w") as file:
            file.write("a,b,y\n" + "".join(
                f"{(7 * i) % 11},{(5 * i) % 13},{(3 * i) % 7 + 0.5}\n" for i in range(40)))
        log = os.path.join(root, "log")
        base = [
            program, "train", path, "--target", "y", "--model", "mlp:8:tanh", "--lr", "0.001",
            "--batch", "10", "--held-out", "0.25",
        ]
        subprocess.run(base + ["--epochs", "5", "--log", log], check=True, capture_output=True)
        print(f"a run: {check(log)} numbers are the same")
        log = os.path.join(root, "log2")
        command = base + [
            "--steps", "3000", "--log", log, "--checkpoint", os.path.join(root, "c"),
            "--checkpoint-every", "30", "--resume",
        ]
        for _ in range(3):
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.4)
            process.send_signal(signal.SIGKILL)
            process.wait()
        subprocess.run(command, check=True, capture_output=True)
        print(f"a run that was killed and resumed: {check(log)} numbers are the same")


main()
