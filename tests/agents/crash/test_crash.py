"""A real process is killed with SIGKILL at each step boundary and inside the effect, then started again."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agents.durable.process_lock import take_process_lock

VICTIM = Path(__file__).with_name("victim.py")

INVESTIGATE = ["open", "turn 0", "tools 0", "turn 1", "tools 1", "propose", "report", "start remediate"]
REMEDIATE = [
    "show card",
    "read decision",
    "re-check",
    "show re-check",
    "apply",
    "show applied",
    "begin verifying",
    "check 0",
    "finish",
    "tell",
]
BOUNDARIES = [
    *(f"investigate/{step}/{moment}" for step in INVESTIGATE for moment in ("before", "after")),
    *(f"remediate/{step}/{moment}" for step in REMEDIATE for moment in ("before", "after")),
]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(VICTIM), str(folder), *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def finish(folder: Path) -> dict[str, object]:
    done = run(folder)
    assert done.returncode == 0, done.stderr[-2000:]
    report: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return report


@pytest.mark.slow
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_kill_at_a_step_boundary_loses_nothing_and_applies_once(boundary: str, tmp_path: Path) -> None:
    killed = run(tmp_path, "--kill", boundary)
    assert killed.returncode == -signal.SIGKILL, f"{boundary} was not reached: {killed.stderr[-2000:]}"
    report = finish(tmp_path)
    assert report["state"] == "healed"
    assert report["effects"] == 1
    assert report["chain"] is True
    actions = report["actions"]
    assert isinstance(actions, list)
    assert actions.count("agent.effect.started") == 1
    assert actions.count("agent.effect.finished") == 1
    assert actions.count("agent.investigation.concluded") == 1
    assert actions.count("agent.approval.proposed") == 1


SECOND_LOOK = ["time until/after", "begin/after", "measure 0/before", "finish/after", "tell/before"]


@pytest.mark.slow
@pytest.mark.parametrize("boundary", SECOND_LOOK)
def test_a_kill_while_the_second_look_waits_or_measures_costs_nothing(boundary: str, tmp_path: Path) -> None:
    (tmp_path / "wait-for-look").touch()
    killed = run(tmp_path, "--kill", f"second_look/{boundary}")
    assert killed.returncode == -signal.SIGKILL, f"{boundary} was not reached: {killed.stderr[-2000:]}"
    report = finish(tmp_path)
    assert (report["state"], report["second_look"], report["effects"], report["chain"]) == ("healed", "held", 1, True)
    actions = report["actions"]
    assert isinstance(actions, list)
    assert actions.count("agent.effect.verified") == 2  # healed, and held


@pytest.mark.slow
def test_a_kill_in_the_middle_of_the_effect_ends_as_unknown_after_a_read_and_is_never_repeated(tmp_path: Path) -> None:
    (tmp_path / "kill-parent").touch()
    killed = run(tmp_path)
    assert killed.returncode == -signal.SIGKILL
    report = finish(tmp_path)
    assert report["state"] == "unknown"
    assert report["effects"] == 1
    actions = report["actions"]
    assert isinstance(actions, list)
    assert actions.count("agent.effect.started") == 1
    assert actions.count("agent.effect.unknown") == 1


@pytest.mark.slow
async def test_a_second_process_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    held = await take_process_lock("sqlite://", str(tmp_path))
    try:
        second = await asyncio.to_thread(run, tmp_path)
    finally:
        await held.release()
    assert second.returncode != 0
    assert "another Autoheal process uses this folder" in second.stderr
