"""`/autoheal approvals`: what waits for a decision, with links to the cards, where the decision is made."""

from agents.permission import Permission, who_may_approve
from agents.tool import Risk
from handlers.answer import Office, thread_link
from handlers.blocks import text as t
from handlers.command import Command, CommandCall
from handlers.visibility import visible_channels
from store.approvals import Approval, ApprovalState, open_approvals

MOST_LISTED = 10


class Approvals(Command):
    name = "approvals"
    aliases = ("approve list", "approve")
    summary = "what waits for a decision, with links"
    permission = Permission.READ

    async def run(self, call: CommandCall, office: Office) -> None:
        tenant = call.person.tenant_id
        async with office.db.tenant(tenant, readonly=True) as s:
            waiting = [
                one
                for one in await open_approvals(s)
                if one.state is ApprovalState.PROPOSED and one.expires_at > office.clock()
            ]
        client = await office.clients.client_for(tenant)
        asked = [one.message_channel for one in waiting]
        seen = await visible_channels(client, asked, call.person.slack_user_id, here=call.channel_id)
        waiting = [one for one in waiting if one.message_channel in seen]
        if not waiting:
            await call.reply.privately("Nothing waits for a decision.")
            return
        lines = ["Waiting for a decision:"]
        for one in waiting[:MOST_LISTED]:
            name = t.prose(str(one.plan.get("title") or one.remediation), 120)
            if one.message_channel and one.message_ts:
                name = await thread_link(client, channel_id=one.message_channel, ts=one.message_ts, label=name)
            lines.append(_line(one, name))
        if len(waiting) > MOST_LISTED:
            lines.append(f"and {len(waiting) - MOST_LISTED} more")
        await call.reply.privately("\n".join(lines))


def _line(one: Approval, name: str) -> str:
    until = t.day_minute(one.expires_at)
    return f"• {name}: {one.risk} risk, open until {until} UTC. May approve: {who_may_approve(Risk(one.risk))}"


COMMAND = Approvals()
