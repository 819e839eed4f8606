"""Grouping accuracy and speed of the template miner: `loghub.py --data DIR [--rca DIR] [--out FILE]`.

DIR holds `<system>/lines.jsonl.gz` of `{"line", "content"}` and `truth/<system>.jsonl.gz` of `{"line", "event"}`; the
miner is given the content only, all systems with the same configuration. Grouping accuracy is the share of lines whose
group holds exactly the lines of the true group. `--rca` names a folder with `nezha-tt/*/logs.jsonl.gz`, whose messages
are mined service by service; a second row gives each of them a clock time and two random ids first, so that no two are
equal. Speeds are the median of `--runs` runs on one core, each with a new miner, with all merging done.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder, whose store.py is no package

from agents.evidence.logs.miner import TemplateMiner

Logs = Mapping[str, Sequence[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rca", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    chosen = parser.parse_args()
    paths = sorted(chosen.data.glob("*/lines.jsonl.gz"))
    if not paths:
        parser.error(f"{chosen.data} holds no */lines.jsonl.gz")
    systems = {path.parent.name: measure(path, chosen.data / "truth", chosen.runs) for path in paths}
    report: dict[str, Any] = {"systems": systems, "mean": mean_of(list(systems.values()))}
    if chosen.rca is not None:
        logs = messages(chosen.rca)
        report["nezha-tt"] = timed_logs(logs, chosen.runs)
        report["nezha-tt, no two lines equal"] = timed_logs(made_distinct(logs), min(chosen.runs, 2))
    report["load_average"] = [round(load, 2) for load in os.getloadavg()]
    print(as_table(report))
    if chosen.out is not None:
        chosen.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def measure(path: Path, truth: Path, runs: int) -> dict[str, float]:
    """One system: grouping accuracy, groups found and true, lines a second."""
    lines = [row["content"] for row in read(path)]
    events = [row["event"] for row in read(truth / f"{path.parent.name}.jsonl.gz")]
    miner = TemplateMiner()
    found = miner.settle(miner.add("", lines)).tolist()
    return {
        "grouping_accuracy": round(grouping_accuracy(found, events), 4),
        "groups": len(set(found)),
        "true_groups": len(set(events)),
        "lines": len(lines),
        "lines_per_s": speed({"": lines}, runs),
    }


def grouping_accuracy(found: Sequence[int], true: Sequence[str]) -> float:
    mined: dict[int, list[int]] = defaultdict(list)
    events: dict[str, list[int]] = defaultdict(list)
    for place, (group, event) in enumerate(zip(found, true, strict=True)):
        mined[group].append(place)
        events[event].append(place)
    right = {tuple(places) for places in events.values()}
    return sum(len(places) for places in mined.values() if tuple(places) in right) / len(true)


def mean_of(systems: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean accuracy, and the speed over all lines together."""
    lines = sum(system["lines"] for system in systems)
    seconds = sum(system["lines"] / system["lines_per_s"] for system in systems)
    return {
        "grouping_accuracy": round(fmean(system["grouping_accuracy"] for system in systems), 4),
        "groups": sum(system["groups"] for system in systems),
        "true_groups": sum(system["true_groups"] for system in systems),
        "lines": lines,
        "lines_per_s": round(lines / seconds),
    }


def timed_logs(logs: Logs, runs: int) -> dict[str, float]:
    lines = sum(map(len, logs.values()))
    miner = TemplateMiner()
    groups = sum(len(set(miner.settle(miner.add(service, texts)).tolist())) for service, texts in logs.items())
    return {
        "lines": lines,
        "distinct": round(len({text for texts in logs.values() for text in texts}) / lines, 3) if lines else 0.0,
        "groups": groups,
        "lines_per_s": speed(logs, runs),
    }


def speed(logs: Logs, runs: int) -> int:
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        miner = TemplateMiner()
        for service, texts in logs.items():
            miner.settle(miner.add(service, texts))
        taken.append(time.perf_counter() - start)
    return round(sum(map(len, logs.values())) / median(taken))


def messages(rca: Path) -> dict[str, list[str]]:
    """Service to its messages, over all cases."""
    logs: dict[str, list[str]] = defaultdict(list)
    for path in sorted((rca / "nezha-tt").glob("*/logs.jsonl.gz")):
        for row in read(path):
            logs[row["service"]].append(row["message"])
    return logs


def made_distinct(logs: Logs) -> dict[str, list[str]]:
    rng = random.Random(1)  # noqa: S311 - test data

    def told(message: str) -> str:
        clock = f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}.{rng.randrange(1000):03}"
        return f"2026-11-23 {clock} [{rng.getrandbits(128):032x},{rng.getrandbits(64):016x}] {message}"

    return {service: [told(message) for message in texts] for service, texts in logs.items()}


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        return [json.loads(row) for row in rows]


def as_table(report: Mapping[str, Any]) -> str:
    rows = ["| system | grouping accuracy | groups found, true | lines/s |", "|---|---|---|---|"]
    for name, row in [*report["systems"].items(), ("mean, all lines", report["mean"])]:
        counts = f"{row['groups']}, {row['true_groups']}"
        rows.append(f"| {name} | {row['grouping_accuracy']:.4f} | {counts} | {row['lines_per_s']:,} |")
    for name, row in report.items():
        if name.startswith("nezha"):
            what = f"{name}: {row['lines']:,} lines, {row['distinct']:.1%} distinct"
            rows.append(f"| {what} | | {row['groups']} | {row['lines_per_s']:,} |")
    return "\n".join([*rows, f"load average {report['load_average'][0]}"])


if __name__ == "__main__":
    main()
