"""Webhooks into Autoheal over loopback HTTP, beside a bare Starlette route that does one commit.

    python benchmarks/webhooks.py [--deliveries 400] [--rounds 3] [--rate 30]

Both are a uvicorn process of their own on SQLite with synchronous=FULL. Autoheal is the door as `autoheal serve` joins
it: the secret is checked, the delivery deduplicated, sealed with the tenant's key and on disk before it is
acknowledged; behind that it is normalised and grouped at the same time. Bare inserts the raw body into a table. Rounds
take turns at a steady rate, each delivery is new. Exits 1 where the median of the rounds' p99 is over 1.5 times that of
bare.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

sys.path[0] = str(Path(__file__).resolve().parents[1])

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agents.alerting.absorber import Absorber, Surroundings
from agents.alerting.administering import make_webhook
from handlers.slack.inbound.intake import Intake
from handlers.webhooks.door import Door
from handlers.webhooks.refusals import Refusals
from handlers.webhooks.work import AlertWork
from store import audit
from store.database.migrations import migrate, migrate_keyring
from store.database.session import Database
from store.keys.local_keys import LocalFileKeys
from store.tenancy.tenants import create_tenant

MOST_RATIO = 1.5
CONNECTIONS = 8


async def serve_bare(folder: Path) -> tuple[Starlette, str, str]:
    def opened() -> sqlite3.Connection:
        connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE deliveries (id INTEGER PRIMARY KEY, body BLOB)")
        return connection

    thread = ThreadPoolExecutor(1)
    loop = asyncio.get_running_loop()
    connection = await loop.run_in_executor(thread, opened)

    async def receive(request: Request) -> Response:
        body = await request.body()
        await loop.run_in_executor(thread, connection.execute, "INSERT INTO deliveries (body) VALUES (?)", (body,))
        return Response(status_code=202)

    return Starlette(routes=[Route("/hook", receive, methods=["POST"])]), "/hook", "none"


async def serve_autoheal(folder: Path) -> tuple[Starlette, str, str]:
    urls = [f"sqlite:///{folder / name}" for name in ("store.db", "keyring.db")]
    await migrate(urls[0])
    await migrate_keyring(urls[1])
    db = await Database.open(urls[0], keyring_url=urls[1], keys=LocalFileKeys(folder / "master.key"))
    tenant = await create_tenant(db, name="bench")
    async with db.tenant(tenant) as s:
        made = await make_webhook(
            s, provider="alertmanager", label="", config={}, secret=None, actor=audit.SYSTEM, source="operator", by=None
        )

    async def around(_tenant: str) -> Surroundings:
        return Surroundings()

    async def fetch(_url: str) -> bytes:
        return b""

    class Shown:
        async def settle(self, _tenant: str) -> int:
            return 0

    intake = Intake(db=db, workspaces=None, queue=None)  # type: ignore[arg-type] # Slack's side is not asked here
    work = AlertWork(db, intake, Absorber(db, around, fetch=fetch), Shown())  # type: ignore[arg-type] # no Slack
    door = Door(db, intake, Refusals(db), arrived=lambda t, r: work.wake(t, r.inbox_id), fetch=fetch)
    secret = "" if made.secret is None else made.secret.reveal()
    return Starlette(routes=door.routes()), made.webhook.path, f"Bearer {secret}"


async def serve(which: str) -> None:
    """In the child: prints port, path and authorization."""
    folder = Path(os.environ["BENCH_FOLDER"])
    app, path, authorization = await (serve_bare if which == "bare" else serve_autoheal)(folder)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 -- uvicorn tells it by an attribute only
        await asyncio.sleep(0.02)
    print(json.dumps([server.servers[0].sockets[0].getsockname()[1], path, authorization]), flush=True)
    await running


@asynccontextmanager
async def child(which: str, folder: Path) -> AsyncIterator[tuple[int, str, str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        "--serve",
        which,
        env={**os.environ, "BENCH_FOLDER": str(folder)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        if process.stdout is None:
            raise RuntimeError("no output")
        port, path, authorization = json.loads(await process.stdout.readline())
        yield port, path, authorization
    finally:
        process.terminate()
        await process.wait()


def delivery(number: int, path: str, authorization: str) -> bytes:
    alerts = [
        {
            "status": "firing",
            "labels": {"alertname": f"Alert{number % 50}", "service": f"s{number % 20}", "pod": f"p{number}-{part}"},
            "annotations": {"summary": "x" * 100, "description": "y" * 300},
            "startsAt": "2026-05-01T10:00:00Z",
            "fingerprint": f"{number}-{part}",
        }
        for part in range(3)
    ]
    body = json.dumps({"version": "4", "status": "firing", "groupKey": f"g{number}", "alerts": alerts})
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: {authorization}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


async def drive(target: tuple[int, str, str], first: int, count: int, rate: float) -> list[float]:
    """Seconds of each acknowledgement, from when it was due."""
    port, path, authorization = target
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    begin = time.perf_counter()

    async def one(number: int) -> float:
        due = begin + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        reader, writer = await free.get()
        started = time.perf_counter()
        writer.write(delivery(first + number, path, authorization))
        head = await reader.readuntil(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                await reader.readexactly(int(line.split(b":")[1]))
        took = time.perf_counter() - started
        free.put_nowait((reader, writer))
        if b" 202 " not in head.split(b"\r\n", 1)[0]:
            raise RuntimeError(head.decode())
        return took

    taken = await asyncio.gather(*(one(number) for number in range(count)))
    while not free.empty():
        free.get_nowait()[1].close()
    return sorted(taken)


async def measure(deliveries: int, rounds: int, rate: float) -> float:
    p99: dict[str, list[float]] = {"bare": [], "autoheal": []}
    with tempfile.TemporaryDirectory() as name:
        async with child("bare", Path(name)) as bare, child("autoheal", Path(name)) as autoheal:
            for target in (bare, autoheal):
                await drive(target, 10_000_000, 20, rate)
            for number in range(rounds):
                for which, target in (("bare", bare), ("autoheal", autoheal)):
                    taken = await drive(target, number * deliveries, deliveries, rate)
                    p99[which].append(taken[int(len(taken) * 0.99)])
                    print(f"{which:9} p50 {1000 * median(taken):7.2f} ms  p99 {1000 * p99[which][-1]:7.2f} ms")
    ratio = median(p99["autoheal"]) / median(p99["bare"])
    print(f"p99 ratio {ratio:.2f} (at most {MOST_RATIO}); load average {os.getloadavg()[0]:.1f}")
    return ratio


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--deliveries", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=30.0)
    parser.add_argument("--serve", choices=("bare", "autoheal"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        asyncio.run(serve(chosen.serve))
        return 0
    return 0 if asyncio.run(measure(chosen.deliveries, chosen.rounds, chosen.rate)) <= MOST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
