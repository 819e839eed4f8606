"""The one message of a group of alerts, edited as the group changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from agents.alerting.book import FLAPS_WITHIN, REOPENS
from handlers.slack.blocks import text as t
from handlers.slack.blocks.message import Json, Message, actions, button, context, fields, sections

MOST_LABELS: Final = 6
_LEADS: Final = {"firing": "Firing", "acknowledged": "Acknowledged", "resolved": "Resolved"}
_USUAL: Final = ("environment", "cluster", "namespace", "node", "instance", "job", "region", "pod")


@dataclass(frozen=True, kw_only=True)
class GroupView:
    """A group as the store has it. `shown_labels`: which labels the tenant wants to see; the usual ones without any."""

    id: str
    status: str
    severity: str
    quiet: bool
    service: str | None
    facts: dict[str, Any]
    opened_at: datetime
    resolved_at: datetime | None
    recurrences: int
    decision: str | None
    merged: bool = False
    shown_labels: Sequence[str] = ()
    verdict: str = ""
    """What its investigation found, in one line, unescaped."""
    reopens: bool = False
    """It came back so soon that its incident is open again."""


def alert_group(view: GroupView) -> Message:
    """`Firing, critical: *checkout* HighErrorRate` with counts by source, labels, and what to do."""
    title = str(view.facts.get("title") or "Alerts")
    if view.merged:
        return Message(text=t.push(f"Merged: {title}"), blocks=tuple(context("These alerts belong to another group.")))
    lead = _lead(view)
    subject = f"*{t.prose(view.service, 80)}* " if view.service else ""
    first = f"{lead}: {subject}{t.prose(title, 300)}"
    if view.verdict:
        first += f"\n*Verdict* {t.prose(view.verdict, 300)}"
    short = f"{lead}: {view.service + ' ' if view.service else ''}{title}"
    return Message(
        text=t.push(short),
        blocks=(*sections(first), *_labels(view), *context(*_small_print(view)), *_buttons(view)),
    )


def again(view: GroupView) -> Message:
    """In the thread, when what was over fires again."""
    quiet_s = view.facts.get("quiet_s")
    after = f", {t.duration(quiet_s)} after it was over" if quiet_s is not None else ""
    lines = [f"Fires again, for the {_ordinal(view.recurrences + 1)} time{after}."]
    if view.reopens:
        lines.append(f"Within {t.duration(REOPENS)} that is the same outage: its incident is open again.")
    if view.facts.get("flapping"):
        lines.append("It keeps coming and going, so I do not start anew each time: the message above tells of it.")
    return Message(text=t.push(f"Fires again: {view.facts.get('title')}"), blocks=tuple(sections(" ".join(lines))))


def _lead(view: GroupView) -> str:
    if view.quiet:
        return "Alerts of low severity"
    state = _LEADS.get(view.status, view.status)
    flaps = ", flapping" if view.facts.get("flapping") else ""
    if view.status == "resolved":
        return f"{state} {t.minute(view.resolved_at)} UTC{flaps}" if view.resolved_at else f"{state}{flaps}"
    severity = "" if view.severity == "unknown" else f", {view.severity}"
    return f"{state}{severity}{flaps}"


def _labels(view: GroupView) -> list[Json]:
    labels: dict[str, str] = view.facts.get("labels") or {}
    wanted = list(view.shown_labels) or [name for name in _USUAL if name in labels]
    chosen = [(name, t.prose(labels[name], 200)) for name in wanted if name in labels][:MOST_LABELS]
    return [] if view.quiet else fields([(t.prose(name, 40), value) for name, value in chosen])


def _small_print(view: GroupView) -> list[str]:
    states: dict[str, int] = view.facts.get("states") or {}
    sources: dict[str, int] = view.facts.get("sources") or {}
    counted = [f"{states[name]} {name}" for name in ("firing", "acknowledged", "resolved", "info") if states.get(name)]
    services = sorted(view.facts.get("services") or {})
    told = ", ".join(f"{t.prose(name, 40)} {count}" for name, count in sorted(sources.items()))
    lines = [
        f"{sum(states.values())} alerts ({', '.join(counted)}) since {t.day_minute(view.opened_at)} UTC",
        f"Sent: {told}" if told else "",
        f"Services: {t.listing(services, most=8, limit=40)}" if len(services) > 1 else "",
        _came_back(view),
        t.link(view.facts.get("source_url"), "At the source") if view.facts.get("source_url") else "",
    ]
    return [line for line in lines if line]


def _came_back(view: GroupView) -> str:
    if not view.recurrences:
        return ""
    told = f"Came back {t.plural(view.recurrences, 'time')}"
    if not view.facts.get("flapping"):
        return told
    calm = f"until it is quiet for {t.duration(FLAPS_WITHIN)}"
    return f"{told} and keeps coming and going: I do not start anew, nor tell of each time, {calm}"


def _buttons(view: GroupView) -> list[Json]:
    made = []
    if view.decision == "offer" and view.status != "resolved":
        made.append(button("investigate_alerts", "Investigate", view.id))
    runbook = view.facts.get("runbook_url")
    if isinstance(runbook, str) and runbook.startswith(("https://", "http://")) and len(runbook) < 3_000:
        made.append({**button("link_runbook", "Runbook", view.id), "url": runbook})
    return actions(*made) if made else []


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
