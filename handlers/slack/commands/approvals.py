"""`/autoheal approvals`: what waits for a decision, with links to the cards, where the decision is made."""

from agents.permission import Permission, who_may_approve
from agents.tool import Risk
from handlers.slack.blocks import text as t
from handlers.slack.command import Command, CommandCall
from handlers.slack.context import HandlerContext, thread_link
from handlers.slack.visibility import ASKED_IN_VAIN
from store.incidents import visible_incidents
from store.incidents.approvals import Approval, ApprovalState, open_approvals

MOST_LISTED = 10


class ApprovalsCommand(Command):
    name = "approvals"
    aliases = ("approve list", "approve")
    summary = "what waits for a decision, with links"
    permission = Permission.READ

    async def run(self, call: CommandCall, context: HandlerContext) -> None:
        tenant = call.person.tenant_id
        sight = await context.visibility.of_open_incidents(call.person, here=call.channel_id)
        async with context.db.tenant(tenant, readonly=True) as s:
            seen = [one.id for one in await visible_incidents(s, sight)]
            waiting = [
                one
                for one in await open_approvals(s, of=seen)
                if one.state is ApprovalState.PROPOSED and one.expires_at > context.clock()
            ]
        if not waiting:
            await call.reply.privately(ASKED_IN_VAIN if sight.asked_in_vain else "Nothing waits for a decision.")
            return
        client = await context.clients.client_for(tenant)
        lines = ["Waiting for a decision:"]
        for one in waiting[:MOST_LISTED]:
            name = t.prose(str(one.plan.get("title") or one.remediation), 120)
            if one.message_channel and one.message_ts:
                name = await thread_link(client, channel_id=one.message_channel, ts=one.message_ts, label=name)
            lines.append(_line(one, name))
        if len(waiting) > MOST_LISTED:
            lines.append(f"and {len(waiting) - MOST_LISTED} more")
        if sight.asked_in_vain:
            lines.append(ASKED_IN_VAIN)
        await call.reply.privately("\n".join(lines))


def _line(one: Approval, name: str) -> str:
    until = t.day_minute(one.expires_at)
    return f"• {name}: {one.risk} risk, open until {until}. May approve: {who_may_approve(Risk(one.risk))}"


COMMAND = ApprovalsCommand()
