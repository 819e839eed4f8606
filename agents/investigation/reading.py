"""What the readings that a model asks for say, from raw telemetry: one metric, a service's calls, its log patterns.

Pure functions that run in the evidence worker.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from statistics import fmean
from typing import Final

import numpy as np

from agents.english import counted
from agents.evidence.digest import moved
from agents.evidence.logs.templates import mine_templates
from agents.evidence.metrics.indicators import derive_indicators
from agents.evidence.metrics.windowed import NoSuchReading, WantedMetric, metric_names, window_of
from agents.evidence.types import Anomaly, Series
from agents.investigation.analysis import AnalysisFinding, service_of
from agents.investigation.telemetry import Gathered
from agents.rows import Logged, Moved, Searched

_MOST_NAMES: Final = 60
_MOST_GROUPS: Final = 40
_EXAMPLE: Final = 400
_SEVERE: Final = ("fatal", "critical", "error", "warn", "info", "debug", "trace", "")


def metric(gathered: Gathered, wanted: WantedMetric) -> AnalysisFinding:
    """One metric of a service; where it has none of that name, the names that it has."""
    service, name, shown = wanted.service, wanted.name, wanted.shown
    mine = [series for series in gathered.series if service_of(series) == service]
    asked = {"name": name, **wanted.labels, "shown": shown}
    try:
        rows = window_of(mine, wanted, gathered.window)
    except NoSuchReading as exc:
        return _nothing(gathered, service, "series", asked, f"not shown: {exc}")
    if rows:
        head = f"{len(rows)} series of {service} on one grid"
        text = "\n".join((head, *(row.line for row in rows)))
        return AnalysisFinding(
            text=text, rows=tuple(rows), facts={"series": len(rows)}, summary=f"{service}: {name} {shown}"
        )
    names = [one for one in metric_names(mine) if name.lower() in one.lower()] or metric_names(mine)
    has = f"; {service} has: {', '.join(names[:_MOST_NAMES])}" if names else f"; {service} has no metrics here"
    return _nothing(gathered, service, "series", asked, f"no series of that name and labels{has}")


def calls(gathered: Gathered, service: str, since: datetime) -> AnalysisFinding:
    """What a service measures of its calls to others, each before and since a moment."""
    found = [s for s in derive_indicators(gathered.series, service_of) if s.service == service and s.peer]
    rows = [row for series in found if (row := _before_and_since(series, since.timestamp())) is not None]
    if not rows:
        return _nothing(gathered, service, "measurements of calls to others", {}, "no calls to others are measured")
    rows.sort(key=lambda row: (row.peer, row.family, row.indicator))
    head = f"calls of {service} before and since {since:%H:%M:%S} UTC: peer,indicator,before->since,ratio"
    text = "\n".join((head, *(row.line for row in rows)))
    peers = len({row.peer for row in rows})
    told = f"{service}: calls to {counted(peers, 'other')}"
    return AnalysisFinding(text=text, rows=tuple(rows), facts={"peers": peers}, summary=told)


def log_groups(gathered: Gathered, service: str, level: str, grep: str) -> AnalysisFinding:
    """The patterns of a service's lines, worst level first, then most frequent, each with one example."""
    pattern = re.compile(re.escape(grep), re.IGNORECASE) if grep else None
    lines = [
        line
        for line in gathered.lines
        if line.service == service
        and (pattern is None or pattern.search(line.text))
        and (not level or _rank(line.level) <= _rank(level))
    ]
    wanted = {name: value for name, value in (("level", level), ("grep", grep)) if value}
    if not lines:
        return _nothing(gathered, service, "log lines", wanted, "no matching lines")
    rows = []
    for template in mine_templates(lines):
        times = sorted(lines[index].time for index in template.lines)
        example = " ".join(template.exemplar.split())
        example = example if len(example) <= _EXAMPLE else f"{example[: _EXAMPLE - 1]}…"
        rows.append(
            Logged(
                service=service,
                example=example,
                level=template.level,
                first=times[0],
                last=times[-1],
                count=len(times),
                line=f"{template.level or '-'},{len(times)},{times[0]:%H:%M:%S},{times[-1]:%H:%M:%S},{example}",
            )
        )
    rows.sort(key=lambda row: (_rank(row.level), -row.count))
    left = len(rows) - _MOST_GROUPS
    head = (
        f"{counted(len(lines), 'line')} of {service}, {counted(len(rows), 'pattern')}: level,count,first,last,example"
    )
    rest = [f"({left} more patterns)"] if left > 0 else []
    text = "\n".join((head, *(row.line for row in rows[:_MOST_GROUPS]), *rest))
    summary = f"{service}: {counted(len(rows), 'log pattern')}"
    kept = tuple(row if place < _MOST_GROUPS else replace(row, line="") for place, row in enumerate(rows))
    return AnalysisFinding(text=text, rows=kept, facts={"lines": len(lines)}, summary=summary)


def _before_and_since(series: Series, at: float) -> Moved | None:
    known = np.isfinite(series.values)
    before, since = series.values[known & (series.times < at)], series.values[known & (series.times >= at)]
    if not before.size or not since.size:
        return None
    old, new = fmean(before), fmean(since)
    ratio = new / old if old else None
    found = Anomaly(
        service=series.service,
        indicator=series.indicator,
        family=series.family,
        peer=series.peer,
        baseline=old,
        current=new,
        ratio=ratio,
        score=0.0,
        onset=None,
        unit=series.unit,
        direction="up" if new >= old else "down",
    )
    row = moved(found, role="compared")
    return replace(row, line=row.line.partition(",z=")[0])


def _rank(level: str) -> int:
    word = level.lower()
    return next((place for place, known in enumerate(_SEVERE) if known and word.startswith(known)), len(_SEVERE))


def _nothing(gathered: Gathered, service: str, what: str, wanted: Mapping[str, str], text: str) -> AnalysisFinding:
    row = Searched(
        service=service,
        what=what,
        found=0,
        start=gathered.window.start,
        end=gathered.window.end,
        wanted=dict(wanted),
        line=text.partition(";")[0],
    )
    return AnalysisFinding(text=text, rows=(row,), facts={"found": 0}, summary=f"{service}: {row.line}")
