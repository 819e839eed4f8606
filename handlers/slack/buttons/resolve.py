"""The incident is over: what it was about works again."""

from agents.permission import Permission
from handlers.slack.button import Button, Click
from handlers.slack.context import Office
from handlers.slack.endings import end_by_click


class Resolve(Button):
    name = "resolve"
    permission = Permission.INVESTIGATE

    async def press(self, click: Click, office: Office) -> None:
        await end_by_click(click, "resolved", office)


BUTTON = Resolve()
