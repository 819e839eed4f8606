"""Durable execution on DBOS, behind `workflow.Run` and `workflow.Queue` so that another engine could stand here.

DBOS keeps one registry and one instance per process; only this module and agents/durable/queue_workers.py know it. Its
database holds ids and closed words, sealed under the engine's own key. See
https://docs.dbos.dev/python/reference/dbos-class.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID
from dbos._core import StepOptions
from dbos._error import DBOSException
from dbos._recovery import _recover_workflow, recover_pending_workflows

from agents.durable.patience import Patience
from agents.durable.process_lock import ProcessLock, ProcessLockLost, take_process_lock
from agents.durable.queue_workers import POLL_S, QueueWorkers, end_idle_rounds, wake
from agents.durable.sealed_words import SealedWords, closed_word
from agents.durable.steps import Steps
from agents.workflow import Lane, Life, Workflow, discover_workflows, tenant_of
from store.database.engine import drop_if_hung_up

if TYPE_CHECKING:
    from agents.runtime import Runtime

log = logging.getLogger("autoheal.engine")

# The contract between code and stored workflows. Raise it only when bodies change so that old runs cannot go on.
APPLICATION_VERSION: Final = "workflows-1"
_NOTIFY_S: Final = 0.25  # for states that nobody waits for
_WORK: Final = f"""
    SELECT executor_id FROM dbos.workflow_status
    WHERE status = 'PENDING' AND application_version = '{APPLICATION_VERSION}'"""  # noqa: S608 -- our own constant
"""The executors that have unfinished work, as `take_process_lock` wants to know them."""
_CONNECTIONS: Final = 2
"""On PostgreSQL, beside the listener's and the lock's: twelve replicas share the hundred of a default server."""
_ENDED: Final = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_UNFINISHED: Final = ("PENDING", "ENQUEUED", "DELAYED")
_BATCH: Final = 200
_BROKEN: Final = ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_SURE: Final = timedelta(seconds=20)  # between the claim of a workflow and its first line other work may come
_FULL: Final = frozenset({10, 13, 14})  # SQLite: input and output, full, cannot open

StepObserver = Callable[[str, str, str], None]  # (workflow id, step name, "before" | "after")


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """`url` is the engine's own database. Caps are per process; more work queues visibly, in fair turns: one tenant
    gets at most `tenant_share` of the places, so that who storms leaves some to the others.
    """

    url: str
    key: bytes
    lock_folder: str
    concurrent_investigations: int = 20
    concurrent_receives: int = 32
    tenant_share: float = 1.0
    executor_threads: int = 24
    patience: timedelta = timedelta(minutes=10)  # that a step has with a store that does not answer
    drain: timedelta = timedelta(seconds=6)  # that effects have at an orderly stop


class Engine:
    """Starts, feeds and stops DBOS. One per process."""

    def __init__(self, settings: EngineSettings, *, observe: StepObserver | None = None) -> None:
        self._settings = settings
        self._observe = observe
        self._bodies: dict[str, tuple[Workflow, Callable[..., Coroutine[Any, Any, str]]]] = {}
        self._process_lock: ProcessLock | None = None
        self._dbos: DBOS | None = None
        self._workers: QueueWorkers | None = None
        self._steps = Steps(Patience(longest=settings.patience))
        self._bodies_running: set[str] = set()
        self._seen_lost: dict[str, float] = {}

    async def start(self, runtime: Runtime, *, lost: Callable[[ProcessLockLost], None] | None = None) -> None:
        """Take the process lock, register the workflows, recover what a crash left here or in another replica. Raises
        ProcessLockTaken for a folder in use. `lost` is called when another process may work under our name: this one
        has to end then.
        """
        try:
            await self._start(runtime, lost or _log_lost)
        except BaseException:
            await self.stop()
            raise

    async def _start(self, runtime: Runtime, lost: Callable[[ProcessLockLost], None]) -> None:
        self._process_lock = await take_process_lock(self._settings.url, self._settings.lock_folder, work=_WORK)
        _log_as_the_process_does()
        self._dbos = DBOS(config=self._config(self._process_lock.name))
        for workflow in discover_workflows().values():
            self._bodies[workflow.name] = (workflow, self._register(workflow, runtime))
        # Delays and deadlines of whole workflows: there are none, and looking for them costs transactions all day.
        self._dbos._background_jobs_stop_event.set()  # noqa: SLF001
        DBOS.launch()
        end_idle_rounds(self._dbos)
        await asyncio.to_thread(_give_turns, self._dbos)
        await asyncio.to_thread(self._recover, self._dbos, self._process_lock.name)
        caps = {
            Lane.RECEIVE.value: self._settings.concurrent_receives,
            Lane.INVESTIGATE.value: self._settings.concurrent_investigations,
        }
        queues = [
            await DBOS.register_queue_async(
                lane,
                worker_concurrency=cap,
                partition_worker_concurrency=max(1, round(cap * self._settings.tenant_share)),
                polling_interval_sec=POLL_S,
                on_conflict="always_update",
            )
            for lane, cap in caps.items()
        ]
        self._workers = QueueWorkers(self._dbos, self._bodies_running)
        self._workers.start(queues)
        self._process_lock.keep(self._adopt, lost)

    def _recover(self, dbos: DBOS, executor: str) -> None:
        """What an earlier process left here, where DBOS' own recovery was ended with its other rounds."""
        for left in dbos._sys_db.get_pending_workflows(executor, APPLICATION_VERSION):  # noqa: SLF001 -- as its own does
            if left.workflow_id not in self._bodies_running:
                _recover_workflow(dbos, left, [executor])

    def leads(self) -> bool:
        """Whether this process does what only one replica may do: always where it is the only one."""
        return self._process_lock is not None and self._process_lock.leads()

    async def stop(self) -> None:
        """Stop taking work, let effects finish, give the lock back. What is unfinished goes on at the next start."""
        logging.getLogger("dbos").setLevel(logging.CRITICAL + 1)  # interrupted bodies are no news: they go on later
        if self._workers is not None:
            await asyncio.to_thread(self._workers.stop)
        await self._steps.close(self._settings.drain)
        if self._dbos is not None:
            await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
            # It was the loop's default and is shut down now; what closes after the engine still reads files.
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(4, "autoheal"))
        if self._process_lock is not None:
            await self._process_lock.release()
        self._workers = self._dbos = self._process_lock = None

    async def _adopt(self, executor: str) -> None:
        """What a dead replica left is queued again, for whoever is first."""
        if self._dbos is None or self._workers is None:
            return
        await asyncio.to_thread(_give_turns, self._dbos)
        await asyncio.to_thread(recover_pending_workflows, self._dbos, [executor])
        self._workers.ring()

    def _config(self, executor: str) -> DBOSConfig:
        return {
            "name": "autoheal",
            "system_database_url": self._settings.url,
            "system_database_engine": _engine(self._settings.url),
            "executor_id": executor,
            "application_version": APPLICATION_VERSION,
            "serializer": SealedWords(self._settings.key),
            "max_executor_threads": self._settings.executor_threads,
            "notification_coalesce_sec": _NOTIFY_S,
            "log_level": "WARNING",
        }

    def _register(self, workflow: Workflow, runtime: Runtime) -> Callable[..., Coroutine[Any, Any, str]]:
        async def body(*arguments: str) -> str:
            started, outcome = time.monotonic(), "failed"
            run = _DbosRun(self)
            self._bodies_running.add(run.workflow_id)
            try:
                outcome = await workflow.body(run, runtime, *arguments)
            except asyncio.CancelledError:
                outcome = "interrupted"
                raise
            finally:
                self._bodies_running.discard(run.workflow_id)
                self._ring(workflow.lane)
                self._steps.forget(run.workflow_id)
                runtime.meter.workflow_ended(workflow.name, outcome, time.monotonic() - started)
            return outcome

        body.__name__ = body.__qualname__ = workflow.name
        # What waits for people must outlive any number of restarts; all else is bounded by its own deadline as well.
        return DBOS.workflow(name=workflow.name, max_recovery_attempts=None)(body)

    async def enqueue(self, workflow: str, *, workflow_id: str, arguments: tuple[str, ...]) -> None:
        known, body = self._bodies[workflow]
        words = tuple(closed_word(argument) for argument in (workflow_id, *arguments))[1:]

        async def submit() -> None:
            with SetWorkflowID(workflow_id):
                if known.lane is Lane.DIRECT:
                    await DBOS.start_workflow_async(body, *words)
                else:
                    with SetEnqueueOptions(queue_partition_key=tenant_of(workflow_id)):
                        await DBOS.enqueue_workflow_async(known.lane.value, body, *words)

        await _outside_workflows(submit())
        self._ring(known.lane)

    def _ring(self, lane: Lane) -> None:
        if self._workers is not None and lane is not Lane.DIRECT:
            self._workers.ring(lane.value)

    async def send(self, workflow_id: str, topic: str, word: str, *, key: str) -> None:
        await _outside_workflows(DBOS.send_async(workflow_id, closed_word(word), topic, idempotency_key=key))
        if self._dbos is not None:
            wake(self._dbos, workflow_id, topic)

    async def life(self, workflow_id: str) -> Life:
        found = await _outside_workflows(
            DBOS.list_workflows_async(workflow_ids=[workflow_id], load_input=False, load_output=False)
        )
        if not found:
            return "absent"
        if found[0].status in _ENDED:
            return "ended"
        is_lost = found[0].status == "PENDING" and found[0].executor_id == self._executor_id
        return "lost" if is_lost and self._surely_lost(workflow_id) else "live"

    def _surely_lost(self, workflow_id: str) -> bool:
        """For some time no body of it runs here, although the engine's database says so."""
        if workflow_id in self._bodies_running:
            self._seen_lost.pop(workflow_id, None)
            return False
        since = self._seen_lost.setdefault(workflow_id, time.monotonic())
        return time.monotonic() - since >= _SURE.total_seconds()

    @property
    def _executor_id(self) -> str:
        return self._process_lock.name if self._process_lock is not None else ""

    async def revive(self, workflow: str, *, workflow_id: str, arguments: tuple[str, ...]) -> Life:
        life = await self.life(workflow_id)
        if life == "lost":
            self._seen_lost.pop(workflow_id, None)
            await _outside_workflows(DBOS.resume_workflow_async(workflow_id))
        if life == "ended":
            with suppress(DBOSException):  # another replica was faster: then it is under way again
                await _outside_workflows(DBOS.rewind_workflow_async(workflow_id))
        if self._workers is not None:
            self._workers.ring()
        if life == "absent":
            await self.enqueue(workflow, workflow_id=workflow_id, arguments=arguments)
        return life

    async def broken(self) -> list[tuple[str, str]]:
        """Workflow and id of those that ended by an error, or that should run here and do not. Bodies answer each
        failed step, so neither happens but by trouble of the engine itself.
        """
        listed = partial(DBOS.list_workflows_async, load_input=False, load_output=False, limit=_BATCH)
        ended = await _outside_workflows(listed(status=list(_BROKEN)))
        pending = await _outside_workflows(listed(status="PENDING", executor_id=self._executor_id))
        lost = [one for one in pending if self._surely_lost(one.workflow_id)]
        return [(one.name, one.workflow_id) for one in (*ended, *lost)]

    def interrupt(self, workflow_id: str) -> bool:
        return self._steps.interrupt(workflow_id)

    def quiet_for(self, workflow_id: str) -> timedelta | None:
        return self._steps.quiet_for(workflow_id)

    async def cancel(self, workflow_id: str) -> None:
        await _outside_workflows(DBOS.cancel_workflow_async(workflow_id))

    async def cancel_all(self, prefix: str, *, keep: str) -> int:
        async def stop() -> int:
            found = await DBOS.list_workflows_async(
                workflow_id_prefix=prefix, status=list(_UNFINISHED), load_input=False, load_output=False
            )
            ids = [workflow.workflow_id for workflow in found if workflow.workflow_id != keep]
            if ids:
                await DBOS.cancel_workflows_async(ids)
            return len(ids)

        return int(await _outside_workflows(stop()))

    async def forget_finished(self, before: datetime) -> int:
        """Delete the rows of workflows that ended before this time, in batches: the engine itself keeps them."""
        forgotten = 0
        while True:
            ended = await DBOS.list_workflows_async(
                status=list(_ENDED),
                completed_before=before.isoformat(),
                limit=_BATCH,
                load_input=False,
                load_output=False,
            )
            if not ended:
                return forgotten
            await DBOS.delete_workflows_async([workflow.workflow_id for workflow in ended])
            forgotten += len(ended)

    async def run_step(self, workflow_id: str, name: str, work: Callable[[], Awaitable[str]], *, effect: bool) -> str:
        async def checked() -> str:
            return closed_word(await work())

        return await self._steps.run(workflow_id, name, checked, effect=effect)

    def observe(self, workflow_id: str, step: str, moment: str) -> None:
        if self._observe is not None:
            self._observe(workflow_id, step, moment)


class _DbosRun:
    """`workflow.Run` on DBOS."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.workflow_id = str(DBOS.workflow_id)

    async def step(
        self,
        name: str,
        work: Callable[[], Awaitable[str]],
        *,
        preemptible: bool = False,
        effect: bool = False,
        timeout: timedelta | None = None,  # noqa: ASYNC109 - the engine's own, durable
    ) -> str:
        async def guarded() -> str:
            self._engine.observe(self.workflow_id, name, "before")
            return await self._engine.run_step(self.workflow_id, name, work, effect=effect)

        options: StepOptions = {"name": name, "preemptible": preemptible}
        if timeout is not None:
            options["timeout_seconds"] = timeout.total_seconds()
        word: str = await DBOS.run_step_async(options, guarded)
        self._engine.observe(self.workflow_id, name, "after")
        return word

    async def sleep(self, duration: timedelta) -> None:
        await DBOS.sleep_async(duration.total_seconds())

    async def wait_for(self, topic: str, timeout: timedelta) -> str | None:  # noqa: ASYNC109 - its deadline is durable
        word = await DBOS.recv_async(topic, timeout_seconds=max(0.0, timeout.total_seconds()))
        return None if word is None else str(word)

    async def mark(self, state: str) -> None:
        await DBOS.set_event_async("state", state)

    async def start(self, workflow: str, workflow_id: str, *arguments: str) -> None:
        async def begin() -> str:
            await self._engine.enqueue(workflow, workflow_id=workflow_id, arguments=arguments)
            return "started"

        await self.step(f"start {workflow}", begin)


def _log_as_the_process_does() -> None:
    """DBOS writes to the console itself, with the texts of exceptions, unless its logger has a handler already."""
    for name in ("dbos", "dbos.sys_db"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    logger.propagate = True


async def _outside_workflows(work: Coroutine[Any, Any, Any]) -> Any:
    """Await in an empty context: a call from inside a step must not be taken for a part of that step."""
    return await asyncio.create_task(work, context=contextvars.Context())


def _give_turns(dbos: DBOS) -> None:
    """What a version without turns had queued takes its place in them; else nobody would ever ask for it."""
    rows = dbos._sys_db.tables.workflow_status  # noqa: SLF001 -- there is no public way
    left = (rows.c.queue_name.in_([lane.value for lane in Lane]), rows.c.queue_partition_key.is_(None))
    with dbos._sys_db.engine.begin() as connection:  # noqa: SLF001
        unfinished = sa.select(rows.c.workflow_uuid).where(*left, rows.c.status.in_(_UNFINISHED))
        for (found,) in connection.execute(unfinished).all():
            of_it = rows.update().where(rows.c.workflow_uuid == found, *left)
            connection.execute(of_it.values(queue_partition_key=tenant_of(found)))


def _log_lost(lost: ProcessLockLost) -> None:
    log.critical("%s", lost, extra={"action": "engine.slot_lost"})


def _engine(url: str) -> sa.Engine:
    if not url.startswith("sqlite"):
        engine = sa.create_engine(url, pool_size=_CONNECTIONS, max_overflow=0, hide_parameters=True)
        sa.event.listen(engine, "checkout", drop_if_hung_up)
        return engine
    engine = sa.create_engine(url, connect_args={"check_same_thread": False, "timeout": 30.0}, hide_parameters=True)

    sa.event.listen(engine, "handle_error", _wait_for_the_disk)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA busy_timeout=30000")

    return engine


def _wait_for_the_disk(context: Any) -> None:
    """DBOS waits for a locked database, but gives a workflow up over a full disk: here both look the same to it."""
    orig = context.original_exception
    if getattr(orig, "sqlite_errorcode", 0) & 0xFF in _FULL:
        raise sa.exc.OperationalError(
            None, None, sqlite3.OperationalError("database is locked by a full disk")
        ) from orig
