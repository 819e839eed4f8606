"""`/autoheal incidents`: what is open, with links to the threads."""

from agents.permission import Permission
from handlers.slack.blocks import text as t
from handlers.slack.blocks.status import life_words
from handlers.slack.command import Command, CommandCall
from handlers.slack.context import HandlerContext, thread_link
from handlers.slack.visibility import ASKED_IN_VAIN
from store.incidents import visible_incidents

MOST_LISTED = 10


class IncidentsCommand(Command):
    name = "incidents"
    summary = "what is open, with links"
    permission = Permission.READ

    async def run(self, call: CommandCall, context: HandlerContext) -> None:
        tenant = call.person.tenant_id
        sight = await context.visibility.of_open_incidents(call.person, here=call.channel_id)
        async with context.db.tenant(tenant, readonly=True) as s:
            found = await visible_incidents(s, sight)
        if not found:
            await call.reply.privately(ASKED_IN_VAIN if sight.asked_in_vain else "No incident is open.")
            return
        client = await context.clients.client_for(tenant)
        lines = [f"{t.plural(len(found), 'incident')} open, newest first:"]
        for one in found[:MOST_LISTED]:
            link = await thread_link(client, channel_id=one.channel_id, ts=one.thread_ts, label=f"#{one.number}")
            subject = t.prose(one.service or one.title, 120)
            lines.append(f"• {link} {subject}: {life_words(one, context.clock())}")
        if len(found) > MOST_LISTED:
            lines.append(f"and {len(found) - MOST_LISTED} more")
        if sight.asked_in_vain:
            lines.append(ASKED_IN_VAIN)
        await call.reply.privately("\n".join(lines))


COMMAND = IncidentsCommand()
