"""Findings as rows, and as a few hundred tokens of text printed from them: one finding a line, every number quotable.

Deterministic; times are HH:MM:SS UTC; columns are named in the first line of each table.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from agents.english import lasting
from agents.evidence.types import Anomaly, CauseCandidate, ChangeFinding, Ranking, Source, TemplateShift, Window
from agents.rows import Began, Changed, Logged, Moved, Role, Row, Searched, Suspect, Unread

RANKING_TOKENS = 400
CHARACTERS_PER_TOKEN = 3.2  # numbers and punctuation tokenise worse than prose
MAX_TEXT = 140
_LONG_AGO_S = 600.0  # from which an age is told in words, too
_LABELS: Mapping[Source, Role] = {"metrics": "metric", "traces": "trace", "logs": "line", "changes": "change"}


def estimate_tokens(text: str) -> int:
    """A cautious estimate; real tokenizers give fewer for prose."""
    return int(len(text) / CHARACTERS_PER_TOKEN) + 1


@dataclass(frozen=True, kw_only=True)
class Digest:
    """Rows and the text printed from them: each row knows its own line, empty where it did not fit."""

    text: str
    rows: tuple[Row, ...]


def digest_ranking(ranking: Ranking, window: Window | None = None, *, max_tokens: int = RANKING_TOKENS) -> Digest:
    """The whole verdict. The least important lines are left off to keep the budget, and their number is named."""
    gaps = [_Line("gap: ", Unread(reason=gap, part=True, line=_short(gap, 100))) for gap in ranking.gaps[:4]]
    if not ranking.quiet and ranking.onset is None:
        nothing = "there is nothing to compare with in this window"
        return _fit([_Line("", Unread(reason=nothing, line=f"cannot tell: {nothing}")), *gaps], [], max_tokens)
    if ranking.quiet or ranking.onset is None:
        quiet = Searched(
            what="indicators outside their normal range",
            found=0,
            start=window.start if window else None,
            end=window.end if window else None,
            line="quiet: no indicator left its normal range in this window",
        )
        return _fit([_Line("", quiet), *gaps], [], max_tokens)
    onset = ranking.onset
    began = f"onset {_clock(onset.at)} UTC (+-{onset.guard_s:.0f}s), score {onset.score:.1f}"
    head = [_Line("", Began(at=onset.at, within_s=onset.guard_s, score=onset.score, line=began))]
    if ranking.symptom is not None:
        head.append(_Line("symptom: ", moved(ranking.symptom, role="symptom")))
    body = [line for place, cause in enumerate(ranking.causes, start=1) for line in _cause(place, cause)]
    related = {c.change.change.id for c in ranking.causes if c.change is not None}
    others = [changed(f) for f in ranking.changes if f.change.id not in related]
    shown, unshown = others[:3], others[3:]
    tail = [_Line("other change: ", row) for row in shown]
    return _fit([*head, *gaps], [*body, *tail], max_tokens, unshown=unshown)


def render_ranking(ranking: Ranking, *, max_tokens: int = RANKING_TOKENS) -> str:
    """The text of `digest_ranking`."""
    return digest_ranking(ranking, max_tokens=max_tokens).text


def digest_templates(templates: Sequence[TemplateShift], *, max_tokens: int = RANKING_TOKENS) -> Digest:
    """One line a shifted log pattern with one verbatim example."""
    head = "service,kind,level,count before->after,share before->after,first seen,example"
    return _table(head, [logged(shift) for shift in templates], "no shifted log patterns", max_tokens)


def digest_anomalies(anomalies: Sequence[Anomaly], *, max_tokens: int = RANKING_TOKENS) -> Digest:
    """One line an indicator that left its normal range."""
    head = "service,indicator,before->after,ratio,noise units,since"
    return _table(head, [moved(a, role="compared") for a in anomalies], "no indicator is worse", max_tokens)


def digest_changes(findings: Sequence[ChangeFinding], *, max_tokens: int = RANKING_TOKENS) -> Digest:
    """One line a change with its verdict."""
    head = "service,kind,id,version,at,relative to onset,verdict,score,summary"
    return _table(head, [changed(finding) for finding in findings], "no changes", max_tokens)


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


@dataclass(frozen=True)
class _Line:
    """A row with what is printed before it."""

    label: str
    row: Row


def _table(head: str, rows: Sequence[Row], empty: str, max_tokens: int) -> Digest:
    if not rows:
        return Digest(text=empty, rows=(Searched(what=empty.removeprefix("no "), found=0, line=empty),))
    found = _fit([], [_Line("", row) for row in rows], max_tokens - estimate_tokens(head))
    return Digest(text=f"{head}\n{found.text}", rows=found.rows)


def _fit(head: Sequence[_Line], lines: Sequence[_Line], max_tokens: int, *, unshown: Sequence[Row] = ()) -> Digest:
    kept, rows = [f"{one.label}{one.row.line}" for one in head], [one.row for one in head]
    for place, one in enumerate(lines):
        if estimate_tokens("\n".join([*kept, f"{one.label}{one.row.line}"])) > max_tokens - 8:
            kept.append(f"({len(lines) - place} lines left off)")
            rows += [replace(left.row, line="") for left in lines[place:]]
            break
        kept.append(f"{one.label}{one.row.line}")
        rows.append(one.row)
    return Digest(text="\n".join(kept), rows=(*rows, *(replace(row, line="") for row in unshown)))


def _cause(place: int, cause: CauseCandidate) -> Iterable[_Line]:
    outside = f" external={cause.external}" if cause.external else ""
    also = f" explains={'+'.join(cause.explained_away[:5])}" if cause.explained_away else ""
    verdict = f"score={cause.score:.2f} confidence={cause.confidence}"
    suspect = Suspect(
        service=cause.service,
        place=place,
        family=cause.family,
        score=cause.score,
        confidence=cause.confidence,
        external=cause.external or "",
        explains=cause.explained_away,
        line=f"{place}. {cause.service} [{cause.family}]{outside} {verdict}{also}",
    )
    yield _Line("", suspect)
    shown = 3 if place == 1 else 1
    if cause.change is not None:
        yield _Line("  change: ", replace(changed(cause.change), suspect=place))
    for anomaly in cause.anomalies[:shown]:
        label = _LABELS[anomaly.source]
        row = replace(moved(anomaly, role=label), suspect=place)
        example = f",{row.example}" if row.example else ""
        yield _Line(f"  {label}: ", replace(row, line=f"{row.line}{example}"))
    yield from (_Line("  log: ", replace(logged(t), suspect=place)) for t in cause.templates[: 2 if place == 1 else 1])


def moved(anomaly: Anomaly, *, role: Role) -> Moved:
    """An anomaly as a row with its line."""
    peer = f"->{anomaly.peer}" if anomaly.peer else ""
    ratio = f",x{number(anomaly.ratio)}" if anomaly.ratio is not None else ",new"
    onset = f",{_clock(anomaly.onset.at)}" if anomaly.onset is not None else ",-"
    change = f"{quantity(anomaly.baseline, anomaly.unit)}->{quantity(anomaly.current, anomaly.unit)}"
    return Moved(
        service=anomaly.service,
        indicator=anomaly.indicator,
        family=anomaly.family,
        peer=anomaly.peer or "",
        unit=anomaly.unit,
        before=anomaly.baseline,
        now=anomaly.current,
        ratio=anomaly.ratio,
        score=anomaly.score,
        since=anomaly.onset.at if anomaly.onset else None,
        role=role,
        example=_short(anomaly.exemplar, MAX_TEXT) if anomaly.exemplar else "",
        line=f"{anomaly.service}{peer},{anomaly.indicator},{change}{ratio},z={anomaly.score:.1f}{onset}",
    )


def logged(shift: TemplateShift) -> Logged:
    """A shifted log pattern as a row with its line."""
    counts = f"{shift.baseline_count}->{shift.current_count}"
    shares = f"{shift.share_before * 100:.1f}%->{shift.share_after * 100:.1f}%"
    example = _short(shift.exemplar, MAX_TEXT)
    first = _clock(shift.first_seen)
    return Logged(
        service=shift.service,
        example=example,
        level=shift.level,
        first=shift.first_seen,
        last=shift.last_seen,
        count=shift.current_count,
        count_before=shift.baseline_count,
        share_before=shift.share_before,
        share_now=shift.share_after,
        shift=shift.kind,
        line=f"{shift.service},{shift.kind},{shift.level},{counts},{shares},{first},{example}",
    )


def changed(finding: ChangeFinding) -> Changed:
    """A change with its relation to the onset, as a row with its line."""
    change, ahead = finding.change, finding.seconds_before_onset
    age = f" ({lasting(abs(ahead))})" if abs(ahead) >= _LONG_AGO_S else ""
    relative = f"{abs(ahead):.0f}s{age} {'before' if ahead >= 0 else 'after'} onset"
    version = f"{change.previous_version or '?'}->{change.version or '?'}"
    summary = _short(change.summary, 60)
    parts = [change.service, change.kind, change.id, version, _clock(change.at), relative, finding.verdict]
    return Changed(
        service=change.service,
        change=change.id,
        at=change.at,
        kind=change.kind,
        version=change.version or "",
        previous_version=change.previous_version or "",
        summary=summary,
        author=change.author,
        files=change.paths,
        verdict=finding.verdict,
        before_onset_s=ahead,
        precedes_onset=finding.precedes_onset,
        reaches_symptom=finding.reaches_symptom,
        score=finding.score,
        link=change.link,
        line=",".join([*parts, f"{finding.score:.2f}", summary]),
    )


def _clock(moment: datetime) -> str:
    return moment.strftime("%H:%M:%S")


def _short(text: str, limit: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
