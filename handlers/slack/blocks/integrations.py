"""What is connected and how each does, as lines with buttons; and what can be connected."""

from collections.abc import Mapping, Sequence
from typing import Final

from agents.connecting.connecting import ConnectionHealth, silence
from agents.connecting.connector import Check, Connector
from handlers.slack.blocks import text as t
from handlers.slack.blocks.message import Json, Message, actions, button, context, sections

MOST_SHOWN: Final = 12


def integrations(stored: Sequence[ConnectionHealth], declared: Sequence[str], *, may_connect: bool) -> Message:
    """`declared` are lines about what the operator's file connects, which nobody disconnects here."""
    blocks: list[Json] = []
    for one in stored[:MOST_SHOWN]:
        blocks += sections(health_line(one))
        if may_connect:
            blocks += actions(*_buttons(one))
    if len(stored) > MOST_SHOWN:
        blocks += context(f"and {len(stored) - MOST_SHOWN} more: GET /api/connections lists all")
    if declared:
        blocks += sections("From the operator's file:\n" + "\n".join(f"• {line}" for line in declared))
    if not stored and not declared:
        blocks += sections("Nothing is connected, so I have nothing to look at.")
    if may_connect:
        blocks += actions(button("connect", "Connect a tool", "choose", style="primary"))
    failing = sum(1 for one in stored if not one.works)
    head = f"{t.plural(len(stored) + len(declared), 'connection')}" + (f", {failing} failing" if failing else "")
    return Message(text=head, blocks=tuple(blocks))


def health_line(one: ConnectionHealth) -> str:
    """One connection in mrkdwn: does it work, why not and since when, what it lacks, whether it went silent."""
    stored, check = one.connection, one.check
    name = f"*{t.prose(stored.label, 40)}*" + (
        f" ({t.prose(one.title, 40)})" if stored.label != stored.connector else ""
    )
    if check is None:
        return f"{name} *cannot be used*: {t.prose(one.reason, 300)}"
    if not check.usable:
        since = f", last worked {t.day_minute(stored.worked_at)}" if stored.worked_at else ""
        why = f"{name} *does not work*{since}: {t.prose(str(stored.problem or check.detail), 400)}"
        return "\n".join([why, *changed_lines(check)])
    silent = silence(stored.data_at, check.has_data)
    parts = [f"{name} works: {t.prose(check.detail, 200)}"]
    parts += [f"*{silent}*"] if silent else []
    parts += [f"Lacks: {t.prose('; '.join(check.lacks), 300)}"] if check.lacks else []
    return "\n".join([*parts, *changed_lines(check)])


def changed_lines(check: Check) -> list[str]:
    """What is off until somebody accepts it; quotes in it are the other side's words."""
    lines = [f"• {t.prose(change, 450)}" for change in check.changed[:MOST_SHOWN]]
    if len(check.changed) > MOST_SHOWN:
        lines.append(f"and {len(check.changed) - MOST_SHOWN} more")
    return [f"*{t.plural(len(check.changed), 'change')} nobody accepted yet, so that is off:*", *lines] if lines else []


def choices(kinds: Mapping[str, type[Connector]]) -> Message:
    """What can be connected, each with its button."""
    blocks: list[Json] = []
    for name, kind in sorted(kinds.items()):
        blocks += sections(f"*{t.prose(kind.title, 40)}*: {t.prose(kind.about, 200)}")
        blocks += actions(button(f"connect:{name}", f"Connect {kind.title}", name))
    blocks += context("Logs, git on this machine and commands are connected in the operator's file.")
    return Message(text="What would you like to connect?", blocks=tuple(blocks))


def _buttons(one: ConnectionHealth) -> list[Json]:
    asks = {
        "title": {"type": "plain_text", "text": "Disconnect?"},
        "text": {
            "type": "plain_text",
            "text": f"{one.connection.label}: its credentials are deleted, and what is running now is stopped.",
        },
        "confirm": {"type": "plain_text", "text": "Disconnect"},
        "deny": {"type": "plain_text", "text": "Keep"},
    }
    end = button(f"disconnect:{one.connection.id[-12:]}", "Disconnect", one.connection.id, style="danger")
    changed = one.check is not None and one.check.changed and one.check.seen
    if not changed or one.check is None:
        return [end | {"confirm": asks}]
    value = f"{one.connection.id}:{one.check.seen}"
    accept = button(f"accept_changes:{one.connection.id[-12:]}", "Use it as it is now", value)
    return [accept, end | {"confirm": asks}]
