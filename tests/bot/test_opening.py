"""Whom the operator's file is for, asked alike by serve, doctor and connect."""

from dataclasses import replace

from bot.opening import tenant_of_file
from bot.slack_installs import settle_install
from store.database.session import Database
from store.secrets.redaction import Secret
from store.tenancy.tenants import SlackInstall
from tests.fakes.operators import permitting_loopback


def an_install(db: Database, team: str) -> SlackInstall:
    return SlackInstall(
        enterprise_id=None,
        team_id=team,
        is_enterprise_install=False,
        app_id="A0AUTOHEAL",
        bot_user_id="U0BOT",
        bot_token=Secret(f"xoxb-of-{team}"),
        installer_slack_id="U0MIA",
        scopes=(),
        installed_at=db.now(),
    )


async def test_the_file_is_for_the_workspace_that_it_names_or_the_only_one(sqlite_database: Database) -> None:
    db, file = sqlite_database, permitting_loopback()
    assert await tenant_of_file(db, file) is None
    first = await settle_install(db, an_install(db, "T0FIRST"), name="First")
    assert await tenant_of_file(db, file) == first
    second = await settle_install(db, an_install(db, "T0SECOND"), name="Second")
    assert await tenant_of_file(db, file) is None, "of several none is meant unless it is named"
    assert await tenant_of_file(db, replace(file, tenant="T0SECOND")) == second
    assert await tenant_of_file(db, replace(file, tenant="T0ELSEWHERE")) is None
