"""How people say that an incident is over, by button, command or word: resolved, or a false alarm."""

from __future__ import annotations

import re
from typing import Final

from agents.incidents.requests import DoneNow, NothingToDo
from agents.permission import Denied, Person
from handlers.slack.button import Click
from handlers.slack.command import CommandCall
from handlers.slack.context import HandlerContext
from handlers.slack.investigation_lookup import UNKNOWN, read_run
from handlers.slack.visibility import ASKED_IN_VAIN
from store.incidents import Ending, Incident, incident, visible_incidents

WORDS: Final[dict[Ending, str]] = {"resolved": "resolved", "false_alarm": "a false alarm"}
_NUMBER: Final = re.compile(r"#?(\d{1,9})")


async def end(person: Person, found: Incident, ending: Ending, context: HandlerContext) -> str:
    """Ends it, and says so."""
    match await context.incident_service.end_incident(person, found.id, ending=ending):
        case DoneNow():
            return f"#{found.number} is {WORDS[ending]}. If it comes back, it is opened again."
        case NothingToDo(reason=reason) | Denied(reason=reason):
            return reason


async def end_by_click(click: Click, ending: Ending, context: HandlerContext) -> None:
    """The value is the id of an investigation of the incident."""
    run = await read_run(click.person, click.value, context, here=click.reply.channel_id)
    if run is None:
        await click.reply.privately(UNKNOWN)
        return
    async with context.db.tenant(click.person.tenant_id, readonly=True) as s:
        found = await incident(s, run.incident_id)
    await click.reply.privately(await end(click.person, found, ending, context) if found else UNKNOWN)


async def end_by_command(call: CommandCall, ending: Ending, context: HandlerContext) -> None:
    """By its number, else the only one that is open in this channel."""
    example = f"`/autoheal {ending.replace('_', ' ').replace('resolved', 'resolve')} 12`"
    wanted = _NUMBER.fullmatch(call.rest)
    if call.rest and wanted is None:
        await call.reply.privately(f"Give the number of an incident, for example {example}.")
        return
    sight = await context.visibility.of_open_incidents(call.person, here=call.channel_id)
    async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
        seen = await visible_incidents(s, sight)
    if wanted is not None:
        chosen = [one for one in seen if one.number == int(wanted[1])]
    else:
        chosen = [one for one in seen if one.channel_id == call.channel_id]
    if len(chosen) > 1:
        numbers = ", ".join(f"#{one.number}" for one in chosen[:10])
        await call.reply.privately(f"Several are open here: {numbers}. Say which, for example {example}.")
    elif chosen:
        await call.reply.privately(await end(call.person, chosen[0], ending, context))
    elif sight.asked_in_vain:
        await call.reply.privately(ASKED_IN_VAIN)
    else:
        await call.reply.privately("None is open under that number." if wanted else "No incident is open here.")
