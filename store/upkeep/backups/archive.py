"""Making, listing, proving and forgetting backups."""

import asyncio
import base64
import binascii
import contextlib
import re
import secrets
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from store.audit.event_days.sqlite import event_files
from store.database.arrivals import arrivals_file
from store.database.engine import create_engine, parse_url
from store.database.keyring import KeyringBase
from store.database.migrations import revision_of
from store.database.walls.acting import owning
from store.errors import BadBackup, NotFound, RestoreRefused
from store.keys.key_provider import KeyProvider, MasterKeys
from store.keys.shredding import ShredLedger
from store.upkeep.backups.postgresql import EVENTS_SCHEMA, Programs
from store.upkeep.backups.sealed_file import Header, SealedReader, SealedWriter, read_header, require_undamaged

KEEP_FOR: Final = timedelta(days=30)
LONGEST_RUN: Final = timedelta(days=1)
"""Drafts that are older were left by a run that was killed."""
FORMAT: Final = 1
MASTER_KEY: Final = "master.key"
Part = Literal["content", "keyring"]
PARTS: Final[tuple[Part, ...]] = ("content", "keyring")
KEYRING_TABLES: Final = (*(table.name for table in KeyringBase.metadata.sorted_tables), "autoheal_keyring_schema")
_NAME: Final = re.compile(r"(\d{8}T\d{6}Z-[0-9a-f]{8})\.backup")


@dataclass(frozen=True, kw_only=True)
class DeploymentData:
    """Where a deployment's data live. `content_url` is by the login that owns the tables; `transient` files and schemas
    are what a restore sets aside.
    """

    content_url: str
    keyring_url: str
    ledger: ShredLedger
    work: Path
    """The deployment's own folder, for drafts; its `*.key` files (wrapped, but for the master key) are kept with the
    keyring.
    """
    deployment: str | None = None
    transient: Sequence[Path] = ()
    transient_schemas: Sequence[str] = ()
    programs: Sequence[Path] = ()

    @property
    def key_files(self) -> list[Path]:
        """Never the master key: whoever held it beside the keyring would hold everything."""
        return [
            path for path in sorted(self.work.glob("*.key")) if path.name != MASTER_KEY and path not in self.transient
        ]

    def url(self, part: Part) -> str:
        return self.content_url if part == "content" else self.keyring_url

    def sqlite_file(self, part: Part) -> Path | None:
        """None on PostgreSQL."""
        parsed = parse_url(self.url(part))
        return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


@dataclass(frozen=True, kw_only=True)
class Backup:
    """What names and headers say; `Backups.prove` tells whether it is true. `parts` may lack one that was moved away;
    `fault` says why a header cannot be read.
    """

    id: str
    created_at: datetime
    parts: Mapping[Part, Path]
    bytes: int
    deployment: str | None = None
    schemas: Mapping[Part, str] = field(default_factory=dict)
    fault: str | None = None


class Backups:
    """The backups of one folder. Nothing here takes more memory for a larger database."""

    def __init__(self, place: DeploymentData, folder: Path, keys: KeyProvider, clock: Callable[[], datetime]) -> None:
        self.place = place
        self.folder = folder
        self.masters = keys if isinstance(keys, MasterKeys) else MasterKeys(keys)
        self.clock = clock

    async def create(self) -> Backup:
        """Content first: a key that is made meanwhile opens nothing, but content without its key would be lost.

        Raises MissingProgram, RestoreRefused (a database that cannot be read) and what the key provider raises.
        """
        backup_id = f"{self.clock().astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        with drafts(self.place.work, "backup") as folder:
            for part in PARTS:
                await self._create_part(part, backup_id, folder)
        return await self.find(backup_id)

    async def known(self) -> list[Backup]:
        """Newest first."""
        return await asyncio.to_thread(self._known)

    async def find(self, backup_id: str) -> Backup:
        """`latest` is the newest. Raises NotFound."""
        for backup in await self.known():
            if backup_id in (backup.id, "latest"):
                return backup
        raise NotFound(f"{self.folder} holds no backup {backup_id}: `autoheal backup list` names those that it holds")

    async def prove(self, backup: Backup) -> None:
        """Reads both parts to the end: undamaged, whole, ours, and opened by our master key. Raises BadBackup, and
        WrongMasterKey or another of the key provider's.
        """
        for part in PARTS:
            reader = await self.open(backup, part)
            await asyncio.to_thread(reader.drain)

    async def open(self, backup: Backup, part: Part) -> SealedReader:
        """Its checksum was compared; the rest is proved while it is read."""
        path = backup.parts.get(part)
        if backup.fault is not None:
            raise BadBackup(backup.fault)
        if path is None:
            raise BadBackup(f"the {part} part of backup {backup.id} is not in {self.folder / part}: put it there")
        await asyncio.to_thread(require_undamaged, path)
        header = read_header(path)
        try:
            wrapped = base64.b64decode(header["wrapped"], validate=True)
            provider = self.masters.named(str(header["provider"]))
        except (TypeError, binascii.Error) as exc:
            raise BadBackup(f"the header of {path} is incomplete: use another copy of it") from exc
        return SealedReader(path, await provider.unwrap(wrapped, context=_context(part, backup.id)))

    async def expire(self) -> list[Backup]:
        """Deletes what is older than 30 days, and what an interrupted run or a restore left for as long."""
        return await asyncio.to_thread(self._expire)

    async def _create_part(self, part: Part, backup_id: str, draft: Path) -> None:
        folder = self.folder / part
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = secrets.token_bytes(32)
        header = {
            "format": FORMAT,
            "id": backup_id,
            "part": part,
            "created_at": self.clock().isoformat(),
            "deployment": self.place.deployment,
            "schema": await self._schema(part),
            "provider": self.masters.name,
            "wrapped": base64.b64encode(await self.masters.wrap(key, context=_context(part, backup_id))).decode(),
        }
        members = await self._members(part, draft)
        await asyncio.to_thread(_pack, folder / f"{backup_id}.backup", header, key, members)

    async def _schema(self, part: Part) -> str:
        engine = create_engine(self.place.url(part), pool_size=1)
        try:
            async with owning(engine).connect() as connection:
                found = await connection.run_sync(revision_of, part)
        finally:
            await engine.dispose()
        if found is None:
            raise RestoreRefused(f"the {part} database was never migrated: there is nothing to back up")
        return found

    async def _members(self, part: Part, draft: Path) -> dict[str, Path]:
        members: dict[str, Path] = {}
        source = self.place.sqlite_file(part)
        if source is None:
            members[f"{part}.pgdump"] = await self._dump(part, draft)
        else:
            waiting = arrivals_file(source)
            if part == "content" and waiting.exists():  # first: what moves to the content meanwhile is in both
                members[waiting.name] = await asyncio.to_thread(_copy_sqlite, waiting, draft / waiting.name)
            members[f"{part}.db"] = await asyncio.to_thread(_copy_sqlite, source, draft / f"{part}.db")
            for day in event_files(source) if part == "content" else ():
                members[day.name] = await asyncio.to_thread(_copy_sqlite, day, draft / day.name)
        if part == "keyring":
            members |= {path.name: path for path in self.place.key_files}
        return members

    async def _dump(self, part: Part, draft: Path) -> Path:
        target = draft / f"{part}.pgdump"
        programs, schema = await programs_for(self.place, part)
        tables = [f"{schema}.{table}" for table in KEYRING_TABLES]
        if part == "content":
            await asyncio.to_thread(programs.dump, target, schemas=[schema, EVENTS_SCHEMA], tables=[], but=tables)
        else:
            await asyncio.to_thread(programs.dump, target, schemas=[], tables=tables, but=[])
        return target

    def _known(self) -> list[Backup]:
        found: dict[str, dict[Part, Path]] = {}
        for part in PARTS:
            for path in (self.folder / part).glob("*.backup"):
                if named := _NAME.fullmatch(path.name):
                    found.setdefault(named.group(1), {})[part] = path
        return sorted((_backup(*one) for one in found.items()), key=lambda one: (one.created_at, one.id), reverse=True)

    def _expire(self) -> list[Backup]:
        before = self.clock() - KEEP_FOR
        old = [backup for backup in self._known() if backup.created_at < before]
        for backup in old:
            for path in backup.parts.values():
                path.unlink()
        killed = self.clock() - LONGEST_RUN
        leftovers = [(path, before) for path in self.place.work.glob("replaced-*")]
        leftovers += [(path, killed) for path in self.folder.glob("*/.*.draft")]
        leftovers += [(path, killed) for name in (".backup-*", ".restore-*") for path in self.place.work.glob(name)]
        for path, limit in leftovers:
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) < limit:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        return old


@contextmanager
def drafts(work: Path, purpose: str) -> Iterator[Path]:
    """A folder for us alone, gone at the end."""
    folder = work / f".{purpose}-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


async def programs_for(place: DeploymentData, part: Part) -> tuple[Programs, str]:
    """The programs that fit the part's server, and its schema."""
    engine = create_engine(place.url(part), pool_size=1)
    try:
        async with owning(engine).connect() as connection:
            major, schema = await _major_and_schema(connection)
        async with owning(engine).connect() as connection:
            beside = await _beside_the_server(connection)
    finally:
        await engine.dispose()
    return Programs(place.url(part), major, (*place.programs, *beside)), schema


async def _beside_the_server(connection: AsyncConnection) -> list[Path]:
    """Where the server's own programs are, if it tells and is on this host."""
    try:
        told = await connection.scalar(text("SELECT setting FROM pg_config WHERE name = 'BINDIR'"))
    except ProgrammingError:  # it tells superusers only
        return []
    return [Path(told)] if told else []


async def _major_and_schema(connection: AsyncConnection) -> tuple[int, str]:
    found = (
        await connection.execute(text("SELECT current_setting('server_version_num')::int, current_schema()"))
    ).one()
    return found[0] // 10_000, str(found[1])


def _copy_sqlite(source: Path, target: Path) -> Path:
    """One moment of a database that is being written to; its write-ahead log included."""
    target.touch(0o600)
    with (
        contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as reading,
        contextlib.closing(sqlite3.connect(target)) as writing,
    ):
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode=DELETE")
    return target


def _pack(path: Path, header: Header, key: bytes, members: Mapping[str, Path]) -> None:
    with SealedWriter(path, header, key) as sealed, tarfile.open(fileobj=sealed, mode="w|") as tar:  # type: ignore[call-overload]  # it only writes
        for name, source in members.items():
            tar.add(source, arcname=name, recursive=False, filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _backup(backup_id: str, parts: Mapping[Part, Path]) -> Backup:
    known = Backup(
        id=backup_id,
        created_at=datetime.strptime(backup_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC),
        parts=parts,
        bytes=sum(path.stat().st_size for path in parts.values()),
    )
    try:
        headers = {part: _checked_header(backup_id, part, path) for part, path in parts.items()}
    except BadBackup as exc:
        return replace(known, fault=str(exc))
    schemas = {part: str(header["schema"]) for part, header in headers.items()}
    return replace(known, schemas=schemas, deployment=next(iter(headers.values()))["deployment"])


def _checked_header(backup_id: str, part: Part, path: Path) -> Header:
    header = read_header(path)
    if not {"wrapped", "provider", "schema", "deployment"} <= header.keys():
        raise BadBackup(f"the header of {path} is incomplete: use another copy of it")
    if (header.get("id"), header.get("part")) != (backup_id, part):
        raise BadBackup(f"{path} is not what its name says: give it back its name, or move it away")
    if header.get("format") != FORMAT:
        raise BadBackup(f"{path} is of format {header.get('format')}: restore it with the version that made it")
    return header


def _context(part: Part, backup_id: str) -> dict[str, str]:
    return {"purpose": "backup", "part": part, "backup": backup_id}
