"""What the drivers share: where things lie, workers in processes of their own, claims."""

import json
import os
import pathlib
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / ".eigenstep" / "bench"
BUILT = HERE / ".build" / "release"
PEERS = HERE / "peers"


class Worker:
    """A runtime in a process of its own, silent until asked."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, cwd=PEERS,
        )
        self.ready = self.answer()
        self.name, self.version = self.ready["ready"], self.ready["version"]

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker {shlex.join(self.process.args)} ended")
        return json.loads(line)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


def peer(script, folder, threads):
    return [sys.executable, f"{script}.py", folder, threads]


def ours(worker, folder, threads):
    """The command of our worker, or none where it is not built."""
    if (BUILT / worker).exists():
        return [[BUILT / worker, folder, threads]]
    print(f"no {BUILT / worker}: the peers alone are measured", file=sys.stderr)
    return []


def need(worker):
    """The path of our worker, without which a part has nothing to do."""
    if not (BUILT / worker).exists():
        sys.exit(f"there is no {BUILT / worker}: Benchmarks/run.sh builds it")
    return BUILT / worker


def make_inputs(models):
    subprocess.run(
        [sys.executable, str(PEERS / "make_inputs.py"), str(DATA), *models], check=True
    )


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def add_options(parser, models, results):
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--rounds", type=int, default=7, help="blocks of each runtime")
    parser.add_argument("--pause", type=float, default=0.4, help="seconds before a block")
    parser.add_argument("--models", default=models)
    parser.add_argument("--json", type=pathlib.Path, default=DATA / results)
    parser.add_argument("--strict", action="store_true", help="exit status 1 if a claim fails")


def claim(figure, value, bound, least=False, width=26, form=".2f"):
    """Prints a figure beside what is claimed of it; whether the claim holds."""
    holds = value >= bound if least else value <= bound
    print(
        f"  {figure:<{width}} {value:{form}}  (claim: at {'least' if least else 'most'} "
        f"{bound})  {'holds' if holds else 'FAILS'}"
    )
    return holds


def save(path, results):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")
    print(f"\nall blocks: {path}")
