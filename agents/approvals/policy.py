"""How people set what may be done without a click: admins choose levels and the cap, and resume; whoever may approve
may pause, for a stop must not wait for an admin. Each change has its audit row, and the policy says who allowed what.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from agents.permission import Denied, Permission, Person, check
from store import audit
from store.audit import Actor
from store.database.session import TenantSession
from store.people import users
from store.tenancy import autonomy, tenants
from store.tenancy.autonomy import AutonomyLevel, AutonomyPolicy, RiskClass

_LENGTH: Final = re.compile(r"(\d{1,4})\s*(m|min|h|d)")
_UNITS: Final = {
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
LONGEST_PAUSE: Final = timedelta(days=90)


class BadPolicy(Exception):
    """What was asked for is no policy; the text says what is one."""


def read_length(words: str) -> timedelta:
    """`30m`, `2h`, `1d`. Raises BadPolicy."""
    found = _LENGTH.fullmatch(words.strip().lower())
    length = int(found[1]) * _UNITS[found[2]] if found else timedelta(0)
    if not timedelta(0) < length <= LONGEST_PAUSE:
        raise BadPolicy("write how long as 30m, 2h or 1d, up to 90d")
    return length


async def set_levels(
    s: TenantSession, person: Person, levels: dict[RiskClass, AutonomyLevel], *, hourly_cap: int | None = None
) -> AutonomyPolicy | Denied:
    """Raises BadPolicy; then the transaction is to be taken back."""
    if isinstance(denied := check(person.role, Permission.SET_POLICY), Denied):
        return denied
    try:
        for risk, level in levels.items():
            await autonomy.set_level(s, risk, level, by=person.user_id)
        if hourly_cap is not None:
            await autonomy.set_hourly_cap(s, hourly_cap, by=person.user_id)
    except ValueError as exc:
        raise BadPolicy(str(exc)) from exc
    details: dict[str, object] = dict[str, object](levels.items())
    if hourly_cap is not None:
        details["hourly_cap"] = hourly_cap
    await _noted(s, person, "changed", details)
    return await autonomy.autonomy_policy(s)


async def pause(s: TenantSession, person: Person, length: timedelta | None) -> AutonomyPolicy | Denied:
    """For so long, else until somebody resumes."""
    if isinstance(denied := check(person.role, Permission.APPROVE_MEDIUM), Denied):
        return denied
    until = None if length is None else s.now() + length
    paused = await autonomy.pause(s, until=until, by=person.user_id)
    await _noted(s, person, "paused", {"until": None if until is None else until.isoformat()})
    return paused


async def resume(s: TenantSession, person: Person) -> AutonomyPolicy | Denied:
    if isinstance(denied := check(person.role, Permission.SET_POLICY), Denied):
        return denied
    resumed = await autonomy.resume(s, by=person.user_id)
    await _noted(s, person, "resumed", {})
    return resumed


async def described(s: TenantSession, now: datetime) -> list[str]:
    """The policy in plain lines; people are named by their ids in Slack as `<@U...>`."""
    policy, only_suggests = await autonomy.autonomy_policy(s), (await tenants.settings(s)).autonomy == "suggest"
    if only_suggests:
        return ["This workspace lets me suggest only, whatever the risk."]
    lines = [f"{risk} risk: {policy.level(risk)}" for risk in ("low", "medium", "high")]
    if policy.low == "automatic":
        by = await users.user(s, policy.automatic_by) if policy.automatic_by else None
        who = f"<@{by.slack_user_id}>" if by else "somebody who is not here any more"
        at = f" on {policy.automatic_at:%Y-%m-%d %H:%M} UTC" if policy.automatic_at else ""
        lines[0] += f", allowed by {who}{at}: what is reversible, at high confidence, up to {policy.hourly_cap} an hour"
    if policy.is_paused(now):
        by = await users.user(s, policy.paused_by) if policy.paused_by else None
        until = f"until {policy.paused_until:%Y-%m-%d %H:%M} UTC" if policy.paused_until else "until somebody resumes"
        lines.append(
            f"paused by {f'<@{by.slack_user_id}>' if by else 'somebody'} {until}: everything waits for a click"
        )
    return lines


async def _noted(s: TenantSession, person: Person, verb: str, details: dict[str, object]) -> None:
    actor = Actor(type="user", id=person.user_id)
    await audit.record(s, actor=actor, action=f"{person.door}.policy.{verb}", target=person.tenant_id, details=details)
