"""A damaged data folder is refused before anything is opened, made or changed: what is missing, and how to restore it.

Whatever is missing would be made anew by a first start: a new key that opens nothing, a database without tenants beside
their keys. So what remains is looked at first. An empty file counts as missing: a start that was interrupted leaves it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg

from bot.settings import Settings
from store.database.arrivals import arrivals_file
from store.database.engine import driverless, is_damaged
from store.database.walls.acting import DOOR_KEEPER
from store.errors import StoreError
from store.keys.local_keys import LocalFileKeys
from store.upkeep.backups import restore_marker

_RESTORE: Final = (
    "Put it back from its copy; or see `autoheal backup list` and run `autoheal backup restore ID --replace`, which "
    "sets aside what is here. Nothing was made or changed"
)
_CHECKED_BYTES: Final = 64_000_000
"""A larger database is not read to its end at each start: doctor does, and damage that is met later is told then."""
_CORRUPT: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_ENGINE_TABLE: Final = "workflow_status"
_SERVICES: Final = (b"aws-kms", b"vault")
_WRAPPED: Final = ("engine.key", "audit.key", "accounts.key")


class DamagedFolder(StoreError):
    """Part of the data folder is missing or cannot be read. The message says what, and what to do."""


async def require_undamaged(settings: Settings) -> None:
    """Before the folder is opened. Raises DamagedFolder with the first thing that is wrong."""
    wrong = await asyncio.to_thread(lambda: next(damages(settings), None))
    if wrong is not None:
        raise DamagedFolder(wrong)


def damages(settings: Settings, *, whole: bool = False) -> Iterator[str]:
    """Each in a sentence or two. `whole`: also large files are read to their end."""
    folder = settings.data
    if not folder.exists():
        return
    if restore_marker(folder).exists():
        yield (
            f"a restore into {folder} was interrupted: run `autoheal backup restore ID --replace` again, to its end. "
            "Until then nothing is opened"
        )
    files = {} if settings.database_url else {"content": folder / "autoheal.db", "engine": folder / "engine.db"}
    if settings.keyring_url is None:
        files["keyring"] = folder / "keyring.db"
    unreadable = [fault for file in files.values() if (fault := _fault(file, whole=whole))]
    yield from unreadable
    if not unreadable:
        yield from _missing_database(files)
        yield from _missing_keys(settings, files)


def _missing_database(files: dict[str, Path]) -> Iterator[str]:
    content, keyring = files.get("content"), files.get("keyring")
    if content is not None and _is_missing(content):
        others = (
            *(file for file in (keyring,) if file is not None and _has(file, "data_keys")),
            arrivals_file(content),
        )
        beside = next((file for file in others if file == keyring or _has(file, "arrivals")), None)
        if beside is not None:
            yield f"{content} is missing, but {beside.name} is there: nobody's data would be found. {_RESTORE}"
    if keyring is not None and _is_missing(keyring) and content is not None and _has(content, "tenants"):
        yield f"{keyring} is missing, but {content.name} holds data that only its keys open. {_RESTORE}"


def require_master_key(settings: Settings) -> None:
    """Before the local file would be made: a new one opens nothing of what is there. Raises DamagedFolder."""
    folder, keyring = settings.data, settings.data / "keyring.db"
    if settings.keys != "local" or not _is_missing(folder / "master.key"):
        return
    sealed = [path for name in _WRAPPED if _is_sealed_locally(path := folder / name)]
    if settings.keyring_url is None and _has(keyring, "data_keys", f"provider = '{LocalFileKeys.name}'"):
        sealed.append(keyring)
    if sealed:
        raise DamagedFolder(
            f"{folder / 'master.key'} is missing, but {sealed[0].name} is sealed under it: a new key would open "
            "nothing. Put the original back from its copy; it is in no backup. Nothing was made or changed"
        )


def _missing_keys(settings: Settings, files: dict[str, Path]) -> Iterator[str]:
    folder, content = settings.data, files.get("content")
    if _is_missing(folder / "engine.key") and _engine_has_work(settings):
        place = "the engine's schema" if settings.database_url else "engine.db"
        aside = "drop the schema dbos" if settings.database_url else "move engine.db away"
        yield (
            f"{folder / 'engine.key'} is missing, but {place} holds work that only it opens. Put it back from its copy "
            f"or from another replica's folder. If it is lost for good, {aside}: what was under way then does not go "
            "on. Nothing was made or changed"
        )
    if _is_missing(folder / "audit.key") and not _is_missing(settings.checkpoint_path):
        yield (
            f"{folder / 'audit.key'} is missing, but {settings.checkpoint_path.name} was signed with it. {_RESTORE}; "
            f"or move {settings.checkpoint_path.name} away, and heads are signed anew from now on"
        )
    if _is_missing(folder / "accounts.key") and (
        _has(content, "accounts") if content is not None else _server_has_accounts(settings)
    ):
        yield f"{folder / 'accounts.key'} is missing, but there are accounts whose passwords only it checks. {_RESTORE}"


def _is_sealed_locally(path: Path) -> bool:
    """What a key service wrapped names it in its first line."""
    return path.exists() and path.read_bytes().partition(b"\n")[0] not in _SERVICES


def _is_missing(path: Path) -> bool:
    return not path.exists() or path.stat().st_size == 0


def _engine_has_work(settings: Settings) -> bool:
    if settings.database_url is None:
        return _has(settings.data / "engine.db", _ENGINE_TABLE)
    with psycopg.connect(driverless(settings.content_url), autocommit=True) as connection:
        known = connection.execute("SELECT to_regclass('dbos.workflow_status')").fetchone()
        if known is None or known[0] is None:
            return False
        return connection.execute("SELECT 1 FROM dbos.workflow_status LIMIT 1").fetchone() is not None


def _server_has_accounts(settings: Settings) -> bool:
    """As the door keeper sees them: to the login alone the tables show nothing."""
    role, tenant, door = DOOR_KEEPER.postgresql
    with psycopg.connect(driverless(settings.content_url)) as connection:
        known = connection.execute("SELECT to_regclass('accounts'), to_regrole(%s)", (role,)).fetchone()
        if known is None or None in known:
            return False
        for name, value in (("role", role), ("app.tenant_id", tenant), ("app.door", door)):
            connection.execute("SELECT set_config(%s, %s, true)", (name, value))
        return connection.execute("SELECT 1 FROM accounts LIMIT 1").fetchone() is not None


def _has(file: Path, table: str, where: str = "1") -> bool:
    """Whether the SQLite file has that table with such a row in it."""
    if _is_missing(file):
        return False
    with _opened(file) as connection:
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
        query = f"SELECT 1 FROM {table} WHERE {where} LIMIT 1"  # noqa: S608 -- our own names
        return known is not None and connection.execute(query).fetchone() is not None


def _fault(file: Path, *, whole: bool) -> str | None:
    """None for a file that is sound as far as it was looked at."""
    if _is_missing(file) or not is_damaged(file, up_to=None if whole else _CHECKED_BYTES):
        return None
    return f"{file} is damaged and cannot be read to its end. {_RESTORE}"


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    """Never made where it is missing."""
    with contextlib.closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True, timeout=5)) as connection:
        yield connection


def told_damage(exc: BaseException) -> str | None:
    """What to say of an error that a damaged SQLite file causes while it is used; None for any other."""
    cause: BaseException | None = exc
    while cause is not None:
        if getattr(cause, "sqlite_errorcode", 0) & 0xFF in _CORRUPT:
            return f"A database in the data folder is damaged (`autoheal doctor` says which). {_RESTORE}."
        cause = getattr(cause, "orig", None) or cause.__cause__
    return None
