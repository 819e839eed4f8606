"""What a slash command is: one file under `commands/`, found by its `COMMAND` name.

`/autoheal <name> <rest>`. A command declares the permission it needs; the receiver checks it before `run`, so no
command can forget to. Every answer is private unless the command itself starts a thread.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from agents.permission import GRANTS, Permission, Person
from handlers.slack import commands
from store.people.users import Role

if TYPE_CHECKING:
    from handlers.slack.context import HandlerContext, Reply


@dataclass(frozen=True, kw_only=True)
class CommandCall:
    """A command by somebody who may give it. `rest` is what stood after its name. A slash command knows no thread.

    `trigger_id` opens a form within three seconds; `source_id` is the same for the same command, however often it is
    delivered.
    """

    person: Person
    channel_id: str
    rest: str
    reply: Reply
    trigger_id: str | None = None
    source_id: str = ""


class Command:
    """Base of all commands; stateless."""

    name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    usage: ClassVar[str] = ""
    summary: ClassVar[str]
    permission: ClassVar[Permission]

    async def run(self, call: CommandCall, context: HandlerContext) -> None:
        """Do it and answer. May run again after a crash."""
        raise NotImplementedError


@cache
def discover_commands() -> dict[str, Command]:
    """All commands by name. Raises TypeError for a module without `COMMAND` or with a foreign name."""
    found: dict[str, Command] = {}
    for module_info in pkgutil.iter_modules(commands.__path__):
        module = importlib.import_module(f"{commands.__name__}.{module_info.name}")
        command: Command | None = getattr(module, "COMMAND", None)
        if command is None or command.name != module_info.name:
            raise TypeError(f"{module.__name__} must set COMMAND to a Command named {module_info.name!r}")
        found[command.name] = command
    return found


def find_command(text: str) -> tuple[Command, str] | None:
    """The command that `text` begins with, by name or alias, and the rest. Case does not matter."""
    words = text.split()
    lowered = " ".join(words).lower()
    named = [(name, command) for command in discover_commands().values() for name in (command.name, *command.aliases)]
    for name, command in sorted(named, key=lambda pair: -len(pair[0])):
        if lowered == name or lowered.startswith(f"{name} "):
            return command, text.strip().split(maxsplit=len(name.split()))[-1] if lowered != name else ""
    return None


def describe_commands(role: Role) -> str:
    """The help text: what this role may do, one line each, in mrkdwn."""
    allowed = [c for c in discover_commands().values() if c.permission in GRANTS[role]]
    return "\n".join(f"• `/autoheal {' '.join(filter(None, (c.name, c.usage)))}` – {c.summary}" for c in allowed)
