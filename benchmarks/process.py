"""What `autoheal serve` costs when nothing happens: seconds to ready, memory, CPU.

    python benchmarks/process.py [--idle 30] [--starts 3] [--out FILE]

The real process against the local workspace, on SQLite, without an operator's file. The first start creates and
migrates both databases; later ones open them. Memory and CPU are read from /proc (Linux), children apart, after the
last start. Python may keep its bytecode, as it does unless somebody forbids it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder, whose store.py is no package

from bot.demo.workspace import Workspace
from bot.manifest import load_manifest

READY_S = 3.0
IDLE_MB = 200
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One process. Memory in MB of 2**20 bytes, now and at its highest; CPU in seconds since its start."""

    pid: int
    command: str
    rss_mb: float
    peak_mb: float
    cpu_s: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`first_ready_s` includes the creation of the databases. CPU in percent of one core."""

    first_ready_s: float
    ready_s: float
    ready_cpu_s: float
    idle_rss_mb: float
    idle_peak_mb: float
    idle_cpu_percent: float
    children: list[Reading]
    children_cpu_percent: float
    stop_s: float
    load_average: float


def read_process(pid: int) -> Reading:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return Reading(
        pid=pid,
        command=command[:80].strip(),
        rss_mb=round(int(status["VmRSS"].split()[0]) / 1024, 1),
        peak_mb=round(int(status["VmHWM"].split()[0]) / 1024, 1),
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICK,
    )


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


@asynccontextmanager
async def served(folder: Path, workspace: Workspace) -> AsyncIterator[tuple[asyncio.subprocess.Process, float]]:
    """The process and its seconds to ready."""
    others = ("AUTOHEAL_", "SLACK_", "ANTHROPIC_", "PYTHONDONTWRITEBYTECODE")
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(others)},
        "AUTOHEAL_DATA": str(folder / "data"),
        "SLACK_API_URL": workspace.api_url,
        "SLACK_BOT_TOKEN": workspace.bot_token,
        "SLACK_APP_TOKEN": workspace.app_token,
    }
    command = (sys.executable, "-m", "bot", "serve")
    started = time.perf_counter()
    with (folder / "serve.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=log
        )
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 60) if process.stdout else b""
        if not line:
            raise SystemExit((folder / "serve.log").read_text())
        yield process, time.perf_counter() - started
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def measure(idle_s: float, starts: int) -> Outcome:
    workspace = Workspace(load_manifest())
    await workspace.start()
    ready: list[float] = []
    with tempfile.TemporaryDirectory(prefix="autoheal-benchmark-") as name:
        try:
            for _ in range(starts - 1):
                async with served(Path(name), workspace) as (_process, seconds):
                    ready.append(seconds)
            async with served(Path(name), workspace) as (process, seconds):
                ready.append(seconds)
                ready_cpu_s = read_process(process.pid).cpu_s
                await asyncio.sleep(5)  # the worker process of the evidence engine warms up
                before = [read_process(pid) for pid in (process.pid, *children_of(process.pid))]
                started = time.perf_counter()
                await asyncio.sleep(idle_s)
                elapsed = time.perf_counter() - started
                after = [read_process(reading.pid) for reading in before]
                load = os.getloadavg()[0]
                stopping = time.perf_counter()
                process.terminate()
                await process.wait()
                stop_s = time.perf_counter() - stopping
        finally:
            await workspace.stop()
    used = [100 * (late.cpu_s - early.cpu_s) / elapsed for early, late in zip(before, after, strict=True)]
    return Outcome(
        first_ready_s=round(ready[0], 2),
        ready_s=round(median(ready[1:] or ready), 2),
        ready_cpu_s=round(ready_cpu_s, 2),
        idle_rss_mb=after[0].rss_mb,
        idle_peak_mb=after[0].peak_mb,
        idle_cpu_percent=round(used[0], 1),
        children=after[1:],
        children_cpu_percent=round(sum(used[1:]), 1),
        stop_s=round(stop_s, 2),
        load_average=round(load, 2),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=float, default=30.0, help="seconds to watch the idle process")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    outcome = asyncio.run(measure(chosen.idle, max(1, chosen.starts)))
    print(f"ready on a new folder   {outcome.first_ready_s:6.2f} s")
    print(f"ready, databases there  {outcome.ready_s:6.2f} s    (target < {READY_S} s)")
    print(f"CPU until ready         {outcome.ready_cpu_s:6.2f} s")
    print(f"memory, idle            {outcome.idle_rss_mb:6.1f} MB   (target < {IDLE_MB} MB)")
    print(f"memory, highest         {outcome.idle_peak_mb:6.1f} MB")
    print(f"CPU, idle               {outcome.idle_cpu_percent:6.1f} %    of one core")
    for child in outcome.children:
        print(f"child {child.pid}: {child.rss_mb} MB: {child.command}")
    print(f"CPU of children, idle   {outcome.children_cpu_percent:6.1f} %")
    print(f"SIGTERM to end          {outcome.stop_s:6.2f} s")
    print(f"load average            {outcome.load_average:6.2f}")
    if chosen.out:
        chosen.out.write_text(json.dumps(asdict(outcome), indent=2) + "\n")
    return 0 if max(outcome.ready_s, outcome.first_ready_s) < READY_S and outcome.idle_peak_mb < IDLE_MB else 1


if __name__ == "__main__":
    raise SystemExit(main())
