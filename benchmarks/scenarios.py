"""The sample shop's incidents over many seeds: who is right, wrong, silent, and what healed.

    python benchmarks/scenarios.py [--runs 40] [--from N] [--seeds N] [--scenario NAME ...] [--out FILE]

Without options 40 runs are spread over all scenarios: run number i plays scenario i modulo their number with seed
i + 1. `--from` goes on where an earlier run stopped; lines already in `--out` are kept. `--seeds N` plays each chosen
scenario with seeds 1 to N instead. Each run has a shop and a bot of its own, on the offline investigator unless
ANTHROPIC_API_KEY is set.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder, whose store.py is no package

from bot.demo.shop import SCENARIOS, ShopError
from bot.demonstration import DemonstrationResult, open_stage, run_scenario

Line = dict[str, Any]


def is_right(line: Line) -> bool:
    """The service, and the change where there is one. Null equals null: then the right answer is to name nothing."""
    return (line["root_cause_service"], line["root_cause_change"]) == (
        line["expected_service"],
        line["expected_change"],
    )


def is_abstained(line: Line) -> bool:
    return line["root_cause_service"] is None and line["expected_service"] is not None


def is_wrong(line: Line) -> bool:
    return not is_right(line) and not is_abstained(line)


def summary(lines: Sequence[Line]) -> dict[str, Any]:
    """What the README tells. Seconds are medians since the mention."""
    healable = [line for line in lines if line["healable"]]
    evidence = [line["first_evidence_seconds"] for line in lines if line["first_evidence_seconds"] is not None]
    return {
        "runs": len(lines),
        "right": sum(map(is_right, lines)),
        "wrong": sum(map(is_wrong, lines)),
        "abstained": sum(map(is_abstained, lines)),
        "wrong_at_high_confidence": sum(is_wrong(line) and line["confidence"] == "high" for line in lines),
        "healed": sum(line["healed"] is True for line in healable),
        "healable": len(healable),
        "applied": sum(line["applied_times"] for line in lines),
        "median_verdict_seconds": round(median(line["seconds"] for line in lines), 2) if lines else None,
        "worst_verdict_seconds": max((line["seconds"] for line in lines), default=None),
        "median_first_evidence_seconds": round(median(evidence), 2) if evidence else None,
        "worst_first_evidence_seconds": max(evidence, default=None),
        "most_messages": max((line["messages"] for line in lines), default=None),
        "most_pushes": max((line["pushes"] for line in lines), default=None),
    }


async def play(name: str, seed: int) -> DemonstrationResult:
    with tempfile.TemporaryDirectory(prefix="autoheal-benchmark-") as folder:
        async with open_stage(Path(folder), seed, 0) as stage:
            return await run_scenario(stage, name, seed, seed)


def plan(scenarios: Sequence[str], runs: int, first: int, seeds: int | None) -> list[tuple[str, int]]:
    if seeds is not None:
        return [(name, seed) for seed in range(1, seeds + 1) for name in scenarios]
    return [(scenarios[number % len(scenarios)], number + 1) for number in range(first, runs)]


def read_lines(path: Path | None) -> list[Line]:
    if path is None or not path.exists():
        return []
    found: list[Line] = json.loads(path.read_text())["lines"]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--from", dest="first", type=int, default=0, help="number of the first run, from 0")
    parser.add_argument("--seeds", type=int, default=None, help="each scenario with seeds 1 to N")
    parser.add_argument("--scenario", nargs="+", default=list(SCENARIOS), choices=list(SCENARIOS))
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    lines = read_lines(chosen.out)
    known = {(line["scenario"], line["seed"]) for line in lines}
    not_played = 0
    for name, seed in plan(chosen.scenario, chosen.runs, chosen.first, chosen.seeds):
        if (name, seed) in known:
            continue
        started = time.monotonic()
        try:
            line = asdict(asyncio.run(play(name, seed)))
        except ShopError as exc:  # the shop did not break as it should: nothing was asked, so nothing is scored
            print(f"not played: {name}, seed {seed}: {exc}", flush=True)
            not_played += 1
            continue
        lines.append(line)
        mark = "right    " if is_right(line) else "abstained" if is_abstained(line) else "WRONG    "
        print(
            f"{mark} {time.monotonic() - started:4.0f} s  load {os.getloadavg()[0]:5.2f}  {json.dumps(line)}",
            flush=True,
        )
        if chosen.out:
            chosen.out.write_text(json.dumps({"summary": summary(lines), "lines": lines}, indent=1) + "\n")
    print(json.dumps(summary(lines), indent=1))
    return 1 if not_played else 0


if __name__ == "__main__":
    raise SystemExit(main())
