"""Healed means healed for long enough: a while after a remedy healed, the same indicator is measured once more.

It held, it came back, or it could not be measured: three answers, each told. What has ended meanwhile, or was treated
by another remedy since, is not looked at again. Each function is one step of the `second_look` workflow.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from agents.approvals import approval as approval_life
from agents.approvals import verifying
from agents.approvals.healing import Healed, Reading, broken_since, judge_hold
from agents.remediation import Plan, discover_remediations
from agents.runtime import Runtime
from store import audit, incidents
from store.audit import Actor, events
from store.database.session import TenantSession
from store.ids import ApprovalId, TenantId
from store.incidents import approvals
from store.incidents.approvals import Approval, ApprovalState
from store.tenancy import tenants

_MOST_READINGS: Final = 120
_ACTED: Final = frozenset(ApprovalState) - {
    ApprovalState.PROPOSED,
    ApprovalState.REJECTED,
    ApprovalState.EXPIRED,
    ApprovalState.SUPERSEDED,
    ApprovalState.CANCELLED,
}


class Held(StrEnum):
    """What the second look found; stored. `over`: nothing was looked at any more."""

    HELD = "held"
    CAME_BACK = "came_back"
    NOT_MEASURED = "not_measured"
    OVER = "over"


_WORDS: Final = {
    Healed.HEALED: Held.HELD,
    Healed.NOT_HEALED: Held.CAME_BACK,
    Healed.UNKNOWN: Held.NOT_MEASURED,
    Healed.WAIT: Held.NOT_MEASURED,
}


def is_due(approval: Approval) -> bool:
    """Whether it healed by an indicator, and nobody has looked again."""
    known = (approval.outcome or {}).get("second_look") or {}
    measured = Plan.model_validate(approval.plan).healing is not None
    return approval.state is ApprovalState.HEALED and measured and "word" not in known


async def time_until(rt: Runtime, tenant: TenantId, approval_id: ApprovalId) -> str:
    """Whole seconds until the second look, rounded up; "" where there is none."""
    async with rt.db.tenant(tenant, readonly=True) as s:
        found = await approval_life.read_approval(s, approval_id)
        minutes = (await tenants.settings(s)).second_look_minutes
    wait = rt.pace.second_look or timedelta(minutes=minutes)
    if not wait or not is_due(found) or found.finished_at is None:
        return ""
    left = found.finished_at + wait - rt.clock()
    return str(max(0, math.ceil(left.total_seconds())))


async def begin(rt: Runtime, tenant: TenantId, approval_id: ApprovalId) -> str:
    """`look`, or `over` where the incident has ended or was treated by another remedy since."""
    async with rt.db.tenant(tenant) as s:
        found = await approval_life.read_approval(s, approval_id)
        if not is_due(found):
            return Held.OVER
        over = await _is_over(s, found)
        note = {"word": Held.OVER} if over else {"begun": rt.clock().timestamp()}
        await _note(s, found, {**_known(found), **note})
    return Held.OVER if over else "look"


async def measure(rt: Runtime, tenant: TenantId, approval_id: ApprovalId) -> Healed:
    """Measure once, remember the reading, judge all of this look. Repeating it only adds a reading."""
    async with rt.db.tenant(tenant, readonly=True) as s:
        found = await approval_life.read_approval(s, approval_id)
    plan, known = Plan.model_validate(found.plan), _known(found)
    if plan.healing is None or "begun" not in known:
        return Healed.UNKNOWN
    reading = await verifying.read_healing(rt, tenant, plan, plan.healing)
    readings = [(one["at"], one["value"]) for one in known.get("readings", [])]
    if reading is not None:
        readings = [*readings, (reading.at.timestamp(), reading.value)][-_MOST_READINGS:]
        async with rt.db.tenant(tenant) as s:
            await _note(s, found, {**known, "readings": [{"at": at, "value": value} for at, value in readings]})
    taken = [Reading(at=_at(rt, at), value=value) for at, value in readings]
    return judge_hold(plan.healing, taken, _at(rt, known["begun"]), reading.at if reading else rt.clock())


async def finish(rt: Runtime, tenant: TenantId, approval_id: ApprovalId, judged: str) -> str:
    """Write what was found. What came back opens its incident again, unless that ended while it was measured."""
    word = _WORDS[Healed(judged)]
    async with rt.db.tenant(tenant, readonly=True) as s:
        found = await approval_life.read_approval(s, approval_id)
    plan, since = Plan.model_validate(found.plan), None
    if word is Held.CAME_BACK and plan.healing is not None and found.finished_at is not None:
        since = await _since(rt, tenant, plan, found.finished_at)
    async with rt.db.tenant(tenant) as s:
        found = await approval_life.read_approval(s, approval_id)
        if not is_due(found):
            return str(_known(found).get("word", Held.OVER))
        if await _is_over(s, found):
            await _note(s, found, {**_known(found), "word": Held.OVER})
            return Held.OVER
        await _write(s, rt, found, word, since)
    return word


async def _write(s: TenantSession, rt: Runtime, found: Approval, word: Held, since: datetime | None) -> None:
    known, now = _known(found), rt.clock()
    readings = known.get("readings") or []
    told: dict[str, Any] = {
        "word": word.value,
        "at": now.timestamp(),
        "since": None if since is None else since.timestamp(),
        "last": readings[-1]["value"] if readings else None,
        "after_s": known["begun"] - found.finished_at.timestamp() if found.finished_at else None,
    }
    await _note(s, found, {**known, **told})
    agent = Actor(type="agent", id="autoheal")
    await events.emit(s, f"ai.autoheal.remediation.{word.value}.v1", found.id, {"last": told["last"]}, actor=agent)
    if word is Held.CAME_BACK and await incidents.reopen_incident(s, found.incident_id):
        by = {"by": found.id}
        await events.emit(s, "ai.autoheal.incident.reopened.v1", found.incident_id, by, actor=agent)
        await audit.record(s, actor=agent, action="agent.incident.reopened", target=found.incident_id, details=by)
    details = {"second_look": word.value, "last": told["last"]}
    await audit.record(s, actor=agent, action="agent.effect.verified", target=found.id, details=details)


async def _since(rt: Runtime, tenant: TenantId, plan: Plan, healed_at: datetime) -> datetime | None:
    """What the target tells of itself it tells of now only."""
    told_by = discover_remediations()[plan.remediation].told_by
    if plan.healing is None or (told_by and plan.healing.indicator == told_by):
        return None
    return await broken_since(rt, tenant, plan.healing, healed_at)


async def _is_over(s: TenantSession, found: Approval) -> bool:
    incident = await incidents.incident(s, found.incident_id)
    if incident is None or not incident.is_open:
        return True
    known = discover_remediations()
    return any(
        one.id != found.id
        and one.state in _ACTED
        and one.decided_at is not None
        and found.decided_at is not None
        and one.decided_at > found.decided_at
        and (one.remediation not in known or known[one.remediation].is_cure)
        for one in await approvals.approvals_of_incident(s, found.incident_id)
    )


def _known(found: Approval) -> dict[str, Any]:
    return dict((found.outcome or {}).get("second_look") or {})


async def _note(s: TenantSession, found: Approval, look: dict[str, Any]) -> None:
    healed = ApprovalState.HEALED
    outcome = {**(found.outcome or {}), "second_look": look}
    await approvals.advance(s, found.id, to=healed, expect={healed}, outcome=outcome)


def _at(rt: Runtime, at: float) -> datetime:
    return datetime.fromtimestamp(at, tz=rt.clock().tzinfo)
