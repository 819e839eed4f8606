"""`/autoheal resolve [number]`: the incident is over: what it was about works again. What still runs is stopped."""

from agents.permission import Permission
from handlers.slack.command import Command, CommandCall
from handlers.slack.context import HandlerContext
from handlers.slack.endings import end_by_command


class ResolveCommand(Command):
    name = "resolve"
    aliases = ("close",)
    usage = "[incident number]"
    summary = "end an incident: it is over"
    permission = Permission.INVESTIGATE

    async def run(self, call: CommandCall, context: HandlerContext) -> None:
        await end_by_command(call, "resolved", context)


COMMAND = ResolveCommand()
