"""The bytes of the deployment as whoever copies its disk or database would see them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from bot.verify.canary import Lookout

_CHUNK: Final = 1 << 20
_TABLES: Final = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_t%'
    ORDER BY 1, 2"""


@dataclass(frozen=True, kw_only=True)
class RawSearch:
    """How much was looked at: files and tables by name, and bytes. `skipped`: tables that no login may read."""

    places: tuple[str, ...]
    size: int
    skipped: tuple[str, ...] = ()


def files_in(*folders: Path) -> list[Path]:
    """Every regular file below: databases, their write-ahead logs, keys, ledgers, reports, backups."""
    return sorted({path for folder in folders if folder.exists() for path in folder.rglob("*") if path.is_file()})


def look_at_files(lookout: Lookout, paths: Iterable[Path]) -> RawSearch:
    places, size = [], 0
    for path in paths:
        try:
            size += lookout.look(path.name, _read(path))
        except FileNotFoundError:
            continue  # a write-ahead log that was emptied in this moment
        places.append(path.name)
    return RawSearch(places=tuple(places), size=size)


async def look_at_postgres(lookout: Lookout, urls: Iterable[str]) -> RawSearch:
    """Every table that one of the logins can read, partitions and the engine's own included, as COPY writes it: byte
    strings come as hexadecimal digits, which the lookout knows.
    """
    looks = [await asyncio.to_thread(_look_at_postgres, lookout, url) for url in urls]
    places = {place for look in looks for place in look.places}
    skipped = {place for look in looks for place in look.skipped} - places
    return RawSearch(
        places=tuple(sorted(places)), size=sum(look.size for look in looks), skipped=tuple(sorted(skipped))
    )


def _look_at_postgres(lookout: Lookout, url: str) -> RawSearch:
    places, skipped, size = [], [], 0
    with psycopg.connect(url) as connection:
        connection.execute("SELECT set_config('app.door', 'owner', true)")
        name = connection.info.dbname
        for schema, table in connection.execute(_TABLES).fetchall():
            command = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT").format(sql.Identifier(schema, table))
            try:
                with connection.transaction(), connection.cursor().copy(command) as copy:
                    size += lookout.look(f"table {schema}.{table}", (bytes(chunk) for chunk in copy))
            except psycopg.errors.InsufficientPrivilege:
                skipped.append(f"{name}: {schema}.{table}")
                continue
            places.append(f"{name}: {schema}.{table}")
    return RawSearch(places=tuple(places), size=size, skipped=tuple(skipped))


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
