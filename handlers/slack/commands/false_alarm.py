"""`/autoheal false alarm [number]`: there was no incident, what was reported is as it should be. What still runs is
stopped.
"""

from agents.permission import Permission
from handlers.slack.command import Command, CommandCall
from handlers.slack.context import HandlerContext
from handlers.slack.endings import end_by_command


class FalseAlarmCommand(Command):
    name = "false_alarm"
    aliases = ("false alarm", "false-alarm")
    usage = "[incident number]"
    summary = "end an incident: there was none"
    permission = Permission.INVESTIGATE

    async def run(self, call: CommandCall, context: HandlerContext) -> None:
        await end_by_command(call, "false_alarm", context)


COMMAND = FalseAlarmCommand()
