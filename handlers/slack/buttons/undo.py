"""Undo an applied plan, or re-apply one that was undone: asks first, with what it would put back and what that did."""

from typing import Final

from agents.permission import Permission
from agents.remediation import Plan
from handlers.slack.blocks.card import Card
from handlers.slack.blocks.outcome import undo_words
from handlers.slack.button import Button, Click, show_form
from handlers.slack.context import HandlerContext
from handlers.slack.decision import UNKNOWN, read_approval
from handlers.slack.modal import Metadata
from handlers.slack.modals.undo import undo_view
from store.incidents.approvals import ApprovalState

_APPLIED: Final = frozenset({ApprovalState.HEALED, ApprovalState.DONE, ApprovalState.NOT_HEALED, ApprovalState.UNKNOWN})


class UndoButton(Button):
    name = "undo"
    permission = Permission.APPROVE_MEDIUM

    async def press(self, click: Click, context: HandlerContext) -> None:
        found = await read_approval(click.person, click.value, context, here=click.reply.channel_id)
        if found is None:
            await click.reply.privately(UNKNOWN)
            return
        if found.state not in _APPLIED:
            await click.reply.privately("There is nothing to undo here.")
            return
        metadata = Metadata(subject=found.id, channel_id=click.reply.channel_id, thread_ts=click.reply.thread_ts)
        words = undo_words(Card(approval=found, plan=Plan.model_validate(found.plan)))
        await show_form(click, undo_view(metadata, words, again=found.undo_of is not None), context)


BUTTON = UndoButton()
