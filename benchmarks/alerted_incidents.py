"""Reads incidents that come with an alert, gauges with names as people write them, logs, spans and changes.

A folder a case: `data/alert.json`, `metrics.csv` (timestamp, service, metric, value), `logs.ndjson`, `traces.json`, and
under `context/` deploys, commits and flags. The truth lies beside them in `truth/<case>.json`.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from agents.evidence.metrics.meaning import as_indicators, read_name
from agents.evidence.types import Change, Edge, LogLine, Spans, Telemetry, Window, as_utc

TOLD_APART = ("timestamp", "service", "severity_text", "msg")


def read_alerted(folder: Path) -> tuple[Telemetry, float]:
    """What the case tells, and when the alert was raised (epoch seconds)."""
    data = folder / "data"
    alert = json.loads((data / "alert.json").read_text())
    columns = _columns(data / "metrics.csv")
    spans, edges = _spans(json.loads((data / "traces.json").read_text()))
    fired = _moment(alert["fired_at"])
    ends = [float(t) for _, _, times, _ in columns for t in (times[0], times[-1])]
    family = read_name(str(alert["metric"])).family
    telemetry = Telemetry(
        window=Window(start=as_utc(min(ends)), end=as_utc(max(ends))),
        series=tuple(as_indicators(columns)),
        logs=tuple(_logs(data / "logs.ndjson")),
        changes=tuple(_changes(data / "context")),
        edges=edges,
        symptom_service=alert["service"],
        symptom_family=family if family != "other" else None,
        reported_at=as_utc(fired),
        spans=spans,
    )
    return telemetry, fired


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()


def _columns(path: Path) -> list[tuple[str, str, Any, Any]]:
    rows: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    with path.open() as lines:
        for row in csv.DictReader(lines):
            if row["value"]:
                rows[row["service"], row["metric"]].append((_moment(row["timestamp"]), float(row["value"])))
    found = []
    for (service, metric), samples in rows.items():
        samples.sort()
        times, values = np.array(samples).T
        found.append((service, metric, np.ascontiguousarray(times), np.ascontiguousarray(values)))
    return found


def _logs(path: Path) -> Iterable[LogLine]:
    for line in path.read_text().splitlines():
        if line.strip():
            row = json.loads(line)
            stamp = row.get("timestamp")
            if stamp:
                fields = {
                    k: str(v) for k, v in row.items() if k not in ("timestamp", "service", "severity_text", "msg")
                }
                yield LogLine(
                    time=as_utc(_moment(stamp)),
                    service=row.get("service", ""),
                    level=row.get("severity_text", ""),
                    text=str(row.get("msg", "")),
                    fields=fields,
                )


def _changes(folder: Path) -> Iterable[Change]:
    commits = {c["sha"]: c for c in _rows(folder / "commits.json")}
    for deploy in _rows(folder / "deploys.json"):
        commit = commits.get(deploy["commit_sha"], {})
        yield Change(
            id=deploy["commit_sha"],
            service=deploy["service"],
            at=as_utc(_moment(deploy["timestamp"])),
            kind="deployment",
            version=deploy.get("version"),
            summary=commit.get("message", ""),
            paths=tuple(commit.get("files_changed") or ()),
        )
    for flag in _rows(folder / "flags.json"):
        yield Change(
            id=flag["flag"],
            service=flag["service"],
            at=as_utc(_moment(flag["timestamp"])),
            kind="config",
            summary=f"flag {flag['flag']} {flag['change']}",
        )


def _rows(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text()) if path.exists() else []


def _spans(rows: list[dict[str, Any]]) -> tuple[Spans | None, tuple[Edge, ...]]:
    """A handful of examples are no sample of all calls: they give the edges, and times only where there are many."""
    owner = {(r["trace_id"], r["span_id"]): r["service"] for r in rows}
    pairs = {(owner.get((r["trace_id"], r.get("parent_id"))), r["service"]) for r in rows}
    edges = tuple(Edge(caller=a, callee=b) for a, b in sorted((a, b) for a, b in pairs if a and a != b))
    return None, edges
