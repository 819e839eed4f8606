"""Reject the plan on the card: nothing is applied. Whoever may approve may reject."""

from agents.permission import Permission
from handlers.slack.button import Button, Click
from handlers.slack.context import HandlerContext
from handlers.slack.decision import decide


class RejectButton(Button):
    name = "reject"
    permission = Permission.APPROVE_MEDIUM

    async def press(self, click: Click, context: HandlerContext) -> None:
        await decide(click, context, "rejected")


BUTTON = RejectButton()
