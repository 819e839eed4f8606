"""Connections to PostgreSQL that the server ended are never given to anybody."""

import psycopg
import pytest
import sqlalchemy as sa
from conftest import StorePlace, open_store, seed_tenant

from store.database.engine import drop_if_hung_up
from store.people.users import admins

END_ALL = """
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""


async def test_after_a_restart_of_the_server_the_first_transaction_works(
    postgres_place: StorePlace, clock: object
) -> None:
    db = await open_store(postgres_place, clock)  # type: ignore[arg-type]
    tenant = await seed_tenant(db, "Acme")
    try:
        with psycopg.connect(postgres_place.url, autocommit=True) as server:
            server.execute(END_ALL)
        async with db.tenant(tenant) as s:
            assert len(await admins(s)) == 1
    finally:
        await db.close()


def test_the_engines_connections_are_looked_at_too(postgres_server: str) -> None:
    url = postgres_server.replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(url, pool_size=1, max_overflow=0)
    sa.event.listen(engine, "checkout", drop_if_hung_up)
    try:
        with engine.connect() as connection:
            before = connection.scalar(sa.text("SELECT pg_backend_pid()"))
        with psycopg.connect(postgres_server, autocommit=True) as server:
            server.execute("SELECT pg_terminate_backend(%s, 10000)", (before,))
        with engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT pg_backend_pid()")) != before
    finally:
        engine.dispose()


async def test_a_replica_takes_few_connections(postgres_place: StorePlace, clock: object) -> None:
    """Three for the store; with the engine's two, its listener's and the slot's twelve replicas share a hundred."""
    db = await open_store(postgres_place, clock)  # type: ignore[arg-type]
    try:
        assert db._engine.pool.size() == 3  # type: ignore[attr-defined]
        assert db._engine.pool._max_overflow == 0  # type: ignore[attr-defined]
        assert type(db.keyring._engine.pool) is sa.pool.NullPool
    finally:
        await db.close()


def test_hang_ups_are_found_without_a_trip(postgres_server: str) -> None:
    with psycopg.connect(postgres_server) as connection:
        drop_if_hung_up(connection, None, None)
        connection.close()
        with pytest.raises(sa.exc.DisconnectionError):
            drop_if_hung_up(connection, None, None)
