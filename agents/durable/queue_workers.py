"""DBOS' queue workers, woken when there is work instead of asking for it all the time.

By itself DBOS asks each queue many times a second and goes rounds for schedules, delays and deadlines, of which we have
none: with nothing to do that is a tenth of a core and over a hundred transactions a second. Here its own workers run in
threads of ours, whose stop event can also end their wait. What other replicas queued is found by a slow poll.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Container
from typing import Final

from dbos import DBOS, Queue
from dbos._queue import queue_worker_thread

POLL_S: Final = 3.0
_SETTLING_S: Final = 0.25
_GLANCE_S: Final = 0.01
_JOIN_S: Final = 10.0


class Bell(threading.Event):
    """A stop event whose `wait` also ends when it is rung.

    It is rung when work is queued, and when work ends: then there may be a place for more. DBOS takes what ended off
    its list only a moment later, so a wait first lets that settle, and looks again soon where it did not.
    """

    def __init__(self, is_settling: Callable[[], bool]) -> None:
        super().__init__()
        self._is_settling = is_settling
        self._told = threading.Condition()
        self._rung = False
        self._was_settling = False

    def ring(self) -> None:
        with self._told:
            self._rung = True
            self._told.notify_all()

    def set(self) -> None:
        super().set()
        self.ring()

    def wait(self, timeout: float | None = None) -> bool:
        with self._told:
            self._told.wait_for(lambda: self._rung or self.is_set(), _SETTLING_S if self._was_settling else timeout)
            self._rung = False
        until = time.monotonic() + _SETTLING_S
        while self._is_settling() and not self.is_set() and time.monotonic() < until:
            time.sleep(_GLANCE_S)  # asks this process only, never the database
        self._was_settling = self._is_settling()
        return self.is_set()


class QueueWorkers:
    """One thread a queue. DBOS must have been launched."""

    def __init__(self, dbos: DBOS, running: Container[str]) -> None:
        """`running` holds the ids of the workflows whose bodies run here."""
        self._dbos = dbos
        self._running = running
        self._bells: dict[str, Bell] = {}
        self._threads: list[threading.Thread] = []

    def start(self, queues: list[Queue]) -> None:
        """These, and DBOS' own, through which recovered work comes that had no queue."""
        own = self._dbos._registry.get_internal_queue()  # noqa: SLF001 -- see this module's first lines; as below
        for queue in (*queues, own):
            queue.database_backed_queue = False  # its configuration is the code's: it is not read again at each poll
            queue._polling_interval_sec = POLL_S  # noqa: SLF001
            self._bells[queue.name] = bell = Bell(self._is_settling)
            thread = threading.Thread(
                target=queue_worker_thread, args=(bell, self._dbos, queue), name=f"queue-{queue.name}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def ring(self, name: str | None = None) -> None:
        """There is work in this queue, or perhaps in any."""
        for bell in self._bells.values() if name is None else (self._bells[name],):
            bell.ring()

    def stop(self) -> None:
        """Blocks until nothing more is taken."""
        for bell in self._bells.values():
            bell.set()
        for thread in self._threads:
            thread.join(_JOIN_S)

    def _is_settling(self) -> bool:
        """Whether DBOS counts a workflow whose body has ended, or has not begun."""
        active = self._dbos._active_workflows_set.activeList()  # noqa: SLF001
        return any(workflow_id not in self._running for workflow_id in active)


def end_idle_rounds(dbos: DBOS) -> None:
    """After the launch: the rounds that DBOS goes for what we do not use, and its own pollers of queues."""
    for event in tuple(dbos.background_thread_stop_events):
        event.set()
    if dbos._sys_db.engine.dialect.name == "sqlite":  # noqa: SLF001 -- nobody but us can send: `wake` does it
        dbos._sys_db._run_background_processes = False  # noqa: SLF001


def wake(dbos: DBOS, workflow_id: str, topic: str) -> None:
    """On SQLite, where the database tells nobody: whoever waits here for this topic looks now."""
    waiter, _ = dbos._sys_db._waiter(workflow_id, topic)  # noqa: SLF001
    event = dbos._sys_db.notifications_map.get(waiter)  # noqa: SLF001
    if event is not None:
        event.set()
