"""What a connector offers that can act on workloads of a cluster: what runs, in which revisions, since when.

The remediations restart_workload, scale_workload and undo_rollout go through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

from agents.connecting.connector import ActionResult, TargetState


@dataclass(frozen=True, kw_only=True)
class WorkloadRevision:
    """`version` is the hash of the pod template, `at` is None where nobody knows when it was rolled out."""

    number: int
    version: str
    images: tuple[str, ...]
    at: datetime | None


@dataclass(frozen=True, kw_only=True)
class WorkloadTarget:
    """A workload as it is now. `generation` moves with every change of what is declared of it, by whomever.

    `ready` are those of the pods that are as it is declared now and answer.

    `revisions` are oldest first, the last one runs; empty where the cluster keeps none, as of a StatefulSet.
    `place` is its address within the cluster: namespace, plural and name.
    """

    service: str
    connection: str
    place: tuple[str, str, str]
    replicas: int
    ready: int
    generation: int
    revisions: tuple[WorkloadRevision, ...]
    restarted_at: str
    paused: bool
    read_at: datetime

    @property
    def version(self) -> str:
        return self.revisions[-1].version if self.revisions else f"generation-{self.generation}"

    def revision(self, version: str) -> WorkloadRevision | None:
        return next((one for one in self.revisions if one.version == version), None)

    def as_target(self) -> TargetState:
        """`started_at` is when it was last restarted by request, else when what runs was rolled out."""
        before = self.revisions[-2].version if len(self.revisions) > 1 else None
        return TargetState(
            service=self.service,
            version=self.version,
            previous_version=before,
            state=f"{self.ready} of {self.replicas} ready",
            instances=self.replicas,
            started_at=moment(self.restarted_at) or (self.revisions[-1].at if self.revisions else None),
            read_at=self.read_at,
            generation=self.generation,
            ready=self.ready,
        )


@runtime_checkable
class WorkloadActuator(Protocol):
    """An actuator of workloads. `key` is the connection's name: a plan is carried out by the one that made it."""

    @property
    def key(self) -> str: ...

    def can(self, action: str, service: str) -> bool: ...

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]: ...

    async def read_target(self, service: str) -> TargetState: ...

    async def read_workload(self, service: str) -> WorkloadTarget:
        """Raises BadArguments where the service is no workload of this cluster, or several."""

    async def act(self, action: str, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult: ...


def moment(text: str) -> datetime | None:
    """RFC 3339; None for what is none."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
