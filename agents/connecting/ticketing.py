"""Tickets that Autoheal may write: what a source offers that can make one or comment on one. The remediations
create_ticket and comment_ticket go through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from agents.connecting.connector import ActionResult, TargetState
from agents.connecting.trackers import TrackedItem


@runtime_checkable
class TicketWriter(Protocol):
    """An actuator of tickets. `key` is the connection's name: a plan is carried out by the one that made it.

    `create_ticket` takes what `ticket_parameters` gives, `comment_ticket` a `service`, `item`, `mark` and `text`. The
    mark names the incident: by it what was written is found again, and nothing is written twice.
    """

    @property
    def key(self) -> str: ...

    def can(self, action: str, service: str) -> bool: ...

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]: ...

    async def read_target(self, service: str) -> TargetState: ...

    async def act(self, action: str, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult: ...

    async def own_ticket(self, mark: str) -> TrackedItem | None:
        """The one that was made with this mark. Raises AgentError."""

    async def read_ticket(self, key: str) -> TrackedItem:
        """Raises BadArguments where it is of no declared service."""

    async def is_commented(self, item: TrackedItem, mark: str) -> bool:
        """Whether a comment with this mark is there. Raises AgentError."""

    async def ticket_parameters(self, service: str, *, mark: str, title: str, text: str) -> Mapping[str, str]:
        """What `act` needs to make it, as a plan keeps it. Raises AgentError."""
