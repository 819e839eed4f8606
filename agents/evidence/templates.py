"""Log lines to patterns, and which patterns are new, grew or vanished since the onset.

What is compared is the *share* a pattern has of its service's own lines, so twice the load with the same mix is no
finding. Lines are masked (numbers, ids, addresses, quoted values become `<*>`), then masked strings of the same
service and length that differ in few words are merged. The exemplar is a real line, verbatim.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Literal

from agents.evidence.types import LogLine, Onset, Stretch, TemplateShift, Window

G_SIGNIFICANT = 10.83  # chi-square, one degree of freedom, p = .001
MAX_TOKENS = 40
MAX_GROUPS_COMPARED = 200
SIMILAR = 0.7
CAUSE_FIELDS = ("error", "exception", "exc", "err", "exc_info", "cause", "reason", "traceback", "stack")

_MASK = re.compile(
    r"""https?://\S+
    | "[^"]*" | '[^']*'
    | \b[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\b
    | \b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b
    | \b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{6,}\b
    | (?<![A-Za-z])[-+]?\d[\d.,:]*(?:[a-zA-Z%]{1,3}\b)?
    | \d+""",
    re.VERBOSE,
)
_ERROR = re.compile(
    r"error|exception|traceback|fail|fatal|panic|refused|timed? ?out|denied|exceeded|exhaust|unavailable|cannot"
    r"|no space|quota|too large|too many|out of memory|killed|abort|errno|unable",
    re.IGNORECASE,
)
_DIGITS = str.maketrans("123456789", "0" * 9)
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
    masked: dict[str, str] = {}
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, line in enumerate(lines):
        content = content_of(line)
        alike = content.translate(_DIGITS)  # the mask treats all digits alike, so this much is shared
        pattern = masked.get(alike)
        if pattern is None:
            pattern = masked[alike] = _mask(alike)
        groups[line.service, pattern].append(index)
    merged = _merge(groups)
    out = []
    for (service, pattern), members in merged.items():
        first = lines[min(members, key=lambda i: (lines[i].time, lines[i].text, i))]
        out.append(
            Template(
                id=hashlib.sha256(f"{service}\0{pattern}".encode()).hexdigest()[:8],
                service=service,
                text=pattern,
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
    """What a line says: its message and, where a structured line carries it apart, the error."""
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


def _mask(content: str) -> str:
    words = _MASK.sub("<*>", content[:2000]).split()
    return " ".join(words[:MAX_TOKENS])


def _merge(groups: dict[tuple[str, str], list[int]]) -> dict[tuple[str, str], list[int]]:
    """Join patterns of one service that have as many words and differ in few of them."""
    shapes: dict[tuple[str, int], list[str]] = defaultdict(list)
    for service, pattern in groups:
        shapes[service, pattern.count(" ")].append(pattern)
    merged: dict[tuple[str, str], list[int]] = {}
    for service, length in sorted(shapes):
        patterns = sorted(shapes[service, length], key=lambda p: (-len(groups[service, p]), p))
        clusters: list[tuple[list[str], list[int]]] = []
        for pattern in patterns:
            words = pattern.split(" ")
            home = _most_similar(words, clusters)
            if home is None:
                clusters.append((words, list(groups[service, pattern])))
            else:
                template, members = home
                template[:] = [a if a == b else "<*>" for a, b in zip(template, words, strict=True)]
                members.extend(groups[service, pattern])
        for template, members in clusters:
            merged.setdefault((service, " ".join(template)), []).extend(members)
    return {key: sorted(members) for key, members in merged.items()}


def _most_similar(words: list[str], clusters: list[tuple[list[str], list[int]]]) -> tuple[list[str], list[int]] | None:
    if len(words) < 3:
        return None
    best, home = SIMILAR, None
    for cluster in clusters[:MAX_GROUPS_COMPARED]:
        template = cluster[0]
        if template[0] != words[0] and template[-1] != words[-1]:
            continue
        differing = [(a, b) for a, b in zip(template, words, strict=True) if a != b]
        if any(_ERROR.search(a) or _ERROR.search(b) for a, b in differing):
            continue
        same = 1 - len(differing) / len(words)
        if same > best:
            best, home = same, cluster
    return home


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
