"""CPU-bound evidence work, off the event loop: a few worker processes and a queue before them.

A ranking over minutes of raw series takes long enough to delay every acknowledgement. Under load the pool answers some
and refuses the rest aloud, instead of being late for all: who waits too long for a worker is told so and never begun,
nobody's impatience ends a worker, and a job that is ended because it overran takes nobody with it, for a worker has
one job at a time. Tenants take turns: a hundred jobs of one delay the first of another by one.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from itertools import chain
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
        self._waiting: OrderedDict[str, deque[Job]] = OrderedDict()  # by tenant; the first has the next turn
        self._idle: list[Worker] = []
        self._busy: dict[Worker, Job] = {}
        self._kept = 0  # so many are held ready

    def of(self, tenant: str) -> TenantTurns:
        """The pool for the work of one tenant."""
        return TenantTurns(self, tenant)

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """As TenantTurns.run, for nobody's tenant."""
        return await self.of("").run(function, *args, **kwargs)

    async def answer(self, job: Job) -> Any:
        """Its answer, once it is its tenant's turn."""
        with self._lock:
            self._waiting.setdefault(job.tenant, deque()).append(job)
            self._dispatch()
        late = asyncio.get_running_loop().call_later(self._limits.wait_s, self._shed, job)
        try:
            return await asyncio.wrap_future(job.answer)
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
            workers = [*self._idle, *self._busy]
            jobs = [*self._busy.values(), *chain.from_iterable(self._waiting.values())]
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
                self._waiting.setdefault(job.tenant, deque()).appendleft(job)
                self._waiting.move_to_end(job.tenant, last=False)
            if worker.ready:  # one that cannot even start is tried again with the next job, not for ever
                self._keep()
            self._dispatch()
        if job is not None and not again:
            job.settle(error=error)

    def _shed(self, job: Job) -> None:
        with self._lock:
            turn = self._waiting.get(job.tenant, ())
            if job not in turn:
                return
            self._waiting[job.tenant].remove(job)
            if not turn:
                del self._waiting[job.tenant]
        job.settle(error=Overloaded(f"too busy: no evidence worker was free within {self._limits.wait_s:.0f} s"))

    def _dispatch(self) -> None:
        while self._waiting and len(self._busy) < self._most:
            job = self._next()
            if job.begin():
                worker = self._idle.pop() if self._idle else self._start()
                self._busy[worker] = job
                worker.give(job)

    def _next(self) -> Job:
        tenant, turn = self._waiting.popitem(last=False)
        job = turn.popleft()
        if turn:
            self._waiting[tenant] = turn  # at the end
        return job

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


class TenantTurns:
    """The pool as one tenant uses it."""

    def __init__(self, pool: EvidencePool, tenant: str) -> None:
        self._pool, self._tenant = pool, tenant

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Await `function(*args, **kwargs)`. Raises what it raises, Overloaded, Overran, or WorkerDied the second time.

        A caller that gives up before his turn has come is struck from the queue. A job that runs already runs on to its
        end or its limit, for nobody.
        """
        answer: T = await self._pool.answer(Job(call=(function, args, kwargs), tenant=self._tenant))
        return answer


def _nothing() -> Any:
    """What is asked of a worker that shall only be there."""
