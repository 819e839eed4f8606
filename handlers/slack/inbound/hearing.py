"""What a plain reply in a thread is, without a mention: while an investigation runs there, a remark that steers it.

Decided by words alone: `mute` and `unmute` as a whole message, a mention of somebody else at the beginning, the name
of this app. Everything else in a channel is nobody's business here, and is not kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from handlers.slack.inbound.arrival import ChannelMessage
from handlers.slack.inbound.intent import read_intent
from store.database.session import TenantSession
from store.incidents import incident_for_thread
from store.incidents.conversations import conversation, last_of
from store.incidents.investigations import latest_investigation

Hearing = Literal["steer", "stop", "mute", "unmute", "unheard"]
"""`unheard`: it seems to be for this app, which does not listen there."""
MUTE: Final = "mute"
UNMUTE: Final = "unmute"
_MUTES: Final = frozenset(("mute", "be quiet", "stop listening", "don't listen", "do not listen", "ignore this thread"))
_UNMUTES: Final = frozenset(("unmute", "listen", "listen again", "start listening"))
_NAMED: Final = re.compile(r"^\W*(?:(?:hey|hi|hello|ok|okay|dear)\W+)?@?(?:autoheal|bot)\b[\s,:;!.-]*", re.IGNORECASE)
_NAMED_LAST: Final = re.compile(r"[\s,]+@?autoheal\W*$", re.IGNORECASE)
_TO_ANOTHER: Final = re.compile(r"^\s*(?:<@[A-Z0-9]+(?:\|[^>]*)?>|<!subteam)")
_POLITE: Final = re.compile(r"^(?:please|pls)\s+|\s+(?:please|pls|now|here)$", re.IGNORECASE)
_APOSTROPHES: Final = str.maketrans("\u2019\u2018", "''")


@dataclass(frozen=True, kw_only=True)
class ThreadState:
    """Of a thread that an incident is handled in."""

    running: bool
    muted: bool


async def read_thread(s: TenantSession, channel_id: str, thread_ts: str) -> ThreadState | None:
    """None where no incident is handled in the thread."""
    about = await incident_for_thread(s, channel_id, thread_ts)
    if about is None:
        return None
    run = await latest_investigation(s, about.id)
    thread = await conversation(s, channel_id=channel_id, thread_ts=thread_ts, create=False)
    last = await last_of(s, thread.id, (MUTE, UNMUTE)) if thread is not None else None
    return ThreadState(running=run is not None and run.status in ("queued", "running"), muted=last == MUTE)


def may_be_for_us(message: ChannelMessage) -> bool:
    """Before the store is asked: a person's reply in a thread, to nobody else."""
    in_thread = message.thread_ts not in (None, message.ts)
    return in_thread and not message.actor.bot_id and _TO_ANOTHER.match(message.text) is None


def read_hearing(text: str, state: ThreadState) -> Hearing | None:
    """What a plain reply asks for; None where it is not for this app."""
    if _TO_ANOTHER.match(text) is not None:
        return None
    words = without_name(text)
    is_named = words != text.strip()
    order = _POLITE.sub("", words.translate(_APOSTROPHES).lower().strip(" .!,"))
    if order in _UNMUTES and state.muted:
        return "unmute"
    if state.running and not state.muted:
        if order in _MUTES:
            return "mute"
        intent = read_intent(words)
        if intent == "stop":
            return "stop"
        return None if intent in ("nothing", "help", "status") and not is_named else "steer"
    return "unheard" if is_named else None


def without_name(text: str) -> str:
    """The text without this app's name at its beginning or end."""
    return _NAMED_LAST.sub("", _NAMED.sub("", text.strip(), count=1)).strip()
