"""Ranks the root causes of recorded incidents with the engine that the product uses.

    python benchmarks/rca.py --data DIR --out predictions.jsonl [--suite NAME ...] [--shift SECONDS] [--placebo]
                             [--damage KIND [--seed N]] [--live SECONDS] [--withhold-units]

DIR holds <suite>/<case>/ with case.json, metrics.csv.gz and, where recorded, traces.jsonl.gz and logs.jsonl.gz, or an
alert and its data as `alerted_incidents.py` describes. The engine is told nothing else. Where the truth lies beside the
cases, each suite's line says how often the engine and four one-line rankings (`simple_rankings.py`) are right first.
One line a case goes to the file: the ranking, with the indicator family in the words of the data's README, the
confidence, the seconds without loading (and the processor's, for a busy machine), and the tokens of the digest.
`--shift` tells the engine a time of the incident that is wrong by so many seconds. `--placebo` looks at quiet time
only: each case ends before its incident, moments in it are reported as incidents, and what is printed is how often a
cause is named with confidence. `--damage` takes away at random what was recorded: 15 % of the metrics, 15 % of all
samples, 30 % of the traces, or 20 % of the log lines. `--live` ends each recording so many seconds after the incident
began and tells no time at all, as when somebody asks in a channel. `--withhold-units` takes the units that stand in
brackets out of the names.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path[0] = str(Path(__file__).resolve().parents[1])

from agents.evidence.digest import estimate_tokens, render_ranking
from agents.evidence.metrics.meaning import as_indicators, read_name
from agents.evidence.ranking.causes import rank_causes
from agents.evidence.types import Edge, LogLine, Ranking, Series, Spans, Stretch, Telemetry, Window, as_utc
from benchmarks.alerted_incidents import read_alerted
from benchmarks.simple_rankings import simple_rankings

TOLD: dict[str, str] = {
    "memory": "mem",
    "errors": "error",
    "dependency_errors": "error",
    "dependency_latency": "latency",
    "traffic": "load",
    "saturation": "other",
    "restarts": "other",
}
PLACEBOS = (0.5, 0.65, 0.8)  # of the quiet time; and in each stretch in which events were recorded
DAMAGE = {"metrics": 0.15, "samples": 0.15, "traces": 0.3, "lines": 0.2}  # shares that are taken away
QUIET_MARGIN_S = 60.0
WARM_UP_S = {"dbsherlock": 20.0}  # in which the load begins
UNKNOWN_S = 300.0  # around the incident where nothing says what was recorded


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    telemetry: Telemetry
    incident_s: float


@dataclass(frozen=True, kw_only=True)
class Truth:
    """`service` is empty where nothing is wrong; `decoys` are changes that are not to blame."""

    service: str
    decoys: frozenset[str] = frozenset()


def read_case(folder: Path, *, withhold_units: bool = False) -> Case:
    """Everything that the case folder holds."""
    if not (folder / "case.json").exists():
        telemetry, fired = read_alerted(folder)
        return Case(name=folder.name, telemetry=telemetry, incident_s=fired)
    told = json.loads((folder / "case.json").read_text())
    metrics = folder / "metrics.csv.gz"
    series = read_metrics(metrics, withhold_units=withhold_units) if metrics.exists() else ()
    warm = WARM_UP_S.get(told["suite"], 0.0)
    if warm:
        series = tuple(since(s, float(s.times[0]) + warm) for s in series)
        times = series[0].times
        series = tuple(replace(s, times=times) for s in series)
    traces, logs = folder / "traces.jsonl.gz", folder / "logs.jsonl.gz"
    coverage = _stretches(told.get("coverage", {}))
    incident_s = float(told["incident_time"])
    ends = [(float(s.times[0]), float(s.times[-1])) for s in series[:1]] + list(coverage or ())
    ends = ends or [(incident_s - UNKNOWN_S, incident_s + UNKNOWN_S)]
    symptom = told.get("symptom")
    missing = [s for s in told.get("signals", ()) if not any(folder.glob(f"{s}.*"))]
    return Case(
        name=folder.name,
        incident_s=incident_s,
        telemetry=Telemetry(
            window=Window(start=as_utc(min(a for a, _ in ends)), end=as_utc(max(b for _, b in ends))),
            series=series,
            spans=read_spans(traces) if traces.exists() else None,
            logs=read_logs(logs) if logs.exists() else (),
            edges=tuple(Edge(caller=a, callee=b) for a, b in told["edges"]),
            symptom_service=symptom["service"] if symptom else None,
            symptom_family=read_name(symptom["indicator"]).family if symptom else None,
            reported_at=as_utc(incident_s),
            coverage=coverage,
            spliced=_stretches(told.get("spliced", {})) or (),
            gaps=tuple(f"no {signal} could be read" for signal in missing),
        ),
    )


def since(series: Series, start_s: float) -> Series:
    """The series without what lies before."""
    kept = series.times >= start_s
    return replace(series, times=series.times[kept], values=np.ascontiguousarray(series.values[kept]))


def _stretches(told: dict[str, Any]) -> tuple[Stretch, ...] | None:
    """Of all signals together; one stretch may stand without its list."""
    found = set()
    for part in told.values():
        rows = part if part and isinstance(part[0], list) else [part] if part else []
        found |= {(float(a), float(b)) for a, b in rows}
    return tuple(sorted(found)) if told else None


def read_metrics(path: Path, *, withhold_units: bool = False) -> tuple[Series, ...]:
    """Indicators by what the columns' names and samples tell; without the units that stand in names if withheld."""
    with gzip.open(path, "rt") as lines:
        names, *rows = csv.reader(lines)
    cells = np.array([[float(cell) if cell else np.nan for cell in row] for row in rows])
    times = np.ascontiguousarray(cells[:, 0])
    columns = []
    for column, name in enumerate(names):
        if column:
            service, indicator = name.split("|", 1)
            metric = re.sub(r"\([^)]*\)$", "", indicator) if withhold_units else indicator
            columns.append((service, metric, times, np.ascontiguousarray(cells[:, column])))
    return tuple(as_indicators(columns))


def read_spans(path: Path) -> Spans:
    with gzip.open(path, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    services, operations = sorted({r["service"] for r in rows}), sorted({r["operation"] for r in rows})
    number = {name: i for i, name in enumerate(services)}
    place = {name: i for i, name in enumerate(operations)}
    return Spans(
        ts=np.array([r["ts"] for r in rows], dtype=np.float64),
        service=np.array([number[r["service"]] for r in rows], dtype=np.int64),
        operation=np.array([place[r["operation"]] for r in rows], dtype=np.int64),
        duration_s=np.array([r["duration_us"] for r in rows], dtype=np.float64) / 1e6,
        trace=np.array([r["trace"] for r in rows], dtype=np.int64),
        span=np.array([r["span"] for r in rows], dtype=np.int64),
        parent=np.array([-1 if r["parent"] is None else r["parent"] for r in rows], dtype=np.int64),
        services=tuple(services),
        operations=tuple(operations),
    )


def read_logs(path: Path) -> tuple[LogLine, ...]:
    with gzip.open(path, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return tuple(LogLine(time=as_utc(r["ts"]), service=r["service"], level="", text=r["message"]) for r in rows)


def told_ranking(ranking: Ranking) -> list[dict[str, Any]]:
    return [
        {"service": c.service, "indicator_family": TOLD.get(c.family, c.family), "score": c.score}
        for c in ranking.causes
    ]


def placebos(case: Case) -> Iterator[Telemetry]:
    """The case without its incident, with incidents reported where there are none."""
    whole = case.telemetry
    steps = [float(np.median(np.diff(s.times))) for s in whole.series[:1] if s.times.size > 1]
    end = case.incident_s - max(QUIET_MARGIN_S, *(2 * s for s in steps))
    if whole.spliced and not whole.coverage:
        end = min(end, whole.spliced[-1][1])
    start = whole.window.start.timestamp()
    moments = [start + share * (end - start) for share in PLACEBOS]
    moments += [a + 0.4 * (b - a) for a, b in whole.coverage or () if b <= end and b - a >= QUIET_MARGIN_S / 2]
    for moment in moments:
        part = cut(replace(whole, reported_at=as_utc(moment)), min(end, moment + max(600.0, *(3 * s for s in steps))))
        if whole.spliced and not whole.coverage:  # as in the case: a few quiet rows of the same recording
            part = replace(part, spliced=((start, moment - 2 * steps[0]),))
        yield part


def cut(telemetry: Telemetry, end_s: float) -> Telemetry:
    """What was known by then."""
    times = {id(s.times): s.times[s.times <= end_s] for s in telemetry.series}
    spans = telemetry.spans
    if spans is not None:
        spans = only(spans, spans.ts <= end_s)
    return replace(
        telemetry,
        window=Window(start=telemetry.window.start, end=as_utc(end_s)),
        series=tuple(
            replace(s, times=times[id(s.times)], values=s.values[: times[id(s.times)].size]) for s in telemetry.series
        ),
        spans=spans,
        logs=tuple(line for line in telemetry.logs if line.time.timestamp() <= end_s),
        coverage=None
        if telemetry.coverage is None
        else tuple((a, min(b, end_s)) for a, b in telemetry.coverage if a < end_s),
        spliced=tuple((a, b) for a, b in telemetry.spliced if b < end_s),
    )


def only(spans: Spans, kept: Any) -> Spans:
    """Some of the spans."""
    columns = ("ts", "service", "operation", "duration_s", "trace", "span", "parent")
    return replace(spans, **{name: getattr(spans, name)[kept] for name in columns})


def damaged(case: Case, kind: str, seed: int) -> Case:
    """Without a random part of what was recorded; the alarm's own metrics stay."""
    told, share = case.telemetry, DAMAGE[kind]
    chance, numbers = random.Random(f"{case.name} {seed}"), np.random.default_rng(seed)  # noqa: S311 -- no secret
    spans = told.spans
    if kind == "metrics":
        kept = (s for s in told.series if s.service == told.symptom_service or chance.random() >= share)
        told = replace(told, series=tuple(kept))
    elif kind == "samples":
        lost = (np.where(numbers.random(s.values.size) < share, np.nan, s.values) for s in told.series)
        told = replace(told, series=tuple(replace(s, values=v) for s, v in zip(told.series, lost, strict=True)))
    elif kind == "traces" and spans is not None:
        names = np.unique(spans.trace)
        told = replace(told, spans=only(spans, np.isin(spans.trace, names[numbers.random(names.size) >= share])))
    elif kind == "lines":
        told = replace(told, logs=tuple(line for line in told.logs if chance.random() >= share))
    return replace(case, telemetry=told)


def untold(telemetry: Telemetry, end_s: float) -> Telemetry:
    """What is known by then to somebody who only asks what is wrong."""
    return replace(cut(telemetry, min(end_s, telemetry.window.end.timestamp())), reported_at=None)


def predict(case: Case, telemetry: Telemetry) -> dict[str, Any]:
    began, worked = time.perf_counter(), time.process_time()
    ranking = rank_causes(telemetry)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - worked
    return {
        "case": case.name,
        "ranking": told_ranking(ranking),
        "seconds": round(seconds, 4),
        "cpu_seconds": round(cpu_seconds, 4),
        "confidence": ranking.causes[0].confidence if ranking.causes else "none",
        "onset_error_s": round(ranking.onset.at.timestamp() - case.incident_s, 1) if ranking.onset else None,
        "first": ranking.causes[0].service if ranking.causes else None,
        "change": ranking.causes[0].change.change.id if ranking.causes and ranking.causes[0].change else None,
        "tokens": estimate_tokens(render_ranking(ranking)),
    }


def alarms(case: Case, live_s: float) -> list[bool]:
    windows = list(placebos(case))
    if live_s:
        windows = [untold(w, w.reported_at.timestamp() + live_s) for w in windows if w.reported_at is not None]
    rankings = [rank_causes(telemetry) for telemetry in windows]
    return [bool(r.causes) and r.causes[0].confidence != "low" for r in rankings]


def find_cases(data: Path, suites: Sequence[str]) -> Iterator[Path]:
    """Case folders in order of their names."""
    for suite in sorted(p for p in data.iterdir() if p.is_dir() and (not suites or p.name in suites)):
        layouts = ("case.json", "data/alert.json")
        yield from sorted(p for p in suite.iterdir() if any((p / name).is_file() for name in layouts))


def read_truth(suite: Path) -> dict[str, Truth]:
    """By case; empty where nobody tells."""
    if (suite / "truth.json").is_file():
        told = json.loads((suite / "truth.json").read_text())
        return {case: Truth(service=row["service"]) for case, row in told.items()}
    rows = {p.stem: json.loads(p.read_text()) for p in sorted((suite / "truth").glob("*.json"))}
    return {
        case: Truth(service=row["first_failing_service"], decoys=frozenset(row["decoy_deploy_commits"]))
        for case, row in rows.items()
    }


def compare(
    lines: Sequence[dict[str, Any]], simple: Mapping[str, dict[str, str | None]], truth: Mapping[str, Truth]
) -> str:
    """How often each is right first, what "high" is worth, and what is named where nothing is wrong."""
    broken = [x for x in lines if x["case"] in truth and truth[x["case"]].service]
    quiet = [x for x in lines if x["case"] in truth and not truth[x["case"]].service]
    parts = []
    if broken:
        right = {x["case"]: x["first"] == truth[x["case"]].service for x in broken}
        others = {
            name: sum(simple[c].get(name) == truth[c].service for c in right) for name in next(iter(simple.values()))
        }
        beside = ", ".join(f"{name} {count}" for name, count in others.items())
        away = sorted(abs(x["onset_error_s"]) for x in broken if x["onset_error_s"] is not None)
        parts.append(f"onset within 10 s {sum(a <= 10 for a in away)}")
        parts.append(f"right first {sum(right.values())} of {len(right)} ({beside})")
        high = [x["case"] for x in broken if x["confidence"] == "high"]
        parts.append(f"high {len(high)}, of these right {sum(right[c] for c in high)}")
        named = [x["case"] for x in broken if x["confidence"] in ("high", "medium")]
        parts.append(f"named {len(named)}, of these right {sum(right[c] for c in named)}")
    if quiet:
        named = [x for x in quiet if x["confidence"] in ("high", "medium")]
        parts.append(
            f"named {len(named)} of {len(quiet)} quiet ones, {sum(x['confidence'] == 'high' for x in named)} high"
        )
    if any(t.decoys for t in truth.values()):
        parts.append(f"{sum(x['change'] in truth[x['case']].decoys for x in lines)} decoy changes blamed")
    return "; ".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--suite", nargs="+", default=[])
    parser.add_argument("--shift", type=float, default=0.0)
    parser.add_argument("--placebo", action="store_true")
    parser.add_argument("--live", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--damage", choices=DAMAGE)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--withhold-units", action="store_true")
    options = parser.parse_args()
    lines: dict[str, list[dict[str, Any]]] = {}
    false: dict[str, list[bool]] = {}
    simple: dict[str, dict[str, dict[str, str | None]]] = {}
    for folder in find_cases(options.data, options.suite):
        case = read_case(folder, withhold_units=options.withhold_units)
        simple.setdefault(folder.parent.name, {})[case.name] = simple_rankings(case.telemetry, case.incident_s)
        if options.damage:
            case = damaged(case, options.damage, options.seed)
        told = replace(case.telemetry, reported_at=as_utc(case.incident_s + options.shift))
        telemetry = untold(case.telemetry, case.incident_s + options.live) if options.live else told
        lines.setdefault(folder.parent.name, []).append(predict(case, telemetry))
        if options.placebo:
            false.setdefault(folder.parent.name, []).extend(alarms(case, options.live))
    for suite, found in lines.items():
        named = sum(line["confidence"] in ("high", "medium") for line in found)
        print(
            f"{suite}: {len(found)} cases, median {1000 * median(x['seconds'] for x in found):.0f} ms, "
            f"worst {1000 * max(x['seconds'] for x in found):.0f} ms, of the processor median "
            f"{1000 * median(x['cpu_seconds'] for x in found):.0f} ms; digest median "
            f"{median(x['tokens'] for x in found):.0f} and at most {max(x['tokens'] for x in found)} tokens, "
            f"{sum(x['confidence'] == 'high' for x in found)} high, {named} not low"
        )
        truth = read_truth(options.data / suite)
        if truth:
            print(f"{suite}: {compare(found, simple[suite], truth)}")
        if suite in false:
            print(f"{suite}: a cause named in {sum(false[suite])} of {len(false[suite])} quiet windows")
    if options.out is not None:
        options.out.write_text("".join(json.dumps(line) + "\n" for found in lines.values() for line in found))


if __name__ == "__main__":
    main()
