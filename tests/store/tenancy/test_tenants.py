"""Tenants, their settings, and the workspace that routes to them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from store.database.schema import Base
from store.database.session import Database
from store.errors import InstalledElsewhere
from store.people.users import Role
from store.secrets.redaction import Secret
from store.tenancy.tenants import (
    SlackInstall,
    create_tenant,
    destroy_tokens,
    list_tenants,
    load_install,
    save_install,
    settings,
    tenant_for_slack,
    update_settings,
)
from tests.conftest import past_the_walls


def _install(database: Database, **changes: Any) -> SlackInstall:
    return replace(
        SlackInstall(
            enterprise_id=None,
            team_id="T0ACME",
            is_enterprise_install=False,
            app_id="A0APP",
            bot_user_id="U0BOT",
            bot_token=Secret("xoxb-first-token-of-acme"),
            installer_slack_id="U0ADMIN",
            scopes=("chat:write", "commands"),
            installed_at=database.now(),
        ),
        **changes,
    )


async def test_tenants_are_listed_by_name_and_age(database: Database, clock: Any) -> None:
    first = await create_tenant(database, name="Acme")
    clock.advance(timedelta(seconds=1))
    second = await create_tenant(database, name="Globex password=hunter22")
    assert [(found.id, found.name) for found in await list_tenants(database)] == [
        (first, "Acme"),
        (second, "Globex password=[redacted:password]"),
    ]


async def test_an_install_is_found_by_its_workspace_and_opens_again(database: Database, two_tenants: Any) -> None:
    install = _install(database)
    async with database.tenant(two_tenants[0]) as s:
        assert await load_install(s) is None
        await save_install(s, install)
        assert await load_install(s) == install
        assert s.redactor.redact("xoxb-first-token-of-acme") == "[redacted:own_secret]"
    assert await tenant_for_slack(database, enterprise_id=None, team_id="T0ACME") == two_tenants[0]
    assert await tenant_for_slack(database, enterprise_id="E0GRID", team_id="T0ACME") == two_tenants[0]
    assert await tenant_for_slack(database, enterprise_id=None, team_id="T0OTHER") is None
    assert await tenant_for_slack(database, enterprise_id=None, team_id=None) is None
    async with database.tenant(two_tenants[1]) as s:
        assert await load_install(s) is None


async def test_a_damaged_token_is_as_good_as_none(database: Database, two_tenants: Any) -> None:
    """The workspace is still known, an uninstall still ends it, and installing again mends it."""
    install = _install(database)
    async with database.tenant(two_tenants[0]) as s:
        await save_install(s, install)
    table = Base.metadata.tables["slack_installs"]
    async with past_the_walls(database) as owner:
        found = (await owner.execute(select(table.c.bot_token))).scalar_one()
        await owner.execute(update(table).values(bot_token=found[:-1] + bytes([found[-1] ^ 1])))
    database.forget(two_tenants[0])
    async with database.tenant(two_tenants[0]) as s:
        assert await load_install(s) == replace(install, bot_token=Secret(""))
        assert await destroy_tokens(s) == 1
        assert await destroy_tokens(s) == 0
        await save_install(s, install)
        assert await load_install(s) == install


async def test_installing_again_replaces_the_token(database: Database, two_tenants: Any) -> None:
    async with database.tenant(two_tenants[0]) as s:
        await save_install(s, _install(database))
        await save_install(s, _install(database, bot_token=Secret("xoxb-second-token"), scopes=("chat:write",)))
        found = await load_install(s)
    assert found is not None
    assert (found.bot_token.reveal(), found.scopes) == ("xoxb-second-token", ("chat:write",))


async def test_a_workspace_belongs_to_one_tenant(database: Database, two_tenants: Any) -> None:
    async with database.tenant(two_tenants[0]) as s:
        await save_install(s, _install(database))
    with pytest.raises(InstalledElsewhere):
        async with database.tenant(two_tenants[1]) as s:
            await save_install(s, _install(database))
    assert await tenant_for_slack(database, enterprise_id=None, team_id="T0ACME") == two_tenants[0]


async def test_a_workspaces_own_install_comes_before_its_enterprises(database: Database, two_tenants: Any) -> None:
    async with database.tenant(two_tenants[0]) as s:
        await save_install(s, _install(database, enterprise_id="E0GRID", team_id=None, is_enterprise_install=True))
    async with database.tenant(two_tenants[1]) as s:
        await save_install(s, _install(database, enterprise_id="E0GRID", team_id="T0ONE"))
    assert await tenant_for_slack(database, enterprise_id="E0GRID", team_id="T0ONE") == two_tenants[1]
    assert await tenant_for_slack(database, enterprise_id="E0GRID", team_id="T0TWO") == two_tenants[0]
    assert await tenant_for_slack(database, enterprise_id="E0OTHER", team_id="T0TWO") is None


async def test_settings_start_careful_and_change_one_by_one(database: Database, two_tenants: Any) -> None:
    async with database.tenant(two_tenants[0]) as s:
        before = await settings(s)
        assert (before.allow_external_channels, before.new_member_role) == (False, Role.MEMBER)
        after = await update_settings(s, model="offline", triage_channels=["C1", "C2"], daily_usd_cap=1.5)
        assert after == replace(before, model="offline", triage_channels=("C1", "C2"), daily_usd_cap=1.5)
    async with database.tenant(two_tenants[1]) as s:
        assert await settings(s) == before


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"model": "gpt"}, ValueError),
        ({"new_member_role": "owner"}, ValueError),
        ({"daily_usd_cap": -1}, ValueError),
        ({"daily_usd_cap": float("nan")}, ValueError),
        ({"tenant_id": "x"}, TypeError),
    ],
)
async def test_wrong_settings_are_refused(
    sqlite_database: Database, two_tenants: Any, changes: Any, error: type[Exception]
) -> None:
    async with sqlite_database.tenant(two_tenants[0]) as s:
        with pytest.raises(error):
            await update_settings(s, **changes)
