import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.errors import Unavailable
from agents.processes.process import act, run, until_gone

PYTHON = sys.executable


async def test_the_program_gets_only_the_declared_environment_and_no_input() -> None:
    code = "import os,sys; print(sorted(os.environ), repr(sys.stdin.read()))"
    done = await run([PYTHON, "-c", code], environment={"LC_ALL": "C.UTF-8"}, timeout_s=20, max_bytes=1_000)
    assert (done.code, done.output) == (0, b"['LC_ALL'] ''\n")


async def test_output_above_the_cap_is_dropped_and_the_program_still_ends() -> None:
    code = "import sys; sys.stdout.write('x' * 1_000_000); sys.stderr.write('e' * 9)"
    done = await run([PYTHON, "-c", code], environment={}, timeout_s=20, max_bytes=100)
    assert (done.code, len(done.output), done.errors, done.truncated) == (0, 100, b"e" * 9, True)


async def test_an_endless_reader_is_stopped_at_the_cap() -> None:
    code = "while True: print('x' * 1000)"
    done = await run([PYTHON, "-c", code], environment={}, timeout_s=20, max_bytes=100, stop_at_cap=True)
    assert done.truncated
    assert done.code != 0


async def test_a_program_that_hangs_is_killed_at_the_time_out() -> None:
    with pytest.raises(Unavailable, match="was killed"):
        await run([PYTHON, "-c", "import time; time.sleep(60)"], environment={}, timeout_s=0.1, max_bytes=100)


async def test_children_of_a_killed_program_end_with_it(tmp_path: Path) -> None:
    child = "import os,time; open('p','w').write(str(os.getpid())); os.rename('p','pid'); time.sleep(60)"
    code = f"import subprocess,sys; subprocess.run([sys.executable, '-c', {child!r}])"
    running = asyncio.create_task(
        run([PYTHON, "-c", code], environment={}, timeout_s=60, max_bytes=100, folder=tmp_path)
    )
    await _until((tmp_path / "pid").exists)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    pid = int((tmp_path / "pid").read_text())
    await _until(lambda: _gone(pid))


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 -- another process does not set our events
            await asyncio.sleep(0.01)


def _gone(pid: int) -> bool:
    """Dead, or a zombie that waits for a parent that collects it."""
    status = Path(f"/proc/{pid}/stat")
    if status.exists():
        return status.read_text().rsplit(")", 1)[1].split()[0] in {"Z", "X"}
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_a_program_that_does_not_exist_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="cannot be started"):
        await run(["/nowhere/tool"], environment={}, timeout_s=1, max_bytes=1)


DAEMON = "import subprocess,sys; print('restarted', flush=True); subprocess.Popen([sys.executable, '-c', {daemon!r}])"
STAYS = "import os,time; open('p','w').write(str(os.getpid())); os.rename('p','pid'); time.sleep(30); print('alive')"


@pytest.mark.parametrize("start", [run, act])
async def test_a_program_that_leaves_a_daemon_holding_its_output_has_ended_when_it_exits(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    code = DAEMON.format(daemon=STAYS)
    done = await start([PYTHON, "-c", code], environment={}, timeout_s=25, max_bytes=100, folder=tmp_path)
    assert (done.code, done.output) == (0, b"restarted\n")
    await _until((tmp_path / "pid").exists)
    daemon = int((tmp_path / "pid").read_text())
    assert not _gone(daemon)
    os.kill(daemon, signal.SIGKILL)


async def test_an_action_goes_on_when_its_caller_gives_up_and_is_found_by_its_key(tmp_path: Path) -> None:
    code = (
        "import pathlib,time\npathlib.Path('begun').touch()\nwhile not pathlib.Path('end').exists(): time.sleep(0.01)"
    )
    wait = [PYTHON, "-c", code]
    acting = asyncio.create_task(
        act(wait, environment={"KEY": "of-this-test"}, timeout_s=60, max_bytes=100, folder=tmp_path)
    )
    await _until((tmp_path / "begun").exists)
    acting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await acting
    assert not await until_gone("KEY", "of-this-test", longest_s=0.3)
    (tmp_path / "end").touch()
    assert await until_gone("KEY", "of-this-test", longest_s=20)


async def test_an_action_that_hangs_is_killed_at_its_time_out_and_its_output_is_capped() -> None:
    with pytest.raises(Unavailable, match="was killed"):
        await act([PYTHON, "-c", "import time; time.sleep(60)"], environment={}, timeout_s=0.1, max_bytes=100)
    code = "import sys; sys.stdout.write('x' * 1_000_000); sys.exit(3)"
    done = await act([PYTHON, "-c", code], environment={}, timeout_s=20, max_bytes=100)
    assert (done.code, len(done.output), done.truncated) == (3, 100, True)


async def test_the_newest_output_is_kept_where_that_is_asked_for_and_of_actions() -> None:
    """In several pieces, so that the file of an action is emptied in between."""
    code = "import sys,time\nfor n in range(5):\n sys.stdout.write(f'{n}' * 1000); sys.stdout.flush(); time.sleep(0.1)"
    read = await run([PYTHON, "-c", code], environment={}, timeout_s=20, max_bytes=1500, newest=True)
    acted = await act([PYTHON, "-c", code], environment={}, timeout_s=20, max_bytes=1500)
    for done in (read, acted):
        assert (done.output, done.truncated) == (b"3" * 500 + b"4" * 1000, True)
