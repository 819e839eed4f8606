"""What may be done without a click: shown to everybody, set and resumed by admins who signed in, paused by members."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, Field

from agents.approvals import policy
from agents.approvals.policy import LONGEST_PAUSE, BadPolicy
from agents.permission import Denied, Permission
from handlers.web.api_resource import Body, Call, Context, Operation, Problem, Resource
from store.tenancy.autonomy import MOST_CAP, AutonomyLevel, AutonomyPolicy, RiskClass, autonomy_policy

_MOST_MINUTES = int(LONGEST_PAUSE / timedelta(minutes=1))


class ShownPolicy(BaseModel):
    """`automatic_by` and `paused_by` are ids of people. A pause without `paused_until` lasts until somebody resumes."""

    low: AutonomyLevel
    medium: AutonomyLevel
    high: AutonomyLevel
    hourly_cap: int
    automatic_by: str | None
    automatic_at: datetime | None
    paused: bool
    paused_by: str | None
    paused_until: datetime | None


class PolicyChanges(Body):
    """What is left out stays. `automatic` is for low risk only."""

    low: AutonomyLevel | None = None
    medium: AutonomyLevel | None = None
    high: AutonomyLevel | None = None
    hourly_cap: Annotated[int, Field(ge=0, le=MOST_CAP)] | None = None


class Pause(Body):
    """Without `minutes` it lasts until somebody resumes."""

    minutes: Annotated[int, Field(ge=1, le=_MOST_MINUTES)] | None = None


async def read_policy(call: Call, context: Context) -> ShownPolicy:
    """Levels by risk class, the cap, and who allowed or paused it."""
    async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
        return _shown(await autonomy_policy(s), s.now())


async def change_policy(body: PolicyChanges, call: Call, context: Context) -> ShownPolicy:
    """Whoever sets low risk to automatic is the one whose decisions these are."""
    named: dict[RiskClass, AutonomyLevel | None] = {"low": body.low, "medium": body.medium, "high": body.high}
    levels = {risk: level for risk, level in named.items() if level is not None}
    if not levels and body.hourly_cap is None:
        raise Problem(422, "unreadable", "Nothing to change.")
    async with context.db.tenant(call.person.tenant_id) as s:
        try:
            found = await policy.set_levels(s, call.person, levels, hourly_cap=body.hourly_cap)
        except BadPolicy as exc:
            raise Problem(422, "unreadable", f"{exc}.") from exc
        return _allowed(found, s.now())


async def pause_policy(body: Pause, call: Call, context: Context) -> ShownPolicy:
    """Everything waits for a click meanwhile."""
    length = None if body.minutes is None else timedelta(minutes=body.minutes)
    async with context.db.tenant(call.person.tenant_id) as s:
        return _allowed(await policy.pause(s, call.person, length), s.now())


async def resume_policy(call: Call, context: Context) -> ShownPolicy:
    """The pause is over."""
    async with context.db.tenant(call.person.tenant_id) as s:
        return _allowed(await policy.resume(s, call.person), s.now())


def _allowed(found: AutonomyPolicy | Denied, now: datetime) -> ShownPolicy:
    if isinstance(found, Denied):
        raise Problem(403, "forbidden", found.reason)
    return _shown(found, now)


def _shown(found: AutonomyPolicy, now: datetime) -> ShownPolicy:
    paused = found.is_paused(now)
    return ShownPolicy(
        low=found.low,
        medium=found.medium,
        high=found.high,
        hourly_cap=found.hourly_cap,
        automatic_by=found.automatic_by,
        automatic_at=found.automatic_at,
        paused=paused,
        paused_by=found.paused_by if paused else None,
        paused_until=found.paused_until if paused else None,
    )


RESOURCE = Resource(
    name="policy",
    operations=(
        Operation(method="GET", path="/policy", access=Permission.READ, run=read_policy, answer=ShownPolicy),
        Operation(
            method="PATCH",
            path="/policy",
            access=Permission.SET_POLICY,
            run=change_policy,
            answer=ShownPolicy,
            in_browser_only=True,
        ),
        Operation(
            method="POST",
            path="/policy/pause",
            access=Permission.APPROVE_MEDIUM,
            run=pause_policy,
            answer=ShownPolicy,
        ),
        Operation(
            method="POST",
            path="/policy/resume",
            access=Permission.SET_POLICY,
            run=resume_policy,
            answer=ShownPolicy,
            in_browser_only=True,
        ),
    ),
)
