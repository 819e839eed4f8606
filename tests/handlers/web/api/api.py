"""A client of the API as somebody, and the people of an organisation who have accounts."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.routing import Mount

from agents.connecting.connecting import Connecting
from agents.connecting.disconnecting import Disconnecting
from agents.connecting.outbound import EgressPolicy
from agents.connecting.toolboxes import Toolboxes
from agents.permission import Person
from handlers.web.api_app import build_api
from handlers.web.api_resource import ApiContext
from handlers.web.credential import COOKIE
from store.database.session import Database
from store.ids import TenantId, UserId
from store.incidents import Sight
from store.people import api_tokens, web_sessions
from store.people.users import Role
from tests.store.accounts import KEYS, cheap_passwords, make_account, sign_in_over

URL = "https://autoheal.example"
OWN_PAGE = {"sec-fetch-site": "same-origin", "origin": URL}


class NoDays:
    """Days that hold no events: these tests read what waits in the outbox."""

    async def query(self, *_args: Any, **_kwargs: Any) -> list[Any]:
        return []


class SeesSome:
    """Of channels: `C0OPEN` is public, of `C0MUTE` Slack says nothing, others are hidden."""

    async def among(self, person: Person, channels: Iterable[str | None], *, here: str | None = None) -> Sight:
        asked = {channel for channel in channels if channel}
        return Sight(channels=frozenset(asked & {"C0OPEN"}), asked_in_vain="C0MUTE" in asked)


@dataclass(frozen=True, kw_only=True)
class Api:
    db: Database
    tenant: TenantId
    app: Starlette
    admin: UserId
    member: UserId
    viewer: UserId

    def user(self, role: Role) -> UserId:
        return {Role.ADMIN: self.admin, Role.MEMBER: self.member, Role.VIEWER: self.viewer}[role]

    @asynccontextmanager
    async def nobody(self, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
        transport = httpx2.ASGITransport(app=self.app, client=("203.0.113.7", 4711))
        async with httpx2.AsyncClient(transport=transport, base_url=f"{URL}/api", headers=headers) as client:
            yield client

    @asynccontextmanager
    async def browser(self, user: UserId) -> AsyncIterator[httpx2.AsyncClient]:
        """Signed in, on our own page."""
        async with self.db.tenant(self.tenant) as s:
            started = await web_sessions.start_session(s, user, ip="203.0.113.7", user_agent="Firefox")
        assert started is not None
        async with self.nobody(cookie=f"{COOKIE}={started[0].reveal()}", **OWN_PAGE) as client:
            yield client

    @asynccontextmanager
    async def program(self, user: UserId, *scopes: str) -> AsyncIterator[httpx2.AsyncClient]:
        async with self.db.tenant(self.tenant) as s:
            token, _ = await api_tokens.create_token(s, user, name="ci", scopes=scopes, lifetime=timedelta(days=1))
        async with self.nobody(authorization=f"Bearer {token.reveal()}") as client:
            yield client


async def open_api(db: Database, tenant: TenantId) -> Api:
    """With people of its own."""
    return serve_api(db, tenant, await make_people(db, tenant))


async def make_people(db: Database, tenant: TenantId) -> tuple[UserId, UserId, UserId]:
    """An admin, a member and a viewer, `<role>@acme.example`."""
    admin, member, viewer = [
        (await make_account(db, tenant, email=f"{role.value}@acme.example", role=role)).user_id
        for role in (Role.ADMIN, Role.MEMBER, Role.VIEWER)
    ]
    return admin, member, viewer


def serve_api(
    db: Database,
    tenant: TenantId,
    people: tuple[UserId, UserId, UserId],
    *,
    public_url: str | None = URL,
    toolboxes: Toolboxes | None = None,
) -> Api:
    toolboxes = toolboxes or Toolboxes(db, now=db.now)
    context = ApiContext(
        db=db,
        days=NoDays(),  # type: ignore[arg-type] # only the query is used
        keys=KEYS,
        passwords=cheap_passwords(),
        sign_in=sign_in_over(db),
        connecting=Connecting(db, toolboxes, now=db.now),
        toolbox_for=toolboxes.of,
        disconnecting=Disconnecting(db=db, egress_of=lambda _tenant, _label: EgressPolicy(), now=db.now),
        sees=SeesSome(),
        public_url=public_url,
    )
    app = Starlette(routes=[Mount("/api", build_api(context))])
    return Api(db=db, tenant=tenant, app=app, admin=people[0], member=people[1], viewer=people[2])


def error(answer: Any) -> str:
    """The closed word of a refusal."""
    word: str = answer.json()["error"]["code"]
    return word
