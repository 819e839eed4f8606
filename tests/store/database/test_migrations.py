"""Both schemas come up on both databases, once, however many start; what cannot be migrated says why."""

import asyncio
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, text

from store.database.engine import create_engine
from store.database.keyring import KeyringBase
from store.database.migrations import migrate, migrate_keyring
from store.database.schema import Base
from store.database.session import Database
from store.errors import SchemaMismatch
from store.keys.local_keys import LocalFileKeys


async def _run(url: str, *statements: str) -> None:
    engine = create_engine(url, pool_size=1)
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


@pytest.mark.parametrize(("metadata", "which"), [(Base.metadata, "content"), (KeyringBase.metadata, "keyring")])
async def test_migrations_make_what_the_models_say(store_place: Any, metadata: MetaData, which: str) -> None:
    def differences(connection: Connection) -> list[Any]:
        ours = set(metadata.tables)

        def of_ours(_object: Any, name: str | None, kind: str, *_: Any) -> bool:
            return kind != "table" or name in ours

        context = MigrationContext.configure(connection, opts={"include_object": of_ours})
        return list(compare_metadata(context, metadata))

    engine = create_engine(store_place.url if which == "content" else store_place.keyring_url, pool_size=1)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_starting_together_migrates_once(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    await asyncio.gather(*(migrate(url) for _ in range(4)))
    await migrate(url)


async def test_starting_together_migrates_once_on_postgresql(postgres_server: str) -> None:
    import psycopg

    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE together")
    url = postgres_server.replace("/postgres?", "/together?")
    await asyncio.gather(*(migrate(url) for _ in range(4)), *(migrate_keyring(url) for _ in range(4)))


async def test_a_newer_database_is_left_alone(store_place: Any) -> None:
    await _run(store_place.url, "UPDATE autoheal_content_schema SET version_num = 'from_the_future'")
    with pytest.raises(SchemaMismatch, match="newer"):
        await migrate(store_place.url)
    with pytest.raises(SchemaMismatch, match="newer"):
        await Database.open(
            store_place.url, keyring_url=store_place.keyring_url, keys=LocalFileKeys(store_place.key_file)
        )


async def test_tables_without_a_version_are_left_alone(sqlite_place: Any) -> None:
    await _run(sqlite_place.url, "DELETE FROM autoheal_content_schema")
    with pytest.raises(SchemaMismatch, match="interrupted"):
        await migrate(sqlite_place.url)


async def test_an_empty_database_asks_to_be_migrated(tmp_path: Any) -> None:
    keys = LocalFileKeys(tmp_path / "master.key")
    url, keyring_url = f"sqlite:///{tmp_path / 'store.db'}", f"sqlite:///{tmp_path / 'keyring.db'}"
    with pytest.raises(SchemaMismatch, match="autoheal migrate"):
        await Database.open(url, keyring_url=keyring_url, keys=keys)
    await migrate(url)
    with pytest.raises(SchemaMismatch, match="keyring"):
        await Database.open(url, keyring_url=keyring_url, keys=keys)


async def test_an_interrupted_migration_leaves_nothing(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import op

    url = f"sqlite:///{tmp_path / 'store.db'}"
    original = op.create_table
    made: list[str] = []

    def failing(name: str, *args: Any, **kwargs: Any) -> Any:
        if len(made) == 5:
            raise OSError("the disk went away")
        made.append(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(op, "create_table", failing)
    with pytest.raises(OSError, match="went away"):
        await migrate(url)
    monkeypatch.undo()
    await migrate(url)


async def test_an_unknown_kind_of_database_is_named() -> None:
    with pytest.raises(ValueError, match="mysql"):
        create_engine("mysql://localhost/x", pool_size=1)
