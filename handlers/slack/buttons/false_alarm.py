"""There was no incident: what was reported is as it should be."""

from agents.permission import Permission
from handlers.slack.button import Button, Click
from handlers.slack.context import Office
from handlers.slack.endings import end_by_click


class FalseAlarm(Button):
    name = "false_alarm"
    permission = Permission.INVESTIGATE

    async def press(self, click: Click, office: Office) -> None:
        await end_by_click(click, "false_alarm", office)


BUTTON = FalseAlarm()
