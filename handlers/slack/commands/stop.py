"""`/autoheal stop [number]`: stops an investigation. What was found so far stays; a remediation under way is not
interrupted.
"""

import re

from agents.incidents.requests import DoneNow, NothingToDo
from agents.permission import Denied, Permission
from handlers.slack.command import Command, CommandCall
from handlers.slack.context import HandlerContext
from store.incidents import Incident, visible_incidents
from store.incidents.investigations import Investigation, running_investigations

_NUMBER = re.compile(r"#?(\d{1,9})")


class StopCommand(Command):
    name = "stop"
    usage = "[incident number]"
    summary = "stop an investigation; what was found stays"
    permission = Permission.INVESTIGATE

    async def run(self, call: CommandCall, context: HandlerContext) -> None:
        wanted = _NUMBER.fullmatch(call.rest)
        if call.rest and wanted is None:
            await call.reply.privately("Give the number of an incident, for example `/autoheal stop 12`.")
            return
        running = await _running(call, context)
        if wanted is not None:
            chosen = [(i, run) for i, run in running if i.number == int(wanted[1])]
        else:
            chosen = [(i, run) for i, run in running if i.channel_id == call.channel_id]
        if len(chosen) > 1:
            numbers = ", ".join(f"#{i.number}" for i, _ in chosen)
            await call.reply.privately(f"Several are running here: {numbers}. Say which: `/autoheal stop <number>`.")
        elif chosen:
            await call.reply.privately(await _stop(call, context, *chosen[0]))
        else:
            await call.reply.privately(
                "Nothing is running under that number." if wanted else "Nothing is running here."
            )


async def _running(call: CommandCall, context: HandlerContext) -> list[tuple[Incident, Investigation]]:
    sight = await context.visibility.of_open_incidents(call.person, here=call.channel_id)
    async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
        seen = {one.id: one for one in await visible_incidents(s, sight)}
        running = await running_investigations(s, of=seen)
    return sorted(((seen[run.incident_id], run) for run in running), key=lambda pair: pair[0].number)


async def _stop(call: CommandCall, context: HandlerContext, found: Incident, run: Investigation) -> str:
    match await context.incident_service.stop(call.person, run.id):
        case DoneNow():
            return f"Stopping #{found.number}. What was found so far stays in its thread."
        case NothingToDo(reason=reason) | Denied(reason=reason):
            return reason


COMMAND = StopCommand()
