"""What a connector offers that holds repositories and can act on them: workflows run again, drafts of pull requests.

Each action is previewed first: what it would do, to what as it is now, and what it needs. A preview writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from agents.connecting.connector import ActionResult, TargetState


@dataclass(frozen=True, kw_only=True)
class HostPreview:
    """What an action would do. `parameters` are all that `act` needs, `to_version` is what the target's version is
    afterwards. `known` are sentences on what was read and is so. `diff` is what it would change, without secrets.
    """

    title: str
    parameters: Mapping[str, str]
    target: TargetState
    to_version: str
    interruption: str
    known: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    link: str | None = None
    undo: str = ""
    undo_parameters: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class CodeHost(Protocol):
    """An actuator whose targets are not services but what belongs to them at the host of their code."""

    def can(self, action: str, service: str) -> bool: ...

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]: ...

    async def read_target(self, service: str) -> TargetState: ...

    async def preview(self, action: str, service: str, asked: Mapping[str, str]) -> HostPreview:
        """Raises BadArguments with the reason where it cannot be done."""

    async def read_host_target(self, action: str, parameters: Mapping[str, str]) -> TargetState:
        """What a previewed action acts on, as it is now."""

    async def act(self, action: str, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult: ...
