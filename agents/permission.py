"""Who may do what: one table for commands, buttons, tools and workflows. Refusals are values, with words for the
person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, Protocol

from agents.tool import Risk
from store.ids import TenantId, UserId
from store.incidents import Sight
from store.people.users import Role


class Permission(StrEnum):
    """An action that a role allows."""

    READ = "read"
    OWN = "own"
    INVESTIGATE = "investigate"
    APPROVE_MEDIUM = "approve_medium"
    APPROVE_HIGH = "approve_high"
    CONNECT = "connect"
    SET_POLICY = "set_policy"
    MANAGE_PEOPLE = "manage_people"
    READ_RECORDS = "read_records"
    EXPORT = "export"


_VIEWER: Final = frozenset({Permission.READ, Permission.OWN})
_MEMBER: Final = _VIEWER | {Permission.INVESTIGATE, Permission.APPROVE_MEDIUM}
GRANTS: Final = {
    Role.VIEWER: _VIEWER,
    Role.MEMBER: _MEMBER,
    Role.ADMIN: _MEMBER
    | {
        Permission.APPROVE_HIGH,
        Permission.CONNECT,
        Permission.SET_POLICY,
        Permission.MANAGE_PEOPLE,
        Permission.READ_RECORDS,
        Permission.EXPORT,
    },
}
"""`own` is about oneself: profile, sessions, tokens. `read_records` is about the audit log and the events."""
_NEEDS: Final = {
    Permission.READ: "a viewer, member or admin",
    Permission.OWN: "a viewer, member or admin",
    Permission.INVESTIGATE: "a member or admin",
    Permission.APPROVE_MEDIUM: "a member or admin",
    Permission.APPROVE_HIGH: "an admin, and not the person who asked",
    Permission.CONNECT: "an admin",
    Permission.SET_POLICY: "an admin",
    Permission.MANAGE_PEOPLE: "an admin",
    Permission.READ_RECORDS: "an admin",
    Permission.EXPORT: "an admin",
}


@dataclass(frozen=True, kw_only=True)
class Person:
    """A known caller inside one tenant. Made by `handlers/slack/inbound/caller.py` and `handlers/web/credential.py`
    only.

    `timezone` is the name of the zone that they set in Slack, "" where it is not known. `door` is where they ask: the
    source of what is audited of it.
    """

    tenant_id: TenantId
    user_id: UserId
    slack_user_id: str
    role: Role
    timezone: str = ""
    door: Literal["slack", "web", "api", "mcp"] = "slack"


class Sees(Protocol):
    """What a person may see elsewhere, asked outside of any transaction. Implemented by
    `handlers/slack/visibility.py`.
    """

    async def among(self, person: Person, channels: Iterable[str | None], *, here: str | None = None) -> Sight: ...


@dataclass(frozen=True)
class Allowed:
    """Go on."""


@dataclass(frozen=True)
class Denied:
    """Refused; `reason` is a sentence for the person, with who may."""

    reason: str


def check(role: Role, permission: Permission) -> Allowed | Denied:
    """Whether the role carries the permission."""
    if permission in GRANTS[role]:
        return Allowed()
    return Denied(f"Your role is {role.value}. This needs {_NEEDS[permission]}.")


def check_approval(role: Role, risk: Risk, *, is_requester: bool) -> Allowed | Denied:
    """Whether the role may approve a plan of this risk. High risk needs a second person."""
    if risk is not Risk.HIGH:
        return check(role, Permission.APPROVE_MEDIUM)
    allowed = check(role, Permission.APPROVE_HIGH)
    if isinstance(allowed, Allowed) and is_requester:
        return Denied("High risk needs a second person: another admin must approve.")
    return allowed


LEAST_REASON: Final = 10
"""Letters and digits of a typed reason."""
_BLANK_LETTERS: Final = "\u115f\u1160\u3164\uffa0"


def check_break_glass(role: Role, risk: Risk, *, reversible: bool, reason: str) -> Allowed | Denied:
    """Whether the role may do without the second person whom a plan of high risk needs."""
    allowed = check(role, Permission.APPROVE_HIGH)
    if isinstance(allowed, Denied):
        return allowed
    if risk is not Risk.HIGH:
        return Denied("This plan needs no second person: approve it on its card.")
    if not reversible:
        return Denied("What this plan does cannot be undone, so it needs a second person: another admin must approve.")
    if sum(c.isalnum() and c not in _BLANK_LETTERS for c in reason) < LEAST_REASON:
        return Denied("Break-glass needs a reason: say in a sentence why it cannot wait for another admin.")
    return allowed


def who_may_approve(risk: Risk) -> str:
    """For the card."""
    return "Admins, not the requester" if risk is Risk.HIGH else "Members and admins"
