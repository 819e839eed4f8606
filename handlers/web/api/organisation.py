"""The organisation of the caller, and how it wants to be served. Which one it is follows from the credential alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from pydantic import BaseModel, Field

from agents.permission import Permission
from handlers.web.api_resource import Body, Call, Context, Operation, Problem, Resource
from store import audit
from store.people.users import Role
from store.secrets.redaction import ContactDetails
from store.tenancy import tenants
from store.tenancy.organisation import organisation_name
from store.tenancy.tenants import MOST_SECOND_LOOK, Autonomy, ModelChoice

Channels = Annotated[list[Annotated[str, Field(pattern=r"^[A-Z0-9]{1,30}$")]], Field(max_length=200)]


class Organisation(BaseModel):
    """`settings` are those of `autoheal tenant`."""

    id: str
    name: str
    settings: dict[str, Any]


class Changes(Body):
    """What is left out stays."""

    model: ModelChoice | None = None
    autonomy: Autonomy | None = None
    daily_usd_cap: Annotated[float, Field(ge=0, le=1_000_000)] | None = None
    allow_external_channels: bool | None = None
    new_member_role: Role | None = None
    triage_channels: Channels | None = None
    open_threads: Channels | None = None
    contact_details: ContactDetails | None = None
    second_look_minutes: Annotated[int, Field(ge=0, le=MOST_SECOND_LOOK)] | None = None


async def read_organisation(call: Call, context: Context) -> Organisation:
    """Name and settings."""
    async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
        settings = asdict(await tenants.settings(s))
    name = await organisation_name(context.db, call.person.tenant_id)
    return Organisation(id=call.person.tenant_id, name=name, settings=settings)


async def change_settings(body: Changes, call: Call, context: Context) -> Organisation:
    """Holds for each request after half a minute at the latest."""
    wanted = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
    if not wanted:
        raise Problem(422, "unreadable", "Nothing to change.")
    actor = audit.Actor(type="user", id=call.person.user_id)
    async with context.db.tenant(call.person.tenant_id) as s:
        try:
            await tenants.update_settings(s, **wanted)
        except ValueError as exc:
            raise Problem(422, "unreadable", f"{exc}.") from exc
        await audit.record(
            s,
            actor=actor,
            action=f"{call.source}.settings.changed",
            target=call.person.tenant_id,
            details={name: str(value) for name, value in wanted.items()},
        )
    return await read_organisation(call, context)


RESOURCE = Resource(
    name="organisation",
    operations=(
        Operation(
            method="GET", path="/organisation", access=Permission.READ, run=read_organisation, answer=Organisation
        ),
        Operation(
            method="PATCH",
            path="/organisation",
            access=Permission.SET_POLICY,
            run=change_settings,
            answer=Organisation,
        ),
    ),
)
