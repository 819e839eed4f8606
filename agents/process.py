"""Runs a program of this host: an argv without a shell, in a process group of its own, bounded in time and output.

The group is killed at the time-out, so that children of the program end too. Standard input is empty.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.errors import Unavailable


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
) -> Finished:
    """Run `argv` to its end. Raises Unavailable when it cannot be started or does not end within `timeout_s`.

    What exceeds `max_bytes` per stream is read and dropped, so that the program is not blocked; with `stop_at_cap` the
    group is killed instead, which suits programs that only read.
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
    ended = False
    try:
        async with asyncio.timeout(timeout_s):
            output, errors = await asyncio.gather(
                _capped(process.stdout, max_bytes, process.pid if stop_at_cap else None),
                _capped(process.stderr, max_bytes, None),
            )
            code = await process.wait()
        ended = True
    except TimeoutError as exc:
        raise Unavailable(
            f"{Path(argv[0]).name} did not end within {timeout_s:g} s and was killed; what it did is not known"
        ) from exc
    finally:
        # A program that ended by itself may have left a service running on purpose: that one stays.
        if not ended:
            _kill_group(process.pid)
            await process.wait()
    return Finished(
        code=code,
        output=output[:max_bytes],
        errors=errors[:max_bytes],
        truncated=len(output) > max_bytes or len(errors) > max_bytes,
    )


async def _capped(stream: asyncio.StreamReader, max_bytes: int, kill: int | None) -> bytes:
    """At most one byte more than the cap, as the sign that there was more."""
    kept = bytearray()
    while chunk := await stream.read(65_536):
        kept += chunk[: max_bytes + 1 - len(kept)]
        if kill is not None and len(kept) > max_bytes:
            _kill_group(kill)
            break
    return bytes(kept)


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
