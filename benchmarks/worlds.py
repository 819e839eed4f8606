"""Scores the engine on systems that nobody has seen: many simulated ones, of drawn shapes, names, units and faults.

    python benchmarks/worlds.py --seed N [--names FILE] [--worlds N] [--live SECONDS] [--largest SERVICES]
                                [--out FILE] [--against FILE]

Each world is a call graph of 3 services or more, measured under the names of one family (written in
`simulation/names.py`, or read from FILE: a name a line, after tabs its unit, type and description; `world_names.py`
fetches such a file from published packages), with one of thirty faults or none. The engine is told a time that may be
two minutes wrong, or with `--live` nothing: the recording then ends so many seconds after the onset (later where the
fault is gradual). Printed: right first, what "high" is worth, what is named where nothing is wrong, each class of
fault. `--out` keeps the answers; `--against` compares with those of another version on the same worlds by a paired
sign test.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import comb
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

from agents.evidence.ranking.causes import rank_causes
from agents.evidence.types import Telemetry, Window, as_utc
from benchmarks.simple_rankings import simple_rankings
from benchmarks.simulation.names import WORLDS, Names, read_names, written_names
from benchmarks.simulation.world import World, make_world

GRADUAL_S = 3000.0  # how long a slow fault has gone on when somebody asks


def answer(world: World, live_s: float) -> dict[str, Any]:
    """What the engine says of a world, and whether it is right."""
    telemetry = world.telemetry
    if live_s:
        gradual = world.telemetry.window.end.timestamp() - world.onset_s > GRADUAL_S
        telemetry = _until(telemetry, world.onset_s + (GRADUAL_S if gradual else live_s))
    began = time.process_time()
    ranking = rank_causes(telemetry)
    seconds = time.process_time() - began
    first = ranking.causes[0] if ranking.causes else None
    named = first is not None and first.confidence != "low"
    return {
        "seed": world.seed,
        "fault": world.fault,
        "traits": world.traits,
        "first": first.service if first else None,
        "right": first is not None and first.service in world.culprits,
        "confidence": first.confidence if first else "none",
        "named": named,
        "change": first.change.change.id if first is not None and first.change else None,
        "guilty": world.guilty,
        "onset_error_s": round(ranking.onset.at.timestamp() - world.onset_s, 1) if ranking.onset else None,
        "simple": {k: v in world.culprits for k, v in simple_rankings(telemetry, world.onset_s).items()},
        "seconds": round(seconds, 4),
    }


def _until(telemetry: Telemetry, end_s: float) -> Telemetry:
    series = []
    for row in telemetry.series:
        kept = row.times <= end_s
        series.append(replace(row, times=row.times[kept], values=row.values[kept]))
    shared: dict[bytes, Any] = {}
    series = [replace(s, times=shared.setdefault(s.times.tobytes(), s.times)) for s in series]
    return replace(
        telemetry,
        window=Window(start=telemetry.window.start, end=as_utc(min(end_s, telemetry.window.end.timestamp()))),
        series=tuple(series),
        logs=tuple(line for line in telemetry.logs if line.time.timestamp() <= end_s),
        changes=tuple(c for c in telemetry.changes if c.at.timestamp() <= end_s),
        reported_at=None,
    )


def report(answers: Sequence[Mapping[str, Any]]) -> None:
    broken = [a for a in answers if a["fault"] != "none"]
    quiet = [a for a in answers if a["fault"] == "none"]
    simple = {k: sum(a["simple"][k] for a in broken) for k in (broken[0]["simple"] if broken else {})}
    beside = ", ".join(f"{k} {v / len(broken):.2f}" for k, v in simple.items())
    high, named = [a for a in broken if a["confidence"] == "high"], [a for a in broken if a["named"]]
    if broken:
        print(f"right first {_share(broken)} ({beside})")
        print(f"high {len(high) / len(broken):.2f} of them, right {_share(high)}")
        print(f"named {len(named) / len(broken):.2f} of them, right {_share(named)}")
    if quiet:
        loud = sum(a["named"] for a in quiet)
        print(f"nothing wrong: named {loud} of {len(quiet)}, high {sum(a['confidence'] == 'high' for a in quiet)}")
    told = [a for a in broken if a["change"] is not None]
    print(f"changes blamed {len(told)}, of these guilty {sum(a['change'] == a['guilty'] for a in told)}")
    by_fault: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for a in broken:
        by_fault[a["fault"]].append(a)
    for fault, rows in sorted(by_fault.items(), key=lambda p: sum(a["right"] for a in p[1]) / len(p[1])):
        print(f"  {fault:18s} right first {_share(rows)}, named {sum(a['named'] for a in rows)}")
    print(f"median {1000 * median(a['seconds'] for a in answers):.0f} ms of the processor")


def _share(rows: Sequence[Mapping[str, Any]]) -> str:
    right = sum(a["right"] for a in rows)
    return f"{right} of {len(rows)} ({right / max(len(rows), 1):.2f})"


def compare(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> str:
    """A paired sign test on the worlds of which one version is right and the other is not."""
    before = {(a["seed"], a["traits"]): a for a in theirs}
    pairs = [
        (a, before[a["seed"], a["traits"]]) for a in ours if (a["seed"], a["traits"]) in before and a["fault"] != "none"
    ]
    won = sum(a["right"] and not b["right"] for a, b in pairs)
    lost = sum(b["right"] and not a["right"] for a, b in pairs)
    n, least = won + lost, min(won, lost)
    p = min(1.0, 2 * sum(comb(n, k) for k in range(least + 1)) / 2**n) if n else 1.0
    return f"of {len(pairs)} paired worlds {won} won and {lost} lost, p {p:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--names", type=Path)
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--live", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--largest", type=int, default=60)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--against", type=Path)
    options = parser.parse_args()
    chance = Random(options.seed)  # noqa: S311 -- no secret
    answers = []
    for _ in range(options.worlds):
        seed = chance.randrange(2**31)
        family, names = _names(options.names, Random(seed))  # noqa: S311
        answers.append(answer(make_world(seed, names, family, largest=options.largest), options.live))
    report(answers)
    if options.out is not None:
        options.out.write_text("".join(json.dumps(a) + "\n" for a in answers))
    if options.against is not None:
        print(compare(answers, [json.loads(line) for line in options.against.read_text().splitlines()]))


def _names(path: Path | None, chance: Random) -> tuple[str, Names]:
    if path is not None:
        return path.stem, read_names(path, chance)
    family = chance.choice(WORLDS)
    return family, written_names(family)


if __name__ == "__main__":
    main()
