"""Webhooks as rows: found by their opaque id, of one tenant, with two secrets while one is rotated."""

from datetime import timedelta

import pytest

from store.database.session import Database
from store.errors import NotFound
from store.ids import TenantId, WebhookId, new_id
from store.inbox import webhooks
from store.secrets.redaction import Secret
from tests.conftest import Clock


async def add(db: Database, tenant: TenantId, secret: str = "first-secret-of-many") -> webhooks.Webhook:
    async with db.tenant(tenant) as s:
        return await webhooks.add_webhook(
            s, provider="github", label="shop", secret=Secret(secret), config={"a": "b"}, created_by=None
        )


async def test_the_opaque_id_finds_the_tenant_and_nobody_elses_row(
    database: Database, two_tenants: tuple[TenantId, TenantId], clock: Clock
) -> None:
    mine, theirs = two_tenants
    one, other = await add(database, mine), await add(database, theirs)
    known = await webhooks.find_webhook(database, one.public_id)
    assert known is not None
    assert (known.tenant_id, known.webhook.config) == (mine, {"a": "b"})
    assert [secret.reveal() for secret in known.secrets] == ["first-secret-of-many"]
    assert "first-secret" not in repr(known)
    assert await webhooks.find_webhook(database, "nobody's") is None
    async with database.tenant(mine) as s:
        assert [hook.id for hook in await webhooks.webhooks(s)] == [one.id]
        assert "first-secret-of-many" not in s.redactor.redact("it is first-secret-of-many")
        assert not await webhooks.remove_webhook(s, other.id)
        with pytest.raises(NotFound):
            await webhooks.rotate_webhook(s, WebhookId(new_id()), Secret("x"))
        await webhooks.rotate_webhook(s, one.id, Secret("second-secret-of-many"))
    known = await webhooks.find_webhook(database, one.public_id)
    assert known is not None
    assert [secret.reveal() for secret in known.secrets] == ["second-secret-of-many", "first-secret-of-many"]
    clock.advance(timedelta(days=1, seconds=1))
    known = await webhooks.find_webhook(database, one.public_id)
    assert known is not None
    assert [secret.reveal() for secret in known.secrets] == ["second-secret-of-many"]
    async with database.tenant(mine) as s:
        assert await webhooks.remove_webhook(s, one.id)
    assert await webhooks.find_webhook(database, one.public_id) is None


async def test_refusals_are_found_until_somebody_was_told(
    database: Database, two_tenants: tuple[TenantId, TenantId]
) -> None:
    mine, _ = two_tenants
    hook = await add(database, mine)
    assert await webhooks.tenants_with_refusals(database) == []
    async with database.tenant(mine) as s:
        assert await webhooks.note_refused(s, hook.id, reason="stale", count=3, at=s.now())
        assert not await webhooks.note_refused(s, WebhookId(new_id()), reason="stale", count=1, at=s.now())
    assert await webhooks.tenants_with_refusals(database) == [mine]
    async with database.tenant(mine) as s:
        await webhooks.note_told(s, hook.id)
    assert await webhooks.tenants_with_refusals(database) == []


async def test_settings_change_for_one_tenant_and_the_quiet_ones_are_found(
    database: Database, two_tenants: tuple[TenantId, TenantId], clock: Clock
) -> None:
    mine, theirs = two_tenants
    hook, other = await add(database, mine), await add(database, theirs)
    async with database.tenant(mine) as s:
        assert (await webhooks.change_config(s, hook.id, {"heartbeat": "5"})).config == {"heartbeat": "5"}
        with pytest.raises(NotFound):
            await webhooks.change_config(s, other.id, {})
    assert await webhooks.tenants_with_quiet_webhooks(database) == []
    clock.advance(timedelta(minutes=2))
    assert set(await webhooks.tenants_with_quiet_webhooks(database)) == {mine, theirs}
    async with database.tenant(theirs) as s:
        await webhooks.note_accepted(s, other.id, s.now())
        assert (await webhooks.webhooks(s))[0].config == {"a": "b"}
    assert await webhooks.tenants_with_quiet_webhooks(database) == [mine]
