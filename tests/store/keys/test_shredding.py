"""What was shredded stays shredded: no backup of the keyring opens it again, and no keyring opens without a ledger."""

import json
import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from store.database.engine import create_engine
from store.database.keyring import CACHE_FOR, Keyring
from store.errors import BrokenShredLedger, NoShredLedger, UnknownTenant
from store.ids import TenantId, new_id
from store.keys.local_keys import LocalFileKeys
from store.keys.shredding import Shredded, ShredLedger

AT = datetime(2026, 11, 5, tzinfo=UTC)


@pytest.fixture
def opened(store_place: Any, clock: Any, tmp_path: Path) -> Any:
    """A function that opens the keyring, as a process does."""

    def open_keyring(ledger: Path | None = tmp_path / "apart" / "ledger.jsonl", url: str | None = None) -> Keyring:
        engine = create_engine(url or store_place.keyring_url, pool_size=2)
        return Keyring(engine, LocalFileKeys(store_place.key_file), clock, ledger)

    return open_keyring


async def _two(keyring: Keyring) -> tuple[TenantId, TenantId]:
    doomed, other = TenantId(new_id()), TenantId(new_id())
    for tenant in (doomed, other, doomed):
        await keyring.create(tenant)
    return doomed, other


async def test_shredding_destroys_every_version_of_one_tenant_only(opened: Any, tmp_path: Path) -> None:
    keyring = opened()
    doomed, other = await _two(keyring)
    kept = await keyring.data_keys(other)
    await keyring.data_keys(doomed)
    assert await keyring.shred(doomed) == 2
    with pytest.raises(UnknownTenant):
        await keyring.data_keys(doomed)
    keyring.forget(other)
    assert await keyring.data_keys(other) == kept
    assert await keyring.shred(doomed) == 0
    lines = [json.loads(line) for line in (tmp_path / "apart" / "ledger.jsonl").read_text().splitlines()]
    assert [line.get("tenant_id") for line in lines] == [None, doomed, doomed]
    assert set(lines[1]) == {"tenant_id", "dek_id", "shredded_at", "chain"}
    assert stat.S_IMODE((tmp_path / "apart" / "ledger.jsonl").stat().st_mode) == 0o600
    with pytest.raises(UnknownTenant, match="closed"):
        await keyring.create(doomed)
    await keyring.close()


async def test_another_process_loses_the_key_within_five_minutes(opened: Any, clock: Any) -> None:
    keyring, replica = opened(), opened()
    doomed, _ = await _two(keyring)
    await replica.data_keys(doomed)
    await keyring.shred(doomed)
    await replica.data_keys(doomed)
    clock.advance(CACHE_FOR)
    with pytest.raises(UnknownTenant):
        await replica.data_keys(doomed)
    await keyring.close()
    await replica.close()


async def test_a_restored_keyring_loses_shredded_keys_before_any_loads(
    sqlite_place: Any, clock: Any, tmp_path: Path
) -> None:
    file, ledger = Path(sqlite_place.keyring_url.removeprefix("sqlite:///")), tmp_path / "apart" / "ledger.jsonl"

    def opened() -> Keyring:
        return Keyring(
            create_engine(sqlite_place.keyring_url, pool_size=2), LocalFileKeys(sqlite_place.key_file), clock, ledger
        )

    keyring = opened()
    doomed, other = await _two(keyring)
    await keyring.close()
    shutil.copy(file, tmp_path / "backup.db")
    keyring = opened()
    await keyring.shred(doomed)
    await keyring.close()
    for trace in file.parent.glob("keyring.db*"):
        trace.unlink()
    shutil.copy(tmp_path / "backup.db", file)
    restored = opened()
    assert await restored.admit() == 2
    with pytest.raises(UnknownTenant):
        await restored.data_keys(doomed)
    await restored.data_keys(other)
    await restored.close()
    for trace in file.parent.glob("keyring.db*"):
        trace.unlink()
    shutil.copy(tmp_path / "backup.db", file)
    ledger.rename(tmp_path / "elsewhere")
    without = opened()
    with pytest.raises(NoShredLedger, match=r"no ledger, no restore.*AUTOHEAL_SHRED_LEDGER"):
        await without.data_keys(other)
    await without.close()


async def test_a_shredded_key_is_gone_from_the_file_and_its_log(sqlite_place: Any, clock: Any) -> None:
    file = Path(sqlite_place.keyring_url.removeprefix("sqlite:///"))
    keyring = Keyring(create_engine(sqlite_place.keyring_url, pool_size=2), LocalFileKeys(sqlite_place.key_file), clock)
    doomed, _ = await _two(keyring)
    wrapped = [row.wrapped for row in await keyring._rows(doomed)]
    await keyring.shred(doomed)
    found = b"".join(path.read_bytes() for path in file.parent.glob("keyring.db*"))
    assert all(blob[-32:] not in found for blob in wrapped)
    await keyring.close()


async def test_a_crash_after_the_ledger_was_written_is_made_good_at_the_next_start(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = opened()
    doomed, other = await _two(keyring)

    async def die(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Keyring, "_apply", die)
        with pytest.raises(KeyboardInterrupt):
            await keyring.shred(doomed)
    await keyring.close()
    again = opened()
    with pytest.raises(UnknownTenant):
        await again.data_keys(doomed)
    await again.data_keys(other)
    await again.close()


async def test_a_missing_short_foreign_or_edited_ledger_opens_nothing(opened: Any, tmp_path: Path) -> None:
    path = tmp_path / "apart" / "ledger.jsonl"
    keyring = opened()
    doomed, other = await _two(keyring)
    await keyring.shred(doomed)
    await keyring.close()
    good = path.read_bytes()
    lines = good.splitlines(keepends=True)

    async def refused(content: bytes | None, error: type[Exception], words: str) -> None:
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        again = opened()
        with pytest.raises(error, match=words):
            await again.data_keys(other)
        with pytest.raises(error, match=words):
            await again.shred(other)
        await again.close()

    await refused(None, NoShredLedger, "is missing")
    await refused(lines[0] + lines[1], NoShredLedger, "cut off")
    await refused(lines[0] + lines[2], BrokenShredLedger, "line 2")
    await refused(good.replace(doomed.encode(), other.encode()), BrokenShredLedger, "line 2")
    await refused(b"", BrokenShredLedger, "empty")
    path.unlink()
    foreign = ShredLedger(path)
    foreign.begin(AT)
    entries = [Shredded(tenant_id=new_id(), dek_id=new_id(), shredded_at=AT) for _ in range(3)]
    foreign.append(entries, known=None)
    await refused(path.read_bytes(), NoShredLedger, "another keyring")
    path.write_bytes(good)
    again = opened()
    await again.data_keys(other)
    await again.close()
    unset = opened(None)
    if unset._ledger is None:  # on PostgreSQL there is no place beside the keyring
        with pytest.raises(NoShredLedger, match="set AUTOHEAL_SHRED_LEDGER"):
            await unset.data_keys(other)
    await unset.close()


async def test_half_a_line_of_a_crash_is_written_over(opened: Any, tmp_path: Path) -> None:
    path = tmp_path / "apart" / "ledger.jsonl"
    keyring = opened()
    doomed, other = await _two(keyring)
    await keyring.shred(doomed)
    with path.open("ab") as file:
        file.write(b'{"tenant_id": "half')
    await keyring.shred(other)
    await keyring.close()
    ledger = ShredLedger(path).read()
    assert ledger is not None
    assert ledger.tenants == {doomed, other}


async def test_a_lost_ledger_is_begun_anew_only_when_told(opened: Any, tmp_path: Path) -> None:
    keyring = opened()
    _, other = await _two(keyring)
    with pytest.raises(NoShredLedger, match="move it away"):
        await keyring.begin_ledger_anew()
    await keyring.close()
    (tmp_path / "apart" / "ledger.jsonl").unlink()
    again = opened()
    begun = await again.begin_ledger_anew()
    assert begun.entries == ()
    await again.data_keys(other)
    await again.close()


def test_two_first_starts_agree_on_one_ledger(tmp_path: Path) -> None:
    first, second = ShredLedger(tmp_path / "l"), ShredLedger(tmp_path / "l")
    assert first.begin(AT) == second.begin(AT)
    assert [entry.name for entry in tmp_path.iterdir()] == ["l"]


def test_an_unreadable_line_says_which(tmp_path: Path) -> None:
    ledger = ShredLedger(tmp_path / "l")
    ledger.begin(AT)
    with ledger.path.open("ab") as file:
        file.write(b"[]\n")
    with pytest.raises(BrokenShredLedger, match="line 2"):
        ledger.read()


async def _both_copied(opened: Any, tmp_path: Path, keyring_url: str) -> tuple[TenantId, TenantId]:
    """A keyring and its ledger put back as they were before one tenant was closed."""
    ledger, copy = tmp_path / "apart" / "ledger.jsonl", tmp_path / "copy"
    file = Path(keyring_url.removeprefix("sqlite:///"))
    keyring = opened()
    doomed, other = await _two(keyring)
    await keyring.close()
    copy.mkdir()
    for path in (ledger, file):
        shutil.copy(path, copy / path.name)
    keyring = opened()
    await keyring.shred(doomed)
    await keyring.close()
    for trace in file.parent.glob("keyring.db*"):
        trace.unlink()
    for path in (ledger, file):
        shutil.copy(copy / path.name, path)
    return doomed, other


async def test_an_old_copy_of_keyring_and_ledger_is_refused_by_the_mark_elsewhere(
    sqlite_place: Any, clock: Any, tmp_path: Path
) -> None:
    ledger, mark = tmp_path / "apart" / "ledger.jsonl", tmp_path / "far" / "mark.json"
    mark.parent.mkdir()

    def opened(with_mark: Path | None = mark) -> Keyring:
        engine = create_engine(sqlite_place.keyring_url, pool_size=2)
        return Keyring(engine, LocalFileKeys(sqlite_place.key_file), clock, ShredLedger(ledger, with_mark))

    async def refused(words: str) -> None:
        again = opened()
        for attempt in (again.admit(), again.data_keys(other), again.shred(other), again.create(other)):
            with pytest.raises(NoShredLedger, match=words):
                await attempt
        await again.close()

    doomed, other = await _both_copied(opened, tmp_path, sqlite_place.keyring_url)
    assert json.loads(mark.read_text())["length"] == 3
    await refused(r"has 1 lines, .*mark.json says 3: .*old copy")
    unmarked = opened(None)
    with pytest.raises(NoShredLedger, match="set AUTOHEAL_SHRED_MARK to it"):
        await unmarked.data_keys(doomed)
    await unmarked.write_mark_anew()  # what the mark is for: without it the two old copies fit together
    await unmarked.data_keys(doomed)
    await unmarked.close()
    kept = mark.read_bytes()
    mark.write_bytes(b"{")
    await refused("cannot be read")
    mark.unlink()
    again = opened()
    await again.admit()
    await again.close()
    mark.unlink()
    await refused(r"no mark, no start: .*--anchor-anew")
    mark.parent.rename(tmp_path / "unmounted")
    await refused("mount its disk")
    (tmp_path / "unmounted").rename(mark.parent)
    mark.write_bytes(json.dumps({"length": 1, "head": "0" * 64}).encode())
    await refused("another keyring's, or was rewritten")
    mark.write_bytes(kept)
    again = opened()
    with pytest.raises(NoShredLedger, match="exists: move it away"):
        await again.write_mark_anew()
    mark.unlink()
    assert (await again.write_mark_anew()).mark.length == 1
    await again.data_keys(other)
    await again.shred(other)
    await again.close()
    assert json.loads(mark.read_text())["length"] == 2


async def test_a_mark_that_cannot_be_written_destroys_nothing_yet_and_the_next_start_does(
    sqlite_place: Any, clock: Any, tmp_path: Path
) -> None:
    mark = tmp_path / "far" / "mark.json"
    mark.parent.mkdir()

    def opened() -> Keyring:
        engine = create_engine(sqlite_place.keyring_url, pool_size=2)
        ledger = ShredLedger(tmp_path / "apart" / "ledger.jsonl", mark)
        return Keyring(engine, LocalFileKeys(sqlite_place.key_file), clock, ledger)

    keyring = opened()
    doomed, other = await _two(keyring)
    kept = mark.read_bytes()
    mark.unlink()
    mark.mkdir()
    with pytest.raises(NoShredLedger, match="cannot be read"):
        await keyring.shred(doomed)
    await keyring.data_keys(doomed)
    mark.rmdir()
    mark.write_bytes(kept)
    await keyring.shred(doomed)
    await keyring.close()
    again = opened()
    with pytest.raises(UnknownTenant):
        await again.data_keys(doomed)
    await again.data_keys(other)
    await again.close()
