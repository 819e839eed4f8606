"""Approve the plan on the card. High risk is checked again by the desk, with a second person."""

from agents.permission import Permission
from handlers.slack.button import Button, Click
from handlers.slack.context import Office
from handlers.slack.decision import decide


class Approve(Button):
    name = "approve"
    permission = Permission.APPROVE_MEDIUM

    async def press(self, click: Click, office: Office) -> None:
        await decide(click, office, "approved")


BUTTON = Approve()
