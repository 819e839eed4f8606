"""A visit ends what it began, whoever is cancelled in the middle."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from agents.connecting.connectors.mcp.server import OverStdio

WAIT_S = 60


async def test_a_program_is_ended_when_its_caller_is_cancelled(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    program = f"import os, sys; open({str(told)!r}, 'w').write(str(os.getpid())); sys.stdin.read()"
    visit = asyncio.create_task(OverStdio("books", [sys.executable, "-c", program], {}).offered())
    async with asyncio.timeout(WAIT_S):
        while not (told.exists() and told.read_text()):  # noqa: ASYNC110 -- a process tells nobody that it began
            await asyncio.sleep(0.05)
    visit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await visit
    async with asyncio.timeout(WAIT_S):
        while _is_alive(int(told.read_text())):  # noqa: ASYNC110 -- nor that it ended
            await asyncio.sleep(0.05)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
