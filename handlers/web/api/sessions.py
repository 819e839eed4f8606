"""Where one is signed in, and ending it from afar."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from agents.permission import Permission
from handlers.web.api_resource import Call, Context, Done, Missing, Operation, Resource
from store import audit
from store.audit import events
from store.people import web_sessions


class Device(BaseModel):
    """`is_this`: the session that asks."""

    id: str
    ip: str
    user_agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    is_this: bool


class Devices(BaseModel):
    sessions: list[Device]


async def list_sessions(call: Call, context: Context) -> Devices:
    """The caller's own living sessions, oldest first."""
    async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
        own = await web_sessions.sessions_of(s, call.person.user_id)
    return Devices(
        sessions=[
            Device(
                id=one.id,
                ip=one.ip,
                user_agent=one.user_agent,
                created_at=one.created_at,
                last_used_at=one.last_used_at,
                expires_at=one.expires_at,
                is_this=one.id == call.session_id,
            )
            for one in own
        ]
    )


async def revoke_session(session_id: UUID, call: Call, context: Context) -> Done:
    """Ends one of the caller's own sessions."""
    actor = audit.Actor(type="user", id=call.person.user_id)
    target = str(session_id)
    async with context.db.tenant(call.person.tenant_id) as s:
        if not await web_sessions.end_session(s, call.person.user_id, target):
            raise Missing
        await events.emit(s, "ai.autoheal.session.revoked.v1", target, actor=actor)
        await audit.record(s, actor=actor, action=f"{call.source}.session.revoked", target=target)
    return Done()


async def revoke_other_sessions(call: Call, context: Context) -> Done:
    """Ends all of the caller's sessions but the one that asks."""
    actor = audit.Actor(type="user", id=call.person.user_id)
    async with context.db.tenant(call.person.tenant_id) as s:
        ended = await web_sessions.end_sessions(s, call.person.user_id, but=call.session_id)
        await audit.record(
            s,
            actor=actor,
            action=f"{call.source}.session.revoked",
            target=call.person.user_id,
            details={"count": ended},
        )
    return Done()


RESOURCE = Resource(
    name="sessions",
    operations=(
        Operation(method="GET", path="/sessions", access=Permission.OWN, run=list_sessions, answer=Devices),
        Operation(method="DELETE", path="/sessions", access=Permission.OWN, run=revoke_other_sessions, answer=Done),
        Operation(
            method="DELETE", path="/sessions/{session_id}", access=Permission.OWN, run=revoke_session, answer=Done
        ),
    ),
)
