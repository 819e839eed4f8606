"""Workflows without a database of their own: for tests of what bodies and steps do, on a clock that is set by hand.

It keeps the contract of `agents.workflow`: one run per id, finished steps answer from their checkpoint, a body
that is run again starts from the top. Sleeping moves the clock; waiting for a word ends by a word or by `pass_time`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from agents.failure import log_failure
from agents.runtime import Runtime
from agents.workflow import Life, StepFailed, discover_workflows

log = logging.getLogger("autoheal.engine")


class SettableClock(Protocol):
    def __call__(self) -> datetime: ...

    def advance(self, by: timedelta) -> datetime: ...


class Crashed(BaseException):
    """The process died: nothing after this line ran."""


@dataclass(kw_only=True)
class _Started:
    workflow: str
    arguments: tuple[str, ...]
    checkpoints: list[str | StepFailed | None] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    inbox: dict[str, list[str]] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    deadline: datetime | None = None
    task: asyncio.Task[None] | None = None
    result: str | None = None
    failed: StepFailed | None = None


class InlineEngine:
    """`crash_after` names steps (`tools 0`) whose work is done but whose checkpoint is lost, once each."""

    def __init__(self, clock: SettableClock) -> None:
        self._clock = clock
        self._runtime: Runtime | None = None
        self._runs: dict[str, _Started] = {}
        self._sent: set[str] = set()
        self.crash_after: set[str] = set()
        self.before: dict[str, Callable[[], Awaitable[None]]] = {}
        self.quiet: dict[str, timedelta] = {}
        self.interrupted: list[str] = []

    def start(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def enqueue(self, workflow: str, *, workflow_id: str, arguments: tuple[str, ...]) -> None:
        if workflow_id not in self._runs:
            self._runs[workflow_id] = _Started(workflow=workflow, arguments=arguments)
            self._go(workflow_id)

    async def send(self, workflow_id: str, topic: str, word: str, *, key: str) -> None:
        run = self._runs[workflow_id]
        if key not in self._sent:
            self._sent.add(key)
            run.inbox.setdefault(topic, []).append(word)
            run.deadline = None  # it is on its way now
            run.arrived.set()

    async def life(self, workflow_id: str) -> Life:
        run = self._runs.get(workflow_id)
        if run is None:
            return "absent"
        return "ended" if run.task is None or run.task.done() else "live"

    async def revive(self, workflow: str, *, workflow_id: str, arguments: tuple[str, ...]) -> Life:
        life = await self.life(workflow_id)
        if life == "ended":
            del self._runs[workflow_id]
        await self.enqueue(workflow, workflow_id=workflow_id, arguments=arguments)
        return life

    async def broken(self) -> list[tuple[str, str]]:
        return [(run.workflow, one) for one, run in self._runs.items() if run.failed is not None]

    def lose(self, workflow_id: str) -> None:
        """As if it had never been queued."""
        del self._runs[workflow_id]

    def interrupt(self, workflow_id: str) -> bool:
        self.interrupted.append(workflow_id)
        return True

    def quiet_for(self, workflow_id: str) -> timedelta | None:
        return self.quiet.get(workflow_id)

    async def cancel(self, workflow_id: str) -> None:
        if (task := self._runs[workflow_id].task) is not None:
            task.cancel()

    async def cancel_all(self, prefix: str, *, keep: str) -> int:
        running = [
            one
            for one, run in self._runs.items()
            if one.startswith(prefix) and one != keep and run.task is not None and not run.task.done()
        ]
        for one in running:
            await self.cancel(one)
        return len(running)

    async def settle(self) -> None:
        """Until every run has ended or waits for a person."""
        while moving := [
            r.task for r in self._runs.values() if r.task is not None and not r.task.done() and r.deadline is None
        ]:
            await asyncio.wait(moving, timeout=0.005)

    async def pass_time(self, by: timedelta) -> None:
        """Moves the clock; waits whose deadline has come end without a word."""
        self._clock.advance(by)
        for run in self._runs.values():
            if run.deadline is not None and run.deadline <= self._clock():
                run.deadline = None
                run.arrived.set()
        await self.settle()

    async def stop(self) -> None:
        tasks = [run.task for run in self._runs.values() if run.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def ids(self, workflow: str) -> list[str]:
        return [workflow_id for workflow_id, run in self._runs.items() if run.workflow == workflow]

    def steps(self, workflow_id: str) -> list[str]:
        """Names of the steps whose work really ran, in order."""
        return self._runs[workflow_id].steps

    def result(self, workflow_id: str) -> str | None:
        return self._runs[workflow_id].result

    def failed(self, workflow_id: str) -> StepFailed | None:
        """What ended a run that had no answer for a failed step."""
        return self._runs[workflow_id].failed

    def _go(self, workflow_id: str) -> None:
        self._runs[workflow_id].task = asyncio.create_task(self._drive(workflow_id))

    async def _drive(self, workflow_id: str) -> None:
        run, runtime = self._runs[workflow_id], self._runtime
        if runtime is None:
            raise RuntimeError("start the engine first")
        while True:
            try:
                body = discover_workflows()[run.workflow].body
                run.result = await body(_InlineRun(self, workflow_id, run), runtime, *run.arguments)
            except Crashed:
                continue
            except StepFailed as exc:
                run.failed = exc
            return

    async def wait(self, run: _Started, topic: str, longest: timedelta) -> str | None:
        until = self._clock() + longest
        while not run.inbox.get(topic) and self._clock() < until:
            run.arrived.clear()
            run.deadline = until
            await run.arrived.wait()
        run.deadline = None
        words = run.inbox.get(topic)
        return words.pop(0) if words else None

    def slept(self, duration: timedelta) -> None:
        self._clock.advance(duration)


class _InlineRun:
    """`agents.workflow.WorkflowContext`."""

    def __init__(self, engine: InlineEngine, workflow_id: str, run: _Started) -> None:
        self._engine = engine
        self._run = run
        self._at = 0
        self.workflow_id = workflow_id

    async def step(
        self,
        name: str,
        work: Callable[[], Awaitable[str]],
        *,
        preemptible: bool = False,
        effect: bool = False,
        timeout: timedelta | None = None,  # noqa: ASYNC109 - part of the protocol
    ) -> str:
        if (before := self._engine.before.get(name)) is not None and self._at >= len(self._run.checkpoints):
            await before()
        answered = await self._once(name, work)
        if isinstance(answered, StepFailed):
            raise answered
        return answered or ""

    async def sleep(self, duration: timedelta) -> None:
        async def nap() -> str:
            self._engine.slept(duration)
            return ""

        await self._once("sleep", nap)

    async def wait_for(self, topic: str, timeout: timedelta) -> str | None:  # noqa: ASYNC109 - part of the protocol
        async def wait() -> str | None:
            return await self._engine.wait(self._run, topic, timeout)

        answered = await self._once("wait", wait)
        return answered if isinstance(answered, str) else None

    async def mark(self, state: str) -> None:
        pass

    async def start(self, workflow: str, workflow_id: str, *arguments: str) -> None:
        async def begin() -> str:
            await self._engine.enqueue(workflow, workflow_id=workflow_id, arguments=arguments)
            return "started"

        await self.step(f"start {workflow}", begin)

    async def _once(self, name: str, work: Callable[[], Awaitable[str | None]]) -> str | StepFailed | None:
        checkpoints = self._run.checkpoints
        if self._at < len(checkpoints):
            self._at += 1
            return checkpoints[self._at - 1]
        self._run.steps.append(name)
        try:
            answered: str | StepFailed | None = await work()
        except StepFailed as exc:
            answered = exc
        except Exception as exc:  # noqa: BLE001 - the guard of a step, as the real engine has it
            answered = StepFailed(type(exc).__name__, log_failure(log, "step.failed", exc, step=name))
        if name in self._engine.crash_after:
            self._engine.crash_after.discard(name)
            raise Crashed
        checkpoints.append(answered)
        self._at += 1
        return answered
