"""Runs a program of this host: an argv without a shell, in a process group of its own, bounded in time and output.

It has ended when it exits, whoever may still hold its output: a restart script may leave a daemon behind. At the
time-out the group is killed, so that children of the program end too. A program that only reads is also killed when its
caller gives up; one that changes something goes on by itself then, and is found again by what its environment says.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from agents.errors import Unavailable

_LAST_WORDS_S: Final = 0.5  # for what is still in the pipes when the program has exited
_LOOK_S: Final = 0.05
_PROCESSES: Final = Path("/proc")


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a program ended. `output` and `errors` are capped; `truncated` says that a cap was reached."""

    code: int
    output: bytes
    errors: bytes
    truncated: bool


async def run(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    timeout_s: float,
    max_bytes: int,
    folder: Path | None = None,
    stop_at_cap: bool = False,
    newest: bool = False,
) -> Finished:
    """Run `argv` to its end. Raises Unavailable when it cannot be started or does not end within `timeout_s`.

    What exceeds `max_bytes` per stream is read and dropped, so that the program is not blocked: the end of it, or with
    `newest` its beginning. With `stop_at_cap` the group is killed instead, which suits programs that only read.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
    except (OSError, ValueError) as exc:
        raise Unavailable(f"{Path(argv[0]).name} cannot be started: {exc}") from exc
    if process.stdout is None or process.stderr is None:
        raise RuntimeError("the pipes were asked for")
    output, errors = bytearray(), bytearray()
    reading = asyncio.gather(
        _capped(process.stdout, output, max_bytes, process.pid if stop_at_cap else None, newest=newest),
        _capped(process.stderr, errors, max_bytes, None, newest=newest),
    )
    ended = False
    try:
        async with asyncio.timeout(timeout_s):
            await _exited_or_read(process, reading)
        ended = True
    except TimeoutError as exc:
        raise _killed(argv, timeout_s) from exc
    finally:
        reading.cancel()
        # A program that ended by itself may have left a service running on purpose: that one stays.
        if not ended:
            _kill_group(process.pid)
            await process.wait()
        process._transport.close()  # type: ignore[attr-defined] # noqa: SLF001 -- the pipes, which others may hold
    return _finished(process.returncode or 0, bytes(output), bytes(errors), max_bytes, newest=newest)


async def act(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    timeout_s: float,
    max_bytes: int,
    folder: Path | None = None,
) -> Finished:
    """As `run`, for a program that changes something: what it prints goes into files, so that neither it nor what it
    leaves behind depends on this process, and a caller that gives up does not end it. The newest `max_bytes` of each
    stream are kept. Raises Unavailable as `run`.
    """
    tails = [b"", b""]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        for file in (output, errors):  # so that what is written after a cut begins at the beginning
            fcntl.fcntl(file.fileno(), fcntl.F_SETFL, fcntl.fcntl(file.fileno(), fcntl.F_GETFL) | os.O_APPEND)
        try:
            process = subprocess.Popen(  # noqa: ASYNC220 -- asyncio's own are killed with the loop
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,
            )
        except (OSError, ValueError) as exc:
            raise Unavailable(f"{Path(argv[0]).name} cannot be started: {exc}") from exc
        try:
            async with asyncio.timeout(timeout_s):
                while process.poll() is None:
                    for number, file in enumerate((output, errors)):
                        tails[number] = _cut(file, tails[number], max_bytes)
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError as exc:
            _kill_group(process.pid)
            await asyncio.to_thread(process.wait)
            raise _killed(argv, timeout_s) from exc
        ends = [_end(file, max_bytes) for file in (output, errors)]
        printed, complained = ((tail + end)[-max_bytes - 1 :] for tail, end in zip(tails, ends, strict=True))
        return _finished(process.returncode, printed, complained, max_bytes, newest=True)


async def until_gone(variable: str, value: str, *, longest_s: float) -> bool:
    """Waits until no program that was started here with this variable runs any more; False when one does after so long.
    What a program left behind is not waited for.

    Only where the system shows environments (Linux), and only for programs of the same user; elsewhere True at once.
    """
    wanted = f"{variable}={value}".encode()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(longest_s):
            while await asyncio.to_thread(_some_program_has, wanted):  # noqa: ASYNC110 -- nobody tells us
                await asyncio.sleep(_LOOK_S * 4)
            return True
    return False


def _some_program_has(wanted: bytes) -> bool:
    for entry in _PROCESSES.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0") and _leads_its_session(entry):
                return True
    return False


def _leads_its_session(entry: Path) -> bool:
    """As each program that is started here does, and its children do not."""
    state, _parent, _group, session, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
    return session == entry.name and state != "Z"


async def _exited_or_read(process: asyncio.subprocess.Process, reading: asyncio.Future[Any]) -> None:
    """Until it has exited and what it printed was read, or somebody else still holds its output a moment later."""
    while process.returncode is None:
        await asyncio.wait({reading}, timeout=_LOOK_S)
        if reading.done():
            await process.wait()
    await asyncio.wait({reading}, timeout=_LAST_WORDS_S)


def _cut(file: IO[bytes], tail: bytes, max_bytes: int) -> bytes:
    """A file that has grown beyond the cap is emptied, and its end is the new tail. The program writes at the file's
    end only; what it prints between the two calls is lost, which is possible for what is above the cap only.
    """
    if os.fstat(file.fileno()).st_size <= max_bytes:
        return tail
    end = _end(file, max_bytes)
    os.ftruncate(file.fileno(), 0)
    return end


def _end(file: IO[bytes], max_bytes: int) -> bytes:
    """One byte more than the cap, as the sign that there was more."""
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), max_bytes + 1, max(0, size - max_bytes - 1))


def _killed(argv: Sequence[str], timeout_s: float) -> Unavailable:
    what = f"{Path(argv[0]).name} did not end within {timeout_s:g} s and was killed; what it did is not known"
    return Unavailable(what)


def _finished(code: int, output: bytes, errors: bytes, max_bytes: int, *, newest: bool) -> Finished:
    kept = slice(-max_bytes, None) if newest else slice(max_bytes)
    return Finished(
        code=code,
        output=output[kept],
        errors=errors[kept],
        truncated=len(output) > max_bytes or len(errors) > max_bytes,
    )


async def _capped(
    stream: asyncio.StreamReader, kept: bytearray, max_bytes: int, kill: int | None, *, newest: bool
) -> None:
    """Into `kept`, at most one byte more than the cap, as the sign that there was more.

    It reads on to the end after a kill, too: asyncio tells nobody of an exit while a full pipe is left unread.
    """
    while chunk := await stream.read(65_536):
        if newest:
            kept += chunk
            del kept[: -max_bytes - 1]
        else:
            kept += chunk[: max_bytes + 1 - len(kept)]
        if kill is not None and len(kept) > max_bytes:
            _kill_group(kill)
            kill = None


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
