"""Durable execution on DBOS, behind `workflow.Run` and `workflow.Queue` so that another engine could stand here.

DBOS keeps one registry and one instance per process; only this module and agents/queue_workers.py know it. Its database
holds ids and closed words, sealed under the engine's own key. See https://docs.dbos.dev/python/reference/dbos-class.
"""

from __future__ import annotations

import asyncio
import base64
import contextvars
import json
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from dbos import DBOS, DBOSConfig, SetWorkflowID
from dbos._core import StepOptions
from dbos._recovery import recover_pending_workflows
from dbos._serialization import Serializer

from agents.failure import log_failure
from agents.queue_workers import POLL_S, QueueWorkers, end_idle_rounds, wake
from agents.slot import Slot, SlotLost, take_slot
from agents.workflow import Lane, StepFailed, Workflow, discover_workflows
from store.engine import drop_if_hung_up

if TYPE_CHECKING:
    from agents.runtime import Runtime

log = logging.getLogger("autoheal.engine")

# The contract between code and stored workflows. Raise it only when bodies change so that old runs cannot go on.
APPLICATION_VERSION: Final = "workflows-1"
_NOTIFY_S: Final = 0.25  # for states that nobody waits for
_WORK: Final = f"""
    SELECT executor_id FROM dbos.workflow_status
    WHERE status = 'PENDING' AND application_version = '{APPLICATION_VERSION}'"""  # noqa: S608 -- our own constant
"""The slots that have unfinished work, as `take_slot` wants to know them."""
_CONNECTIONS: Final = 2
"""On PostgreSQL, beside the listener's and the slot's: twelve replicas share the hundred of a default server."""
_WORD_MAX: Final = 200
_WORD: Final = re.compile(rf"[\w:.+-]{{0,{_WORD_MAX}}}")  # ids and closed words have no blanks; sentences do
_ENDED: Final = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_UNFINISHED: Final = ("PENDING", "ENQUEUED", "DELAYED")
_BATCH: Final = 200

StepObserver = Callable[[str, str, str], None]  # (workflow id, step name, "before" | "after")


class SealedWords(Serializer):
    """JSON of short strings under AES-256-GCM. Refuses anything that is not an id, a word or a failed step."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def serialize(self, data: Any) -> str:
        nonce = os.urandom(12)
        sealed = self._cipher.encrypt(nonce, json.dumps(_plain(data)).encode(), b"AH-ENGINE-1")
        return base64.b64encode(nonce + sealed).decode()

    def deserialize(self, serialized_data: str) -> Any:
        raw = base64.b64decode(serialized_data)
        return _revive(json.loads(self._cipher.decrypt(raw[:12], raw[12:], b"AH-ENGINE-1")))

    def name(self) -> str:
        return "autoheal_sealed_words"


def _word(value: object) -> str:
    """`value` as an id or a closed word. Raises TypeError, which does not repeat it."""
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise TypeError(f"a workflow may carry ids and words only, not this {type(value).__name__}")
    return value


def _plain(data: Any) -> Any:
    if data is None or isinstance(data, bool | int | float):
        return data
    if isinstance(data, str):
        if len(data) > _WORD_MAX:
            raise TypeError("a workflow may carry ids and words only; content belongs in the store")
        return data
    if isinstance(data, list | tuple):
        return [_plain(item) for item in data]
    if isinstance(data, dict):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, StepFailed):
        return {"__failed__": [data.kind, data.reference]}
    if isinstance(data, BaseException):
        return {"__failed__": [type(data).__name__, "engine"]}
    raise TypeError(f"a workflow may carry ids and words only, not {type(data).__name__}")


def _revive(data: Any) -> Any:
    if isinstance(data, dict) and "__failed__" in data:
        return StepFailed(*data["__failed__"])
    if isinstance(data, dict):
        return {key: _revive(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_revive(item) for item in data]
    return data


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """`url` is the engine's own database. Caps are per process; more work queues visibly."""

    url: str
    key: bytes
    lock_folder: str
    concurrent_investigations: int = 20
    concurrent_receives: int = 32
    executor_threads: int = 24


class Engine:
    """Starts, feeds and stops DBOS. One per process."""

    def __init__(self, settings: EngineSettings, *, observe: StepObserver | None = None) -> None:
        self._settings = settings
        self._observe = observe
        self._bodies: dict[str, tuple[Workflow, Callable[..., Coroutine[Any, Any, str]]]] = {}
        self._slot: Slot | None = None
        self._dbos: DBOS | None = None
        self._workers: QueueWorkers | None = None

    async def start(self, runtime: Runtime, *, lost: Callable[[SlotLost], None] | None = None) -> None:
        """Take a slot, register the workflows, recover what a crash left here or in another replica. Raises SlotTaken
        for a folder in use. `lost` is called when another process may work under our slot: this one has to end then.
        """
        try:
            await self._start(runtime, lost or _log_lost)
        except BaseException:
            await self.stop()
            raise

    async def _start(self, runtime: Runtime, lost: Callable[[SlotLost], None]) -> None:
        self._slot = await take_slot(self._settings.url, self._settings.lock_folder, work=_WORK)
        _log_as_the_process_does()
        self._dbos = DBOS(config=self._config(self._slot.name))
        for workflow in discover_workflows().values():
            self._bodies[workflow.name] = (workflow, self._register(workflow, runtime))
        # Delays and deadlines of whole workflows: there are none, and looking for them costs transactions all day.
        self._dbos._background_jobs_stop_event.set()  # noqa: SLF001
        DBOS.launch()
        end_idle_rounds(self._dbos)
        caps = {
            Lane.RECEIVE.value: self._settings.concurrent_receives,
            Lane.INVESTIGATE.value: self._settings.concurrent_investigations,
        }
        queues = [
            await DBOS.register_queue_async(
                lane, worker_concurrency=cap, polling_interval_sec=POLL_S, on_conflict="always_update"
            )
            for lane, cap in caps.items()
        ]
        self._workers = QueueWorkers(self._dbos, caps)
        self._workers.start(queues)
        self._slot.keep(self._adopt, lost)

    def leads(self) -> bool:
        """Whether this process does what only one replica may do: always where it is the only one."""
        return self._slot is not None and self._slot.leads()

    async def stop(self) -> None:
        """Stop taking work and give the slot back. What is unfinished goes on at the next start."""
        logging.getLogger("dbos").setLevel(logging.CRITICAL + 1)  # interrupted bodies are no news: they go on later
        if self._workers is not None:
            await asyncio.to_thread(self._workers.stop)
        if self._dbos is not None:
            await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        if self._slot is not None:
            await self._slot.release()
        self._workers = self._dbos = self._slot = None

    async def _adopt(self, slot: str) -> None:
        """What a dead replica left is queued again, for whoever is first."""
        if self._dbos is None or self._workers is None:
            return
        await asyncio.to_thread(recover_pending_workflows, self._dbos, [slot])
        self._workers.ring()

    def _config(self, slot: str) -> DBOSConfig:
        return {
            "name": "autoheal",
            "system_database_url": self._settings.url,
            "system_database_engine": _engine(self._settings.url),
            "executor_id": slot,
            "application_version": APPLICATION_VERSION,
            "serializer": SealedWords(self._settings.key),
            "max_executor_threads": self._settings.executor_threads,
            "notification_coalesce_sec": _NOTIFY_S,
            "log_level": "WARNING",
        }

    def _register(self, workflow: Workflow, runtime: Runtime) -> Callable[..., Coroutine[Any, Any, str]]:
        async def body(*arguments: str) -> str:
            started, outcome = time.monotonic(), "failed"
            self._ring(workflow.lane)
            try:
                outcome = await workflow.body(_DbosRun(self), runtime, *arguments)
            except asyncio.CancelledError:
                outcome = "interrupted"
                raise
            finally:
                runtime.meter.workflow_ended(workflow.name, outcome, time.monotonic() - started)
            return outcome

        body.__name__ = body.__qualname__ = workflow.name
        return DBOS.workflow(name=workflow.name)(body)

    async def enqueue(self, workflow: str, *, workflow_id: str, arguments: tuple[str, ...]) -> None:
        known, body = self._bodies[workflow]
        words = tuple(_word(argument) for argument in (workflow_id, *arguments))[1:]

        async def submit() -> None:
            with SetWorkflowID(workflow_id):
                if known.lane is Lane.DIRECT:
                    await DBOS.start_workflow_async(body, *words)
                else:
                    await DBOS.enqueue_workflow_async(known.lane.value, body, *words)

        await _outside_workflows(submit())
        self._ring(known.lane)

    def _ring(self, lane: Lane) -> None:
        if self._workers is not None and lane is not Lane.DIRECT:
            self._workers.ring(lane.value)

    async def send(self, workflow_id: str, topic: str, word: str, *, key: str) -> None:
        await _outside_workflows(DBOS.send_async(workflow_id, _word(word), topic, idempotency_key=key))
        if self._dbos is not None:
            wake(self._dbos, workflow_id, topic)

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
        timeout: timedelta | None = None,  # noqa: ASYNC109 - the engine's own, durable
    ) -> str:
        async def guarded() -> str:
            self._engine.observe(self.workflow_id, name, "before")
            try:
                word = _word(await work())
            except StepFailed:
                raise
            except Exception as exc:  # noqa: BLE001 - the outer guard of a step: the engine gets a reference only
                reference = log_failure(log, "step.failed", exc, step=name, workflow=self.workflow_id)
                raise StepFailed(type(exc).__name__, reference) from None
            return word

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


def _log_lost(lost: SlotLost) -> None:
    log.critical("%s", lost, extra={"action": "engine.slot_lost"})


def _engine(url: str) -> sa.Engine:
    if not url.startswith("sqlite"):
        engine = sa.create_engine(url, pool_size=_CONNECTIONS, max_overflow=0, hide_parameters=True)
        sa.event.listen(engine, "checkout", drop_if_hung_up)
        return engine
    engine = sa.create_engine(url, connect_args={"check_same_thread": False, "timeout": 30.0}, hide_parameters=True)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA busy_timeout=30000")

    return engine
