"""Credentials come back to who may ask, and nowhere else."""

from typing import Any

import pytest

from store.connections import connections, credentials, disconnect, save_connection
from store.errors import NotFound
from store.redaction import Secret
from store.session import Database


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
