"""Schema migrations of the two databases, run by code so that they work from an installed wheel.

One transaction takes a lock, then migrates: replicas that start together wait for each other, and an interrupted
migration leaves nothing behind, because both databases roll back schema changes. The walls between tenants are no
migration: they follow from the models and are laid in the same transaction, after it.
"""

from pathlib import Path
from typing import Literal

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util import CommandError
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from store.database import walls
from store.database.engine import create_engine
from store.database.walls.acting import owning
from store.errors import SchemaMismatch

Which = Literal["content", "keyring"]

_HERE = Path(__file__).parent
_LOCK = 0x6175746F6865616C  # any constant of our own


async def migrate(url: str) -> None:
    """Brings the content database to this version's schema. Safe to run again and at the same time elsewhere.

    Raises SchemaMismatch when the database is newer than this version, or holds foreign tables.
    """
    await _migrate(url, "content")


async def migrate_keyring(url: str) -> None:
    """The same for the keyring's database."""
    await _migrate(url, "keyring")


def head(which: Which) -> str:
    """The revision that this version of the program needs."""
    revision = _scripts(which).get_current_head()
    if revision is None:
        raise SchemaMismatch(f"the installed package lacks the migrations of the {which} database: reinstall it")
    return revision


def revision_of(connection: Connection, which: Which) -> str | None:
    """Where the database stands; None for one without tables. Raises SchemaMismatch for one that this version does not
    know.
    """
    return _revision(connection, which)


def knows(which: Which, revision: str) -> bool:
    """False for a revision of a newer version."""
    try:
        return _scripts(which).get_revision(revision) is not None
    except (CommandError, ResolutionError):
        return False


async def require_current(engine: AsyncEngine) -> None:
    """Raises SchemaMismatch unless the content database is exactly at this version's schema."""
    await _require(engine, "content")


async def require_current_keyring(engine: AsyncEngine) -> None:
    await _require(engine, "keyring")


async def _migrate(url: str, which: Which) -> None:
    engine = create_engine(url, pool_size=1)
    try:
        async with owning(engine).begin() as connection:
            await connection.run_sync(_upgrade, which)
            if which == "content":
                await connection.run_sync(_wall)
    finally:
        await engine.dispose()


async def _require(engine: AsyncEngine, which: Which) -> None:
    async with engine.connect() as connection:
        current = await connection.run_sync(_revision, which)
        if current != head(which):
            raise SchemaMismatch(f"the {which} database is not migrated: run `autoheal migrate`")
        if which == "content" and (gaps := await connection.run_sync(walls.missing)):
            raise SchemaMismatch(f"the tenants' wall has gaps ({gaps[0]}): run `autoheal migrate`")


def _wall(connection: Connection) -> None:
    """Lays the walls anew where one is missing: of a new table, a rebuilt one, or taken down by hand."""
    if not walls.missing(connection):
        return
    walls.build(connection)
    if gaps := walls.missing(connection):
        raise SchemaMismatch(f"the tenants' wall cannot be built: {'; '.join(gaps)}. Mend that, then migrate again")


def _upgrade(connection: Connection, which: Which) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    scripts = _scripts(which)
    current = _revision(connection, which)
    if current == head(which):
        return
    with EnvironmentContext(
        _config(which),
        scripts,
        fn=lambda revision, _context: scripts._upgrade_revs("head", revision),  # noqa: SLF001 - as alembic.command does
        destination_rev="head",
    ) as environment:
        environment.configure(
            connection=connection, version_table=_version_table(which), render_as_batch=True, transactional_ddl=True
        )
        environment.run_migrations()


def _revision(connection: Connection, which: Which) -> str | None:
    """The revision of the database, checked to be one that this version knows."""
    context = MigrationContext.configure(connection, opts={"version_table": _version_table(which)})
    current = context.get_current_revision()
    if current is None:
        first_table = {"content": "tenants", "keyring": "data_keys"}[which]
        if inspect(connection).has_table(first_table):
            raise SchemaMismatch(
                f"the {which} database holds tables but no schema version: a migration was interrupted or the tables "
                "are another program's. Restore a backup or use an empty database; nothing was changed"
            )
        return None
    try:
        _scripts(which).get_revision(current)
    except (CommandError, ResolutionError) as exc:
        raise SchemaMismatch(
            f"the {which} database is at schema {current}, which this version does not know: a newer one "
            "migrated it. Install that version or restore a backup; nothing was changed"
        ) from exc
    return current


def _version_table(which: Which) -> str:
    return f"autoheal_{which}_schema"


def _scripts(which: Which) -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(which))


def _config(which: Which) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE / which).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
