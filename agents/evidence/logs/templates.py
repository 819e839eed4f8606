"""Log lines to patterns, and which patterns are new, grew or vanished since the onset.

What is compared is the *share* a pattern has of its service's own lines, so twice the load with the same mix is no
finding. The patterns are the miner's; the exemplar is a real line, verbatim.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from math import log, sqrt
from typing import Literal

from agents.evidence.logs.miner import TemplateMiner
from agents.evidence.logs.requests_in_logs import request_in
from agents.evidence.types import LogLine, Onset, Stretch, TemplateShift, Window

G_SIGNIFICANT = 10.83  # chi-square, one degree of freedom, p = .001
CAUSE_FIELDS = ("error", "exception", "exc", "err", "exc_info", "cause", "reason", "traceback", "stack")

_ERROR = re.compile(
    r"error|exception|traceback|fail|fatal|panic|refused|timed? ?out|denied|exceeded|exhaust|unavailable|cannot"
    r"|no space|quota|too large|too many|out of memory|killed|abort|errno|unable",
    re.IGNORECASE,
)
_ANSWERS = {status.value: status.phrase for status in HTTPStatus}
_CAUSES = frozenset(CAUSE_FIELDS)
_ERROR_LEVELS = frozenset({"error", "critical", "fatal", "err", "alert", "emergency", "severe", "panic"})


@dataclass(frozen=True, kw_only=True)
class Template:
    """A pattern of one service's lines. `lines` are indexes into the mined sequence, in its order."""

    id: str
    service: str
    text: str
    level: str
    exemplar: str
    lines: tuple[int, ...]


def mine_templates(lines: Sequence[LogLine]) -> list[Template]:
    """Group lines by pattern, most frequent first. The id depends on service and pattern only."""
    of_service: dict[str, list[int]] = defaultdict(list)
    for index, line in enumerate(lines):
        of_service[line.service].append(index)
    miner = TemplateMiner()
    mined = {
        service: miner.add(service, [content_of(lines[i]) for i in places]) for service, places in of_service.items()
    }
    groups: dict[int, list[int]] = defaultdict(list)
    for service, places in of_service.items():
        for index, settled in zip(places, miner.settle(mined[service]).tolist(), strict=True):
            groups[settled].append(index)
    out = []
    for settled, members in groups.items():
        template = miner.template(settled)
        first = lines[min(members, key=lambda i: (lines[i].time, lines[i].text, i))]
        out.append(
            Template(
                id=template.id,
                service=template.service,
                text=template.text,
                level=_worst_level([lines[i].level for i in members[:50]]),
                exemplar=_exemplar(first),
                lines=tuple(members),
            )
        )
    return sorted(out, key=lambda t: (-len(t.lines), t.service, t.text))


def shift_templates(
    lines: Sequence[LogLine], onset: Onset, window: Window, *, good: Sequence[Stretch] = ()
) -> list[TemplateShift]:
    """Patterns whose share of their service's lines changed at the onset, strongest first.

    What came before is read in the `good` stretches, without any in all the window before the onset.
    """
    at = onset.at.timestamp() - onset.guard_s
    spans = [*(good or [(window.start.timestamp(), at)]), (at, window.end.timestamp())]
    stamps = [line.time.timestamp() for line in lines]
    kept = [i for i, s in enumerate(stamps) if any(start <= s <= end for start, end in spans)]
    used = [lines[i] for i in kept]
    after = [stamps[i] >= at for i in kept]
    total_before: dict[str, int] = defaultdict(int)
    total_after: dict[str, int] = defaultdict(int)
    for line, late in zip(used, after, strict=True):
        (total_after if late else total_before)[line.service] += 1
    found = []
    for template in mine_templates(used):
        current = sum(after[i] for i in template.lines)
        shift = _shift(
            template,
            used,
            (len(template.lines) - current, total_before[template.service]),
            (current, total_after[template.service]),
        )
        if shift is not None:
            found.append(shift)
    return sorted(found, key=lambda s: (-s.score, s.service, s.template))


def is_error_like(level: str, text: str) -> bool:
    """An error level, or words of failure."""
    return level.lower() in _ERROR_LEVELS or bool(_ERROR.search(text))


def content_of(line: LogLine) -> str:
    """What a line says: its message, where a structured line carries it apart the error, and a failed answer in words.

    A status is a number, and numbers are values: without its name, 502 and 200 would be the same pattern.
    """
    if line.fields and (request := request_in(line.fields)) is not None and request.status >= HTTPStatus.BAD_REQUEST:
        return f"{line.text} {_ANSWERS.get(request.status, 'failed')}"
    if _CAUSES.isdisjoint(line.fields):
        return line.text
    extra = [f"{key}={line.fields[key]}" for key in CAUSE_FIELDS if line.fields.get(key)]
    return " ".join([line.text, *extra]) if extra else line.text


def _exemplar(line: LogLine) -> str:
    """The part of the line that says most, verbatim: the error field's last line if there is one, else the message."""
    for key in CAUSE_FIELDS if not _CAUSES.isdisjoint(line.fields) else ():
        rows = [row for row in line.fields.get(key, "").splitlines() if row.strip()]
        if rows and rows[-1] not in line.text:
            return rows[-1]
    return line.text


def _worst_level(levels: Sequence[str]) -> str:
    order = ("critical", "fatal", "error", "warning", "warn", "info", "debug", "")
    ranked = {level: place for place, level in enumerate(order)}
    return min(levels, key=lambda level: (ranked.get(level.lower(), 5), level), default="")


def _shift(
    template: Template, lines: Sequence[LogLine], before: tuple[int, int], after: tuple[int, int]
) -> TemplateShift | None:
    (old, old_total), (new, new_total) = before, after
    if old_total == 0 or new_total == 0:
        return None
    share_before, share_after = old / old_total, new / new_total
    g = _g_statistic(old, old_total, new, new_total)
    error_like = is_error_like(template.level, template.text)
    if old == 0 and (new >= 2 or (error_like and new >= 1)):
        kind: Literal["new", "grown", "vanished"] = "new"
    elif g >= G_SIGNIFICANT and share_after <= 0.1 * share_before:
        kind = "vanished"
    elif g >= G_SIGNIFICANT and share_after > 1.5 * share_before and share_after - share_before > 0.005:
        kind = "grown"
    else:
        return None
    boost = (2.0 if error_like else 1.0) * (1.5 if kind == "new" else 0.5 if kind == "vanished" else 1.0)
    seen = sorted(lines[i].time for i in template.lines)
    return TemplateShift(
        service=template.service,
        template_id=template.id,
        template=template.text,
        kind=kind,
        baseline_count=old,
        current_count=new,
        share_before=share_before,
        share_after=share_after,
        level=template.level,
        exemplar=template.exemplar,
        first_seen=seen[0],
        last_seen=seen[-1],
        score=round(min(sqrt(max(g, 1.0)), 20.0) * boost, 2),
    )


def _g_statistic(old: int, old_total: int, new: int, new_total: int) -> float:
    """Likelihood ratio of "the share is the same before and after", doubled."""
    pooled = (old + new) / (old_total + new_total)
    g = 0.0
    for hits, total in ((old, old_total), (new, new_total)):
        for observed, expected in ((hits, total * pooled), (total - hits, total * (1 - pooled))):
            if observed > 0 and expected > 0:
                g += observed * log(observed / expected)
    return max(0.0, 2 * g)
