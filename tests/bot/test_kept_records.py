"""Records that outlive the process: sealed, whole after a kill, of one writer, and gone with their tenant."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from bot.kept_records import FOLDER, KeptRecords
from store.database.session import Database
from store.ids import TenantId
from store.secrets.redaction import Redacted

KILLED_WHILE_WRITING = """
import os, sys
path, record = sys.argv[1], bytes.fromhex(sys.argv[2])
file = os.open(path, os.O_WRONLY | os.O_APPEND)
os.write(file, len(record).to_bytes(4, "big") + record[: len(record) // 2])
os.kill(os.getpid(), 9)
"""


def files_of(data: Path, tenant: TenantId) -> list[Path]:
    return sorted((data / FOLDER / tenant).glob("*.*"))


async def test_records_are_there_again_after_a_kill_in_the_middle_of_one(
    sqlite_database: Database, two_tenants: tuple[TenantId, TenantId], tmp_path: Path
) -> None:
    tenant, other = two_tenants
    first = KeptRecords(sqlite_database, tenant, tmp_path)
    await first.open()
    for number in range(5):
        await first.keep("checkout", Redacted.ours(f"scrape-{number}"), most=2)
    assert await first.recall("checkout") == ["scrape-2", "scrape-3", "scrape-4"]  # two files of two at the most
    assert await first.recall("payments") == []
    former, current = files_of(tmp_path, tenant)
    assert all(b"scrape" not in path.read_bytes() for path in (former, current))
    assert {oct(path.stat().st_mode & 0o777) for path in (former, current)} == {"0o600"}
    record = current.read_bytes()[4:]
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED_WHILE_WRITING, current, record.hex())
    assert await killed.wait() == -signal.SIGKILL
    second = KeptRecords(sqlite_database, tenant, tmp_path)
    await second.open()  # the first has the folder still: this one only reads
    assert await second.recall("checkout") == ["scrape-2", "scrape-3", "scrape-4"]
    await second.keep("checkout", Redacted.ours("lost"), most=2)
    first.close()
    third = KeptRecords(sqlite_database, tenant, tmp_path)
    await third.open()
    await third.recall("checkout")
    await third.keep("checkout", Redacted.ours("scrape-5"), most=2)
    assert await third.recall("checkout") == ["scrape-2", "scrape-3", "scrape-4", "scrape-5"]
    foreign = KeptRecords(sqlite_database, other, tmp_path)
    (tmp_path / FOLDER / other).mkdir()
    for path in files_of(tmp_path, tenant):
        os.link(path, tmp_path / FOLDER / other / path.name)
    assert await foreign.recall("checkout") == []  # it does not open in another tenant's name
    third.close()


async def test_they_go_with_the_tenants_keys(
    sqlite_database: Database, two_tenants: tuple[TenantId, TenantId], tmp_path: Path
) -> None:
    kept = [KeptRecords(sqlite_database, tenant, tmp_path) for tenant in two_tenants]
    for one in kept:
        await one.open()
        await one.keep("checkout", Redacted.ours("1"), most=2)
        one.close()
    await sqlite_database.keyring.shred(two_tenants[0])
    await kept[0].open()
    assert files_of(tmp_path, two_tenants[0]) == []
    assert len(files_of(tmp_path, two_tenants[1])) == 1
    await kept[0].keep("checkout", Redacted.ours("2"), most=2)
    assert not (tmp_path / FOLDER / two_tenants[0]).exists()
    kept[0].close()


async def test_a_folder_that_cannot_be_written_costs_the_history_and_nothing_else(
    sqlite_database: Database, two_tenants: tuple[TenantId, TenantId], tmp_path: Path
) -> None:
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    kept = KeptRecords(sqlite_database, two_tenants[0], tmp_path)
    await kept.open()
    await kept.keep("checkout", Redacted.ours("1"), most=2)
    assert await kept.recall("checkout") == []
