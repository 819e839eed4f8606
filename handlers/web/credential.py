"""Who calls the API: the secret of a cookie or of a token becomes a person of one tenant, or nobody.

The credential alone decides on the tenant; nothing else in a request is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from agents.permission import Permission, Person
from store.database.session import Database
from store.errors import TenantFrozen, UnknownTenant
from store.ids import TenantId
from store.people import api_tokens, web_sessions
from store.people.users import User, user
from store.secrets.redaction import Secret

COOKIE: Final = "__Host-autoheal"


@dataclass(frozen=True, kw_only=True)
class Bearer:
    """A known caller. `scopes` None: all that the role allows."""

    person: Person
    session_id: str | None = None
    token_id: str | None = None
    scopes: frozenset[str] | None = None

    def covers(self, permission: Permission) -> bool:
        return self.scopes is None or permission.value in self.scopes


async def by_cookie(db: Database, secret: Secret) -> Bearer | None:
    """Notes the use now and then. None for a session that ended, and for a tenant that is closed or frozen."""
    found = await web_sessions.find_session(db, secret)
    if found is None:
        return None
    try:
        async with db.tenant(found.tenant_id, readonly=True) as s:
            session = await web_sessions.live_session(s, found.row_id)
            known = None if session is None else _living(await user(s, session.user_id))
    except (UnknownTenant, TenantFrozen):
        return None
    if session is None or known is None:
        return None
    if db.now() - session.last_used_at >= web_sessions.NOTED_EVERY:
        async with db.tenant(found.tenant_id) as s:
            await web_sessions.note_use(s, session.id)
    return Bearer(person=_person(found.tenant_id, known, "web"), session_id=session.id)


async def by_token(db: Database, secret: Secret) -> Bearer | None:
    """As `by_cookie`, for an API token."""
    found = await api_tokens.find_token(db, secret)
    if found is None:
        return None
    try:
        async with db.tenant(found.tenant_id, readonly=True) as s:
            token = await api_tokens.live_token(s, found.row_id)
            known = None if token is None else _living(await user(s, token.user_id))
    except (UnknownTenant, TenantFrozen):
        return None
    if token is None or known is None:
        return None
    if token.last_used_at is None or db.now() - token.last_used_at >= api_tokens.NOTED_EVERY:
        async with db.tenant(found.tenant_id) as s:
            await api_tokens.note_token_use(s, token.id)
    return Bearer(person=_person(found.tenant_id, known, "api"), token_id=token.id, scopes=frozenset(token.scopes))


def _living(known: User | None) -> User | None:
    return None if known is None or known.deleted_at is not None else known


def _person(tenant_id: TenantId, known: User, door: Literal["web", "api"]) -> Person:
    return Person(tenant_id=tenant_id, user_id=known.id, slack_user_id=known.slack_user_id, role=known.role, door=door)
