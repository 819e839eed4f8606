"""The engine on a real DBOS: ids and words only, sealed, once per id, nothing lost between send and wait."""

import asyncio
import logging
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag

from agents.durable import engine as engine_module
from agents.durable import queue_workers
from agents.durable.engine import Engine, EngineSettings
from agents.durable.process_lock import ProcessLockTaken, take_all_process_locks, take_process_lock
from agents.durable.sealed_words import SealedWords
from agents.meter import Unmetered
from agents.runtime import Runtime
from agents.workflow import Lane, StepFailed, Workflow, WorkflowContext

module_loop = pytest.mark.asyncio(loop_scope="module")  # DBOS starts once for all of them

CANARY = "canary-4111-checkout-secret"
KEY = b"k" * 32


class Book:
    """What the bodies under test do, by the id that they were given; stands where the runtime stands."""

    def __init__(self) -> None:
        self.done: dict[str, list[str]] = {}
        self.work: dict[str, Callable[[], Awaitable[Any]]] = {}
        self.bodies: dict[str, Callable[[], Awaitable[Any]]] = {}
        self.reached = asyncio.Event()
        self.meter = Unmetered()

    def note(self, name: str, word: str) -> None:
        self.done.setdefault(name, []).append(word)
        self.reached.set()

    async def ended(self, name: str, words: int = 1) -> list[str]:
        async with asyncio.timeout(60):
            while len(self.done.get(name, ())) < words:
                self.reached.clear()
                await self.reached.wait()
        return self.done[name]


async def _steps(run: WorkflowContext, rt: Runtime, name: str) -> str:
    """One step, whose word or failure is noted."""
    book = cast("Book", rt)
    try:
        word = await run.step("work", book.work[name])
    except StepFailed as exc:
        word = f"failed {exc.kind} {exc.reference}"
    book.note(name, word)
    return "ended"


async def _waits(run: WorkflowContext, rt: Runtime, name: str) -> str:
    book = cast("Book", rt)
    await run.mark("waiting")
    for _ in range(2):
        book.note(name, await run.wait_for("topic", timedelta(seconds=20)) or "nothing")
    return "ended"


async def _breaks(run: WorkflowContext, rt: Runtime, name: str) -> str:
    """A body that fails outside of its steps."""
    book = cast("Book", rt)
    book.note(name, await book.bodies[name]())
    return "ended"


BODIES = {
    "breaks": Workflow(name="breaks", lane=Lane.RECEIVE, body=_breaks),
    "steps": Workflow(name="steps", lane=Lane.RECEIVE, body=_steps),
    "waits": Workflow(name="waits", lane=Lane.DIRECT, body=_waits),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def book() -> Book:
    return Book()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(folder: Path, book: Book) -> AsyncIterator[Engine]:
    """One engine for the module: starting DBOS takes seconds."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(engine_module, "discover_workflows", lambda: BODIES)
        patched.setattr(queue_workers, "POLL_S", 3600.0)  # so whatever happens here, somebody rang
        settings = EngineSettings(
            url=f"sqlite:///{folder}/engine.db",
            key=KEY,
            lock_folder=str(folder),
            concurrent_receives=4,
            tenant_share=0.5,
        )
        running = Engine(settings)
        await running.start(cast("Runtime", book))
        yield running
        await running.stop()


def _answers(value: object) -> Callable[[], Awaitable[Any]]:
    async def work() -> object:
        return value

    return work


def _raw(folder: Path) -> bytes:
    """All bytes of the engine's database, its log included."""
    return b"".join(path.read_bytes() for path in folder.glob("engine.db*"))


@module_loop
async def test_the_same_id_starts_once(engine: Engine, book: Book) -> None:
    count: list[int] = []

    async def work() -> str:
        count.append(1)
        return "done"

    book.work["once"] = work
    await asyncio.gather(*(engine.enqueue("steps", workflow_id="t:1:once", arguments=("once",)) for _ in range(10)))
    await book.ended("once")
    await engine.enqueue("steps", workflow_id="t:1:once", arguments=("once",))
    assert (book.done["once"], len(count)) == (["done"], 1)


@module_loop
@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("sentence", f"a sentence with {CANARY}"),
        ("long", "x" * 201),
        ("dict", {"content": CANARY}),
        ("none", None),
        ("bytes", CANARY.encode()),
    ],
)
async def test_a_step_that_answers_content_is_refused(engine: Engine, book: Book, name: str, answer: object) -> None:
    book.work[name] = _answers(answer)
    await engine.enqueue("steps", workflow_id=f"t:1:{name}", arguments=(name,))
    assert (await book.ended(name))[0].startswith("failed TypeError ")


@module_loop
@pytest.mark.parametrize("argument", [CANARY + " in a sentence", "x" * 201, {"content": CANARY}, b"x"])
async def test_content_cannot_be_an_argument_or_a_message(engine: Engine, argument: Any) -> None:
    with pytest.raises(TypeError, match="ids and words only"):
        await engine.enqueue("steps", workflow_id="t:1:refused", arguments=(argument,))
    with pytest.raises(TypeError, match="ids and words only"):
        await engine.send("t:1:refused", "topic", argument, key="k")


@module_loop
async def test_an_exceptions_text_is_neither_in_the_database_nor_in_the_logs(
    engine: Engine, book: Book, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> str:
        raise ValueError(CANARY)

    book.work["raises"] = work
    with caplog.at_level(logging.DEBUG):
        await engine.enqueue("steps", workflow_id="t:1:raises", arguments=("raises",))
        failed, kind, reference = (await book.ended("raises"))[0].split()
    assert (failed, kind) == ("failed", "ValueError")
    logged = "\n".join(str(record.__dict__) for record in caplog.records)
    assert reference in logged
    assert CANARY not in logged
    assert CANARY not in caplog.text
    assert CANARY.encode() not in _raw(folder)


@module_loop
async def test_words_are_sealed_in_the_engines_database(engine: Engine, book: Book, folder: Path) -> None:
    book.work["sealed"] = _answers("aWordThatNobodyElseUses")
    await engine.enqueue("steps", workflow_id="t:1:sealed", arguments=("sealed",))
    assert await book.ended("sealed") == ["aWordThatNobodyElseUses"]
    assert b"aWordThatNobodyElseUses" not in _raw(folder)


@module_loop
async def test_a_word_sent_before_the_wait_is_not_lost_and_the_same_key_arrives_once(
    engine: Engine, book: Book
) -> None:
    await engine.enqueue("waits", workflow_id="t:1:early", arguments=("early",))
    await engine.send("t:1:early", "topic", "first", key="k1")
    await engine.send("t:1:early", "topic", "first", key="k1")
    await engine.send("t:1:early", "topic", "second", key="k2")
    assert await book.ended("early", 2) == ["first", "second"]


@module_loop
async def test_cancel_interrupts_a_wait(engine: Engine, book: Book) -> None:
    await engine.enqueue("waits", workflow_id="t:1:cancelled", arguments=("cancelled",))
    await engine.send("t:1:cancelled", "topic", "first", key="k3")
    await book.ended("cancelled")
    await engine.cancel("t:1:cancelled")
    await engine.send("t:1:cancelled", "topic", "late", key="k4")
    await asyncio.sleep(0.3)  # nothing may come, so there is nothing to wait for
    assert book.done["cancelled"] == ["first"]


@module_loop
async def test_all_of_a_prefix_is_cancelled_but_what_is_kept(engine: Engine, book: Book) -> None:
    for name in ("t:acme:one", "t:acme:two", "t:globex:one"):
        await engine.enqueue("waits", workflow_id=name, arguments=(name,))
    assert await engine.cancel_all("t:acme:", keep="t:acme:two") == 1
    assert await engine.cancel_all("t:acme:", keep="t:acme:two") == 0
    for name in ("t:acme:two", "t:globex:one"):
        for key in ("1", "2"):
            await engine.send(name, "topic", "word", key=f"{name}{key}")
        assert await book.ended(name, 2) == ["word", "word"]
    assert "t:acme:one" not in book.done


@module_loop
async def test_who_waits_for_a_word_costs_nothing_until_it_comes(engine: Engine, book: Book) -> None:
    for name in ("t:idle:one", "t:idle:two"):
        await engine.enqueue("waits", workflow_id=name, arguments=(name,))
    assert engine._dbos is not None
    begun: list[object] = []

    def note(connection: object) -> None:
        begun.append(connection)

    database = engine._dbos._sys_db.engine
    sa.event.listen(database, "begin", note)
    async with asyncio.timeout(60):
        while True:  # until both wait; who asks again and again never gets through
            begun.clear()
            await asyncio.sleep(0.3)
            if not begun:
                break
    sa.event.remove(database, "begin", note)
    for name in ("t:idle:one", "t:idle:two"):
        for key in ("1", "2"):
            await engine.send(name, "topic", "word", key=f"{name}{key}")
        assert await book.ended(name, 2) == ["word", "word"]


@module_loop
async def test_a_full_queue_goes_on_as_soon_as_there_is_room(engine: Engine, book: Book) -> None:
    names = [f"many-{number}" for number in range(40)]  # more than the 32 that may run at once
    open_gate = asyncio.Event()

    async def work() -> str:
        await open_gate.wait()
        return "done"

    for name in names:
        book.work[name] = work
        await engine.enqueue("steps", workflow_id=f"t:1:{name}", arguments=(name,))
    await asyncio.sleep(0.3)
    open_gate.set()
    for name in names:
        assert await book.ended(name) == ["done"]


@module_loop
async def test_a_foreign_cancellation_inside_a_step_does_not_end_the_workflow(engine: Engine, book: Book) -> None:
    async def work() -> str:
        shared: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        shared.cancel()
        return await shared

    book.work["cut"] = work
    await engine.enqueue("steps", workflow_id="t:1:cut", arguments=("cut",))
    assert (await book.ended("cut"))[0].startswith(f"failed {StepFailed.CUT_OFF} ")


@module_loop
async def test_a_step_that_hangs_is_interrupted(engine: Engine, book: Book) -> None:
    begun = asyncio.Event()

    async def work() -> str:
        begun.set()
        await asyncio.Event().wait()
        return "never"

    book.work["hangs"] = work
    await engine.enqueue("steps", workflow_id="t:1:hangs", arguments=("hangs",))
    await asyncio.wait_for(begun.wait(), 60)
    assert engine.quiet_for("t:1:hangs") is not None
    assert await engine.life("t:1:hangs") == "live"
    assert engine.interrupt("t:1:hangs")
    assert (await book.ended("hangs"))[0].startswith(f"failed {StepFailed.INTERRUPTED} ")


@module_loop
async def test_what_ended_runs_again_from_its_start_and_what_never_began_begins(engine: Engine, book: Book) -> None:
    book.work["again"] = _answers("done")
    assert await engine.revive("steps", workflow_id="t:1:again", arguments=("again",)) == "absent"
    await book.ended("again")
    async with asyncio.timeout(60):
        while await engine.life("t:1:again") != "ended":  # noqa: ASYNC110 - the engine's database raises no event
            await asyncio.sleep(0.01)
    assert await engine.revive("steps", workflow_id="t:1:again", arguments=("again",)) == "ended"
    assert await book.ended("again", 2) == ["done", "done"]


@module_loop
async def test_a_workflow_that_should_run_here_and_does_not_goes_on(
    engine: Engine, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_SURE", timedelta(0))
    left = 1

    async def ends_the_body() -> str:
        nonlocal left
        if left:
            left -= 1
            raise asyncio.CancelledError  # as one that comes from outside of any step
        return "done"

    book.bodies["lost"] = ends_the_body
    await engine.enqueue("breaks", workflow_id="t:1:lost", arguments=("lost",))
    async with asyncio.timeout(60):
        while ("breaks", "t:1:lost") not in await engine.broken():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    assert await engine.life("t:1:lost") == "lost"
    assert await engine.revive("breaks", workflow_id="t:1:lost", arguments=("lost",)) == "lost"
    assert await book.ended("lost") == ["done"]


@module_loop
async def test_a_second_engine_on_the_folder_is_refused(engine: Engine, folder: Path) -> None:
    code = (
        "import asyncio, sys; from agents.durable.process_lock import ProcessLockTaken, take_process_lock\n"
        "try: asyncio.run(take_process_lock('sqlite:///x', sys.argv[1]))\n"
        "except ProcessLockTaken as exc: print(exc)\n"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False
    )
    assert "another Autoheal process uses this folder. Stop it, or set AUTOHEAL_DATA." in done.stdout, done.stderr


class Crowd:
    """Work of tenants that runs until it is let go."""

    def __init__(self, engine: Engine, book: Book) -> None:
        self._engine, self._book = engine, book
        self.begun: list[str] = []
        self._gate = asyncio.Semaphore(0)

    async def comes(self, tenant: str, name: str) -> None:
        async def work() -> str:
            self.begun.append(name)
            self._book.reached.set()
            await self._gate.acquire()
            return "done"

        self._book.work[name] = work
        await self._engine.enqueue("steps", workflow_id=f"t:{tenant}:{name}", arguments=(name,))

    async def has_begun(self, count: int) -> list[str]:
        async with asyncio.timeout(60):
            while len(self.begun) < count:
                self._book.reached.clear()
                await self._book.reached.wait()
        return self.begun

    def let_go(self, count: int = 1) -> None:
        for _ in range(count):
            self._gate.release()


@module_loop
async def test_who_storms_leaves_places_to_the_others(engine: Engine, book: Book) -> None:
    crowd = Crowd(engine, book)
    for number in range(4):
        await crowd.comes("storms", f"storm-{number}")
    await crowd.has_begun(2)
    await crowd.comes("quiet", "quiet-0")
    assert [name.partition("-")[0] for name in await crowd.has_begun(3)] == ["storm", "storm", "quiet"]
    crowd.let_go(2)
    assert (await crowd.has_begun(4))[3].startswith("storm")
    crowd.let_go(3)
    for name in ("storm-0", "storm-1", "storm-2", "storm-3", "quiet-0"):
        assert await book.ended(name) == ["done"]


@module_loop
async def test_what_was_queued_before_there_were_turns_gets_one(engine: Engine, book: Book, folder: Path) -> None:
    crowd = Crowd(engine, book)
    for number in range(3):
        await crowd.comes("old", f"old-{number}")
    await crowd.has_begun(2)
    with closing(sqlite3.connect(folder / "engine.db")) as raw, raw:
        raw.execute("UPDATE workflow_status SET queue_partition_key = NULL WHERE workflow_uuid = 't:old:old-2'")
    assert engine._dbos is not None
    engine_module._give_turns(engine._dbos)
    crowd.let_go(3)
    assert await book.ended("old-2") == ["done"]


@module_loop
async def test_replicas_on_postgres_get_locks_of_their_own(postgres_server: str, tmp_path: Path) -> None:
    first = await take_process_lock(postgres_server, str(tmp_path))
    second = await take_process_lock(postgres_server, str(tmp_path))
    assert [first.name, second.name] == ["slot-0", "slot-1"]
    await first.release()
    third = await take_process_lock(postgres_server, str(tmp_path))
    assert third.name == "slot-0"
    await second.release()
    await third.release()


@module_loop
async def test_work_on_the_database_itself_waits_for_every_replica_to_stop(
    postgres_server: str, tmp_path: Path
) -> None:
    first = await take_process_lock(postgres_server, str(tmp_path))
    second = await take_process_lock(postgres_server, str(tmp_path))
    await first.release()
    with pytest.raises(ProcessLockTaken, match="Stop every replica"):
        await take_all_process_locks(postgres_server, str(tmp_path))
    await second.release()
    alone = await take_all_process_locks(postgres_server, str(tmp_path))
    with pytest.raises(ProcessLockTaken, match="places are taken"):
        await take_process_lock(postgres_server, str(tmp_path))
    await alone.release()


@module_loop
async def test_a_free_folder_gives_the_same_name_each_time(tmp_path: Path) -> None:
    for _ in range(2):
        slot = await take_process_lock("sqlite:///x", str(tmp_path))
        assert slot.name == "slot-0"
        await slot.release()


def test_sealed_words_open_only_under_their_key() -> None:
    sealed = SealedWords(KEY).serialize({"args": ["t-1"], "kwargs": {}})
    assert "t-1" not in sealed
    assert SealedWords(KEY).deserialize(sealed) == {"args": ["t-1"], "kwargs": {}}
    with pytest.raises(InvalidTag):
        SealedWords(b"x" * 32).deserialize(sealed)


@pytest.mark.parametrize("data", ["x" * 201, object(), b"bytes", {"key": object()}, ["x" * 201]])
def test_what_is_no_word_cannot_be_sealed(data: object) -> None:
    with pytest.raises(TypeError, match="ids and words only"):
        SealedWords(KEY).serialize(data)


def test_an_exception_is_reduced_to_its_class() -> None:
    words = SealedWords(KEY)
    revived = words.deserialize(words.serialize(ValueError(CANARY)))
    assert isinstance(revived, StepFailed)
    assert (revived.kind, revived.reference) == ("ValueError", "engine")
    failed = words.deserialize(words.serialize(StepFailed("KeyError", "4f2a91c0")))
    assert (failed.kind, failed.reference) == ("KeyError", "4f2a91c0")
