"""The steps that run in this process: each ends with a word or with a typed failure, whatever cancels what inside it.

A cancellation that nobody asked of this step comes from what it awaits, such as a worker that died with somebody else's
job; left alone it would end the workflow without a trace. Here it becomes another attempt, then a failure. Trouble of
the store is waited out. A step can be interrupted from outside, and at a stop effects are let finish.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from agents.durable.patience import Patience
from agents.failure import log_failure
from agents.workflow import StepFailed
from store.database.trouble import passes

log = logging.getLogger("autoheal.steps")

_CUT_OFF_ATTEMPTS: Final = 3
_LETTING_GO_S: Final = 5.0


class Interrupted(Exception):
    """Somebody ended this step from outside. The class names the kind, as `StepFailed.INTERRUPTED`."""


class CutOff(Exception):
    """What the step awaited was cancelled by somebody else."""


@dataclass(kw_only=True, eq=False)
class _Step:
    name: str
    effect: bool
    task: asyncio.Future[str]
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Steps:
    """One per engine. A workflow has one step at a time."""

    def __init__(self, patience: Patience | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience or Patience()
        self._clock = clock
        self._running: dict[str, _Step] = {}
        self._signs: dict[str, float] = {}
        self._closed = False

    async def run(
        self, workflow_id: str, name: str, work: Callable[[], Awaitable[str]], *, effect: bool = False
    ) -> str:
        """The word of `work`. Raises StepFailed with a kind and a reference; CancelledError once this is closed.

        `effect`: at a stop it is waited for.
        """
        self._signs[workflow_id] = self._clock()
        attempt = 0

        async def once() -> str:
            return await self._once(workflow_id, name, work, effect=effect)

        while True:
            try:
                return await self._patience.outlast(once, what=f"the step {name}")
            except StepFailed:
                raise
            except CutOff as exc:
                attempt += 1
                if attempt >= _CUT_OFF_ATTEMPTS:
                    raise self._failed(StepFailed.CUT_OFF, exc, name, workflow_id) from None
            except Exception as exc:  # noqa: BLE001 - the outer guard of a step: the engine gets a reference only
                raise self._failed(
                    StepFailed.STORE if passes(exc) else type(exc).__name__, exc, name, workflow_id
                ) from None
            finally:
                self._signs[workflow_id] = self._clock()

    async def _once(self, workflow_id: str, name: str, work: Callable[[], Awaitable[str]], *, effect: bool) -> str:
        if self._closed:
            raise asyncio.CancelledError
        step = _Step(name=name, effect=effect, task=asyncio.ensure_future(work()))
        asked = asyncio.ensure_future(step.asked.wait())
        self._running[workflow_id] = step
        try:
            both: set[asyncio.Future[Any]] = {step.task, asked}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            was_asked = not step.task.done()
            if was_asked:
                step.task.cancel()
                await asyncio.wait({step.task}, timeout=_LETTING_GO_S)
            if step.task.done() and not step.task.cancelled():
                return step.task.result()
            raise self._cut_short(was_asked=was_asked)
        except asyncio.CancelledError:
            step.task.cancel()
            await asyncio.wait({step.task}, timeout=_LETTING_GO_S)
            raise
        finally:
            asked.cancel()
            step.ended.set()
            self._running.pop(workflow_id, None)

    def _cut_short(self, *, was_asked: bool) -> BaseException:
        if not was_asked:
            return CutOff()
        return asyncio.CancelledError() if self._closed else Interrupted()  # at a stop it goes on at the next start

    def interrupt(self, workflow_id: str) -> bool:
        """End the step that the workflow is in; it fails as interrupted. False when it is in none here."""
        step = self._running.get(workflow_id)
        if step is not None:
            step.asked.set()
        return step is not None

    def quiet_for(self, workflow_id: str) -> timedelta | None:
        """How long ago a step of the workflow began or ended here; None when none did."""
        sign = self._signs.get(workflow_id)
        return None if sign is None else timedelta(seconds=self._clock() - sign)

    def forget(self, workflow_id: str) -> None:
        """The workflow ended."""
        self._signs.pop(workflow_id, None)

    async def close(self, drain: timedelta) -> None:
        """No step begins any more. Effects are waited for, at most so long; then every step is let go."""
        self._closed = True
        effects = [step for step in self._running.values() if step.effect]
        if effects:
            seconds = drain.total_seconds()
            facts = {"action": "steps.draining", "effects": len(effects)}
            log.warning("%d effects are under way: waiting up to %.0f s for them", len(effects), seconds, extra=facts)
            await _all_ended(effects, seconds)
        for step in (running := list(self._running.values())):
            if step.effect:
                log.warning("an effect is left to go on by itself", extra={"action": "steps.detached"})
            step.asked.set()
        await _all_ended(running, _LETTING_GO_S)

    def _failed(self, kind: str, exc: Exception, name: str, workflow_id: str) -> StepFailed:
        return StepFailed(kind, log_failure(log, "step.failed", exc, step=name, workflow=workflow_id))


async def _all_ended(steps: list[_Step], seconds: float) -> None:
    waits = [asyncio.ensure_future(step.ended.wait()) for step in steps]
    if waits:
        await asyncio.wait(waits, timeout=seconds)
    for wait in waits:
        wait.cancel()
