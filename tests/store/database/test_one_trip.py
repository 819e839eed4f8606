"""The cursor that goes to SQLite's thread once a statement."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from store.database.engine import create_engine


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(f"sqlite:///{tmp_path / 'some.db'}", pool_size=1)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"))
    yield engine
    await engine.dispose()


async def names(connection: AsyncConnection) -> list[str]:
    return list((await connection.execute(text("SELECT name FROM things ORDER BY id"))).scalars())


async def test_a_transaction_takes_one_trip_a_statement(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    trips: list[str] = []
    go = aiosqlite.Connection._execute

    async def counted(self: aiosqlite.Connection, function: Any, *arguments: Any, **options: Any) -> Any:
        trips.append(str(arguments[2]) if len(arguments) > 2 else function.__name__)
        return await go(self, function, *arguments, **options)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO things (name) VALUES ('a')"))
        assert await names(connection) == ["a"]
    assert [trip.split()[0].lower() for trip in trips] == [
        "begin",
        "insert",
        "select",
        "commit",
        "rollback",
    ]  # the pool's reset


async def test_counts_keys_and_returned_rows_are_those_of_the_statement(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        added = await connection.execute(text("INSERT INTO things (name) VALUES ('a'), ('b') RETURNING id"))
        assert list(added.scalars()) == [1, 2]
        many = await connection.execute(text("INSERT INTO things (name) VALUES (:n)"), [{"n": "c"}, {"n": "d"}])
        assert many.rowcount == 2
        changed = await connection.execute(text("UPDATE things SET name = name || '!' WHERE id > 1"))
        assert changed.rowcount == 3
        assert await names(connection) == ["a", "b!", "c!", "d!"]


async def test_errors_are_those_of_the_driver_and_the_connection_goes_on(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO things (name) VALUES ('a')"))
    async with engine.connect() as connection:
        with pytest.raises(IntegrityError):
            await connection.execute(text("INSERT INTO things (name) VALUES ('a')"))
        with pytest.raises(OperationalError):
            await connection.execute(text("SELECT nothing FROM nowhere"))
        assert await names(connection) == ["a"]
