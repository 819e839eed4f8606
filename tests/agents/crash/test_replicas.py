"""The short form of benchmarks/replicas.py: replicas are killed, and the others finish what they had begun."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from conftest import missing, postgres_programs

PROGRAM = Path(__file__).resolve().parents[3] / "benchmarks" / "replicas.py"


@pytest.mark.slow
async def test_what_killed_replicas_had_begun_is_finished_by_the_others_once_and_soon(tmp_path: Path) -> None:
    if not postgres_programs():
        missing("no PostgreSQL for tests")
    out = tmp_path / "out.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", str(PROGRAM)),
        *("--incidents", "6", "--tenants", "3", "--every", "6", "--seed", "3", "--out", str(out)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 600)
    assert out.exists(), said.decode()[-3000:]
    outcome = json.loads(out.read_text())
    assert (outcome["incidents"], outcome["lost"], outcome["doubled"]) == (6, [], [])
    assert outcome["kills"] >= 1
