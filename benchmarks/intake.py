"""Signed mentions into Autoheal over loopback HTTP, beside a bare Bolt app in the same run.

    python benchmarks/intake.py [--mentions 1500] [--rounds 3] [--rate 10] [--busy 25] [--out FILE]

Autoheal is `autoheal serve` in HTTP mode on SQLite: each mention is verified, deduplicated, on disk and only then
acknowledged; behind that it is queued and handled. Bare Bolt verifies and acknowledges. First as fast as 32 connections
can, the two by turns; then at a steady rate (Slack sends an app at most 30,000 events an hour of a workspace, about 8 a
second) while nothing else happens, and while 20 investigations read metrics and logs. The mentions come from another
app: they are refused and audited, so that Slack's limits on what may be said do not hold back their handling. The load
comes from this process, Slack and the model from another. Lag is from received to handled: the row on disk, queued, the
workflow started, done.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
SECRET = "benchmark-signing-secret"  # noqa: S105 -- of a process on loopback
TEAM, BOT, PERSON = "T0BENCH", "U0BENCHBOT", "U0MIA"
INVESTIGATIONS = 20
SERVICES = 4
CONNECTIONS = 32
ACK_P99_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Acks:
    """Acknowledgements of one round. Latencies in milliseconds."""

    per_second: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    refused: int


@dataclass(frozen=True, kw_only=True)
class Lag:
    """From received to handled, in milliseconds: written down, queued, started, done."""

    p50_ms: float
    p99_ms: float
    count: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`handled_per_second` is how fast the bursts were worked off, answers to Slack included."""

    bare: list[Acks]
    autoheal: list[Acks]
    throughput_ratio: float
    handled_per_second: float
    quiet: Acks
    quiet_lag: Lag
    busy: Acks
    busy_lag: Lag
    investigations_while_busy: int
    investigations_failed: int
    load_average: float


def request(
    number: int, port: int, *, text: str, channel: str, ts: str | None = None, from_person: bool = False
) -> bytes:
    """One signed delivery, ready for the wire."""
    event = {
        "type": "app_mention",
        **({"user": PERSON} if from_person else {"user": "U0OTHERAPP", "bot_id": "B0OTHERAPP"}),
        "channel": channel,
        "ts": ts or f"{1_700_000_000 + number}.000100",
        "text": f"<@{BOT}> {text}",
    }
    body = json.dumps({"type": "event_callback", "event_id": f"Ev{number:010d}", "team_id": TEAM, "event": event})
    timestamp = str(int(time.time()))
    signature = hmac.new(SECRET.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()
    head = (
        f"POST /slack/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"X-Slack-Request-Timestamp: {timestamp}\r\nX-Slack-Signature: v0={signature}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode()


class Sender:
    """A connection kept alive; one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Sender:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, raw: bytes) -> int:
        """The status of the answer."""
        self._writer.write(raw)
        head = await self._reader.readuntil(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                await self._reader.readexactly(int(line.split(b":")[1]))
        return int(head[9:12])

    def close(self) -> None:
        self._writer.close()


class Numbers:
    """Each event id once in the whole run."""

    def __init__(self) -> None:
        self._next = 0

    def take(self) -> int:
        self._next += 1
        return self._next


def acks(latencies: Sequence[float], statuses: Sequence[int], seconds: float) -> Acks:
    ordered = sorted(latencies)
    return Acks(
        per_second=round(len(ordered) / seconds, 1),
        p50_ms=round(1000 * ordered[len(ordered) // 2], 1),
        p99_ms=round(1000 * ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 1),
        worst_ms=round(1000 * ordered[-1], 1),
        refused=sum(status != 200 for status in statuses),
    )


async def burst(port: int, numbers: Numbers, count: int) -> Acks:
    """As fast as the connections can."""
    waiting = [
        request(n, port, text="checkout is slow", channel="C0NOISE") for n in (numbers.take() for _ in range(count))
    ]
    latencies: list[float] = []
    statuses: list[int] = []

    async def work() -> None:
        sender = await Sender.open(port)
        while waiting:
            raw = waiting.pop()
            started = time.perf_counter()
            statuses.append(await sender.send(raw))
            latencies.append(time.perf_counter() - started)
        sender.close()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return acks(latencies, statuses, time.perf_counter() - started)


async def steady(port: int, numbers: Numbers, rate: float, seconds: float) -> Acks:
    """At fixed times, whether or not earlier ones were answered: a late answer cannot hide behind a late question."""
    idle: list[tuple[Sender, float]] = []
    latencies: list[float] = []
    statuses: list[int] = []

    async def one(due: float) -> None:
        number = numbers.take()
        raw = request(number, port, text="checkout is slow", channel="C0NOISE")
        sender = await fresh()
        statuses.append(await sender.send(raw))
        latencies.append(time.perf_counter() - due)
        idle.append((sender, time.perf_counter()))

    async def fresh() -> Sender:
        """Servers close connections that are idle for 5 s."""
        while idle:
            sender, used = idle.pop()
            if time.perf_counter() - used < 3:
                return sender
            sender.close()
        return await Sender.open(port)

    begun = time.perf_counter()
    sent: list[asyncio.Task[None]] = []
    for index in range(int(rate * seconds)):
        due = begun + index / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        sent.append(asyncio.create_task(one(due)))
    await asyncio.gather(*sent)
    for sender, _used in idle:
        sender.close()
    return acks(latencies, statuses, time.perf_counter() - begun)


@asynccontextmanager
async def process(*command: str, environment: dict[str, str] | None = None, log: Path) -> AsyncIterator[str]:
    """A Python process that prints one line when it is ready; that line."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AUTOHEAL_", "SLACK_", "ANTHROPIC_"))}
    with log.open("ab") as errors:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            env={**inherited, **(environment or {})},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    try:
        line = await asyncio.wait_for(child.stdout.readline(), 60) if child.stdout else b""
        if not line:
            raise SystemExit(f"{command} did not start:\n{await asyncio.to_thread(log.read_text)}")
        yield line.decode().strip()
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()


def write_estate(folder: Path, outside: str) -> Path:
    """An operator's file with metrics and logs of a quarter of an hour, four lines a second and service."""
    logs = folder / "logs"
    logs.mkdir()
    now = datetime.now(UTC)
    lines = []
    for second in range(900):
        at = (now - timedelta(seconds=900 - second)).isoformat()
        for index in range(4):
            fields = {"time": at, "level": "info", "message": f"order {second * 4 + index} stored in {second % 40} ms"}
            lines.append(json.dumps(fields))
    names = [f"service-{number:02d}" for number in range(SERVICES)]
    for name in names:
        (logs / f"{name}.log").write_text("\n".join(lines) + "\n")
    text = ['tenant = "default"']
    text += [f'[[service]]\nname = "{name}"\ndepends_on = []\nenvironment = "production"' for name in names]
    text += ['[egress]\nallow_networks = ["127.0.0.1/32"]']
    text += ["[connectors.openmetrics]\ninterval_s = 5.0\n[connectors.openmetrics.targets]"]
    text += [f'{name} = "{outside}/services/{name}/metrics"' for name in names]
    text += [f'[connectors.logfiles]\nroots = ["{logs}"]\n[connectors.logfiles.files]']
    text += [f'{name} = "{name}.log"' for name in names]
    path = folder / "autoheal.toml"
    path.write_text("\n".join(text) + "\n")
    return path


def read(database: Path, query: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(query, values).fetchall()


def count(data: Path, table: str, states: Sequence[str], column: str) -> int:
    marks = ",".join("?" * len(states))
    query = f"SELECT count(*) FROM {table} WHERE {column} IN ({marks})"  # noqa: S608 -- names from this file
    return int(str(read(data / "autoheal.db", query, *states)[0][0]))


def unhandled(data: Path) -> bool:
    """Whether any mention waits before the inbox, or in it."""
    waits = read(data / "arrivals.db", "SELECT EXISTS (SELECT 1 FROM arrivals)")[0][0]
    return bool(waits or count(data, "inbox", ("received", "enqueued"), "state"))


async def until_handled(data: Path, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while unhandled(data):
        if time.monotonic() > deadline:
            raise SystemExit("the queue was not worked off in time")
        await asyncio.sleep(0.2)


def lag(data: Path, first: int, last: int) -> Lag:
    """Of the mentions with these numbers."""
    rows = read(
        data / "autoheal.db",
        "SELECT received_at, changed_at FROM inbox WHERE state = 'done' AND external_id BETWEEN ? AND ?",
        f"Ev{first:010d}",
        f"Ev{last:010d}",
    )
    lags = sorted(
        (datetime.fromisoformat(str(done)) - datetime.fromisoformat(str(received))).total_seconds()
        for received, done in rows
    )
    return Lag(
        p50_ms=round(1000 * lags[len(lags) // 2], 1),
        p99_ms=round(1000 * lags[min(len(lags) - 1, int(len(lags) * 0.99))], 1),
        count=len(lags),
    )


async def measure(mentions: int, rounds: int, rate: float, busy_s: float, folder: Path) -> Outcome:
    numbers = Numbers()
    data = folder / "data"
    async with AsyncExitStack() as stack:
        line = await stack.enter_async_context(process(str(HERE / "outside.py"), log=folder / "outside.log"))
        outside = json.loads(line)
        bare_port = int(
            await stack.enter_async_context(
                process(
                    str(HERE / "bare_bolt.py"),
                    environment={"SLACK_SIGNING_SECRET": SECRET},
                    log=folder / "bare.log",
                )
            )
        )
        port = free_port()
        await stack.enter_async_context(
            process(
                "-m",
                "bot",
                "serve",
                environment={
                    "AUTOHEAL_DATA": str(data),
                    "AUTOHEAL_MODE": "http",
                    "AUTOHEAL_HTTP_PORT": str(port),
                    "AUTOHEAL_OPERATOR_FILE": str(write_estate(folder, outside["outside"])),
                    "AUTOHEAL_RUN_USD": "100",
                    "AUTOHEAL_CONCURRENT_INVESTIGATIONS": str(INVESTIGATIONS),
                    "ANTHROPIC_API_KEY": "sk-test",
                    "ANTHROPIC_BASE_URL": outside["model"],
                    "SLACK_API_URL": f"{outside['outside']}/api/",
                    "SLACK_BOT_TOKEN": "xoxb-benchmark-token",
                    "SLACK_SIGNING_SECRET": SECRET,
                },
                log=folder / "serve.log",
            )
        )
        await burst(bare_port, numbers, 200)  # both are warm before anything counts
        await burst(port, numbers, 200)
        await until_handled(data)
        bare, ours, worked_off = [], [], []
        for _ in range(rounds):
            bare.append(await burst(bare_port, numbers, mentions))
            started = time.perf_counter()
            ours.append(await burst(port, numbers, mentions))
            await until_handled(data)
            worked_off.append(mentions / (time.perf_counter() - started))
        first = numbers.take() + 1
        quiet = await steady(port, numbers, rate, 10)
        await until_handled(data)
        quiet_lag = lag(data, first, numbers.take())
        sender = await Sender.open(port)
        for number in range(INVESTIGATIONS):
            at = f"{1_750_000_000 + number}.000100"
            text = f"customers of shop {number} complain, what is wrong with checkout?"
            await sender.send(request(numbers.take(), port, text=text, channel="C0INCIDENTS", ts=at, from_person=True))
        deadline = time.monotonic() + 60
        while count(data, "investigations", ("running",), "status") < INVESTIGATIONS:
            if time.monotonic() > deadline:
                raise SystemExit("the investigations did not start:\n" + (folder / "serve.log").read_text()[-3000:])
            await asyncio.sleep(0.1)
        first = numbers.take() + 1
        busy = await steady(port, numbers, rate, busy_s)
        still_running = count(data, "investigations", ("running",), "status")
        load = os.getloadavg()[0]
        failed = count(data, "investigations", ("failed",), "status")
        await until_handled(data)
        busy_lag = lag(data, first, numbers.take())
    return Outcome(
        bare=bare,
        autoheal=ours,
        throughput_ratio=round(median(a.per_second for a in ours) / median(a.per_second for a in bare), 3),
        handled_per_second=round(median(worked_off), 1),
        quiet=quiet,
        quiet_lag=quiet_lag,
        busy=busy,
        busy_lag=busy_lag,
        investigations_while_busy=still_running,
        investigations_failed=failed,
        load_average=round(load, 2),
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def show(name: str, rounds: Sequence[Acks]) -> None:
    each = ", ".join(f"{one.per_second:.0f}" for one in rounds)
    print(
        f"{name:36} {median(a.per_second for a in rounds):7.0f}/s  p50 {median(a.p50_ms for a in rounds):6.1f} ms  "
        f"p99 {median(a.p99_ms for a in rounds):6.1f} ms  worst {max(a.worst_ms for a in rounds):6.1f} ms"
        + (f"  (rounds: {each})" if len(rounds) > 1 else "")
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mentions", type=int, default=1500, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=10, help="mentions a second in the steady parts")
    parser.add_argument("--busy", type=float, default=25, help="seconds beside the investigations")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder for databases and logs, to look into afterwards")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="autoheal-benchmark-") as name:
        folder = chosen.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        outcome = asyncio.run(measure(chosen.mentions, chosen.rounds, chosen.rate, chosen.busy, folder))
    show("bare Bolt, 32 connections", outcome.bare)
    show("Autoheal, 32 connections", outcome.autoheal)
    print(f"{'throughput to bare Bolt':36} {outcome.throughput_ratio:7.2f}")
    print(f"{'bursts worked off, answers included':36} {outcome.handled_per_second:6.0f}/s")
    show("steady, nothing else", [outcome.quiet])
    show(f"steady, {outcome.investigations_while_busy} investigations running", [outcome.busy])
    for label, one in (
        ("received to handled, nothing else", outcome.quiet_lag),
        ("received to handled, investigations", outcome.busy_lag),
    ):
        print(f"{label:36} p50 {one.p50_ms:6.1f} ms  p99 {one.p99_ms:6.1f} ms  ({one.count} mentions)")
    print(f"{'investigations failed':36} {outcome.investigations_failed:7}")
    print(f"{'load average':36} {outcome.load_average:7.2f}")
    if chosen.out:
        chosen.out.write_text(json.dumps(asdict(outcome), indent=2) + "\n")
    refused = sum(one.refused for one in (*outcome.bare, *outcome.autoheal, outcome.quiet, outcome.busy))
    return 0 if outcome.busy.p99_ms < 1000 * ACK_P99_S and not refused else 1


if __name__ == "__main__":
    raise SystemExit(main())
