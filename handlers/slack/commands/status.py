"""`/autoheal status`: five lines on the channel's latest open incident, and a draft for stakeholders, for the
caller's eyes only.

A slash command says nothing about the thread it was typed in, so the channel decides; a mention with `status` in a
thread does know.
"""

from agents.permission import Permission
from handlers.slack.command import Command, CommandCall
from handlers.slack.context import HandlerContext
from handlers.slack.summary import read_status, summary
from handlers.slack.visibility import ASKED_IN_VAIN
from store.incidents import visible_incidents


class StatusCommand(Command):
    name = "status"
    summary = "where the latest incident of this channel stands, for your eyes only"
    permission = Permission.READ

    async def run(self, call: CommandCall, context: HandlerContext) -> None:
        sight = await context.visibility.of_open_incidents(call.person, here=call.channel_id)
        async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
            everywhere = await visible_incidents(s, sight)
            here = next((one for one in everywhere if one.channel_id == call.channel_id), None)
            view = await read_status(s, here, context.clock()) if here else None
        if view is not None:
            await call.reply.privately(summary(view))
        elif everywhere:
            await call.reply.privately(
                "No incident is open in this channel. `/autoheal incidents` lists those elsewhere."
            )
        else:
            await call.reply.privately(ASKED_IN_VAIN if sight.asked_in_vain else "No incident is open.")


COMMAND = StatusCommand()
