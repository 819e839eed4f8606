"""Reject the plan on the card: nothing is applied. Whoever may approve may reject."""

from agents.permission import Permission
from handlers.slack.button import Button, Click
from handlers.slack.context import Office
from handlers.slack.decision import decide


class Reject(Button):
    name = "reject"
    permission = Permission.APPROVE_MEDIUM

    async def press(self, click: Click, office: Office) -> None:
        await decide(click, office, "rejected")


BUTTON = Reject()
