"""CPU-bound evidence work, off the event loop: one worker process, started at first use.

A ranking over minutes of raw series takes long enough to delay every acknowledgement. A dead worker is replaced once
per call; a second death is an error of that call only.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_PARENT_CHECK_S: Final = 1.0


class EvidencePool:
    """Runs module-level functions with picklable arguments in a worker process."""

    def __init__(self) -> None:
        self._executor: ProcessPoolExecutor | None = None

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Await `function(*args, **kwargs)`. Raises what it raises; BrokenProcessPool when the worker died twice."""
        try:
            return await self._once(function, *args, **kwargs)
        except BrokenProcessPool:
            self.close()
            return await self._once(function, *args, **kwargs)

    async def _once(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A caller that gives up ends its running work with the worker: one slow job must not hold up everybody's."""
        future = self._worker().submit(function, *args, **kwargs)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if future.running():
                self._kill()
            raise

    async def warm(self) -> None:
        """Start the worker and import numpy there, so that the first investigation does not wait for it."""
        await self.run(_ready)

    def _kill(self) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            for process in list((executor._processes or {}).values()):  # noqa: SLF001 -- a method for it comes with 3.14
                process.kill()
            executor.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

    def _worker(self) -> ProcessPoolExecutor:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                max_workers=1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(os.getpid(),),
            )
        return self._executor


def _begin(parent: int) -> None:
    """The worker leaves Ctrl-C to its parent, and ends by itself when the parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_CHECK_S)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def _ready() -> bool:
    import agents.evidence.causes  # noqa: F401, PLC0415 -- loads numpy and the engine in the worker

    return True
