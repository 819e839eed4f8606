"""`autoheal demo` from end to end: the serve process, the workspace and the shop, each in processes of their own."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bot.demo.shop import SCENARIOS
from bot.demonstration import DemonstrationResult, Stage, open_stage, run_scenario

ROOT = Path(__file__).resolve().parents[2]
CHANNEL = "#incidents"
SEED = 3
IN_TIME_S = 120.0  # longer than all that is stopped may take on a busy machine


def check_thread(stage: Stage) -> None:
    """What a person on call was sent in the last thread keeps the promises."""
    asked = [m for m in stage.workspace.messages(CHANNEL) if m.thread_ts in (None, m.ts) and not m.bot_id][-1]
    said = [
        m
        for m in stage.workspace.messages(CHANNEL, asked.ts)
        if m.user == stage.workspace.bot_user_id and not m.ephemeral_for
    ]
    assert 1 <= len(said) <= 5
    assert stage.workspace.pushes(CHANNEL, asked.ts) <= 3
    check_promises(stage)


def check_promises(stage: Stage) -> None:
    """What holds for every message, whatever was found."""
    for message in stage.workspace.messages(CHANNEL):
        if message.user != stage.workspace.bot_user_id:
            continue
        assert len(message.text) <= 120
        assert message.text.strip() or not message.notified
        assert message.all_blocks
    assert stage.workspace.violations == []


@pytest.mark.slow
async def test_a_cut_configuration_is_found_rolled_back_once_and_healed(tmp_path: Path) -> None:
    """The promises hold each time. The diagnosis is statistics, here on a busy machine: one of three must be right."""
    async with open_stage(tmp_path, SEED, 0) as stage:
        for scenario_seed in (SEED, SEED + 1, SEED + 2):
            result = await run_scenario(stage, "config-cut", scenario_seed, SEED)
            check_promises(stage)
            right = (result.root_cause_service, result.root_cause_change) == (
                result.expected_service,
                result.expected_change,
            )
            if right and result.healed:
                break
        assert right
        assert (result.applied_times, result.proposed, result.healed) == (1, "rollback_deployment", True)
        assert result.first_evidence_seconds is not None
        assert result.first_evidence_seconds <= result.seconds
        check_thread(stage)


@pytest.mark.slow
async def test_a_rollout_in_a_cluster_is_found_undone_once_through_its_api_and_healed(tmp_path: Path) -> None:
    """As above, with pods, rollouts and logs from the local API server."""
    async with open_stage(tmp_path, SEED, 0, seen_as="kubernetes") as stage:
        for scenario_seed in (SEED, SEED + 1, SEED + 2):
            result = await run_scenario(stage, "config-cut", scenario_seed, SEED)
            check_promises(stage)
            if result.went_well:
                break
        assert (result.root_cause_service, result.root_cause_change) == (
            result.expected_service,
            result.expected_change,
        )
        assert (result.proposed, result.applied_times, result.healed) == ("undo_rollout", 1, True)
        assert stage.vendor is not None
        assert stage.vendor.refused == []
        check_thread(stage)


@pytest.mark.slow
async def test_a_false_alarm_ends_without_a_cause_and_without_a_card(tmp_path: Path) -> None:
    """As above: a machine that stutters may really slow the shop down, so one of two must be quiet."""
    async with open_stage(tmp_path, SEED, 0) as stage:
        for scenario_seed in (SEED, SEED + 1):
            result = await run_scenario(stage, "false-alarm", scenario_seed, SEED)
            check_promises(stage)
            if result.root_cause_service is None:
                break
        assert (result.root_cause_service, result.proposed, result.applied_times) == (None, None, 0)
        assert result.healed is None
        check_thread(stage)


@pytest.mark.slow
@pytest.mark.scenario
async def test_every_scenario_keeps_the_thread_short_and_applies_only_what_was_approved(tmp_path: Path) -> None:
    async with open_stage(tmp_path, SEED, 0) as stage:
        for number, name in enumerate(name for name in SCENARIOS if name not in ("config-cut", "false-alarm")):
            result = await run_scenario(stage, name, SEED + number, SEED)
            assert result.applied_times <= 2, name
            assert result.seconds > 0
            assert stage.workspace.violations == [], name


def tree(pid: int) -> set[int]:
    """A process and all below it."""
    found = {pid}
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found |= tree(int(child))
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists() and _state(pid) not in ("Z", "")}


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(30)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@asynccontextmanager
async def demo(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A running `autoheal demo` and the address of its page; its folder is made in `folder`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        "demo",
        "--seed",
        str(SEED),
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        url = ""
        async with asyncio.timeout(180):
            while "http://" not in url:
                line = (await process.stdout.readline()).decode()
                assert line, "the demo ended before it printed its address"
                url = line.split()[-1] if "http://" in line else ""
        yield process, url
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until_gone(pids: set[int]) -> set[int]:
    """Those that are still there after a while."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(IN_TIME_S):
            while alive(pids):  # noqa: ASYNC110 -- nothing tells when somebody else's process ends
                await asyncio.sleep(0.1)
    return alive(pids)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads the tree of processes from /proc")
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_after_the_end_no_process_and_no_port_is_left(tmp_path: Path, number: signal.Signals) -> None:
    async with demo(tmp_path) as (process, url):
        everybody = tree(process.pid)
        assert len(everybody) > 6  # the bot, the supervisor, four services, the referee, the customers
        port = urlsplit(url).port
        assert port is not None
        assert listens(port)
        process.send_signal(number)
        await asyncio.wait_for(process.wait(), IN_TIME_S)
    assert await until_gone(everybody) == set()
    assert not listens(port)
    if number is signal.SIGINT:
        assert process.returncode == 0
        assert os.listdir(tmp_path) == []  # noqa: PTH208 -- the order of an empty list


@pytest.mark.slow
async def test_headless_prints_one_line_of_json_a_scenario(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        "demo",
        *("--headless", "--json", "--scenario", "false-alarm", "--seed", str(SEED)),
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 200)
    results: list[dict[str, Any]] = [json.loads(line) for line in said.decode().splitlines()]
    assert process.returncode == 0
    assert [one["scenario"] for one in results] == ["false-alarm"]
    assert set(results[0]) == {field.name for field in fields(DemonstrationResult)}
