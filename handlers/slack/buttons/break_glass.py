"""Approve a plan of high risk without the second person: opens a form that asks why."""

from agents.permission import Permission
from handlers.slack.button import Button, Click, show_form
from handlers.slack.context import HandlerContext
from handlers.slack.decision import UNKNOWN, read_approval
from handlers.slack.modal import Metadata
from handlers.slack.modals.break_glass import break_glass_view
from store.incidents.approvals import ApprovalState


class BreakGlassButton(Button):
    name = "break_glass"
    permission = Permission.APPROVE_HIGH

    async def press(self, click: Click, context: HandlerContext) -> None:
        found = await read_approval(click.person, click.value, context, here=click.reply.channel_id)
        if found is None:
            await click.reply.privately(UNKNOWN)
            return
        if found.state is not ApprovalState.PROPOSED:
            await click.reply.privately("This is decided already.")
            return
        metadata = Metadata(
            subject=found.id,
            channel_id=click.reply.channel_id,
            thread_ts=click.reply.thread_ts,
            fingerprint=click.value.partition(":")[2],
        )
        await show_form(click, break_glass_view(metadata), context)


BUTTON = BreakGlassButton()
