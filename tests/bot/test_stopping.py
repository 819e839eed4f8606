"""SIGTERM ends the process in every state: in order where that works, hard where something is stuck."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STUCK = {
    "the loop is blocked": "time.sleep(60)",
    "the end hangs": "await stopping.asked.wait(); await asyncio.Event().wait()",
    "a thread never ends": "threading.Thread(target=time.sleep, args=(60,)).start(); stopping.is_orderly = True",
}
PROGRAM = """
    import asyncio, sys, threading, time
    from datetime import timedelta
    from bot.stopping import Stopping

    async def run():
        stopping = Stopping(within=timedelta(seconds=0.5))
        stopping.install()
        print("ready", flush=True)
        {work}

    asyncio.run(run())
"""


def started(work: str) -> subprocess.Popen[str]:
    program = textwrap.dedent(PROGRAM).replace("{work}", work)
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(("work", "code"), [*zip(STUCK.values(), (75, 75, 0), strict=True)], ids=STUCK)
def test_what_is_stuck_is_ended_hard(work: str, code: int) -> None:
    with started(work) as process:
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == code


def test_an_end_in_order_has_code_zero() -> None:
    with started("await stopping.asked.wait()") as process:
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 0
