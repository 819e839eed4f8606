"""What an alerting tool's text is: something that fires, something that is over, a person's acknowledgement, a digest,
a sign of life, or news of another kind; and which alert of which service it is.

Words decide where such tools write them: at the beginning, in brackets, behind "state". "Could not be resolved" or
"connection closed" in a description say nothing of the alert's own state.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from agents.language.service_names import names_in, plain

Kind = Literal["firing", "resolved", "acknowledged", "digest", "heartbeat", "news"]


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.MULTILINE)


_HEAD: Final = 600  # characters in which a tool says what it is about
_MARKS: Final = re.compile(r"[*_~`>#]+|:[a-z0-9_+-]+:|[\u2190-\u2bff\U0001f000-\U0001faff\ufe0f]")
_GREEN: Final = re.compile(
    r"^\W*(?::(?:white_check_mark|heavy_check_mark|large_green_circle|green_heart|large_green_square|ok):"
    r"|[\u2705\u2714\U0001f7e2\U0001f7e9])"
)
_BAD: Final = r"(?:firing|alerting|triggered|alarm|open|problem|critical|error|down)"
_GOOD: Final = r"(?:ok|resolved|recovered|normal|closed|up|cleared)"
_STATE: Final = r"\b(?:state|status)\W{1,4}"
_FIRES: Final = _any(
    r"\[(?:firing|alerting|triggered|alarm|problem|critical|warning|error|down)\b",
    r"^(?:firing|alerting|triggered|re-?triggered|problem|alarm|new alert)\b",
    rf"{_STATE}{_BAD}\b",
)
# Where the words of the whole message count.
_OVER_ANYWHERE: Final = _any(
    rf"\[{_GOOD}(?::\s?\d+)?\]", rf"{_STATE}{_GOOD}\b", r"\|\s*(?:ok|resolved|recovered)\s*(?:\||$)"
)
# And of its first line.
_OVER: Final = _any(
    r"^(?:auto-?)?(?:resolved|recovered|recovery|cleared|closed|fixed|back to normal)\b"
    r"(?!\s+(?:connection|unexpected|by (?:peer|remote)))",
    r"^(?:alert|incident|issue|problem|monitor|alarm|case)\b[^.\n]{0,120}?\b(?:resolved|recovered|closed|cleared)\b"
    r"(?=\s*(?:$|[.!,;]|by\b|on\b|at\b|after\b|automatically\b|for\b))",
    r"\b(?:is|are) (?:now |back )?(?:ok|resolved|recovered|up(?: again)?|healthy(?: again)?|operational|back(?: up)?"
    r"|back to normal)\s*(?:$|[.!(|:])",
    r"\b(?:returned|back) to (?:normal|ok|green)\b",
    r"\b(?:resolved|closed) by\b",
    r"^ok\b\s*[:|\-]",
)
_CLOSED: Final = _any(
    r"\b(?:resolved|closed) by\b(?! (?:itself|the (?:monitor|system|alert)|auto|integration|timeout))",
    r"\b(?:resolved|closed) (?:this|the|an?) (?:alert|incident|case)\b",
    r"\b(?:manually|marked as) (?:resolved|closed)\b",
)
_TAKEN: Final = _any(
    r"^(?:\[?ack(?:nowledged|'?d)?\]?|acknowledgement|assigned|reassigned|escalated|snoozed|(?:un)?muted|silenced?"
    r"|note added)\b",
    r"\b(?:was|has been|is|been) (?:acknowledged|ack'd|acked|(?:re)?assigned|escalated|snoozed|muted|silenced)\b",
    r"\b(?:acknowledged|acked|ack'd|snoozed|silenced) (?:by|the|this|alert|incident)\b",
    rf"{_STATE}acknowledged\b",
)
_DIGEST: Final = _any(
    r"\b(?:digest|scorecard|newsletter)\b",
    r"\b(?:daily|weekly|monthly|hourly|morning|nightly) (?:\w+ ){0,2}(?:summary|report|overview|recap|review)\b",
    r"\bsummary of (?:the )?(?:last|past|alerts|incidents)\b",
    r"\bon-?call\b[^\n]{0,60}\b(?:is now|are now|handoff|hand-?over|schedule|shift|rotation|starts|begins|ends)\b",
    r"\b(?:shift|rotation) (?:starts|begins|ends|change)\b",
)
_ALIVE: Final = _any(
    r"\bwatchdog\b",
    r"\bdead ?man'?s? ?switch\b",
    r"\bheart ?beat\b",
    r"\bentire alerting pipeline is functional\b",
    r"\btest (?:alert|notification|message|page|incident)\b|\btestalert\b",
    r"\bhealth ?check ping\b",
)
_MISSED: Final = _any(r"\b(?:miss(?:ed|ing)|expired|late|lost|no|stopped|absent|not received|inactive|failed)\b")
_NEWS: Final = _any(
    r"\b(?:merged|opened|closed|approved|reviewed|commented on|requested (?:a )?review|pushed)\b[^\n]{0,40}"
    r"\b(?:pull request|merge request|pr|mr|commits?|branch|issue)\b",
    r"\b(?:pull request|merge request)\b[^\n]{0,60}\b(?:merged|opened|closed|approved|by)\b",
    r"\bpushed (?:\d+ )?(?:new )?commits?\b|\bnew commits?\b",
    r"\b(?:deploy(?:ed|ment|ing)?|release[ds]?|rollout|build|pipeline|workflow(?: run)?|job|backup)\b[^\n]{0,80}"
    r"\b(?:succeeded|successful(?:ly)?|finished|completed?|started|passed|green|done|live|deployed)\b",
    r"^(?:deployed|deploying|released|rolled out|shipped|started deploy|finished deploy)\b",
    r"\b(?:joined|left) the channel\b|\bset the channel (?:topic|purpose)\b",
    r"\bscheduled maintenance\b|\bmaintenance (?:window )?(?:scheduled|started|completed|ended)\b",
)
_BRACKETED: Final = re.compile(
    r"^\[[A-Za-z]+(?::\s?\d+)?(?:,\s?[A-Za-z]+:\s?\d+)*\]\s*(?P<name>[^\n(|]{2,120})", re.MULTILINE
)
_NAMED: Final = re.compile(
    r"\b(?:alert ?name|alert|monitor|alarm|rule|title|check)\W{1,4}(?P<name>[A-Za-z][\w .:/-]{2,100})", re.IGNORECASE
)
_LABELS: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:service|service[_. ]name|app|application|job|deployment|component|workload)\W{1,3}"
    r"(?P<value>[A-Za-z0-9][\w./-]{0,100})",
    re.IGNORECASE,
)
_VALUE: Final = re.compile(r"\d+(?:[.,:]\d+)*|0x[0-9a-f]+", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Alert:
    """`service` is a declared one, None where none, or no single one, is meant. `identity` is the same for each time
    that the same alert fires: of its service, or by its name where it has none. `closed_by_person` is set where a
    person closed it, not what it watches.
    """

    kind: Kind
    name: str
    service: str | None
    identity: str
    closed_by_person: bool = False


def read_alert(text: str, services: Iterable[str] = (), aliases: Mapping[str, str] | None = None) -> Alert:
    """What a message says. What is none of the other kinds fires: a missed alert costs more than a needless look."""
    text = plain(text)
    name, service = _name(text), service_of(text, services, aliases)
    kind = _kind(text)
    closed = kind == "resolved" and _CLOSED.search(text[:_HEAD]) is not None
    return Alert(kind=kind, name=name, service=service, identity=identity_of(name, service), closed_by_person=closed)


def identity_of(name: str, service: str | None) -> str:
    """The same for each time that the same alert fires, by whatever way it comes. `name` without changing values."""
    return f"service:{service}" if service else f"name:{name}"


def _kind(text: str) -> Kind:
    lines = [line.strip() for line in _MARKS.sub(" ", text).splitlines() if line.strip()]
    head, first = "\n".join(lines)[:_HEAD], lines[0] if lines else ""
    is_over = bool(_OVER.search(first) or _OVER_ANYWHERE.search(head))
    if _ALIVE.search(head) and not _MISSED.search(head):
        return "heartbeat"
    if _FIRES.search(head) and not (is_over and not _FIRES.search(first)):
        return "firing"
    told: tuple[tuple[Kind, bool], ...] = (
        ("acknowledged", bool(_TAKEN.search(first))),
        ("resolved", is_over),
        ("digest", bool(_DIGEST.search(head))),
        ("news", bool(_NEWS.search(first))),
        ("resolved", bool(_GREEN.match(text.strip()))),
    )
    return next((kind for kind, holds in told if holds), "firing")


def service_of(text: str, services: Iterable[str], aliases: Mapping[str, str] | None = None) -> str | None:
    """The declared service that it is about: by a label, else the only one that is named."""
    known = list(services)
    labelled = {name for found in _LABELS.finditer(text) for name in names_in(found["value"], known, aliases)}
    if len(labelled) == 1:
        return labelled.pop()
    first = names_in(text.split("\n", 1)[0], known, aliases)
    named = first if len(first) == 1 else names_in(text, known, aliases)
    return named[0] if len(named) == 1 else None


def _name(text: str) -> str:
    """The alert's name without the values that change from one time to the next."""
    plainly = _MARKS.sub(" ", text)
    found = _BRACKETED.search(plainly) or _NAMED.search(plainly)
    title = found["name"] if found else next((line for line in plainly.splitlines() if line.strip()), "")
    return " ".join(_VALUE.sub("#", title).split()).strip(" :|-").lower()[:120]
