"""One process that computes, and the thread of ours that speaks with it.

The process gets an environment of its own, because ours holds secrets, and ends by itself when we are gone. A job that
takes too much processor time is ended by the kernel: time on the clock says little on a busy machine, so of that a job
gets far more.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import queue
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, Protocol

from agents.errors import Unavailable

_PROGRAM: Final = (
    "import sys; sys.path[:] = sys.argv[2:]; from agents.processes.evidence_worker import work; work(int(sys.argv[1]))"
)
_KEPT: Final = ("LD_LIBRARY_PATH", "PYTHONTZPATH", "TMPDIR", "TZ")  # all else of our environment stays with us


class WorkerDied(Unavailable):
    """The evidence worker ended in the middle of this job, twice. A later try may help."""


class Overran(Unavailable):
    """This job alone took longer than any job may, and was ended. A smaller question may help."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Seconds that a job waits for a worker at most, computes, and takes on the clock; that a process takes to start;
    and bytes of memory that idle processes hold together.
    """

    wait_s: float = 10.0
    processor_s: float = 20.0
    clock_s: float = 60.0
    start_s: float = 60.0
    idle_bytes: int = 200_000_000


@dataclass(kw_only=True, eq=False)
class Job:
    """A call and the future of its answer. `tries` counts the workers that died over it."""

    call: tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]
    tenant: str = ""
    answer: Future[Any] = field(default_factory=Future)
    tries: int = 0

    def begin(self) -> bool:
        """False when nobody waits for it any more."""
        return self.answer.running() or self.answer.set_running_or_notify_cancel()

    def settle(self, *, value: Any = None, error: BaseException | None = None) -> None:
        with contextlib.suppress(InvalidStateError):  # its caller was told already that it takes too long
            if error is None:
                self.answer.set_result(value)
            else:
                self.answer.set_exception(error)


class Owner(Protocol):
    """Who is told, from the worker's thread, what became of it."""

    def finished(self, worker: Worker) -> None: ...

    def lost(self, worker: Worker, error: Unavailable) -> None: ...


class Worker:
    """One job at a time. Once it is `ready`, `resident` is its memory in bytes, and `fresh` what that was at first."""

    def __init__(self, owner: Owner, limits: Limits, preload: Sequence[str]) -> None:
        self.ready = False
        self.resident = self.fresh = 0
        self._owner, self._limits, self._preload = owner, limits, tuple(preload)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        threading.Thread(target=self._serve, name="evidence", daemon=True).start()

    def give(self, job: Job) -> None:
        self._jobs.put(job)

    def retire(self) -> None:
        """End it once its job is done."""
        self._jobs.put(None)

    def kill(self) -> None:
        """End it now."""
        self._killed = True
        self.retire()
        if self._process is not None:
            self._process.kill()

    def _serve(self) -> None:
        try:
            with self._started() as connection:
                while (job := self._jobs.get()) is not None:
                    self._do(job, connection)
        except (EOFError, OSError, Unavailable) as exc:
            self._owner.lost(self, exc if isinstance(exc, Unavailable) else self._why(exc))

    @contextlib.contextmanager
    def _started(self) -> Any:
        """The connection to the process that is ready. Raises EOFError, OSError or Unavailable."""
        ours, theirs = Pipe()
        with ours:
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-c", _PROGRAM, str(theirs.fileno()), *map(str, sys.path)],
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
            try:
                if self._killed:
                    raise EOFError
                ours.send(self._preload)
                if not ours.poll(self._limits.start_s):
                    raise Unavailable(f"the evidence worker did not start within {self._limits.start_s:.0f} s")
                self.resident = self.fresh = ours.recv()
                self.ready = True
                yield ours
            finally:
                self._process.kill()
                self._process.wait()

    def _do(self, job: Job, connection: Connection) -> None:
        """Raises Overran, or EOFError or OSError when the process died; a failure of the job itself is its answer."""
        try:
            request = pickle.dumps((self._limits.processor_s, *job.call))
        except Exception as exc:  # noqa: BLE001 -- whatever cannot be sent is the caller's to hear
            self._owner.finished(self)
            job.settle(error=exc)
            return
        connection.send_bytes(request)
        if not connection.poll(self._limits.clock_s):
            raise Overran(f"this took longer than {self._limits.clock_s:.0f} s to work out and was given up")
        reply = connection.recv_bytes()
        try:
            error, value, self.resident = pickle.loads(reply)  # noqa: S301 -- from our own process
        except Exception as exc:  # noqa: BLE001 -- as above
            error, value = exc, None
        # First the worker is free, then the caller goes on: else his next call would start another one.
        self._owner.finished(self)
        job.settle(value=value, error=error)

    def _why(self, exc: BaseException) -> Unavailable:
        code = self._process.returncode if self._process is not None else None
        if code == -signal.SIGPROF:
            return Overran(f"this took more than {self._limits.processor_s:.0f} s of computing and was given up")
        if isinstance(exc, OSError) and code is None:
            return WorkerDied(f"the evidence worker cannot be started: {exc.strerror}")
        return WorkerDied("the evidence worker ended in the middle of this")


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # One thread a worker: there are as many workers as cores, and each further thread holds memory.
    return {**kept, "PATH": os.defpath, "LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def work(descriptor: int) -> None:
    """The program of the process: reads what to load, then one call after another."""
    # Its parent decides when it ends; a Ctrl-C or a stop of the whole group is not meant for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(descriptor,), daemon=True).start()
    with Connection(descriptor) as parent, contextlib.suppress(EOFError):
        for name in parent.recv():
            importlib.import_module(name)
        parent.send(_resident())
        while True:
            parent.send_bytes(_answer(parent.recv_bytes()))


def _answer(request: bytes) -> bytes:
    try:
        processor_s, function, arguments, named = pickle.loads(request)  # noqa: S301 -- from our own parent
        signal.setitimer(signal.ITIMER_PROF, processor_s)  # then SIGPROF, which ends a process
        try:
            value = function(*arguments, **named)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        return pickle.dumps((None, value, _resident()))
    except Exception as exc:  # noqa: BLE001 -- what the job raises is its answer
        return pickle.dumps((_portable(exc), None, _resident()))


def _portable(exc: Exception) -> Exception:
    """As it is where it survives the journey, else its kind alone."""
    try:
        pickle.loads(pickle.dumps(exc))  # noqa: S301 -- written a moment ago
    except Exception:  # noqa: BLE001 -- as above
        return RuntimeError(type(exc).__name__)
    return exc


def _resident() -> int:
    """Memory in bytes; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _end_with_parent(descriptor: int) -> None:
    """Nobody reads the answer of a job whose parent was killed."""
    hung_up = select.poll()
    hung_up.register(descriptor, 0)
    hung_up.poll()
    os._exit(0)
