"""From raw telemetry to a ranking with its text, facts, symptom and chart. It runs in the worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

import numpy as np

from agents.english import counted
from agents.evidence.changes import correlate_changes
from agents.evidence.chart import data_visualization
from agents.evidence.digest import (
    RANKING_TOKENS,
    digest_anomalies,
    digest_changes,
    digest_ranking,
    digest_templates,
)
from agents.evidence.logs.requests_in_logs import request_series
from agents.evidence.logs.templates import shift_templates
from agents.evidence.metrics.indicators import derive_indicators
from agents.evidence.ranking.causes import rank_causes
from agents.evidence.ranking.comparison import compare_windows
from agents.evidence.ranking.measured_calls import REQUESTS
from agents.evidence.sibling_rows import sibling_rows
from agents.evidence.siblings import compare_siblings
from agents.evidence.traces import trace_breakdown
from agents.evidence.traces.breakdown_text import (
    breakdown_rows,
    most_added,
    part_name,
    render_breakdown,
)
from agents.evidence.types import (
    Anomaly,
    CauseCandidate,
    ChangeFinding,
    Edge,
    Onset,
    Ranking,
    RawSeries,
    Series,
    Telemetry,
    Window,
)
from agents.investigation.telemetry import Gathered
from agents.rows import Row, Searched, Unread

_UNITS: Final[Mapping[str, str]] = {"ratio": "ratio", "s": "seconds", "bytes": "bytes"}
_CHARTED: Final = 3
Symptom = Literal["errors", "latency"]
_FELT: Final = get_args(Symptom)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What people say of the incident: where they notice it, as what, since when (aware UTC). All may be unknown."""

    service: str | None = None
    symptom: Symptom | None = None
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class AnalysisFinding:
    """Rows, the text printed from them for the model, further facts for code, one line for the thread."""

    text: str
    rows: tuple[Row, ...]
    facts: Mapping[str, Any]
    summary: str


def rank(gathered: Gathered, edges: Sequence[Edge], told: Told) -> AnalysisFinding:
    """Rank the causes of what is abnormal in the window."""
    series = _indicators(gathered)
    ranking = rank_causes(_telemetry(gathered, series, edges, told))
    facts: dict[str, Any] = {
        "quiet": ranking.quiet,
        "onset": ranking.onset.at.isoformat() if ranking.onset else None,
        "causes": [_cause_facts(cause) for cause in ranking.causes],
        "changes": [_change_facts(finding) for finding in ranking.changes],
        "gaps": list(ranking.gaps),
    }
    if ranking.symptom is not None:
        symptom = _as_metric(_felt(ranking, ranking.symptom), ranking.onset, series)
        facts["symptom"] = _symptom_facts(symptom, ranking.onset)
        facts["chart"] = _chart(ranking, series)
    digest = digest_ranking(ranking, gathered.window)
    return AnalysisFinding(text=digest.text, rows=digest.rows, facts=facts, summary=_ranking_line(ranking))


def log_shifts(gathered: Gathered, edges: Sequence[Edge], told: Told, service: str | None) -> AnalysisFinding:
    """Log patterns that are new, grew or vanished since the onset; around the middle of the window without one."""
    series = _indicators(gathered)
    ranking = rank_causes(_telemetry(gathered, series, edges, told))
    onset = ranking.onset or _middle(gathered)
    found = shift_templates(gathered.lines, onset, gathered.window, good=ranking.good)
    shifts = [s for s in found if service in (None, s.service)]
    first = f"{shifts[0].service}: {shifts[0].kind} {shifts[0].exemplar[:80]}" if shifts else "no shifted log patterns"
    digest = digest_templates(shifts)
    rows = _within(digest.rows, gathered.window, service)
    return AnalysisFinding(text=digest.text, rows=rows, facts={"shifts": len(shifts)}, summary=first)


def changes(gathered: Gathered, edges: Sequence[Edge], told: Told) -> AnalysisFinding:
    """What changed, each with its relation to the onset."""
    series = _indicators(gathered)
    ranking = rank_causes(_telemetry(gathered, series, edges, told))
    findings: Sequence[ChangeFinding] = ranking.changes
    if not findings and gathered.changes:
        around = ranking.onset or _middle(gathered)
        findings = correlate_changes(gathered.changes, around, told.service, edges, [])
    near = sum(1 for finding in findings if finding.verdict == "cause_candidate")
    digest = digest_changes(findings)
    return AnalysisFinding(
        text=digest.text,
        rows=_within(digest.rows, gathered.window, None),
        facts={"changes": [_change_facts(finding) for finding in findings]},
        summary=f"{counted(len(findings), 'change')}, {near} shortly before the onset" if findings else "no changes",
    )


def breakdown(
    gathered: Gathered, edges: Sequence[Edge], told: Told, service: str, operation: str | None
) -> AnalysisFinding:
    """Where the time of a service's requests goes since the onset and before; since the window's middle without one."""
    series = _indicators(gathered)
    ranking = rank_causes(_telemetry(gathered, series, edges, told))
    onset = ranking.onset or _middle(gathered)
    good = ranking.good or ((gathered.window.start.timestamp(), onset.at.timestamp() - onset.guard_s),)
    since = Window(start=onset.at, end=gathered.window.end)
    spans, name = gathered.spans, operation or service
    found = trace_breakdown(spans, name, since, good, service=service) if spans is not None else None
    if found is None:
        none = "no such requests were recorded in this window"
        wanted = {"operation": operation} if operation else {}
        absent = Searched(service=service, what="recorded requests", found=0, wanted=wanted, line=none)
        rows = _within((absent,), gathered.window, service)
        return AnalysisFinding(text=none, rows=rows, facts={"requests": 0}, summary="no traces")
    part = most_added(found)
    summary = (
        f"{service}: most of the added time is {part_name(found, part)}" if part else f"{service}: no time was added"
    )
    text = render_breakdown(found, f"{onset.at:%H:%M:%S} UTC")
    return AnalysisFinding(
        text=text,
        rows=breakdown_rows(found, text),
        facts={"requests": found.requests_after, "traces": [*found.slow_trace_ids, *found.usual_trace_ids]},
        summary=summary,
    )


def compare(then: Gathered, now: Gathered, service: str | None) -> AnalysisFinding:
    """What is worse in the later window, of one service or of all."""
    found = compare_windows(
        then.window,
        now.window,
        series_then=_indicators(then),
        series_now=_indicators(now),
        lines_then=then.lines,
        lines_now=now.lines,
    )
    anomalies = [a for a in found.anomalies if service in (None, a.service)]
    shifts = [s for s in found.shifts if service in (None, s.service)]
    first = anomalies[0] if anomalies else None
    half = RANKING_TOKENS // 2
    head = f"{_span(now.window)} compared with {_span(then.window)}, UTC"
    worse, other = digest_anomalies(anomalies, max_tokens=half), digest_templates(shifts, max_tokens=half)
    gaps = [Unread(reason=gap, part=True, line=f"gap: {gap}") for gap in found.gaps]
    text = "\n".join([head, worse.text, other.text, *(gap.line for gap in gaps)])
    rows = (*_within((*worse.rows, *other.rows), now.window, service), *gaps)
    summary = f"{first.service} {first.indicator} is worse" if first else "no indicator is worse"
    return AnalysisFinding(
        text=text, rows=rows, facts={"worse": len(anomalies), "shifts": len(shifts)}, summary=summary
    )


def siblings(gathered: Gathered, edges: Sequence[Edge], told: Told, service: str) -> AnalysisFinding:
    """How the pods, instances or hosts of a service differ, since the onset; in the window's last third without one."""
    series = _indicators(gathered)
    ranking = rank_causes(_telemetry(gathered, series, edges, told))
    start, end = gathered.window.start.timestamp(), gathered.window.end.timestamp()
    since = ranking.onset.at.timestamp() if ranking.onset is not None else end - (end - start) / 3
    found = compare_siblings(gathered.series, service, since, end)
    if found is None:
        none = "no series that tells its pods, instances or hosts apart"
        absent = Searched(service=service, what=none.removeprefix("no "), found=0, line=none)
        return AnalysisFinding(text=none, rows=_within((absent,), gathered.window, service), facts={}, summary=none)
    rows = sibling_rows(found, ranking.onset)
    text = "\n".join(row.line for row in rows if row.line)
    facts = {"siblings": found.count, "apart": [one.name for one in found.apart]}
    return AnalysisFinding(text=text, rows=rows, facts=facts, summary=rows[0].line)


def _within(rows: Sequence[Row], window: Window, service: str | None) -> tuple[Row, ...]:
    """What was looked for and not found gets the window and the service that it was looked for in."""
    return tuple(
        replace(row, start=window.start, end=window.end, service=row.service or service or "")
        if isinstance(row, Searched)
        else row
        for row in rows
    )


def _span(window: Window) -> str:
    return f"{window.start:%d %b %H:%M:%S} to {window.end:%H:%M:%S}"


def _indicators(gathered: Gathered) -> list[Series]:
    """From metrics; of services whose requests nobody counts, from the access logs, too."""
    found = derive_indicators(gathered.series, service_of)
    counted = {series.service for series in found if series.indicator == REQUESTS}
    lines = [line for line in gathered.lines if line.service not in counted]
    return found + derive_indicators(request_series(lines), service_of)


def measure_logs(gathered: Gathered, service: str, indicator: str, seconds: float, end: float) -> float | None:
    """The same as `measure`, of a service whose requests stand in its log only."""
    return measure(request_series(gathered.lines), service, indicator, seconds, end)


def measure(raw: Sequence[RawSeries], service: str, indicator: str, seconds: float, end: float) -> float | None:
    """Mean of one indicator over the last `seconds` before `end` (epoch s), or None without a sample: judges healing.

    Where sampling is slower than that, the window is two and a half sampling intervals.
    """
    for series in derive_indicators(raw, service_of):
        if series.service == service and indicator_key(series.indicator, series.peer) == indicator:
            interval = float(np.median(np.diff(series.times))) if series.times.size > 1 else 0.0
            start = end - max(seconds, 2.5 * interval)
            recent = series.values[(series.times > start) & (series.times <= end) & np.isfinite(series.values)]
            return float(recent.mean()) if recent.size else None
    return None


def above_since(
    raw: Sequence[RawSeries], measured: tuple[str, str], threshold: float, hold_s: float, start: float
) -> float | None:
    """Since when (epoch s, after `start`) one indicator is above its threshold, up to its last sample above it: it was
    below for less than `hold_s` at a time. None where it was never above, or was not measured. `measured` is its
    service and its name.
    """
    for series in derive_indicators(raw, service_of):
        if (series.service, indicator_key(series.indicator, series.peer)) == measured:
            above = series.times[(series.times > start) & (series.values > threshold)]
            if not above.size:
                return None
            breaks = np.flatnonzero(np.diff(above) > hold_s)
            return float(above[breaks[-1] + 1 if breaks.size else 0])
    return None


def above_since_in_logs(
    gathered: Gathered, measured: tuple[str, str], threshold: float, hold_s: float, start: float
) -> float | None:
    """The same as `above_since`, of a service whose requests stand in its log only."""
    return above_since(request_series(gathered.lines), measured, threshold, hold_s, start)


def service_of(series: RawSeries) -> str | None:
    return series.labels.get("service")


def indicator_key(indicator: str, peer: str | None) -> str:
    """Names an indicator within its service."""
    return f"{indicator}->{peer}" if peer else indicator


def _telemetry(gathered: Gathered, series: Sequence[Series], edges: Sequence[Edge], told: Told) -> Telemetry:
    return Telemetry(
        window=gathered.window,
        series=tuple(series),
        logs=gathered.lines,
        changes=gathered.changes,
        edges=tuple(edges),
        symptom_service=told.service,
        symptom_family=told.symptom,
        reported_at=told.since,
        gaps=gathered.gaps,
        spans=gathered.spans,
    )


def _middle(gathered: Gathered) -> Onset:
    half = (gathered.window.end - gathered.window.start) / 2
    return Onset(at=gathered.window.start + half, guard_s=0.0, score=0.0, direction="up")


def _cause_facts(cause: CauseCandidate) -> dict[str, Any]:
    return {
        "service": cause.service,
        "family": cause.family,
        "external": cause.external,
        "confidence": cause.confidence,
        "change": cause.change.change.id if cause.change else None,
    }


def _change_facts(finding: ChangeFinding) -> dict[str, Any]:
    change = finding.change
    return {
        "id": change.id,
        "service": change.service,
        "at": change.at.isoformat(),
        "version": change.version,
        "previous_version": change.previous_version,
        "commit": change.commit,
        "verdict": finding.verdict,
        "precedes_onset": finding.precedes_onset,
        "reaches_symptom": finding.reaches_symptom,
    }


def _felt(ranking: Ranking, symptom: Anomaly) -> Anomaly:
    """What users feel, errors or latency, where any was found: healing is judged by it, not by a pool's level."""
    if symptom.family in _FELT:
        return symptom
    felt = [a for cause in ranking.causes for a in cause.anomalies if a.family in _FELT and a.direction == "up"]
    return max(felt, key=lambda a: a.score, default=symptom)


def _as_metric(symptom: Anomaly, onset: Onset | None, series: Sequence[Series]) -> Anomaly:
    """The same as a metric shows it, where one does: healing is measured from metrics, whatever showed the symptom."""
    if symptom.source == "metrics" or onset is None:
        return symptom
    at, best = onset.at.timestamp(), symptom
    for one in series:
        if (one.service, one.family, one.peer) == (symptom.service, symptom.family, None):
            known = np.isfinite(one.values)
            before = one.values[known & (one.times < at - onset.guard_s)]
            now = one.values[known & (one.times >= at)]
            if before.size and now.size and 0 < before.mean() < now.mean():
                found = _measured(symptom, one, float(before.mean()), float(now.mean()))
                if best is symptom or (found.ratio or 0.0) > (best.ratio or 0.0):
                    best = found
    return best


def _measured(symptom: Anomaly, series: Series, before: float, now: float) -> Anomaly:
    return replace(
        symptom,
        indicator=series.indicator,
        unit=series.unit,
        baseline=before,
        current=now,
        ratio=now / before,
        source="metrics",
        exemplar=None,
    )


def _symptom_facts(symptom: Anomaly, onset: Onset | None) -> dict[str, Any]:
    return {
        "service": symptom.service,
        "indicator": indicator_key(symptom.indicator, symptom.peer),
        "family": symptom.family,
        "unit": _unit(symptom.unit),
        "before": symptom.baseline,
        "now": symptom.current,
        "onset": onset.at.isoformat() if onset else None,
    }


def _chart(ranking: Ranking, series: Sequence[Series]) -> dict[str, Any] | None:
    """The symptom and the first cause's strongest series of the same unit, over the time around the onset."""
    wanted = [a for a in (ranking.symptom, *(ranking.causes[0].anomalies if ranking.causes else ())) if a is not None]
    chosen: list[Series] = []
    for anomaly in wanted:
        match = next((s for s in series if _same(s, anomaly) and s.unit == wanted[0].unit), None)
        if match is not None and all(match is not other for other in chosen):
            chosen.append(match)
    if not chosen:
        return None
    since = ranking.onset.at - timedelta(minutes=3) if ranking.onset else None
    cut = [_since(s, since.timestamp() if since else 0.0) for s in chosen[:_CHARTED]]
    block = data_visualization(_chart_title(wanted[0]), cut, onset=ranking.onset)
    return {**block, "unit": _unit(wanted[0].unit)}


def _chart_title(anomaly: Anomaly) -> str:
    """What is drawn, for people: `Failed /checkout requests`, `Time taken by /orders`."""
    name = anomaly.indicator.removesuffix(" mean").removesuffix(" p95")
    if anomaly.unit == "ratio" and name.startswith("error ratio"):
        route = name.removeprefix("error ratio").strip()
        return f"Failed {f'{route} ' if route else ''}{'calls' if anomaly.peer else 'requests'}"
    if anomaly.unit == "s" and name.startswith("latency"):
        return f"Time taken by {name.removeprefix('latency').strip() or ('calls' if anomaly.peer else 'requests')}"
    return f"{anomaly.service}: {anomaly.indicator}"


def _unit(unit: str) -> str:
    return _UNITS.get(unit, "per_second" if unit.endswith("/s") else "count")


def _same(series: Series, anomaly: Anomaly) -> bool:
    return (series.service, series.indicator, series.peer) == (anomaly.service, anomaly.indicator, anomaly.peer)


def _since(series: Series, start: float) -> Series:
    inside = series.times >= start
    return Series(
        service=series.service,
        indicator=series.indicator,
        family=series.family,
        unit=series.unit,
        labels=series.labels,
        times=series.times[inside],
        values=series.values[inside],
        peer=series.peer,
    )


def _ranking_line(ranking: Ranking) -> str:
    if not ranking.quiet and ranking.onset is None:
        return "nothing was measured before that it could be compared with"
    if ranking.quiet or ranking.onset is None:
        return "nothing abnormal was measured"
    first = ranking.causes[0] if ranking.causes else None
    since = f"since {ranking.onset.at:%H:%M:%S}"
    if first is None:
        return f"abnormal {since}, no suspect stands out"
    outside = f" ({first.external})" if first.external else ""
    return f"{first.service}{outside}: {first.family.replace('_', ' ')} {since}, {first.confidence}"
