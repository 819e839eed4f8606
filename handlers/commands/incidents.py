"""`/autoheal incidents`: what is open, with links to the threads."""

from agents.permission import Permission
from handlers.answer import Office, thread_link
from handlers.blocks import text as t
from handlers.command import Command, CommandCall
from handlers.visibility import visible_channels
from store.incidents import open_incidents

MOST_LISTED = 10


class Incidents(Command):
    name = "incidents"
    summary = "what is open, with links"
    permission = Permission.READ

    async def run(self, call: CommandCall, office: Office) -> None:
        tenant = call.person.tenant_id
        async with office.db.tenant(tenant, readonly=True) as s:
            found = await open_incidents(s)
        client = await office.clients.client_for(tenant)
        asked = [one.channel_id for one in found]
        seen = await visible_channels(client, asked, call.person.slack_user_id, here=call.channel_id)
        found = [one for one in found if one.channel_id in seen]
        if not found:
            await call.reply.privately("No incident is open.")
            return
        lines = [f"{t.plural(len(found), 'incident')} open, newest first:"]
        for one in found[:MOST_LISTED]:
            link = await thread_link(client, channel_id=one.channel_id, ts=one.thread_ts, label=f"#{one.number}")
            subject = t.prose(one.service or one.title, 120)
            lines.append(f"• {link} {subject}: {one.status} since {t.day_minute(one.opened_at)} UTC")
        if len(found) > MOST_LISTED:
            lines.append(f"and {len(found) - MOST_LISTED} more")
        await call.reply.privately("\n".join(lines))


COMMAND = Incidents()
