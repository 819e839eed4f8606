"""The process that computes: what it inherits, and how it ends."""

import os
import select
import subprocess
import sys
from contextlib import closing

import pytest
from fakes.evidence_jobs import environment, fail_oddly

from agents.processes.evidence_pool import EvidencePool

_PARENT = """
import asyncio, os, time
from agents.processes.evidence_pool import EvidencePool

async def main():
    pool = EvidencePool(preload=())
    print(await pool.run(os.getpid), flush=True)
    await pool.run(time.sleep, 600)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the environment of a process is read from /proc")
async def test_the_worker_inherits_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-planted")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    with closing(EvidencePool(preload=())) as pool:
        found = await pool.run(environment)
    names = {entry.partition(b"=")[0].decode() for entry in found.split(b"\0") if entry}
    assert b"planted" not in found
    assert (
        {"PATH", "TZ"}
        <= names
        <= {
            "PATH",
            "LC_ALL",
            "TZ",
            "TMPDIR",
            "OPENBLAS_NUM_THREADS",
            "OMP_NUM_THREADS",
            "LD_LIBRARY_PATH",
            "PYTHONTZPATH",
            "LC_CTYPE",
        }
    )


async def test_an_error_that_cannot_travel_is_told_by_its_kind() -> None:
    with closing(EvidencePool(preload=())) as pool, pytest.raises(RuntimeError, match=r"^Odd$"):
        await pool.run(fail_oddly)


def test_the_worker_ends_with_a_parent_that_is_killed_even_in_the_middle_of_a_job() -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        ended = os.pidfd_open(worker)
        parent.kill()
    assert select.select([ended], [], [], 30)[0]
    os.close(ended)
