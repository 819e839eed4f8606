"""A start needs no list of the workspace's people; who administers it is found when Slack has time."""

import logging
from dataclasses import replace

import pytest
from slack_sdk.errors import SlackApiError

from bot.first_admin import name_first_admin
from bot.slack_clients import ServedTenant, SlackNotReady, make_client, tenant_of_token
from store import audit
from store.database.schema import UserRow
from store.database.session import Database
from store.ids import TenantId
from store.people import users
from store.people.users import Role
from store.secrets.redaction import Secret
from store.tenancy import tenants
from tests.handlers.inbound import Slack


async def _served(slack: Slack, db: Database) -> ServedTenant:
    token = Secret(slack.workspace.bot_token)
    return await tenant_of_token(db, make_client(slack.session, slack.workspace.api_url, token), token)


async def _admins(db: Database, tenant: TenantId) -> list[str]:
    async with db.tenant(tenant, readonly=True) as s:
        return [one.slack_user_id for one in await users.admins(s)]


async def _dismiss(slack: Slack) -> None:
    """As if the workspace had never had an admin."""
    async with slack.db.tenant(slack.tenant) as s:
        for admin in await users.admins(s):
            await s.update(UserRow, UserRow.id == admin.id, values={"role": Role.MEMBER})
        install = await tenants.load_install(s)
        assert install is not None
        await tenants.save_install(s, replace(install, installer_slack_id=""))


@pytest.mark.parametrize("code", ["ratelimited", "internal_error", "missing_scope"])
async def test_a_workspace_that_cannot_be_listed_is_served_and_its_admin_found_later(
    slack: Slack, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    await _dismiss(slack)
    slack.workspace.faults.fail("users.list", code, times=1)
    with caplog.at_level(logging.WARNING):
        served = await _served(slack, slack.db)
    assert (served.tenant_id, await _admins(slack.db, slack.tenant)) == (slack.tenant, [])
    assert f"did not list the workspace's people ({code})" in caplog.text
    client = await slack.context.clients.client_for(slack.tenant)
    assert await name_first_admin(slack.db, slack.tenant, client)
    assert await _admins(slack.db, slack.tenant) == ["U0OLGA"]
    assert await name_first_admin(slack.db, slack.tenant, client)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        granted = [entry for entry in await audit.trail(s) if entry.action == "system.role.granted"]
    assert len(granted) == 2  # at the first start, and now


async def test_a_slow_list_holds_up_no_start(slack: Slack) -> None:
    await _dismiss(slack)
    slack.workspace.faults.slow("users.list", 60)
    client = await slack.context.clients.client_for(slack.tenant)
    assert not await name_first_admin(slack.db, slack.tenant, client, patience_s=0.05)


@pytest.mark.parametrize("code", ["ratelimited", "service_unavailable"])
async def test_a_limit_is_not_told_as_a_refused_token(slack: Slack, code: str) -> None:
    slack.workspace.faults.fail("auth.test", code, times=2)
    with pytest.raises(SlackApiError):
        await _served(slack, slack.db)
    slack.workspace.faults.take_all("auth.test")
    slack.workspace.faults.fail("auth.test", "invalid_auth")
    with pytest.raises(SlackNotReady, match="refused by Slack"):
        await _served(slack, slack.db)
