"""Approve the plan on the card. High risk is checked again by the incident service, with a second person."""

from agents.permission import Permission
from handlers.slack.button import Button, Click
from handlers.slack.context import HandlerContext
from handlers.slack.decision import decide


class ApproveButton(Button):
    name = "approve"
    permission = Permission.APPROVE_MEDIUM

    async def press(self, click: Click, context: HandlerContext) -> None:
        await decide(click, context, "approved")


BUTTON = ApproveButton()
