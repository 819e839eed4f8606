"""Programs that call the running door with the official SDK's client, each with a token of somebody."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2
from fakes.rig import Rig
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from agents.incidents.service import IncidentService
from agents.permission import Person
from bot.settings import Settings
from bot.web_app import build_web_app, serving_web
from handlers.mcp.door import McpDoor
from handlers.mcp.tool import McpContext
from handlers.slack.blocks.message import Message
from handlers.slack.delivery import SlackRefused
from store.ids import TenantId, UserId
from store.incidents import Sight
from store.people import api_tokens
from store.people.users import Role
from tests.handlers.web.api.api import make_people, serve_api
from tests.store.accounts import make_account

ALL = ("read", "investigate")


class SeesOpen:
    """`C1` and `C0OPEN` are public, of `C0MUTE` Slack says nothing, others are hidden."""

    async def among(self, person: Person, channels: Iterable[str | None], *, here: str | None = None) -> Sight:
        asked = {channel for channel in channels if channel}
        return Sight(channels=frozenset(asked & {"C1", "C0OPEN", "C0FULL"}), asked_in_vain="C0MUTE" in asked)


@dataclass
class Said:
    """What was posted. Slack refuses to have anything posted in `C0FULL`."""

    messages: dict[str, tuple[str, str | None, str]] = field(default_factory=dict)

    async def deliver(
        self, tenant: TenantId, *, key: str, channel: str, thread_ts: str | None, message: Message
    ) -> str | None:
        if channel == "C0FULL":
            raise SlackRefused("not_in_channel")
        self.messages.setdefault(key, (channel, thread_ts, message.text))
        return f"{list(self.messages).index(key) + 1}.5"


@dataclass(kw_only=True)
class Door:
    rig: Rig
    url: str
    said: Said

    async def token(self, role: Role, *scopes: str, tenant: TenantId | None = None) -> tuple[str, UserId]:
        db, of = self.rig.db, tenant or self.rig.tenant
        email = f"{role.value}{len(self.said.messages)}-{'-'.join(scopes)}@acme.example"
        user = (await make_account(db, of, email=email, role=role)).user_id
        async with db.tenant(of) as s:
            token, _ = await api_tokens.create_token(s, user, name="agent", scopes=scopes, lifetime=timedelta(days=1))
        return token.reveal(), user

    @asynccontextmanager
    async def client(
        self, role: Role = Role.MEMBER, scopes: tuple[str, ...] = ALL, *, tenant: TenantId | None = None, **how: Any
    ) -> AsyncIterator[Client]:
        token, _ = await self.token(role, *scopes, tenant=tenant)
        headers = {"authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as wire,
            Client(streamable_http_client(self.url, http_client=wire), **how) as client,
        ):
            yield client


@asynccontextmanager
async def serving_door(rig: Rig) -> AsyncIterator[Door]:
    said, sees = Said(), SeesOpen()
    context = McpContext(db=rig.db, incident_service=IncidentService(rig.runtime, sees=sees), posts=said, sees=sees)
    door = McpDoor(context, public_url=None, clock=rig.clock)
    api = serve_api(rig.db, rig.tenant, await make_people(rig.db, rig.tenant), public_url=None)
    app = build_web_app(webhooks=[*door.routes(), *api.app.routes])
    async with door.running(), serving_web(app, Settings(http_port=0)) as port:
        yield Door(rig=rig, url=f"http://127.0.0.1:{port}/mcp", said=said)


async def told(client: Client, tool: str, **arguments: Any) -> str:
    """The text of an answer that is none of a refusal."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return str(result.content[0].text)  # type: ignore[union-attr] # ours are texts


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.content
    return str(result.content[0].text)  # type: ignore[union-attr] # ours are texts
