"""The catalog as people see it: which services there are, who said so, and what is asked about them."""

from collections.abc import Sequence
from typing import Final

from agents.connecting.connector import Service
from handlers.slack.blocks import text as t
from handlers.slack.blocks.message import Json, Message, actions, button, context, sections
from store.incidents.catalog import CatalogEntry

MOST_ASKED: Final = 8
MOST_LISTED: Final = 40
_ORIGIN: Final = {
    "connection": "found by a connection",
    "traces": "seen in traces",
    "investigation": "seen in an investigation",
    "person": "by a person",
}


def services(known: Sequence[Service], entries: Sequence[CatalogEntry], *, may_change: bool) -> Message:
    """`known` are all that investigations look at; `entries` what the catalog says of them and asks."""
    by_name = {entry.name: entry for entry in entries}
    asked = [entry for entry in entries if entry.state == "proposed"]
    blocks: list[Json] = []
    for entry in asked[:MOST_ASKED]:
        blocks += sections(question(entry))
        if may_change:
            blocks += actions(*_answers(entry))
    if len(asked) > MOST_ASKED:
        blocks += context(f"and {len(asked) - MOST_ASKED} more questions, after these are answered")
    lines = [_line(one, by_name.get(one.name)) for one in known[:MOST_LISTED]]
    if len(known) > MOST_LISTED:
        lines.append(f"and {len(known) - MOST_LISTED} more: GET /api/services lists all")
    blocks += sections("\n".join(f"• {line}" for line in lines) or "No service is known yet: connect a tool first.")
    if may_change:
        blocks += actions(button("service", "Add or correct a service", "new"))
    head = f"{t.plural(len(known), 'service')}" + (f", {t.plural(len(asked), 'question')}" if asked else "")
    return Message(text=head, blocks=tuple(blocks))


def question(entry: CatalogEntry) -> str:
    """For example: Is `checkout-7d9f` your service *checkout*?"""
    name = t.code(entry.name, 60)
    where = _ORIGIN.get(entry.origin, entry.origin)
    if entry.same_as:
        return f"Is {name} your service *{t.prose(entry.same_as, 60)}*? ({where})"
    return f"Is {name} one of your services? ({where})"


def _answers(entry: CatalogEntry) -> list[Json]:
    tail = entry.id[-12:]
    answers = []
    if entry.same_as:
        answers.append(button(f"service_same:{tail}", f"Yes, it is {entry.same_as}", entry.id, style="primary"))
        answers.append(button(f"service_own:{tail}", "No, a service of its own", entry.id))
    else:
        answers.append(button(f"service_own:{tail}", "Yes", entry.id, style="primary"))
    answers.append(button(f"service_dismiss:{tail}", "None of ours", entry.id))
    return answers


def _line(one: Service, entry: CatalogEntry | None) -> str:
    said = "by the operator's file" if entry is None else _ORIGIN[entry.origin]
    if entry is not None and entry.decided_by is not None:
        said = "by a person"
    parts = [f"*{t.prose(one.name, 60)}* ({t.prose(one.environment, 40)}, {said})"]
    parts += [f"calls {t.listing(one.depends_on, most=5)}"] if one.depends_on else []
    parts += [f"also {t.listing(one.aliases, most=4)}"] if one.aliases else []
    parts += [f"code {t.prose(one.repository, 80)}"] if one.repository else []
    return ", ".join(parts)
