"""Data keys are wrapped, apart from the content, versioned and cached for five minutes."""

import asyncio
import stat
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from store.database.engine import create_engine
from store.database.keyring import Keyring
from store.errors import UnknownTenant, UnsafeKeyFile, WrongMasterKey
from store.ids import TenantId, new_id
from store.keys.local_keys import LocalFileKeys


class CountingKeys:
    """Wraps nothing and counts how often it is asked."""

    name = "counting"

    def __init__(self) -> None:
        self.unwrapped = 0

    async def wrap(self, data_key: bytes, *, context: Mapping[str, str]) -> bytes:
        return data_key

    async def unwrap(self, wrapped: bytes, *, context: Mapping[str, str]) -> bytes:
        self.unwrapped += 1
        return wrapped


async def test_a_key_is_unwrapped_once_in_five_minutes(store_place: Any, clock: Any) -> None:
    keys = CountingKeys()
    keyring = Keyring(create_engine(store_place.keyring_url, pool_size=1), keys, clock)
    tenant_id = TenantId(new_id())
    await keyring.create(tenant_id)
    first = await keyring.data_keys(tenant_id)
    clock.advance(timedelta(minutes=4))
    assert await keyring.data_keys(tenant_id) == first
    assert keys.unwrapped == 1
    clock.advance(timedelta(minutes=1))
    assert await keyring.data_keys(tenant_id) == first
    assert keys.unwrapped == 2
    await keyring.close()


async def test_a_new_version_seals_and_the_old_one_still_opens(store_place: Any, clock: Any) -> None:
    keyring = Keyring(create_engine(store_place.keyring_url, pool_size=1), LocalFileKeys(store_place.key_file), clock)
    tenant_id = TenantId(new_id())
    await keyring.create(tenant_id)
    first = (await keyring.data_keys(tenant_id)).current
    await keyring.create(tenant_id)
    keys = await keyring.data_keys(tenant_id)
    assert keys.current != first
    assert keys.by_id[first.dek_id] == first
    await keyring.close()


async def test_a_tenant_without_keys_is_unknown(store_place: Any, clock: Callable[[], datetime]) -> None:
    keyring = Keyring(create_engine(store_place.keyring_url, pool_size=1), CountingKeys(), clock)
    with pytest.raises(UnknownTenant):
        await keyring.data_keys(TenantId(new_id()))
    await keyring.close()


async def test_the_key_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "master.key"
    wrapped = await LocalFileKeys(path).wrap(b"k" * 32, context={"tenant_id": "t"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert await LocalFileKeys(path).unwrap(wrapped, context={"tenant_id": "t"}) == b"k" * 32
    assert [entry.name for entry in path.parent.iterdir()] == ["master.key"]


async def test_two_first_starts_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    await asyncio.gather(*(asyncio.to_thread(LocalFileKeys, path) for _ in range(8)))
    assert len(path.read_text().splitlines()) == 1


async def test_a_wrong_key_file_says_what_to_do(tmp_path: Path) -> None:
    context = {"tenant_id": "t"}
    wrapped = await LocalFileKeys(tmp_path / "one.key").wrap(b"k" * 32, context=context)
    with pytest.raises(WrongMasterKey, match=r"two\.key"):
        await LocalFileKeys(tmp_path / "two.key").unwrap(wrapped, context=context)
    with pytest.raises(WrongMasterKey):
        await LocalFileKeys(tmp_path / "one.key").unwrap(wrapped, context={"tenant_id": "another"})


def test_a_readable_or_broken_key_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    LocalFileKeys(path)
    path.chmod(0o640)
    with pytest.raises(UnsafeKeyFile, match="chmod 600"):
        LocalFileKeys(path)
    path.chmod(0o600)
    path.write_text("not a key\n")
    with pytest.raises(UnsafeKeyFile, match="line 1"):
        LocalFileKeys(path)
    path.write_text("")
    with pytest.raises(UnsafeKeyFile, match="empty"):
        LocalFileKeys(path)


async def test_an_earlier_line_still_unwraps_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    wrapped = await LocalFileKeys(path).wrap(b"k" * 32, context={})
    LocalFileKeys(tmp_path / "next.key")
    path.write_text(path.read_text() + (tmp_path / "next.key").read_text())
    keys = LocalFileKeys(path)
    assert await keys.unwrap(wrapped, context={}) == b"k" * 32
    assert (await keys.wrap(b"k" * 32, context={})).split(b":")[0] != wrapped.split(b":")[0]
