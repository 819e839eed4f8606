"""This host: the data folder and its keys, the databases, the process lock."""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psycopg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from agents.durable.process_lock import ProcessLockTaken, take_process_lock
from bot.damage import damages
from bot.doctor.finding import DoctorFinding, note, ok, problem
from bot.master_keys import UNFIT, open_master_keys, read_engine_key
from bot.settings import APART, TOGETHER, Settings, SettingsError
from store.database.engine import create_engine
from store.database.migrations import require_current, require_current_keyring
from store.errors import StoreError
from store.keys.local_keys import LocalFileKeys


async def check_folder(settings: Settings) -> AsyncIterator[DoctorFinding]:
    """The data folder can be written, and its keys are private and fit together."""
    subject, folder = "data folder", settings.data
    if not folder.exists():
        parent = next(p for p in folder.absolute().parents if p.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            yield ok(subject, f"{folder} will be made at the first start")
        else:
            yield problem(subject, f"{parent} cannot be written", "let this user write it, or set AUTOHEAL_DATA")
        return
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as exc:
        yield problem(subject, f"{folder}: {exc.strerror}", "let this user write it, or set AUTOHEAL_DATA")
        return
    yield ok(subject, f"{folder} can be written")
    for damage in await asyncio.to_thread(lambda: list(damages(settings, whole=True))):
        yield problem(subject, damage, "as it says")
    keys = _keys(folder) if settings.keys == "local" else _key_service(settings)
    async for finding in keys:
        yield finding
    yield await _ledger(settings)
    if settings.one_copy_brings_back_all:
        yield problem("P16", f"fails against a copy of {folder}: {TOGETHER}", APART)


async def _key_service(settings: Settings) -> AsyncIterator[DoctorFinding]:
    """Wraps and unwraps something, and opens what is wrapped in this folder."""
    subject = f"master key in {settings.keys}"
    try:
        async with open_master_keys(settings) as keys:
            probe = await keys.wrap(b"doctor", context={"purpose": "doctor"})
            await keys.unwrap(probe, context={"purpose": "doctor"})
            engine = settings.data / "engine.key"
            if engine.exists():
                await read_engine_key(keys, engine)
    except (StoreError, SettingsError) as exc:
        yield problem(subject, str(exc), "as it says; nothing was changed")
        return
    yield ok(subject, "wraps and unwraps")
    if (settings.data / "master.key").exists():
        yield note(subject, "master.key is still there: after `autoheal keys rewrap` it is not needed any more")


async def _ledger(settings: Settings) -> DoctorFinding:
    """The shred ledger can be read and is unbroken; whether it is the keyring's own is seen at the start."""
    subject, path = "shred ledger", settings.ledger_path
    try:
        found = settings.ledger.read()
        settings.ledger.check(found, None)
    except StoreError as exc:
        return problem(subject, str(exc), "as it says")
    except OSError as exc:
        return problem(subject, f"{path}: {exc.strerror}", "let this user read it")
    if found is None:
        return note(subject, f"{path} will be begun with the keyring, if that is new")
    return ok(subject, f"{path} is unbroken and names {len(found.entries)} destroyed keys; keep a copy elsewhere")


async def _keys(folder: Path) -> AsyncIterator[DoctorFinding]:
    subject, path, engine = "master key", folder / "master.key", folder / "engine.key"
    if not path.exists():
        if engine.exists() or (folder / "keyring.db").exists():
            yield problem(subject, f"{path} is missing, but data encrypted under it exists", "restore it from a backup")
        else:
            yield ok(subject, f"{path} will be made at the first start; back it up then, apart from the databases")
        return
    try:
        keys = LocalFileKeys(path)
        if engine.exists():
            await keys.unwrap(engine.read_bytes(), context={"purpose": "engine"})
    except StoreError as exc:
        yield problem(subject, str(exc), "as it says; nothing was changed")
        return
    except OSError as exc:
        yield problem(subject, f"{exc.filename}: {exc.strerror}", "let this user read it")
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    yield ok(subject, f"{path} has mode {mode:04o} and opens this folder's data")
    yield note(subject, UNFIT)


async def check_databases(settings: Settings) -> AsyncIterator[DoctorFinding]:
    """Both databases can be reached and are at this version's schema."""
    both: tuple[tuple[str, str, str | None, Callable[[AsyncEngine], Awaitable[None]]], ...] = (
        ("database", settings.content_url, settings.database_url, require_current),
        ("keyring", settings.keys_url, settings.keyring_url, require_current_keyring),
    )
    for subject, url, configured, require in both:
        if configured is None and not _file_of(url).exists():
            yield ok(subject, "a SQLite file will be made at the first start")
            continue
        yield await _database(subject, url, require)


def _file_of(sqlite_url: str) -> Path:
    return Path(sqlite_url.partition(":///")[2])


async def _database(subject: str, url: str, require: Callable[[AsyncEngine], Awaitable[None]]) -> DoctorFinding:
    variable = "AUTOHEAL_DATABASE_URL" if subject == "database" else "AUTOHEAL_KEYRING_URL"
    try:
        engine = create_engine(url, pool_size=1)
    except (SQLAlchemyError, ValueError) as exc:
        return problem(subject, f"its address cannot be used ({type(exc).__name__})", f"correct {variable}")
    try:
        await require(engine)
    except StoreError as exc:
        return problem(subject, str(exc), "as it says")
    except (SQLAlchemyError, OSError) as exc:
        return problem(subject, f"cannot be reached ({type(exc).__name__})", f"start it, or correct {variable}")
    finally:
        await engine.dispose()
    return ok(subject, f"{engine.dialect.name}, at this version's schema")


async def check_engine(settings: Settings) -> AsyncIterator[DoctorFinding]:
    """Whether a process could start here now."""
    subject = "engine"
    if settings.database_url is None and not settings.data.exists():
        yield ok(subject, "nothing runs here yet")
        return
    try:
        lock = await take_process_lock(settings.engine_url, str(settings.data))
    except ProcessLockTaken:
        yield note(subject, "`autoheal serve` is running here")
        return
    except (psycopg.Error, SQLAlchemyError, OSError) as exc:
        yield problem(subject, f"its database cannot be reached ({type(exc).__name__})", "see the database above")
        return
    await lock.release()
    yield ok(subject, "the process lock is free: `autoheal serve` can start")
