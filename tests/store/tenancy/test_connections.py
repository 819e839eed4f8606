"""Credentials come back to who may ask, and nowhere else."""

from typing import Any

import pytest
from sqlalchemy import select, update

from store.database.schema import Base
from store.database.session import Database
from store.errors import NotFound, UnknownKey, UnreadableConnection
from store.ids import ConnectionId, TenantId
from store.people.users import user_by_slack
from store.secrets.redaction import Secret
from store.tenancy.connections import connections, credentials, disconnect, save_connection
from tests.conftest import past_the_walls


async def test_a_connection_keeps_its_config_scopes_and_consent(database: Database, case: Any) -> None:
    async with database.tenant(case.tenant_id) as s:
        saved = await save_connection(
            s,
            connector="prometheus",
            config={"url": "http://prometheus:9090"},
            credentials={"password": Secret("s3cret-of-prometheus")},
            scopes=("read",),
            consented_by=case.admin,
        )
        assert await connections(s) == [saved]
        assert saved.config == {"url": "http://prometheus:9090"}
        assert (await credentials(s, saved.id))["password"].reveal() == "s3cret-of-prometheus"


async def test_disconnecting_deletes_the_credentials(database: Database, case: Any, two_tenants: Any) -> None:
    async with database.tenant(case.tenant_id) as s:
        saved = await save_connection(s, connector="git", config={}, credentials={"token": Secret("abcdef123")})
    async with database.tenant(two_tenants[1]) as s:
        assert not await disconnect(s, saved.id)
        with pytest.raises(NotFound):
            await credentials(s, saved.id)
    async with database.tenant(case.tenant_id) as s:
        assert await disconnect(s, saved.id)
        assert not await disconnect(s, saved.id)
        with pytest.raises(NotFound):
            await credentials(s, saved.id)


async def _damage(database: Database, connection: str, column: str, *, key_id: bool = False) -> None:
    """As a bad sector or a careless hand would: the last byte is another; or the data key's id is."""
    table = Base.metadata.tables["connections"]
    async with past_the_walls(database) as owner:
        found = (await owner.execute(select(table.c[column]).where(table.c.id == connection))).scalar_one()
        spoiled = found[:3] + bytes(16) + found[19:] if key_id else found[:-1] + bytes([found[-1] ^ 1])
        await owner.execute(update(table).where(table.c.id == connection).values({column: spoiled}))


async def _two(database: Database, tenant: TenantId) -> tuple[ConnectionId, ConnectionId]:
    async with database.tenant(tenant) as s:
        damaged = await save_connection(s, connector="git", config={}, credentials={"token": Secret("token-of-git")})
        sound = await save_connection(
            s, connector="pager", config={"a": 1}, credentials={"token": Secret("pager-word")}
        )
    return damaged.id, sound.id


async def test_a_damaged_credential_stops_its_connection_and_nothing_else(
    database: Database, two_tenants: Any, caplog: pytest.LogCaptureFixture
) -> None:
    damaged, sound = await _two(database, two_tenants[0])
    await _damage(database, damaged, "credentials")
    database.forget(two_tenants[0])  # as another process, which never saw it whole
    async with database.tenant(two_tenants[0]) as s:
        assert s.redactor.redact("the pager said pager-word") == "the pager said [redacted:own_secret]"
        assert await user_by_slack(s, "U0ADMIN") is not None
        assert {one.id: one.readable for one in await connections(s)} == {damaged: False, sound: True}
        assert (await credentials(s, sound))["token"].reveal() == "pager-word"
        with pytest.raises(UnreadableConnection, match="connect it again"):
            await credentials(s, damaged)
    assert damaged in {getattr(record, "row", None) for record in caplog.records}
    assert "token-of-git" not in caplog.text
    async with database.tenant(two_tenants[0]) as s:
        assert await disconnect(s, damaged)
        again = await save_connection(s, connector="git", config={}, credentials={"token": Secret("token-of-git")})
        assert s.redactor.redact("token-of-git") == "[redacted:own_secret]"
        assert (await credentials(s, again.id))["token"].reveal() == "token-of-git"


async def test_damaged_settings_make_a_connection_unreadable(database: Database, two_tenants: Any) -> None:
    damaged, sound = await _two(database, two_tenants[0])
    await _damage(database, sound, "config")
    async with database.tenant(two_tenants[0], readonly=True) as s:
        found = {one.id: (one.readable, one.config) for one in await connections(s)}
    assert found == {damaged: (True, {}), sound: (False, {})}


async def test_a_missing_data_key_still_stops_the_tenant(database: Database, two_tenants: Any) -> None:
    """It may come back with the keyring's own backup; what was written meanwhile would hold the secret."""
    damaged, _ = await _two(database, two_tenants[0])
    await _damage(database, damaged, "credentials", key_id=True)
    database.forget(two_tenants[0])
    with pytest.raises(UnknownKey):
        async with database.tenant(two_tenants[0]):
            pass
    async with database.tenant(two_tenants[1]):
        pass
