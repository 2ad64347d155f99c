#!/usr/bin/env python3
"""Calls eigenstep.h at random, rightly and wrongly, and sees that every call comes back with what it promises.

    Scripts/c-interface-calls.py LIBRARY [--sequences 10000] [--seed 0]   random sequences of calls
    Scripts/c-interface-calls.py LIBRARY --resident 1000                  memory held after so many calls

Needs nothing but Python, so that it runs under AddressSanitizer too: see docs/c-interface.md.
"""

import argparse
import collections
import ctypes as c
import json
import math
import os
import random
import sys
import time

F32, F64, I32, I64, BOOL, TEXT = 1, 2, 3, 4, 5, 6
STATUS = {0, 1, 64, 65, 66, 69, 70, 73, 75, 130}
P = c.c_void_p


class Array(c.Structure):
    _fields_ = [("name", c.c_char_p), ("element", c.c_int32), ("rank", c.c_int32),
                ("shape", c.POINTER(c.c_int64)), ("data", P)]


PROGRESS = c.CFUNCTYPE(None, P, c.c_char_p, c.c_double)
CANCELLED = c.CFUNCTYPE(c.c_int32, P)
VALUE = c.CFUNCTYPE(c.c_int32, P, c.c_int32, c.c_uint64, P, c.POINTER(c.c_double), P)
PRODUCT = c.CFUNCTYPE(c.c_int32, P, c.c_int32, c.c_uint64, P, P, P)
APPLY = c.CFUNCTYPE(c.c_int32, P, P, P)


class Watch(c.Structure):
    _fields_ = [("context", P), ("progress", PROGRESS), ("is_cancelled", CANCELLED)]


class Loss(c.Structure):
    _fields_ = [("context", P), ("description", c.c_char_p), ("start", c.POINTER(c.c_double)),
                ("value_and_gradient", VALUE), ("hessian_product", PRODUCT), ("gauss_newton", PRODUCT)]


class Operator(c.Structure):
    _fields_ = [("context", P), ("dimension", c.c_int64), ("element", c.c_int32), ("apply", APPLY)]


def load(path):
    lib = c.CDLL(path)
    text, integer = c.c_char_p, c.c_int32
    for name, result, arguments in [
        ("abi", integer, []), ("version", text, []), ("set_runtime", None, [text]),
        ("answer", P, [text, c.POINTER(Array), integer, c.POINTER(Loss), c.POINTER(Watch)]),
        ("measure", P, [text, c.POINTER(Operator), c.POINTER(Array), integer, c.POINTER(Watch)]),
        ("result_status", integer, [P]), ("result_error", text, [P]), ("result_json", text, [P]),
        ("result_text", text, [P, integer]),
        ("result_array", c.POINTER(c.c_double), [P, text, c.POINTER(c.c_int64)]), ("result_free", None, [P]),
    ]:
        function = getattr(lib, "eigenstep_" + name)
        function.restype, function.argtypes = result, arguments
        setattr(lib, name, function)
    return lib


class Caller:
    def __init__(self, lib, rng):
        self.lib, self.rng = lib, rng
        self.results = []
        self.counts = collections.Counter()

    def chance(self, part):
        return self.rng.random() < part

    # What callbacks do: right for a while, then perhaps something else.

    def fate(self):
        return self.rng.choices(["right", "fail", "nan", "infinite"], [12, 2, 2, 1])[0], self.rng.randrange(9)

    def spoilt(self, numbers, fate, number):
        kind, after = fate
        if number < after or kind == "right":
            return 0, numbers
        if kind == "fail":
            return self.rng.choice([1, -1, 75]), numbers
        wrong = list(numbers)
        wrong[self.rng.randrange(len(wrong))] = math.nan if kind == "nan" else math.inf
        return 0, wrong

    def vector(self, address, element, count):
        kind = c.c_float if element == F32 else c.c_double
        return c.cast(address, c.POINTER(kind * count)).contents

    def matrix(self, n):
        scale = 10 ** self.rng.uniform(-3, 6)
        rows = [[self.rng.gauss(0, scale) for _ in range(n)] for _ in range(n)]
        if self.chance(0.9):
            rows = [[(rows[i][j] + rows[j][i]) / 2 for j in range(n)] for i in range(n)]
        return [[0.0] * n for _ in range(n)] if self.chance(0.05) else rows

    def watch(self):
        if self.chance(0.4):
            return None
        left = [self.rng.randrange(1, 60) if self.chance(0.3) else 1 << 60]

        def cancelled(_):
            left[0] -= 1
            return int(left[0] <= 0)

        return Watch(None, PROGRESS(lambda *_: None) if self.chance(0.6) else PROGRESS(),
                     CANCELLED(cancelled) if self.chance(0.8) else CANCELLED())

    def array(self, name, values, shape, element):
        kind = {F32: c.c_float, F64: c.c_double, I32: c.c_int32, I64: c.c_int64, BOOL: c.c_uint8,
                TEXT: c.c_char_p}[element]
        data = (kind * max(1, len(values)))(*values)
        sizes = (c.c_int64 * max(1, len(shape)))(*shape)
        made = Array(name, element, len(shape), sizes, c.cast(data, P))
        made.held = data, sizes
        return made

    def damaged(self, array):
        """One field wrong, in a way that a caller could see for itself."""
        what = self.rng.randrange(7)
        if what == 0:
            array.name = self.rng.choice([None, b"", b"x", b"/", b"a/", b"/b", b"\xff/\xfe"])
        elif what == 1:
            array.element = self.rng.choice([0, -1, 7, 99, 1 << 30])
        elif what == 2:
            array.rank = self.rng.choice([-1, -(1 << 31)])
        elif what == 3:
            array.shape = None
        elif what == 4:
            array.data = None
        elif what == 5 and array.rank > 0:
            array.shape[self.rng.randrange(array.rank)] = self.rng.choice([-1, -(1 << 63), 1 << 62])
        return array

    def arrays(self, made):
        made = [self.damaged(a) if self.chance(0.15) else a for a in made]
        if not made:
            return None, self.rng.choice([0] * 18 + [1, -1]), None
        values = (Array * len(made))(*made)
        return values, self.rng.choice([-1, 0]) if self.chance(0.03) else len(made), made

    def request(self, fields):
        """The fields as JSON, perhaps with one that cannot be, perhaps broken."""
        if self.chance(0.12):
            key = self.rng.choice(list(fields) + ["count", "seed", "memory", "unknown", "tolerance", "problem"])
            fields[key] = self.rng.choice(
                [None, -1, 0, 1, 2, 1e-3, 1e300, -0.0, 1 << 62, "", "x", [], {}, [1], {"a": 1}, True])
        text = json.dumps(fields)
        if self.chance(0.06):
            at = self.rng.randrange(len(text))
            text = self.rng.choice([text[:at], text[at:], text[:at] + chr(self.rng.randrange(1, 300)) + text[at:]])
        if self.chance(0.02):
            return None
        return text.encode()

    # The calls.

    def measure(self):
        n = self.rng.randrange(1, 14)
        rows = self.matrix(n)
        element = self.rng.choice([F32, F64, F64])
        fate, calls = self.fate(), [0]

        def apply(_, x, y):
            given = self.vector(x, element, n)
            status, numbers = self.spoilt([sum(a * b for a, b in zip(row, given)) for row in rows], fate, calls[0])
            calls[0] += 1
            self.vector(y, element, n)[:] = numbers
            return status

        operator = Operator(None, n, element, APPLY(apply))
        if self.chance(0.06):
            operator.dimension = self.rng.choice([0, -1, -(1 << 63)])
        if self.chance(0.03):
            operator.element = self.rng.choice([0, 3, -7])
        if self.chance(0.03):
            operator.apply = APPLY()
        fields = {"schema": "eigenstep.request.operator/1", "task": self.rng.choice(
            ["eigenpairs", "condition-number", "density", "trace", "solve"])}
        for name, values in [("count", [1, 2, 5]), ("which", ["largest", "smallest", "both"]),
                             ("tolerance", [1e-2, 1e-6]), ("maxApplications", [1, 5, 40]), ("seed", [0, 7])]:
            if self.chance(0.3):
                fields[name] = self.rng.choice(values)
        given = []
        if fields["task"] == "solve" or self.chance(0.1):
            length = n if self.chance(0.9) else self.rng.randrange(0, 20)
            given.append(self.array(b"operator/b", [self.rng.gauss(0, 1) for _ in range(length)], [length],
                                    self.rng.choice([F32, F64])))
        values, count, held = self.arrays(given)
        watch = self.watch()
        self.keep("measure", self.lib.measure(
            self.request(fields), None if self.chance(0.02) else c.byref(operator), values, count,
            None if watch is None else c.byref(watch)))

    def loss(self):
        n = self.rng.randrange(1, 5)
        rows = self.matrix(n)
        b = [self.rng.gauss(0, 1) for _ in range(n)]
        fate, calls = self.fate(), [0]

        def times(vector):
            return [sum(p * q for p, q in zip(row, vector)) for row in rows]

        def value(_, element, number, point, into, gradient):
            x = list(self.vector(point, element, n))
            ax = times(x)
            status, numbers = self.spoilt(
                [sum(p * (q / 2 - r) for p, q, r in zip(x, ax, b))] + [q - r for q, r in zip(ax, b)], fate, calls[0])
            calls[0] += 1
            into[0] = numbers[0]
            if gradient:
                self.vector(gradient, element, n)[:] = numbers[1:]
            return status

        def product(_, element, number, point, direction, result):
            status, numbers = self.spoilt(times(self.vector(direction, element, n)), fate, calls[0])
            calls[0] += 1
            self.vector(result, element, n)[:] = numbers
            return status

        description = {"name": "q", "parameters": [{"name": "w", "shape": [n]}]}
        if self.chance(0.2):
            self.rng.choice([
                lambda: description.update(parameters=[]),
                lambda: description.update(sampleCount=self.rng.choice([-1, 0, 5])),
                lambda: description.update(gradientOperations=self.rng.choice([-1, 0, 1e9])),
                lambda: description["parameters"][0].update(shape=self.rng.choice(
                    [[-1], [1 << 40, 1 << 40], [n, 1], [n, 0], [1, n, 1]])),
                lambda: description.update(parameters=[{"name": "w", "shape": [1]}] * n),
                lambda: description.pop("parameters"),
            ])()
        start = (c.c_double * 8)(*[self.rng.gauss(0, 1) for _ in range(8)])
        made = Loss(None, json.dumps(description).encode(), start, VALUE(value), PRODUCT(product),
                    PRODUCT(product) if self.chance(0.3) else PRODUCT())
        if self.chance(0.1):
            setattr(made, *self.rng.choice([("description", None), ("start", None), ("description", b"{"),
                                            ("value_and_gradient", VALUE()), ("hessian_product", PRODUCT())]))
        made.held = start
        return made

    def answer(self):
        kind = self.rng.choice(["diagnosis", "spectrum", "training"])
        loss, given, problem = None, [], {"memory": "q"}
        if self.chance(0.6):
            loss = self.loss()
        else:
            rows, columns = self.rng.randrange(0, 7), self.rng.randrange(0, 4)
            given = [
                self.array(b"data/X", [self.rng.choice([self.rng.gauss(0, 1), 1.0, math.nan if self.chance(.1) else 0])
                                       for _ in range(rows * columns)], [rows, columns], F64),
                self.array(b"data/y", [self.rng.randrange(3) for _ in range(rows)], [rows],
                           self.rng.choice([F64, I64, I32, F32])),
            ]
            if self.chance(0.3):
                given.append(self.array(b"data/word", [self.rng.choice([b"a", b"b", None, b"\xff"]) for _ in range(rows)],
                                        [rows], TEXT))
            problem = {"table": {"file": "memory:data", "target": "y", "model": self.rng.choice(
                ["linear", "softmax", "logistic"])}}
        fields = {"schema": f"eigenstep.request.{kind}/1", "problem": problem}
        rate = 10 ** self.rng.uniform(-4, 1)
        if kind == "training":
            fields.update(optimizer={"name": "gd"}, rate=rate, steps=self.rng.randrange(0, 6))
        else:
            fields["training"] = {"optimizer": {"name": "gd"}, "rate": rate if self.chance(0.5) else None, "steps": 0}
        if kind == "diagnosis":
            fields["trials"] = {"areRun": self.chance(0.1), "tolerance": 1e-3, "maxIterations": 30}
        values, count, held = self.arrays(given)
        watch = self.watch()
        self.keep("answer", self.lib.answer(
            self.request(fields), values, count, None if loss is None else c.byref(loss),
            None if watch is None else c.byref(watch)))

    def keep(self, name, result):
        if not result:
            raise SystemExit(f"eigenstep_{name} came back with NULL")
        status, error = self.lib.result_status(result), self.lib.result_error(result)
        report = self.lib.result_json(result)
        if status not in STATUS or (error is None) == (report is None):
            raise SystemExit(f"eigenstep_{name}: status {status}, error {error}, report {report and report[:200]}")
        if error is not None and (b"\n" in error or len(error) < 10):
            raise SystemExit(f"eigenstep_{name}: no sentence: {error}")
        self.counts[name, status] += 1
        self.counts[error] += error is not None
        self.results.append(result)

    def look(self):
        result = self.rng.choice(self.results) if self.results and self.chance(0.95) else None
        what = self.rng.randrange(4)
        if what == 0:
            self.lib.result_text(result, self.rng.choice([-5, 0, 1, 40, 80, 300, (1 << 31) - 1]))
        elif what == 1:
            count = c.c_int64()
            name = self.rng.choice([b"vectors", b"solution", b"diagonal", b"parameters/w", b"none", b"\xff", None])
            found = self.lib.result_array(result, name, None if self.chance(0.05) else c.byref(count))
            if found:
                sum(found[: count.value])
        elif what == 2:
            report = self.lib.result_json(result)
            if report is not None:
                json.loads(report)
        else:
            self.lib.result_error(result), self.lib.result_status(result)

    def free(self):
        if self.results:
            self.lib.result_free(self.results.pop(self.rng.randrange(len(self.results))))
        else:
            self.lib.result_free(None)

    def sequence(self):
        for _ in range(self.rng.randrange(1, 9)):
            self.rng.choices([self.measure, self.answer, self.look, self.free, self.lib.abi, self.lib.version],
                             [3, 0.7, 4, 2, 0.2, 0.2])[0]()
        while self.results and self.chance(0.8):
            self.free()


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("--sequences", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the first sequence, to look at one again")
    parser.add_argument("--resident", type=int, metavar="CALLS")
    parser.add_argument("--sentences", action="store_true", help="what was refused, in which words")
    given = parser.parse_args()
    lib = load(given.library)
    start = time.process_time()
    if given.resident:
        return held_memory(lib, given.resident, given.seed)
    counts = collections.Counter()
    for number in range(given.first, given.first + given.sequences):
        if os.environ.get("EIGENSTEP_TRACE"):
            print(number, file=sys.stderr, flush=True)
        caller = Caller(lib, random.Random(f"{given.seed} {number}"))
        caller.sequence()
        for result in caller.results:
            lib.result_free(result)
        counts += caller.counts
    calls = {key: count for key, count in counts.items() if isinstance(key, tuple)}
    if given.sentences:
        for sentence, count in counts.most_common():
            if isinstance(sentence, bytes):
                print(count, sentence.decode(errors="replace"))
    print(f"{given.sequences} sequences, {sum(calls.values())} answers in {time.process_time() - start:.0f} s: "
          + ", ".join(f"{name} {status}: {count}" for (name, status), count in sorted(calls.items())))


def held_memory(lib, calls, seed):
    """The resident size after a fifth of the calls and after all: what is never freed would show in it."""
    early = 0
    for number in range(calls):
        # The same few calls again and again, so that what they need at most is there after the first fifth.
        caller = Caller(lib, random.Random(f"{seed} {number % max(1, calls // 10)}"))
        caller.sequence()
        for result in caller.results:
            lib.result_free(result)
        if number == calls // 5:
            early = resident()
    late = resident()
    print(f"resident after {calls // 5} sequences {early / 1e6:.1f} MB, after {calls} {late / 1e6:.1f} MB")
    if late > 1.03 * early + 2e6:
        raise SystemExit("memory grows from call to call")


if __name__ == "__main__":
    main()
