"""Putting a backup back: proved first, drafted beside, shredded again, migrated, and only then moved into its place.

SQLite: the files that are in the place go into a folder `replaced-...` beside them, for 30 days. PostgreSQL: each
database is changed in one transaction, so that a failure leaves it as it was; what was there is gone afterwards.
"""

import asyncio
import contextlib
import itertools
import shutil
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Table, func, inspect, select

from store.audit.event_days.sqlite import event_files
from store.database.arrivals import arrivals_file
from store.database.engine import create_engine, is_damaged
from store.database.keyring import Keyring, KeyringBase
from store.database.migrations import knows, migrate, migrate_keyring
from store.database.schema import Base
from store.database.walls.acting import owning
from store.database.walls.postgresql import make_roles
from store.errors import BadBackup, HalfRestored, NoShredLedger, RestoreRefused
from store.keys.shredding import ShredLedger
from store.upkeep.backups.archive import (
    KEYRING_TABLES,
    MASTER_KEY,
    PARTS,
    Backup,
    Backups,
    DeploymentData,
    Part,
    drafts,
    programs_for,
)
from store.upkeep.backups.postgresql import EVENTS_SCHEMA, restorable, tables_in
from store.upkeep.backups.sealed_file import SealedReader
from store.whole_file import sync_folder

_FIRST_TABLES: Final[dict[Part, Table]] = {
    "content": Base.metadata.tables["tenants"],
    "keyring": KeyringBase.metadata.tables["data_keys"],
}
_TABLES_OF: Final[dict[Part, frozenset[str]]] = {
    "content": frozenset(Base.metadata.tables),
    "keyring": frozenset(KeyringBase.metadata.tables),
}
_OF_SQLITE: Final = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True, kw_only=True)
class Restored:
    """`shredded` keys were in the backup and were destroyed again; `set_aside` is where the former files are."""

    backup: Backup
    shredded: int
    set_aside: Path | None


async def restore(backups: Backups, backup: Backup, *, replace: bool = False) -> Restored:
    """No other process may use the place. Raises RestoreRefused, BadBackup, NoShredLedger, BrokenShredLedger,
    MissingProgram and what the key provider raises; then nothing was changed, except that a failure between the two
    databases of PostgreSQL says so.
    """
    place = backups.place
    for part in PARTS:
        if part in backup.schemas and not knows(part, backup.schemas[part]):
            raise BadBackup(
                f"backup {backup.id} has schema {backup.schemas[part]}, which this version does not know: install the "
                "version that made it, or a newer one. Nothing was changed"
            )
    await _require_ledger(backups)
    if not await _is_empty(place):
        if not replace:
            raise RestoreRefused(
                "the place is not empty: restore into an empty one, or replace what is there with --replace. Nothing "
                "was changed"
            )
        if place.deployment is not None and backup.deployment not in (None, place.deployment):
            raise BadBackup(
                f"backup {backup.id} is of another deployment ({backup.deployment}): it does not replace this one's "
                "data; restore it into an empty place. Nothing was changed"
            )
    with drafts(place.work, "restore") as folder:
        for part in PARTS:
            await asyncio.to_thread(_unpack, await backups.open(backup, part), folder, part)
        return await _into_place(backups, backup, folder)


async def _require_ledger(backups: Backups) -> None:
    """It must be there, and be the one that the keyring in the place knows, where there is one."""
    place = backups.place
    if await asyncio.to_thread(place.ledger.read) is None:
        raise NoShredLedger(
            f"no ledger, no restore: the shred ledger {place.ledger.path} is missing. Put its newest copy there, or "
            "name its place in AUTOHEAL_SHRED_LEDGER: without it, shredded keys would come back. Nothing was changed"
        )
    file = place.sqlite_file("keyring")
    if file is not None and not file.exists():
        return
    if file is not None and is_damaged(file):
        return  # it knows nothing that could be asked
    engine = create_engine(place.keyring_url, pool_size=1)
    try:
        async with owning(engine).connect() as connection:
            marked = await connection.run_sync(lambda sync: inspect(sync).has_table("shred_mark"))
        if marked:
            await Keyring(engine, backups.masters, backups.clock, place.ledger).ledger()
    finally:
        await engine.dispose()


async def _is_empty(place: DeploymentData) -> bool:
    """Without a tenant and without a key."""
    for part in PARTS:
        file = place.sqlite_file(part)
        if file is not None and not (file.exists() and file.stat().st_size):
            continue
        if file is not None and is_damaged(file):
            return False
        engine = create_engine(place.url(part), pool_size=1)
        try:
            async with owning(engine).connect() as connection:
                if await connection.run_sync(_holds_rows, part):
                    return False
        finally:
            await engine.dispose()
    return True


def _holds_rows(connection: Connection, part: Part) -> bool:
    """Raises RestoreRefused where the tables are another program's: a restore drops those that it brings."""
    table = _FIRST_TABLES[part]
    present = set(inspect(connection).get_table_names())
    if f"autoheal_{part}_schema" not in present and present & _TABLES_OF[part]:
        raise RestoreRefused(
            f"the {part} database holds tables of the same names that are not Autoheal's: use another database or "
            "schema. Nothing was changed"
        )
    return table.name in present and bool(connection.scalar(select(func.count()).select_from(table)))


def _unpack(reader: SealedReader, folder: Path, part: Part) -> None:
    """All of it is proved before anything else happens."""
    target = folder / part
    target.mkdir(mode=0o700)
    with tarfile.open(fileobj=reader, mode="r|") as tar:  # type: ignore[call-overload]  # it only reads
        for member in tar:
            source = tar.extractfile(member)
            if source is None or Path(member.name).name != member.name or member.name.startswith("."):
                raise BadBackup(f"the {part} part holds {member.name!r}, which no backup holds. Nothing was changed")
            file = target / member.name
            file.touch(0o600)
            with file.open("wb") as out:
                shutil.copyfileobj(source, out)
    reader.drain()


async def _into_place(backups: Backups, backup: Backup, folder: Path) -> Restored:
    """Each part into its own kind of database. Files are made ready first and moved last: until then they change
    nothing.
    """
    place = backups.place
    files = {part: file for part in PARTS if (file := place.sqlite_file(part)) is not None}
    drafted = {part: folder / part / (f"{part}.db" if part in files else f"{part}.pgdump") for part in PARTS}
    for part, draft in drafted.items():
        if not draft.exists():
            raise BadBackup(f"the {part} part is of another kind of database than this place. Nothing was changed")
        if part in files:
            await asyncio.to_thread(_require_sound, draft, part)
    shredded = 0
    if "content" in files:
        await migrate(f"sqlite:///{drafted['content']}")
    if "keyring" in files:
        shredded += await _shred_again(backups, f"sqlite:///{drafted['keyring']}")
    dumps = {part: draft for part, draft in drafted.items() if part not in files}
    if dumps:
        with _marked(place):
            shredded += await _into_servers(backups, dumps)
    moves = {drafted[part]: file for part, file in files.items()}
    if "content" in files:
        names = {file.name for file in event_files(files["content"])}  # the days that are there now go aside
        names |= {file.name for file in (folder / "content").glob("events-*.db")}
        moves |= {folder / "content" / name: files["content"].with_name("events") / name for name in sorted(names)}
        waiting = arrivals_file(files["content"])
        moves[folder / "content" / waiting.name] = waiting  # aside, too, where the backup has none
    moves |= _key_files(place, folder)
    with _marked(place, half=Exception):
        aside = await asyncio.to_thread(_swap, place, moves, f"replaced-{backup.id}")
    return Restored(backup=backup, shredded=shredded, set_aside=aside)


def restore_marker(folder: Path) -> Path:
    """There while a restore changes what is in place: who finds it later finds half of something."""
    return folder / "restoring"


@contextlib.contextmanager
def _marked(place: DeploymentData, *, half: type[Exception] = HalfRestored) -> Iterator[None]:
    """Whatever ends the process leaves the marker, and so does an error of the class `half`."""
    marker = restore_marker(place.work)
    marker.touch(mode=0o600)
    sync_folder(place.work)
    try:
        yield
    except Exception as exc:
        if not isinstance(exc, half):
            marker.unlink(missing_ok=True)
        raise
    marker.unlink(missing_ok=True)
    sync_folder(place.work)


# SQLite


async def _shred_again(backups: Backups, url: str) -> int:
    """Before anything can load a key: what the ledger names is destroyed in the restored keyring too."""
    await migrate_keyring(url)
    keyring = Keyring(create_engine(url, pool_size=1), backups.masters, backups.clock, backups.place.ledger)
    try:
        return await keyring.admit()
    finally:
        await keyring.close()


def _require_sound(file: Path, part: Part) -> None:
    if is_damaged(file):
        raise BadBackup(f"the database in the {part} part is damaged: use another backup. Nothing was changed")


def _swap(place: DeploymentData, moves: Mapping[Path, Path], name: str) -> Path | None:
    """Former files go aside, drafted ones into their place. A crash in between loses none of them."""
    former = [target.with_name(target.name + suffix) for target in moves.values() for suffix in _OF_SQLITE]
    former += [path.with_name(path.name + suffix) for path in place.transient for suffix in _OF_SQLITE]
    present = [path for path in former if path.exists()]
    aside = _new_folder(place.work, name) if present else None
    for path in present:
        shutil.move(path, (aside or place.work) / path.name)
    for draft, target in moves.items():
        if draft.exists():
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.move(draft, target)
            sync_folder(target.parent)
    return aside


def _key_files(place: DeploymentData, folder: Path) -> dict[Path, Path]:
    return {path: place.work / path.name for path in (folder / "keyring").glob("*.key") if path.name != MASTER_KEY}


def _new_folder(parent: Path, name: str) -> Path:
    for number in itertools.count(1):
        folder = parent / f"{name}-{number}"
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            return folder
    raise AssertionError


# PostgreSQL


async def _into_servers(backups: Backups, dumps: Mapping[Part, Path]) -> int:
    """Those parts whose place is a server. Returns how many restored keys were destroyed again."""
    place, shredded = backups.place, 0
    if "content" in dumps:
        engine = create_engine(place.content_url, pool_size=1)
        try:
            async with owning(engine).begin() as connection:
                await connection.run_sync(make_roles)
        finally:
            await engine.dispose()
        await _put_back(place, "content", dumps["content"])
    if "keyring" in dumps:
        try:
            shredded += await _put_back(place, "keyring", dumps["keyring"])
        except RestoreRefused as exc:
            raise HalfRestored(
                f"the content was restored, but the keyring was not and is as before ({exc}): mend that and restore "
                "again"
            ) from exc
    if "content" in dumps:
        await migrate(place.content_url)
    if "keyring" in dumps:
        shredded += await _shred_again(backups, place.keyring_url)
    return shredded


async def _put_back(place: DeploymentData, part: Part, dump: Path) -> int:
    """Returns how many restored keys were destroyed again."""
    programs, schema = await programs_for(place, part)
    lines = await asyncio.to_thread(programs.contents, dump)
    ours = {name for name in Base.metadata.tables if "." not in name} | {"autoheal_content_schema"}
    names = {
        *(ours if part == "content" else KEYRING_TABLES),
        *(name for told, name in tables_in(lines) if told == schema),
    }
    schemas = (EVENTS_SCHEMA, *place.transient_schemas) if part == "content" else ()
    before = " ".join(
        (
            *(f"DROP SCHEMA IF EXISTS {_quoted(one)} CASCADE;" for one in schemas),
            *(f"DROP TABLE IF EXISTS {_quoted(schema)}.{_quoted(name)} CASCADE;" for name in sorted(names)),
        )
    )
    after = "SELECT 0" if part == "content" else await _forget_shredded(place.ledger, f"{_quoted(schema)}.data_keys")
    return int(await asyncio.to_thread(programs.restore, dump, restorable(lines), before=before, after=after))


async def _forget_shredded(ledger: ShredLedger, table: str) -> str:
    """In the same transaction: no moment in which a shredded key is there again."""
    found = await asyncio.to_thread(ledger.read)
    tenants = sorted({str(uuid.UUID(tenant)) for tenant in found.tenants}) if found else []
    listed = ", ".join(f"'{tenant}'" for tenant in tenants)
    if not tenants:
        return "SELECT 0"
    return f"WITH gone AS (DELETE FROM {table} WHERE tenant_id IN ({listed}) RETURNING 1) SELECT count(*) FROM gone"  # noqa: S608 - UUIDs


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
