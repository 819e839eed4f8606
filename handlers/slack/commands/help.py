"""`/autoheal help`: what the caller's role may do. Also the answer to anything that is not understood."""

from agents.permission import Permission
from handlers.slack.command import Command, CommandCall, describe_commands
from handlers.slack.context import HandlerContext
from store.people.users import Role


class HelpCommand(Command):
    name = "help"
    summary = "this list"
    permission = Permission.READ

    async def run(self, call: CommandCall, context: HandlerContext) -> None:  # noqa: ARG002 - the contract of all commands
        await call.reply.privately(help_text(call.person.role, not_understood=call.rest))


def help_text(role: Role, *, not_understood: str = "") -> str:
    """Mrkdwn. `not_understood` is what was asked for; it is not repeated, for it may be anything."""
    opening = "I do not know that command. " if not_understood else ""
    return (
        f"{opening}Mention me where something breaks and say what you see, or use a command. "
        f"Your role is {role.value}:\n"
        f"{describe_commands(role)}\n"
        "In a thread, `stop`, `status` and `help` after a mention do the same; anything else steers what I look at."
    )


COMMAND = HelpCommand()
