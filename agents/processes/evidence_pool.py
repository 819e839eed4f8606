"""CPU-bound evidence work, off the event loop: a few worker processes and a queue before them.

A ranking over minutes of raw series takes long enough to delay every acknowledgement. Under load the pool answers some
and refuses the rest aloud, instead of being late for all: who waits too long for a worker is told so and never begun,
nobody's impatience ends a worker, and a job that is ended because it overran takes nobody with it, for a worker has
one job at a time.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, ParamSpec, TypeVar

from agents.errors import Unavailable
from agents.processes.evidence_worker import Job, Limits, Worker, WorkerDied

P = ParamSpec("P")
T = TypeVar("T")
_MOST: Final = 4
_LEAST: Final = 2  # a job that waits for a slow disk must not stop the others
_ENGINE: Final = ("agents.investigation.analysis",)  # numpy and the engine


class Overloaded(Unavailable):
    """No worker was free in time, so this was not begun. A later try may help."""


class EvidencePool:
    """Runs module-level functions with picklable arguments in worker processes; a worker a core, two to four."""

    def __init__(
        self, *, workers: int | None = None, limits: Limits | None = None, preload: Sequence[str] = _ENGINE
    ) -> None:
        self._most = workers or min(max(os.cpu_count() or 1, _LEAST), _MOST)
        self._limits, self._preload = limits or Limits(), preload
        self._lock = threading.Lock()  # workers report from their threads
        self._waiting: deque[Job] = deque()
        self._idle: list[Worker] = []
        self._busy: dict[Worker, Job] = {}
        self._kept = 0  # so many are held ready

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Await `function(*args, **kwargs)`. Raises what it raises, Overloaded, Overran, or WorkerDied the second time.

        A caller that gives up before his turn has come is struck from the queue. A job that runs already runs on to its
        end or its limit, for nobody.
        """
        job = Job(call=(function, args, kwargs))
        with self._lock:
            self._waiting.append(job)
            self._dispatch()
        late = asyncio.get_running_loop().call_later(self._limits.wait_s, self._shed, job)
        try:
            answer: T = await asyncio.wrap_future(job.answer)
            return answer
        finally:
            late.cancel()

    async def warm(self) -> None:
        """Have a worker ready, and a spare one where memory allows, so that an investigation waits for neither."""
        await self.run(_nothing)
        with self._lock:
            fresh = max((worker.fresh for worker in (*self._idle, *self._busy)), default=0)
            self._kept = 2 if 2 * fresh <= self._limits.idle_bytes else 1
            self._keep()

    def close(self) -> None:
        """End all processes; who waits for an answer is told that the worker ended."""
        with self._lock:
            self._kept = 0
            workers, jobs = [*self._idle, *self._busy], [*self._busy.values(), *self._waiting]
            self._idle.clear()
            self._busy.clear()
            self._waiting.clear()
        for worker in workers:
            worker.kill()
        for job in jobs:
            job.settle(error=WorkerDied("the evidence worker was stopped"))

    def finished(self, worker: Worker) -> None:
        with self._lock:
            if self._busy.pop(worker, None) is not None:
                self._idle.append(worker)
                self._dispatch()
                self._trim()

    def lost(self, worker: Worker, error: Unavailable) -> None:
        """A job whose worker died is given to another one, once: it may have been the machine's doing.

        What it had to do is known here, not there: a worker that cannot start may end before its job has reached it.
        """
        with self._lock:
            job = self._busy.pop(worker, None)
            self._idle = [one for one in self._idle if one is not worker]
            again = job is not None and isinstance(error, WorkerDied) and job.tries == 0
            if job is not None and again:
                job.tries += 1
                self._waiting.appendleft(job)
            if worker.ready:  # one that cannot even start is tried again with the next job, not for ever
                self._keep()
            self._dispatch()
        if job is not None and not again:
            job.settle(error=error)

    def _shed(self, job: Job) -> None:
        with self._lock:
            if job not in self._waiting:
                return
            self._waiting.remove(job)
        job.settle(error=Overloaded(f"too busy: no evidence worker was free within {self._limits.wait_s:.0f} s"))

    def _dispatch(self) -> None:
        while self._waiting and len(self._busy) < self._most:
            job = self._waiting.popleft()
            if job.begin():
                worker = self._idle.pop() if self._idle else self._start()
                self._busy[worker] = job
                worker.give(job)

    def _start(self) -> Worker:
        return Worker(self, self._limits, self._preload)

    def _keep(self) -> None:
        while len(self._idle) + len(self._busy) < self._kept:
            self._idle.insert(0, self._start())

    def _trim(self) -> None:
        """Idle workers that hold too much memory make room for fresh ones."""
        most = self._limits.idle_bytes
        while sum(worker.resident for worker in self._idle) > most:
            largest = max(self._idle, key=lambda worker: worker.resident)
            if len(self._idle) == 1 and largest.fresh > most:
                return
            self._idle.remove(largest)
            largest.retire()
        self._keep()


def _nothing() -> Any:
    """What is asked of a worker that shall only be there."""
