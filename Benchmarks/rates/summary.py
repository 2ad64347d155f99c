"""The table of docs/auto-rate.md from FOLDER/results.jsonl: regrets of the rules for the learning rate.

    summary.py FOLDER
"""

import json
import pathlib
import sys

import numpy as np

RULES = ["auto", "lr-finder", "default", "prodigy"]
# In how many settings the mean of each rule ended not finite or above the start.
lost = dict.fromkeys(RULES, 0)


def median(values):
    return float(np.median(values))


def load(folder):
    lines = (pathlib.Path(folder) / "results.jsonl").read_text().splitlines()
    return {tuple(entry["key"]): entry for entry in map(json.loads, lines)}


def curve(known, setting):
    """Rates, mean losses over the seeds (infinite where one is not finite), mean loss at the start."""
    found = []
    while ("sweep", *setting, len(found)) in known:
        found.append(known[("sweep", *setting, len(found))])
    from tasks import TASKS

    if len(found) < TASKS[setting[0]][3]:
        return None
    losses = [[np.inf if value is None else value for value in entry["losses"]] for entry in found]
    return (np.array(found[0]["rates"]), np.mean(losses, 0),
            float(np.mean([entry["start"] for entry in found])))


def interval(entry, grid, losses, best, start):
    """What the rates of the grid inside the interval of --lr auto have as regrets, and whether the best is there."""
    auto = entry.get("auto") if entry else None
    if not auto:
        return None
    inside = (grid >= auto["lower"]) & (grid <= auto["upper"])
    expected = auto["expected"]
    rates = [entry["rate"] for entry in auto["candidates"]]
    below = max((rate for rate in rates if rate < auto["lower"]), default=0)
    above = min((rate for rate in rates if rate > auto["upper"]), default=np.inf)
    return {
        "regrets": ((losses[inside] - best) / max(best, 0.02 * start)).tolist(),
        "holds best": bool(inside[losses.argmin()]),
        "expected": expected is not None and below < expected < above}


def table(folder):
    """Prints the table, and returns the regrets of each rule on the settings that all of them have."""
    from rates import settings

    known = load(folder)
    print("| task | optimizer | schedule | best rate | its loss | `--lr auto` | "
          + " | ".join(f"regret of {rule}" for rule in RULES) + " |")
    print("|---" * (6 + len(RULES)) + "|")
    regrets = {rule: [] for rule in RULES}
    intervals = []
    for task, optimizer, schedule in settings([]):
        setting = (task, optimizer, schedule)
        found = curve(known, setting)
        if found is None:
            continue
        grid, losses, start = found
        best = float(losses.min())
        cells, values = [], {}
        for rule in RULES:
            key = ((f"{rule} losses", task, "prodigy", schedule) if rule == "prodigy"
                   else (f"{rule} losses", *setting))
            entry = known.get(key)
            if entry is None:
                answer = known.get(("auto", *setting)) if rule == "auto" else None
                cells.append("refused" if answer and answer["rate"] is None else "")
                continue
            broken = any(value is None for value in entry["losses"])
            values[rule] = float("inf") if broken else float(
                (np.mean(entry["losses"]) - best) / max(best, 0.02 * start))
            is_lost = broken or np.mean(entry["losses"]) > start
            lost[rule] += is_lost
            cells.append(f"{values[rule]:.2f}" + (" (lost)" if is_lost else ""))
        if len(values) == len(RULES):
            for rule, value in values.items():
                regrets[rule].append(value)
        entry = known.get(("auto", *setting))
        intervals.append(interval(entry, grid, losses, best, start))
        auto = (entry or {}).get("rate")
        print(f"| {task} | {optimizer} | {schedule} | {grid[losses.argmin()]:.2g} | {best:.3g} of "
              f"{start:.3g} | {f'{auto:.2g}' if auto else '-'} | " + " | ".join(cells) + " |")
    print("\n| rule | settings | median regret | worst | lost |\n|---|---|---|---|---|")
    for rule, values in regrets.items():
        if values:
            print(f"| {rule} | {len(values)} | {median(values):.3f} | {max(values):.3g} | {lost[rule]} |")
    intervals = [entry for entry in intervals if entry]
    inside = [value for entry in intervals for value in entry["regrets"]]
    if inside:
        print(f"\nthe interval of --lr auto, {len(intervals)} settings: the best of the grid is in "
              f"{sum(entry['holds best'] for entry in intervals)}; the grid's rates in it have a median regret of "
              f"{median(inside):.3f}, {max(inside):.2f} at most; the runs agree with the "
              f"expected rate in {sum(entry['expected'] for entry in intervals)}")
    return regrets


def save(path, regrets):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(regrets, indent=1) + "\n")


if __name__ == "__main__":
    table(sys.argv[1])
