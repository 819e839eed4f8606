"""Incidents, issues and tickets as their trackers hold them: what a tracker answers, and what one that can act on them
carries out. The remediations of agents/remediation/tracked.py go through it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from agents.connecting.connector import ActionResult, TargetState
from agents.rows import Filed


@dataclass(frozen=True, kw_only=True)
class TrackedItem:
    """One of them, of a declared service. `key` is the tracker's own id of it, `shown` how people write it, as `#71`.

    `also` is what else happens to it with a change of its state, as its alerts; "" for nothing.
    """

    kind: str
    key: str
    shown: str
    service: str
    title: str
    state: str
    opened_at: datetime
    seen_at: datetime | None = None
    ended_at: datetime | None = None
    count: int | None = None
    severity: str = ""
    also: str = ""
    link: str | None = None

    def as_row(self, line: str) -> Filed:
        return Filed(
            service=self.service,
            kind=self.kind,
            key=self.key,
            title=self.title,
            state=self.state,
            first=self.opened_at,
            last=self.seen_at,
            count=self.count,
            severity=self.severity,
            line=line,
            link=self.link,
        )

    def as_target(self, read_at: datetime) -> TargetState:
        return TargetState(
            service=self.service,
            version=self.key,
            previous_version=None,
            state=self.state,
            instances=1,
            started_at=self.opened_at,
            read_at=read_at,
        )


@dataclass(frozen=True, kw_only=True)
class TrackedRead:
    """Open items, the newest first. `gaps` are sentences on what was not read."""

    items: tuple[TrackedItem, ...]
    gaps: tuple[str, ...] = ()


@runtime_checkable
class Tracker(Protocol):
    """An actuator that changes the state of what it tracks. `key` is the connection's name: a plan is carried out by
    the one that it was made with.

    Its actions take the parameters `service`, `item`, `was` and `wanted`: the item goes from the one state to the
    other, once, and stays where it is in another one.
    """

    @property
    def key(self) -> str: ...

    def can(self, action: str, service: str) -> bool: ...

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]: ...

    async def read_target(self, service: str) -> TargetState: ...

    async def act(self, action: str, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult: ...

    async def read_open(self, services: Sequence[str] | None = None) -> TrackedRead:
        """Of all declared services where none are named. Raises AgentError."""

    async def read_item(self, key: str) -> TrackedItem:
        """As it is now, open or not. Raises BadArguments where it is of no declared service."""
