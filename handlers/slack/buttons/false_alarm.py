"""There was no incident: what was reported is as it should be."""

from agents.permission import Permission
from handlers.slack.button import Button, Click
from handlers.slack.context import HandlerContext
from handlers.slack.endings import end_by_click


class FalseAlarmButton(Button):
    name = "false_alarm"
    permission = Permission.INVESTIGATE

    async def press(self, click: Click, context: HandlerContext) -> None:
        await end_by_click(click, "false_alarm", context)


BUTTON = FalseAlarmButton()
