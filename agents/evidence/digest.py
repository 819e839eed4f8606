"""Findings as a few hundred tokens of text for an agent: one finding a line, every number quotable.

Deterministic; times are HH:MM:SS UTC; columns are named in the first line of each table.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from agents.evidence.types import Anomaly, Cause, ChangeFinding, Ranking, Source, TemplateShift

RANKING_TOKENS = 400
CHARACTERS_PER_TOKEN = 3.2  # numbers and punctuation tokenise worse than prose
MAX_TEXT = 140
_LABELS: Mapping[Source, str] = {"metrics": "metric", "traces": "trace", "logs": "line", "changes": "change"}
_T = TypeVar("_T")


def estimate_tokens(text: str) -> int:
    """A cautious estimate; real tokenizers give fewer for prose."""
    return int(len(text) / CHARACTERS_PER_TOKEN) + 1


def render_ranking(ranking: Ranking, *, max_tokens: int = RANKING_TOKENS) -> str:
    """The whole verdict. The least important lines are left off to keep the budget, and their number is named."""
    gaps = [f"gap: {_short(gap, 100)}" for gap in ranking.gaps[:4]]
    if ranking.quiet or ranking.onset is None:
        return "\n".join(["quiet: no indicator left its normal range in this window", *gaps])
    head = [f"onset {_clock(ranking.onset.at)} UTC (+-{ranking.onset.guard_s:.0f}s), score {ranking.onset.score:.1f}"]
    if ranking.symptom is not None:
        head.append(f"symptom: {_anomaly(ranking.symptom)}")
    body: list[str] = []
    for place, cause in enumerate(ranking.causes, start=1):
        body += _cause(place, cause)
    related = {c.change.change.id for c in ranking.causes if c.change is not None}
    tail = [f"other change: {_change(f)}" for f in ranking.changes if f.change.id not in related][:3]
    return _fit([*head, *gaps], [*body, *tail], max_tokens)


def render_templates(templates: Sequence[TemplateShift], *, max_tokens: int = RANKING_TOKENS) -> str:
    """One line a shifted log pattern with one verbatim example."""
    head = "service,kind,level,count before->after,share before->after,first seen,example"
    return _table(head, templates, _template, "no shifted log patterns", max_tokens)


def render_anomalies(anomalies: Sequence[Anomaly], *, max_tokens: int = RANKING_TOKENS) -> str:
    """One line an indicator that left its normal range."""
    head = "service,indicator,before->after,ratio,noise units,since"
    return _table(head, anomalies, _anomaly, "no indicator is worse", max_tokens)


def render_changes(findings: Sequence[ChangeFinding], *, max_tokens: int = RANKING_TOKENS) -> str:
    """One line a change with its verdict."""
    head = "service,kind,id,version,at,relative to onset,verdict,score,summary"
    return _table(head, findings, _change, "no changes", max_tokens)


def number(value: float) -> str:
    """Three significant digits without an exponent where that reads well."""
    size = abs(value)
    if value == 0:
        return "0"
    if size >= 1e9 or size < 1e-4:
        return f"{value:.3g}"
    if size >= 1000:
        return f"{value:.0f}"
    return f"{value:.3g}"


def quantity(value: float, unit: str) -> str:
    """A number with its unit; seconds below one as ms, bytes as MB, ratios as per cent."""
    if unit == "s" and abs(value) < 1:
        return f"{number(value * 1000)}ms"
    if unit in ("bytes", "bytes/s") and abs(value) >= 1e5:
        return f"{number(value / 1e6)}MB{unit.removeprefix('bytes')}"
    if unit in ("bytes", "bytes/s"):
        return f"{number(value / 1e3)}kB{unit.removeprefix('bytes')}"
    if unit == "ratio":
        return f"{number(value * 100)}%"
    return f"{number(value)}{'' if unit in ('count', 'restarts') else unit}"


def _table(head: str, rows: Sequence[_T], line: Callable[[_T], str], empty: str, max_tokens: int) -> str:
    return _fit([head], [line(row) for row in rows], max_tokens) if rows else empty


def _fit(head: Sequence[str], lines: Sequence[str], max_tokens: int) -> str:
    kept = list(head)
    for place, line in enumerate(lines):
        if estimate_tokens("\n".join([*kept, line])) > max_tokens - 8:
            kept.append(f"({len(lines) - place} lines left off)")
            break
        kept.append(line)
    return "\n".join(kept)


def _cause(place: int, cause: Cause) -> Iterable[str]:
    outside = f" external={cause.external}" if cause.external else ""
    also = f" explains={'+'.join(cause.explained_away[:5])}" if cause.explained_away else ""
    verdict = f"score={cause.score:.2f} confidence={cause.confidence}"
    yield f"{place}. {cause.service} [{cause.family}]{outside} {verdict}{also}"
    shown = 3 if place == 1 else 1
    if cause.change is not None:
        yield f"  change: {_change(cause.change)}"
    yield from (f"  {_LABELS[a.source]}: {_anomaly(a)}{_example(a)}" for a in cause.anomalies[:shown])
    yield from (f"  log: {_template(t)}" for t in cause.templates[: 2 if place == 1 else 1])


def _anomaly(anomaly: Anomaly) -> str:
    peer = f"->{anomaly.peer}" if anomaly.peer else ""
    ratio = f",x{number(anomaly.ratio)}" if anomaly.ratio is not None else ",new"
    onset = f",{_clock(anomaly.onset.at)}" if anomaly.onset is not None else ",-"
    change = f"{quantity(anomaly.baseline, anomaly.unit)}->{quantity(anomaly.current, anomaly.unit)}"
    return f"{anomaly.service}{peer},{anomaly.indicator},{change}{ratio},z={anomaly.score:.1f}{onset}"


def _example(anomaly: Anomaly) -> str:
    return f",{_short(anomaly.exemplar, MAX_TEXT)}" if anomaly.exemplar else ""


def _template(shift: TemplateShift) -> str:
    counts = f"{shift.baseline_count}->{shift.current_count}"
    shares = f"{shift.share_before * 100:.1f}%->{shift.share_after * 100:.1f}%"
    first = _clock(shift.first_seen)
    return f"{shift.service},{shift.kind},{shift.level},{counts},{shares},{first},{_short(shift.exemplar, MAX_TEXT)}"


def _change(finding: ChangeFinding) -> str:
    change, ahead = finding.change, finding.seconds_before_onset
    relative = f"{abs(ahead):.0f}s {'before' if ahead >= 0 else 'after'} onset"
    version = f"{change.previous_version or '?'}->{change.version or '?'}"
    parts = [change.service, change.kind, change.id, version, _clock(change.at), relative, finding.verdict]
    return ",".join([*parts, f"{finding.score:.2f}", _short(change.summary, 60)])


def _clock(moment: datetime) -> str:
    return moment.strftime("%H:%M:%S")


def _short(text: str, limit: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
