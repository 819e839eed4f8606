"""What passes by itself is told from what does not, by real errors of real databases."""

import errno
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from store.database.trouble import passes
from store.errors import StoreBusy, UnknownTenant


def _engine(file: Path) -> sa.Engine:
    return sa.create_engine(f"sqlite:///{file}", connect_args={"timeout": 0.01})


def test_a_locked_and_a_full_sqlite_pass_and_a_missing_table_does_not(tmp_path: Path) -> None:
    engine = _engine(tmp_path / "a.db")
    with sqlite3.connect(tmp_path / "a.db") as other, engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x NOT NULL)")
        connection.commit()
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sa.exc.OperationalError) as locked:
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        connection.rollback()
        other.rollback()
        connection.exec_driver_sql("PRAGMA max_page_count = 2")
        with pytest.raises(sa.exc.OperationalError) as full:
            connection.exec_driver_sql("INSERT INTO t VALUES (zeroblob(100000))")
        connection.rollback()
        with pytest.raises(sa.exc.OperationalError) as missing:
            connection.exec_driver_sql("SELECT * FROM nothing")
        with pytest.raises(sa.exc.IntegrityError) as wrong:
            connection.exec_driver_sql("INSERT INTO t VALUES (NULL)")
    engine.dispose()
    assert [passes(one.value) for one in (locked, full, missing, wrong)] == [True, True, False, False]


def test_a_postgresql_that_goes_away_passes_and_a_missing_table_does_not(postgres_server: str) -> None:
    url = postgres_server.replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(url)
    with engine.connect() as connection, engine.connect() as killer:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        killer.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
        with pytest.raises(sa.exc.DBAPIError) as ended:
            connection.exec_driver_sql("SELECT 1")
        with pytest.raises(sa.exc.DBAPIError) as missing:
            killer.exec_driver_sql("SELECT * FROM nothing")
    engine.dispose()
    assert [passes(ended.value), passes(missing.value)] == [True, False]


def test_a_busy_store_and_a_full_disk_pass_and_our_own_errors_do_not() -> None:
    assert passes(StoreBusy("busy"))
    assert passes(OSError(errno.ENOSPC, "no space"))
    assert not passes(UnknownTenant("gone"))
    assert not passes(ConnectionError("somebody else's"))
    assert not passes(ValueError("ours"))
