"""What the workers share: reading a model's inputs, and the conversation with the driver.

    WORKER FOLDER/MODEL THREADS

A worker prints {"ready": ..., "version": ...} when warm, then answers one JSON line per command.
Of calls that are repeated:
    run N WHAT       {"seconds": [...], "processor": s}  N calls one after the other, each to its result's end,
                     and the processor's time for all
    write WHAT PATH  {"written": PATH}   the result, float32, flat (one row per direction)
WHAT is `hvp` (one direction), `hvp8` (eight at once), `gradient`, `adam` (a training step), or `sgemm`.
Of spectra, each solved once, from the parameters on, with what the runtime compiles ahead ready:
    largest TOLERANCE SEED         {"seconds": s, "products": p, "values": [...], ...}
    bound TOLERANCE SEED           the same with "bound", above the largest eigenvalue
    top COUNT TOLERANCE SEED       descending
    smallest TOLERANCE SEED
    both TOLERANCE SEED            largest, then smallest
    density ... SEED               "nodes" and "weights", a list of each per probe
What a runtime does not have it answers with {"unsupported": WHAT}.
An empty line or `quit` ends it.
"""

import json
import pathlib
import resource
import sys
import time
from types import SimpleNamespace

import numpy as np


def load(path):
    folder = pathlib.Path(path)
    manifest = json.loads((folder / "manifest.json").read_text())

    def read(name, dtype):
        return np.fromfile(folder / name, dtype=dtype)

    return SimpleNamespace(
        layers=manifest["layers"],
        activation=manifest["activation"],
        batch=manifest["batch"],
        count=manifest["parameters"],
        entries=manifest["entries"],
        parameters=read("parameters.bin", "<f4"),
        folder=folder,
        inputs=read("inputs.bin", "<f4").reshape(manifest["batch"], manifest["layers"][0]),
        labels=read("labels.bin", "<i4"),
        directions=read("directions.bin", "<f4").reshape(-1, manifest["parameters"]),
    )


def split(model, flat):
    """The parameters of a flat vector (or of rows of them), each in its shape."""
    parts = []
    for entry in model.entries:
        size = int(np.prod(entry["shape"]))
        part = flat[..., entry["offset"] : entry["offset"] + size]
        parts.append(part.reshape(*flat.shape[:-1], *entry["shape"]))
    return parts


def resident():
    """Bytes of this process in memory now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def peak():
    """The most bytes of this process that were in memory at once."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def serve(runtime, version, calls, to_numpy=np.asarray, peak=None):
    """Answers the driver. `calls` maps WHAT to a function that returns when its result is there;
    `peak` is the memory that the first Hessian product took."""
    for call in calls.values():
        for _ in range(3):
            call()
    print(json.dumps(dict(ready=runtime, version=version, peak=peak)), flush=True)
    for line in sys.stdin:
        words = line.split()
        if not words or words[0] == "quit":
            return
        if words[0] == "run":
            call, seconds, began = calls[words[2]], [], time.process_time()
            for _ in range(int(words[1])):
                start = time.perf_counter()
                call()
                seconds.append(time.perf_counter() - start)
            spent = time.process_time() - began
            print(json.dumps(dict(seconds=seconds, processor=spent)), flush=True)
        elif words[0] == "write":
            result = to_numpy(calls[words[1]]())
            np.ascontiguousarray(result, dtype="<f4").tofile(words[2])
            print(json.dumps(dict(written=words[2])), flush=True)


def serve_spectra(runtime, version, calls, products):
    """Answers questions about spectra. `calls` maps the first word to a function of the others, as
    numbers, that gives the rest of the answer; `products` counts the Hessian products so far."""
    print(json.dumps(dict(ready=runtime, version=version)), flush=True)
    for line in sys.stdin:
        words = line.split()
        if not words or words[0] == "quit":
            return
        if words[0] not in calls:
            print(json.dumps(dict(unsupported=words[0])), flush=True)
            continue
        arguments = [float(word) if "." in word or "e" in word else int(word) for word in words[1:]]
        before, start = products(), time.perf_counter()
        answer = calls[words[0]](*arguments)
        seconds = time.perf_counter() - start
        print(json.dumps(dict(answer, seconds=seconds, products=products() - before)), flush=True)
