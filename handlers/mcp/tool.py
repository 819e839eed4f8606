"""What a tool for other agents is: one file under `tools/`, found by its `TOOL` name.

It acts for the person whose API token was sent: a permission of that person's role, within the token's scopes, is
checked before `run`, and what it shows passes `found_incident` or another question to `sees`. None of them approves.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Protocol

from agents.incidents.service import IncidentService
from agents.permission import Permission, Person, Sees
from agents.tool import Arguments
from handlers.mcp import tools
from handlers.slack.blocks.message import Message
from store.database.session import Database
from store.ids import IncidentId, TenantId
from store.incidents import Incident, Sight, channels_of_incidents, incident, visible_incidents

_NUMBER: Final = re.compile(r"#?(\d{1,9})")
VISIBILITY_UNKNOWN: Final = "Slack did not say what you may see, so nothing is shown. Try again in a moment."


class RefusedCall(Exception):
    """The call cannot be done; the message is a sentence for whoever called."""


class PostsMessages(Protocol):
    """Says something in a channel once per key. Raises SlackFailure."""

    async def deliver(
        self, tenant: TenantId, *, key: str, channel: str, thread_ts: str | None, message: Message
    ) -> str | None: ...


@dataclass(frozen=True, kw_only=True)
class McpContext:
    """Everything a tool may use; joined once in `bot/assemble.py`."""

    db: Database
    incident_service: IncidentService
    posts: PostsMessages
    sees: Sees


@dataclass(frozen=True, kw_only=True)
class McpAnswer:
    """`text` for the model that asked, `data` for the program around it."""

    text: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class McpTool:
    """`description` is what the calling model reads. `changes` is false for what only reads. At most `an_hour` calls a
    token.
    """

    name: str
    description: str
    arguments: type[Arguments]
    permission: Permission
    run: Callable[[Person, Any, McpContext], Awaitable[McpAnswer]]
    changes: bool = False
    an_hour: int = 1_200


@cache
def discover_mcp_tools() -> dict[str, McpTool]:
    """All tools by name. Raises TypeError for a module without `TOOL` or with a foreign name."""
    found: dict[str, McpTool] = {}
    for module_info in pkgutil.iter_modules(tools.__path__):
        module = importlib.import_module(f"{tools.__name__}.{module_info.name}")
        one: McpTool | None = getattr(module, "TOOL", None)
        if one is None or one.name != module_info.name:
            raise TypeError(f"{module.__name__} must set TOOL to a McpTool named {module_info.name!r}")
        found[one.name] = one
    return found


async def open_incidents(person: Person, context: McpContext) -> tuple[list[Incident], Sight]:
    """Those that this person may see, newest first."""
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        channels = await channels_of_incidents(s)
    sight = await context.sees.among(person, channels)
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        return await visible_incidents(s, sight), sight


async def found_incident(person: Person, wanted: str, context: McpContext) -> Incident:
    """By number while it is open, by id afterwards too. Raises RefusedCall; what is hidden is as good as unknown."""
    numbered = _NUMBER.fullmatch(wanted.strip())
    if numbered is not None:
        seen, sight = await open_incidents(person, context)
        found = next((one for one in seen if one.number == int(numbered[1])), None)
    else:
        async with context.db.tenant(person.tenant_id, readonly=True) as s:
            found = await incident(s, IncidentId(wanted.strip()))
        sight = await context.sees.among(person, [found.channel_id]) if found is not None else Sight()
        found = found if found is not None and sight.covers(found.channel_id) else None
    if found is not None:
        return found
    if sight.asked_in_vain:
        raise RefusedCall(VISIBILITY_UNKNOWN)
    raise RefusedCall("There is no such incident among those that you may see. The tool incidents lists the open ones.")
