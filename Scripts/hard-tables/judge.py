#!/usr/bin/env python3
"""Runs `eigenstep diagnose` on hard tables and judges every claim against the oracle's truth.

    python3 Scripts/hard-tables/tables.py TABLES
    nice python3 Scripts/hard-tables/judge.py BINARY TABLES OUT [--jobs 2] [--only TEXT] [--rejudge]
    python3 Scripts/hard-tables/judge.py --compare OUT_BEFORE OUT_AFTER

OUT gets each run's JSON and text and `claims.json`; --rejudge judges those files again without
running. --compare counts, of the claims that were right before, those that became silent, ranges or
false. A claim is right, false, silent (null), a range (`iterationsRange`, true to the range), or
unjudged, where a loss in floating point cannot tell.

Numbers are right within 1 %, counts within 1 step or 1 %. A count of momentum is that from which the
gap stays within the tolerance (or its envelope does). "Reached" is right where the loss (or, for
methods that are linear, the exact course) is within 1.01 times the tolerance of the true minimum and
stays there. In float32 a claim may be true of the table or of the table rounded to float32. The
rounding of a loss is `oracle.loss_rounding`. Needs NumPy, SciPy, mpmath.
"""

import argparse
import collections
import concurrent.futures
import json
import math
import os
import pathlib
import re
import subprocess
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import oracle
import softmax

LINEAR = {"as-given", "safe-rate", "fastest-rate", "standardise-features", "momentum",
          "diagonal-preconditioner"}


def near(said, truth, share=0.01):
    return said == truth or abs(said - truth) <= share * abs(truth)


def near_count(said, span):
    low, high = span
    if math.isinf(low):
        return math.isinf(said)
    return low - max(1, 0.01 * low) <= said <= high + max(1, 0.01 * high)


class Judge:
    """The claims of one report, against one table."""

    def __init__(self, path, report, text):
        self.report, self.text = report, " ".join(text.split())
        self.raw_text = text
        self.claims = []
        self.x, self.y = oracle.read(path)[1:]
        self.is_single = report["problem"]["precision"] == "float32"
        self.epsilon = 2.0**-23 if self.is_single else 2.0**-52
        self.tolerance = report["prediction"]["tolerance"]
        threshold = report["curvature"].get("zeroThreshold") or 0
        x, y, s = self.x, self.y, oracle.standardised(self.x)
        self.raw = [oracle.modes(x, y)]
        self.std = [oracle.modes(s, y)]
        self.diagonal = [oracle.modes(x, y, preconditioned=True)]
        sizes = [np.mean(np.square(column)) for column in zip(*x)] + [1]
        floor = max(1e-12 * max(sizes), threshold)
        self.diagonal.append(oracle.modes(x, y, preconditioned=True, floor=floor))
        if self.is_single:
            x32, y32 = oracle.float32(x), oracle.float32([y])[0]
            self.raw.append(oracle.modes(x32, y32))
            self.std.append(oracle.modes(oracle.float32(s), y32))
            self.diagonal.append(oracle.modes(x32, y32, preconditioned=True))
        self.truth = self.raw[0]
        assert self.truth.nullity == len(x[0]) + 1 - oracle.exact_rank(x), path
        self.gap = float(self.truth.gap)

    def blur(self, loss):
        """What a reported loss may be off by for its rounding."""
        gap = (loss - float(self.truth.minimum)) / self.gap if self.gap else 0
        share = min(1.0, max(1.5 * gap, 0.1 * self.tolerance))
        return oracle.loss_rounding(self.x, self.y, self.truth, share, self.epsilon)

    def add(self, group, claim, said, truth, status):
        if isinstance(status, (bool, np.bool_)):
            status = "right" if status else "false"
        text = lambda v: v if v is None or isinstance(v, (str, list)) else float(f"{float(v):.6g}")
        if isinstance(truth, tuple):
            truth = [text(v) for v in truth]
        self.claims.append(
            {"group": group, "claim": claim, "said": text(said), "truth": text(truth), "status": status})

    def all(self):
        if self.truth.eigenvalues[0] > 0:
            self.curvature()
            self.conditions()
            self.predictions()
            self.findings()
            self.trials()
        return self.claims

    # -- the spectrum

    def curvature(self):
        c, t = self.report["curvature"], self.truth
        top = float(t.eigenvalues[0])
        slack = 1e-5 if self.is_single else 1e-9
        self.add("eigenvalues", "largest", c["largest"]["value"], top,
                 near(c["largest"]["value"], top, slack))
        bound, limit = c["largest"]["upperBound"], self.report["learningRate"]["stabilityLimit"]
        self.add("eigenvalues", "upperBound", bound, top,
                 top * (1 - slack) <= bound <= top * 1.01)
        b = self.report["prediction"].get("momentum") or 0
        exact = 2 * (1 + b) / top
        if limit is not None:
            self.add("eigenvalues", "limit", limit, exact,
                     exact * 0.99 <= limit <= exact * (1 + slack))
        threshold = c["zeroThreshold"]
        # Beyond a residual or the threshold that is printed with it nothing is claimed.
        def found(value, truths, residual=0):
            return any(abs(value - l) <= max(0.01 * l, threshold, residual or 0) for l in truths)
        values = [[float(l) for l in m.eigenvalues] + [0.0] * m.nullity for m in self.raw]
        if c["smallest"]["value"] is not None:
            self.add("eigenvalues", "smallest", c["smallest"]["value"], values[0][-1],
                     found(c["smallest"]["value"], [v[-1] for v in values], c["smallest"]["residual"]))
        low = c.get("smallestPositive")
        if low:
            positive = [v for v in values[0] if v > threshold]
            self.add("eigenvalues", "smallestPositive", low["value"], positive[-1] if positive else None,
                     found(low["value"], values[0], low["residual"])
                     and (not positive or low["value"] <= 1.01 * positive[-1] + threshold))
        rate = self.report["prediction"]["rate"]
        directions = self.report["directions"]
        for i, d in enumerate(directions if len(directions) == len(values[0]) else []):
            self.add("eigenvalues", f"direction {i + 1}", d["eigenvalue"], values[0][i],
                     found(d["eigenvalue"], [v[i] for v in values]))
            if b or values[0][i] == 0 or d["regime"] == "frozen" or d["eigenvalue"] <= threshold:
                continue
            span = None
            for m in self.raw:
                if i < len(m.eigenvalues):
                    one = oracle.Modes([m.eigenvalues[i]], [oracle.mpf(1)], 0, oracle.mpf(1))
                    span = one.steps(rate, self.tolerance)
                    if self.count("directions", f"direction {i + 1}: steps", d["iterations"], None, [span]):
                        break
                    if m is not self.raw[-1]:
                        self.claims.pop()
        if self.report["learningRate"]["given"] and self.report["learningRate"]["verdict"]:
            ratio = self.report["learningRate"]["given"] / exact
            slow = 0.05 * (1 - b) / (1 + b)
            truth = ("unstable" if ratio >= 1 else "oscillating" if ratio > 0.5
                     else "slow" if ratio < slow else "stable")
            close = any(near(ratio, v, 1e-3) for v in (1, 0.5, slow))
            said = self.report["learningRate"]["verdict"]
            self.add("words", "verdict", said, truth, close or said == truth)

    # -- condition numbers

    def conditions(self):
        kappas = [m.condition for m in self.raw]
        after = [m.condition for m in self.std]

        def check(claim, said, truths, at_least=False):
            ok = any(k >= 0.99 * said if at_least else near(said, k) for k in truths)
            self.add("condition", claim, said, truths[0], ok)

        said = self.report["curvature"]["conditionNumber"]
        if said is None:
            self.add("condition", "condition number", None, kappas[0],
                     "right" if self.truth.nullity else "silent")
        elif self.truth.nullity and not (self.is_single and self.raw[-1].nullity == 0):
            self.add("condition", "condition number", said, "infinite", False)
        else:
            check("condition number", said, kappas)
        for p in self.report["prescriptions"]:
            said = p["predicted"]["conditionNumber"]
            truths = {"safe-rate": self.raw, "standardise-features": self.std,
                      "diagonal-preconditioner": self.diagonal}.get(p["id"])
            if truths:
                if said is None:
                    self.add("condition", f"{p['id']}: condition", None, truths[0].condition, "silent")
                else:
                    check(f"{p['id']}: condition", said, [m.condition for m in truths])
        number = r"((?:at least|above|over|beyond|more than|only|about) )?([\d][\d.,e+]*)"
        spoken = set()
        for match in re.finditer(r"(effective )?condition number is " + number, self.text):
            if not match[1]:
                value = float(match[3].rstrip(".,").replace(",", ""))
                at_least = bool(match[2]) and match[2] not in ("only ", "about ")
                spoken.add((value, at_least))
        for match in re.finditer(r"^  condition number +(?:(at least|over|>) )?(\S+)$", self.raw_text, re.M):
            try:
                spoken.add((float(match[2].replace(",", "")), bool(match[1])))
            except ValueError:
                pass
        for value, at_least in sorted(spoken):
            check("says: condition number is", value, kappas, at_least)
        exact = {v for v, at_least in spoken if not at_least}
        if len(exact) > 1 and not near(min(exact), max(exact)):
            self.add("condition", "says: two condition numbers", sorted(exact), kappas[0], False)
        for match in re.finditer(r"after standardising every column it is " + number, self.text):
            check("says: after standardising", float(match[2].rstrip(".,").replace(",", "")), after,
                  bool(match[1]) and match[1] not in ("only ", "about "))
        if "nearly round" in self.text:
            self.add("words", "says: nearly round", "nearly round", kappas[0], min(kappas) < 10.1)

    # -- counts

    def count(self, group, claim, said, said_range, spans):
        """A number of steps, null for none; true if one of the spans is met."""
        truth = spans[0]
        if said:  # the nearest of the truths
            truth = min(spans, key=lambda s: abs(math.log10(max(s[1], 1)) - math.log10(said)))
        if said is None and said_range:
            low, high = said_range
            # null as an end: nothing on that side.
            ok = any((high is None or s[0] <= high * 1.01 + 1) and s[1] >= (low or 0) * 0.99 - 1
                     for s in spans)
            self.add(group, claim, list(said_range), truth, "range" if ok else "false")
            return ok
        if said is None:
            none = any(s[0] > 1e15 or s[1] == 0 for s in spans)
            self.add(group, claim, None, truth, "right" if none else "silent")
            return True
        ok = any(near_count(said, s) for s in spans)
        self.add(group, claim, said, truth, ok)
        return ok

    def course(self, p):
        """(modes, rate, momentum) of a prescription whose course is known."""
        rate = p["predicted"]["rate"]
        if p["id"] not in LINEAR or rate is None:
            return None
        if p["id"] == "standardise-features":
            return self.std, rate, 0
        if p["id"] == "diagonal-preconditioner":
            return self.diagonal, rate, 0
        if p["id"] == "momentum":
            given = p["predicted"].get("momentum")
            if given is None:
                # Polyak's: sqrt(beta) = sqrt(rate L) - 1; the words give some of its digits.
                words = float(re.search(r"momentum ([\d.e-]+)", p["change"])[1])
                given = (math.sqrt(rate * self.report["curvature"]["largest"]["upperBound"]) - 1) ** 2
                if abs(given - words) > 0.1 * min(given, 1 - given) + 1e-8:
                    given = words
            return self.raw, rate, given
        if p["id"] == "as-given":
            if self.report["problem"]["optimizer"] == "adam":
                return None
            return self.raw, rate, self.report["prediction"].get("momentum") or 0
        return self.raw, rate, 0

    def predictions(self):
        prediction = self.report["prediction"]
        b, rate = prediction.get("momentum") or 0, prediction["rate"]
        if rate:
            spans = [m.steps(rate, self.tolerance, b) for m in self.raw]
            self.count("predicted", "prediction", prediction["iterations"],
                       prediction.get("iterationsRange"), spans)
            for point in prediction["curve"]:
                truths = [m.relative_gap(point["step"], rate, b) for m in self.raw]
                ok = any(near(point["relativeGap"], t)
                         or abs(point["relativeGap"] - t) <= 1e-3 * self.tolerance for t in truths)
                self.add("curve", f"gap after {point['step']}", point["relativeGap"], truths[0], ok)
        for p in self.report["prescriptions"]:
            course = self.course(p)
            if course is None:
                continue
            all_modes, rate, b = course
            spans = [m.steps(rate, self.tolerance, b) for m in all_modes]
            self.count("predicted", f"{p['id']}: predicted", p["predicted"]["iterations"],
                       p["predicted"].get("iterationsRange"), spans)
            said = next((v for k, v in p["predicted"].items() if "peak" in k.lower()), None)
            if said is not None:
                truth = self.raw[0].peak(rate, b)
                self.add("predicted", f"{p['id']}: peak", said, truth, near(said, truth, 0.05))
            if p["id"] == "fastest-rate" and self.gap and "fewest" in p["change"]:
                best = self.truth.fewest_steps(self.tolerance)[0]
                mine = spans[0][0]
                if "margin" not in p["change"] and mine < 1e50:
                    self.add("fastest", "the rate with the fewest steps", mine, math.ceil(best),
                             mine <= 1.01 * math.ceil(best) + 1)

    # -- findings

    def findings(self):
        b = self.report["prediction"].get("momentum") or 0
        kappas = [m.condition for m in self.raw]
        for f in self.report["findings"]:
            e = f["evidence"]
            if f["id"] == "rate-far-below":
                for key, rate in [("iterations", e["rate"]), ("advisedIterations", e["advisedRate"])]:
                    if e[key] is not None:
                        self.count("predicted", f"says: far below, {key}", e[key], None,
                                   [m.steps(rate, self.tolerance, b) for m in self.raw])
            elif f["id"] == "rate-limited-by-sharpest":
                truth = [float(m.eigenvalues[-1]) for m in self.raw]
                self.add("words", "says: the flattest that matters", e["flattest"], truth[0],
                         any(near(e["flattest"], t) for t in truth))
            elif f["id"] == "flat-directions" and e["count"] is not None:
                self.add("words", "says: flat directions", e["count"], self.truth.nullity,
                         any(e["count"] == m.nullity for m in self.raw))
            elif f["id"] == "few-samples":
                self.add("words", "says: some directions undetermined", "yes", self.truth.nullity,
                         self.truth.nullity > 0)
            elif f["id"] == "constant-columns":
                names = {f"x{i + 1}" for i, c in enumerate(zip(*self.x)) if min(c) == max(c)}
                self.add("words", "says: constant columns", ",".join(e["columns"]),
                         ",".join(sorted(names)) or "none", set(e["columns"]) == names)
            elif f["id"] == "reference-loss":
                source, said = e["source"], e["loss"]
                truth = float(self.truth.minimum)
                slack = max(self.blur(said), 0.01 * self.tolerance * self.gap)
                if "start itself" in source:
                    slack = max(slack, 8 * self.epsilon * float(self.truth.start_loss))
                is_minimum = "lowest" not in source or "minimum" in source
                ok = any(abs(said - float(m.minimum)) <= slack for m in self.raw)
                self.add("reference", f"minimum, from {source}", said, truth, ok if is_minimum else
                         "right" if ok else "silent")

    # -- trials

    def trials(self):
        for p in self.report["prescriptions"]:
            m = p["measured"]
            if m is None or not self.gap:
                continue
            course = self.course(p)
            name = p["id"]
            gap = None if m["loss"] is None else (m["loss"] - float(self.truth.minimum)) / self.gap
            gaps = [] if gap is None else [
                (m["loss"] - float(t.minimum)) / float(t.gap) for t in self.raw if t.gap]
            blur = 0 if gap is None else self.blur(m["loss"]) / self.gap
            exact = [t.relative_gap(m["stepsRun"], course[1], course[2]) for t in course[0]] if course else []
            if m["relativeGap"] is not None and gap is not None:
                ok = any(near(m["relativeGap"], g) or abs(m["relativeGap"] - g) <= 2 * blur + 0.01 * self.tolerance
                         for g in gaps)
                self.add("gap", f"{name}: gap left", m["relativeGap"], gap, ok)
            if m["reached"]:
                near_exact = any(g <= 1.01 * self.tolerance for g in exact)
                near_loss = any(g - blur <= 1.01 * self.tolerance for g in gaps)
                status = near_exact or near_loss
                if not near_exact and blur > self.tolerance / 2:
                    # The loss is known to be right where it agrees with the exact course.
                    agrees = any(near(g, e, 0.1) for g in gaps for e in exact)
                    status = "unjudged" if near_loss and not agrees else False
                truth = f"gap {gap:.3g}, exact {exact[0]:.3g}" if exact else f"gap {gap:.3g}"
                if course and course[2] and status is True:
                    spans = [t.steps(course[1], self.tolerance, course[2]) for t in course[0]]
                    status = any(m["stepsRun"] >= 0.99 * s[0] - 1 for s in spans)
                    truth += f", stays from {spans[0][0]}"
                if name == "adam" and status is True:
                    status, later = self.adam_stays(p)
                    truth += later
                self.add("reached", f"{name}: reached", m["stepsRun"], truth, status)
            if m["diverged"]:
                if course:
                    spans = [t.steps(course[1], self.tolerance, course[2]) for t in course[0]]
                    self.add("diverged", f"{name}: diverged", m["stepsRun"], spans[0],
                             any(math.isinf(s[0]) for s in spans))
                elif name == "adam":
                    worst, last = self.adam(p, max(20_000, 2 * m["stepsRun"]))
                    self.add("diverged", "adam: diverged", m["stepsRun"],
                             f"comes back: {last:.3g} of the gap after 20,000", last > 0.1 * worst)
                else:
                    self.add("diverged", f"{name}: diverged", m["stepsRun"], "a quadratic", False)

    def adam(self, p, steps, after=0):
        """(largest, last) relative gap of Adam's run from step `after` on."""
        rate = float(re.search(r"Adam at ([\d.e-]+)", p["change"])[1].rstrip(","))
        a = np.column_stack([np.array(self.x, float), np.ones(len(self.y))])
        y, n = np.array(self.y, float), len(self.y)
        w, m, v = (np.zeros(a.shape[1]) for _ in range(3))
        minimum, worst, gap = float(self.truth.minimum), 0.0, 1.0
        for k in range(steps):
            r = a @ w - y
            g = a.T @ r / n
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g * g
            w = w - rate * (m / (1 - 0.9 ** (k + 1))) / (np.sqrt(v / (1 - 0.999 ** (k + 1))) + 1e-8)
            if k >= after:
                r = a @ w - y
                gap = (r @ r / (2 * n) - minimum) / self.gap
                worst = max(worst, gap)
        return worst, gap

    def adam_stays(self, p):
        """Whether the gap stays within thrice the tolerance for a tenth of the steps more."""
        k = p["measured"]["stepsRun"]
        worst, _ = self.adam(p, k + max(20, k // 10), after=k + 1)
        return worst <= 3 * self.tolerance + self.blur(p["measured"]["loss"]) / self.gap, f", later at most {worst:.3g}"


# -- running


def diagnose(binary, tables, out, entry, rejudge, timeout):
    name, table = entry["name"], tables / f"{entry['name']}.csv"
    report, text = out / f"{name}.json", out / f"{name}.txt"
    if not (rejudge and text.exists()):
        report.unlink(missing_ok=True)
        command = [binary, "diagnose", str(table), "--target", "target", "--threads", "1",
                   "--json", str(report), *entry["options"]]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
            text.write_text(done.stdout)
            entry["exit"], entry["error"] = done.returncode, done.stderr[-300:]
        except subprocess.TimeoutExpired:
            text.write_text("")
            entry["exit"], entry["error"] = "timeout", ""
        (out / f"{name}.exit").write_text(json.dumps([entry["exit"], entry["error"]]))
    entry["exit"], entry["error"] = json.loads((out / f"{name}.exit").read_text())
    entry["claims"] = []
    if entry["exit"] == 0:
        make = softmax.Judge if entry["kind"] == "softmax" else Judge
        entry["claims"] = make(table, json.loads(report.read_text()), text.read_text()).all()
    elif entry["exit"] != 65:
        entry["claims"] = [{"group": "exit", "claim": "exit", "said": entry["exit"],
                            "truth": entry["error"], "status": "false"}]
    return entry


def summary(entries):
    kinds = sorted({e["kind"] for e in entries})
    groups = sorted({c["group"] for e in entries for c in e["claims"]})
    print(f"{'kind':15}{'tables':>7}{'all right':>10}{'right':>7}{'false':>7}{'silent':>7}{'range':>6}{'unjudged':>9}")
    for kind in kinds + ["all linear"]:
        chosen = [e for e in entries if e["kind"] == kind or kind == "all linear" and e["kind"] != "softmax"]
        counts = collections.Counter(c["status"] for e in chosen for c in e["claims"])
        clean = sum(not any(c["status"] == "false" and c["group"] != "fastest" for c in e["claims"])
                    for e in chosen)
        print(f"{kind:15}{len(chosen):7}{clean:10}" + "".join(
            f"{counts[s]:{w}}" for s, w in [("right", 7), ("false", 7), ("silent", 7), ("range", 6), ("unjudged", 9)]))
    print(f"\n{'group':15}{'tables with a false one':>24}{'right':>7}{'false':>7}{'silent':>7}{'range':>6}")
    for group in groups:
        claims = [c for e in entries for c in e["claims"] if c["group"] == group]
        counts = collections.Counter(c["status"] for c in claims)
        tables = sum(any(c["group"] == group and c["status"] == "false" for c in e["claims"]) for e in entries)
        print(f"{group:15}{tables:24}{counts['right']:7}{counts['false']:7}{counts['silent']:7}{counts['range']:6}")
    print("('all right' leaves the group `fastest` aside)\n")
    for e in entries:
        for c in e["claims"]:
            if c["status"] == "false":
                print(f"  {e['name']:18} {c['group']:12} {c['claim']}: said {c['said']}, truth {c['truth']}")


def compare(before, after):
    def read(folder):
        entries = json.loads((pathlib.Path(folder) / "claims.json").read_text())
        result = {}
        for e in entries:
            for c in e["claims"]:
                claim = "reference" if c["group"] == "reference" else c["claim"]
                result[e["name"], c["group"], claim] = c
        return result

    old, new = read(before), read(after)
    print("Of the claims that were right, what they are now:")
    for group in sorted({k[1] for k in old}):
        keys = [k for k in old if k[1] == group and old[k]["status"] == "right" and old[k]["said"] is not None]
        now = collections.Counter(new[k]["status"] if k in new else "left out" for k in keys)
        quiet = now["silent"] + now["range"] + now["left out"]
        share = f"{quiet / len(keys):.0%} silent" if keys else ""
        print(f"  {group:14}{len(keys):6}: {dict(now)} {share}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--timeout", type=float, default=120)
    parser.add_argument("--rejudge", action="store_true")
    parser.add_argument("--compare", action="store_true")
    given = parser.parse_args()
    if given.compare:
        return compare(*given.paths)
    binary, tables, out = given.paths[0], *map(pathlib.Path, given.paths[1:])
    out.mkdir(parents=True, exist_ok=True)
    entries = [e for e in json.loads((tables / "index.json").read_text()) if given.only in e["name"]]
    with concurrent.futures.ProcessPoolExecutor(given.jobs) as pool:
        jobs = [pool.submit(diagnose, binary, tables, out, e, given.rejudge, given.timeout) for e in entries]
        entries = [job.result() for job in jobs]
    (out / "claims.json").write_text(json.dumps(entries, indent=1))
    summary(entries)


if __name__ == "__main__":
    main()
