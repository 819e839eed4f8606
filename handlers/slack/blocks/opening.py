"""The first message of an investigation: what is checked, on which assumption, what is not connected.

It never asks first: it states its assumption.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.verdict import Symptom
from handlers.slack.blocks import text as t
from handlers.slack.blocks.evidence import say_symptom
from handlers.slack.blocks.message import Json, Message, actions, button, sections


@dataclass(frozen=True, kw_only=True)
class Opening:
    """`subject` is the service or, before one is known, the incident's title. `ended` takes the stop button away,
    `waiting` says that other investigations have all places.
    """

    investigation_id: str
    subject: str
    symptom: Symptom | None
    sources: Sequence[str]
    missing: Sequence[str]
    attempt: int = 1
    ended: bool = False
    waiting: bool = False


def opening(view: Opening) -> Message:
    """`Checking *checkout* since 02:41: 9% of its requests fail (0.3% before). Reading Prometheus, logs, git.`"""
    subject = view.symptom.service if view.symptom else view.subject
    lead = "Checking" if view.attempt == 1 else "Still looking into"
    clause = symptom_clause(view.symptom, whose="its")
    first = f"{lead} *{t.prose(subject, 80)}*{clause}"
    queue = "Waiting for a free place: as many investigations as allowed are running" if view.waiting else ""
    body = t.sentence([first, queue, _reading(view.sources), _missing(view.missing)])
    verb = "Waiting to check" if view.waiting else lead
    short = f"{verb} {t.one_line(subject)}{t.unescape(clause)}"
    return Message(text=t.push(short), blocks=(*sections(body), *_buttons(view)))


def symptom_clause(symptom: Symptom | None, *, whose: str = "") -> str:
    """` since 02:41: 9% of checkout's requests fail (0.3% before)`, in mrkdwn; empty when nothing was measured."""
    if symptom is None:
        return ""
    onset = t.minute(t.moment(symptom.onset))
    return f"{f' since {onset}' if onset else ''}: {say_symptom(symptom, whose=whose)}"


def suffered(symptom: Symptom) -> str:
    """`9% of checkout's requests fail since 02:41 (0.3% before)`, in mrkdwn."""
    onset = t.minute(t.moment(symptom.onset))
    what, before, was = say_symptom(symptom).rpartition(" (")
    return f"{what}{f' since {onset}' if onset else ''}{before}{was}"


def _reading(sources: Sequence[str]) -> str:
    return f"Reading {t.listing(sources, most=8, limit=40)}" if sources else "No source is connected"


def _missing(missing: Sequence[str]) -> str:
    if not missing:
        return ""
    named = [t.prose(kind, 40) for kind in missing[:6]]
    return f"No {' or '.join([', '.join(named[:-1]), named[-1]]) if len(named) > 1 else named[0]} connected"


def _buttons(view: Opening) -> list[Json]:
    wrong = button("wrong_service", "Wrong service", view.investigation_id)
    stop = button("stop", "Stop", view.investigation_id)
    return actions(*([wrong] if view.ended else [wrong, stop]))
