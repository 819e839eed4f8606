"""What a workflow is: a durable story told in steps, one file under `workflows/`, found by its `WORKFLOW` name.

A body may be run again from the start after a crash: finished steps answer from their checkpoint, an unfinished one
runs again. So a body decides only on step results, and a step is idempotent or stands behind a fence. Arguments and
results are ids and short closed words: the engine's database never holds content.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache
from typing import ClassVar, Literal, Protocol

from agents import workflows


class Lane(StrEnum):
    """Where a workflow is queued. Waiting for people happens off-queue (DIRECT), so that nobody blocks a place."""

    RECEIVE = "receive"
    INVESTIGATE = "investigate"
    DIRECT = "direct"


class WorkflowContext(Protocol):
    """What a body may do. Every method is a checkpoint."""

    @property
    def workflow_id(self) -> str: ...

    async def step(
        self,
        name: str,
        work: Callable[[], Awaitable[str]],
        *,
        preemptible: bool = False,
        effect: bool = False,
        timeout: timedelta | None = None,  # noqa: ASYNC109 - the engine's own, durable
    ) -> str:
        """Run `work` once and remember its word. It runs again if the process died before the word was written, and
        while what failed it is trouble of the store that passes. An orderly stop waits for an `effect`.

        Raises StepFailed with a reference id when `work` raised; the cause is in the log.
        """

    async def sleep(self, duration: timedelta) -> None:
        """Wait; the wake-up time survives a restart."""

    async def wait_for(self, topic: str, timeout: timedelta) -> str | None:  # noqa: ASYNC109 - its deadline is durable
        """The next word sent on `topic`, or None at the deadline, which survives a restart."""

    async def mark(self, state: str) -> None:
        """Write down that the body has come this far; always before a wait."""

    async def start(self, workflow: str, workflow_id: str, *arguments: str) -> None:
        """Start another workflow under a deterministic id; starting it twice starts it once."""


Body = Callable[..., Awaitable[str]]  # (run, runtime, *ids) -> a closed word


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """A named body and its lane."""

    name: str
    lane: Lane
    body: Body


class StepFailed(Exception):
    """A step raised. `kind` is the exception's class or one of the kinds below, `reference` finds it in the log; never
    its text.
    """

    STORE: ClassVar = "StoreTrouble"  # the store did not answer for as long as was waited
    INTERRUPTED: ClassVar = "Interrupted"  # it was ended from outside: a stop, or no progress past its time
    CUT_OFF: ClassVar = "CutOff"  # what it awaited was cancelled again and again

    def __init__(self, kind: str, reference: str) -> None:
        super().__init__(f"{kind} ({reference})")
        self.kind = kind
        self.reference = reference


Life = Literal["live", "lost", "ended", "absent"]
"""Of a workflow: it runs or waits for its turn; it should run but does not; it came to its end; it never started."""


class Queue(Protocol):
    """What others need of the engine."""

    async def enqueue(self, workflow: str, *, workflow_id: str, arguments: tuple[str, ...]) -> None:
        """Start durable work; the same id twice is one run."""

    async def send(self, workflow_id: str, topic: str, word: str, *, key: str) -> None:
        """Wake a waiting workflow with a closed word; the same `key` is delivered once."""

    async def life(self, workflow_id: str) -> Life:
        """How a workflow stands."""

    async def revive(self, workflow: str, *, workflow_id: str, arguments: tuple[str, ...]) -> Life:
        """How it stood. Unless it was live it is now: what was lost goes on, what had ended runs from its start."""

    def interrupt(self, workflow_id: str) -> bool:
        """End the step that the workflow is in; it fails as interrupted. False when it is in none in this process."""

    def quiet_for(self, workflow_id: str) -> timedelta | None:
        """How long ago a step of the workflow began or ended in this process; None when none did."""

    async def cancel(self, workflow_id: str) -> None:
        """Cancel a workflow and interrupt its preemptible step."""

    async def cancel_all(self, prefix: str, *, keep: str) -> int:
        """Cancel all unfinished workflows whose id begins so, but not `keep`; returns how many there were."""


def workflow_id(tenant: str, kind: str, *ids: str) -> str:
    """`t:{tenant}:{kind}:{id}...`: a tenant's work is found by prefix."""
    return ":".join(("t", tenant, kind, *ids))


def tenant_of(workflow_id: str) -> str:
    """The tenant whose work it is."""
    return workflow_id.split(":", 2)[1]


@cache
def discover_workflows() -> dict[str, Workflow]:
    """All workflows by name. Raises TypeError for a module without `WORKFLOW` or with a foreign name."""
    found: dict[str, Workflow] = {}
    for module_info in pkgutil.iter_modules(workflows.__path__):
        module = importlib.import_module(f"{workflows.__name__}.{module_info.name}")
        workflow: Workflow | None = getattr(module, "WORKFLOW", None)
        if workflow is None or workflow.name != module_info.name:
            raise TypeError(f"{module.__name__} must set WORKFLOW to a Workflow named {module_info.name!r}")
        found[workflow.name] = workflow
    return found
