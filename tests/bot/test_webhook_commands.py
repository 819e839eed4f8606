"""`autoheal webhook`: the operator makes, lists, rotates and deletes, and is told what is accepted."""

from pathlib import Path

import pytest

from bot.opening import open_database
from bot.settings import Settings, SettingsError
from bot.webhook_commands import administer
from store.audit import trail
from store.tenancy.tenants import create_tenant


async def test_an_operator_makes_lists_rotates_and_deletes(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, public_url="https://autoheal.example")
    async with open_database(settings) as (db, _):
        tenant = await create_tenant(db, name="Acme")

    async def run(action: str | None, *words: str, secret: str | None = None) -> list[str]:
        return await administer(settings, tenant, action, words, label="shop", secret=secret)

    assert "there is none yet" in (await run(None))[0]
    which, address, secret, setup = await run("add", "grafana", "timestamp_header=X-Time")
    assert address.startswith("address: https://autoheal.example/webhooks/grafana/")
    assert "(shown once)" in secret
    assert "HMAC" in setup
    number = which.removeprefix("id:").strip()
    listed = await run(None)
    assert number in listed[0]
    assert secret.split()[1] not in "".join(listed)
    assert "given-by-the-vendor" in "".join(await run("rotate", number, secret="given-by-the-vendor"))
    assert await run("delete", number) == ["deleted"]
    for words, problem in (
        (("add", "nagios"), "there are"),
        (("add", "grafana", "colour"), "no setting"),
        (("delete", number), "no such webhook"),
        (("rotate",), "write: autoheal webhook"),
    ):
        with pytest.raises(SettingsError, match=problem):
            await run(*words)
    with pytest.raises(SettingsError, match="no active tenant"):
        await administer(settings, "nobody", None, (), label="", secret=None)
    async with open_database(settings) as (db, _), db.tenant(tenant, readonly=True) as s:
        verbs = [entry.action for entry in await trail(s)]
    assert verbs == ["operator.webhook.created", "operator.webhook.rotated", "operator.webhook.removed"]
