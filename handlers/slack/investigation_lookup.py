"""Finding the investigation that a click or a thread is about, inside the person's tenant."""

from __future__ import annotations

from agents.permission import Person
from handlers.slack.button import read_value
from handlers.slack.context import HandlerContext
from handlers.slack.decision import note_probe
from store.ids import InvestigationId
from store.incidents import conversations, incident, incident_for_thread, investigations
from store.incidents.conversations import Conversation
from store.incidents.investigations import Investigation, latest_investigation

UNKNOWN = "I do not know this investigation any more."


async def read_run(person: Person, value: str, context: HandlerContext, *, here: str | None) -> Investigation | None:
    """By a button's value, of which the part after a colon is the button's own. None also for what this person may not
    see. `here` is the channel of the click; None where Slack did not say it.
    """
    parts = read_value(value)
    if parts is None:
        return None
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        found = await investigations.investigation(s, InvestigationId(parts[0]))
        about = await incident(s, found.incident_id) if found else None
    if found is None or not await context.visibility.sees(person, about, here=here):
        await note_probe(person, "investigation", context)
        return None
    return found


async def run_of_thread(
    person: Person, context: HandlerContext, *, channel_id: str, thread_ts: str
) -> Investigation | None:
    """The latest investigation of the thread's incident."""
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        about = await incident_for_thread(s, channel_id, thread_ts)
        return await latest_investigation(s, about.id) if about else None


async def thread_of_run(person: Person, context: HandlerContext, run: Investigation) -> Conversation | None:
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        return await conversations.conversation_by_id(s, run.conversation_id)
