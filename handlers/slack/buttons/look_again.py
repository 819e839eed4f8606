"""Look into what came back after a remedy had healed it: in its thread, with what is known so far."""

from agents.incidents.requests import Ask
from agents.permission import Denied, Permission
from agents.remediation import Plan
from handlers.slack.button import Button, Click
from handlers.slack.context import HandlerContext
from handlers.slack.decision import UNKNOWN, read_approval
from store.incidents import incident


class LookAgainButton(Button):
    name = "look_again"
    permission = Permission.INVESTIGATE

    async def press(self, click: Click, context: HandlerContext) -> None:
        found = await read_approval(click.person, click.value, context, here=click.reply.channel_id)
        if found is None:
            await click.reply.privately(UNKNOWN)
            return
        plan = Plan.model_validate(found.plan)
        async with context.db.tenant(click.person.tenant_id, readonly=True) as s:
            about = await incident(s, found.incident_id)
            subject = plan.healing.service if plan.healing else plan.target
            question = s.redactor.redact(f"{subject}: it came back. {plan.title} had healed it before.")
        if about is None:
            await click.reply.privately(UNKNOWN)
            return
        ask = Ask(
            question=question,
            channel_id=about.channel_id,
            thread_ts=about.thread_ts,
            source_ts=f"{about.thread_ts}-again-{found.id}",
        )
        answer = await context.incident_service.investigate(click.person, ask)
        if isinstance(answer, Denied):
            await click.reply.privately(answer.reason)


BUTTON = LookAgainButton()
