"""The incident is over: what it was about works again."""

from agents.permission import Permission
from handlers.slack.button import Button, Click
from handlers.slack.context import HandlerContext
from handlers.slack.endings import end_by_click


class ResolveButton(Button):
    name = "resolve"
    permission = Permission.INVESTIGATE

    async def press(self, click: Click, context: HandlerContext) -> None:
        await end_by_click(click, "resolved", context)


BUTTON = ResolveButton()
