"""Who is let in: a matrix of identities, roles at first contact, and what is remembered for how long."""

from datetime import timedelta
from typing import Any

import pytest

from agents.connecting.toolbox import Toolbox
from agents.permission import Denied, Person
from handlers.slack.inbound.arrival import SlackActor
from handlers.slack.inbound.caller import KnownWorkspace, SlackProfile, refuse_profile
from handlers.slack.inbound.payload import InstallationOrigin
from store.audit import trail
from store.database.session import Database
from store.ids import TenantId
from store.people.users import Role, remove_user, set_role, user_by_slack
from tests.conftest import Clock
from tests.handlers.inbound import Slack, run_slack, set_person, workspace_of

OURS = KnownWorkspace(
    tenant_id=TenantId("t"),
    team_id="T1",
    enterprise_id="",
    bot_user_id="U0BOT",
    triage_channels=(),
    open_threads=(),
    allow_external_channels=False,
    new_member_role=Role.MEMBER,
)


@pytest.mark.parametrize(
    "facts",
    [
        {"is_restricted": True},
        {"is_ultra_restricted": True},
        {"is_bot": True},
        {"is_app_user": True},
        {"is_stranger": True},
        {"deleted": True},
        {"team_id": "T2"},
        {"team_id": ""},
        {"enterprise_user": {"enterprise_id": "E2"}, "team_id": "T2"},
    ],
)
def test_whoever_is_not_a_full_member_is_refused(facts: dict[str, Any]) -> None:
    profile = SlackProfile.model_validate({"id": "U1", "team_id": "T1", **facts})
    assert isinstance(refuse_profile(OURS, profile), Denied)


def test_a_full_member_is_not_refused_and_somebody_unknown_is() -> None:
    assert refuse_profile(OURS, SlackProfile(id="U1", team_id="T1")) is None
    assert isinstance(refuse_profile(OURS, None), Denied)


def test_people_of_the_own_enterprise_count_as_members() -> None:
    grid = KnownWorkspace(**{**vars(OURS), "enterprise_id": "E1"})
    colleague = SlackProfile.model_validate({"id": "U1", "team_id": "T9", "enterprise_user": {"enterprise_id": "E1"}})
    assert refuse_profile(grid, colleague) is None


async def test_the_installer_is_admin_and_others_get_the_tenants_role(slack: Slack) -> None:
    await slack.settings(new_member_role=Role.VIEWER)
    known = await workspace_of(slack)
    olga = await slack.caller.person(known, SlackActor(user_id="U0OLGA"), None)
    raj = await slack.caller.person(known, SlackActor(user_id="U0RAJ"), "C0INCIDENTS")
    assert isinstance(olga, Person)
    assert isinstance(raj, Person)
    assert (olga.role, raj.role) == (Role.ADMIN, Role.VIEWER)


async def test_whoever_was_deleted_returns_as_a_viewer_though_the_workspace_is_remembered(
    database: Database, clock: Clock, toolbox: Toolbox
) -> None:
    async with run_slack(database, clock, toolbox) as slack:
        await set_person(slack, "mia", Role.ADMIN)
        await set_person(slack, "raj", Role.VIEWER)
        known = await slack.caller.workspace(InstallationOrigin(team_id=slack.workspace.team_id))
        assert known is not None
        for slack_user_id in ("U0OLGA", "U0RAJ"):
            before = await slack.caller.person(known, SlackActor(user_id=slack_user_id), None)
            assert isinstance(before, Person)
            async with slack.db.tenant(slack.tenant) as s:
                await remove_user(s, before.user_id)
            after = await slack.caller.person(known, SlackActor(user_id=slack_user_id), None)
            assert isinstance(after, Person)
            assert after.user_id != before.user_id
            assert after.role == Role.VIEWER
        async with slack.db.tenant(slack.tenant, readonly=True) as s:
            added = [entry.details for entry in await trail(s) if entry.action == "slack.user.added"]
    assert added == [{"role": "viewer"}] * 2


async def test_a_changed_role_holds_at_once(slack: Slack) -> None:
    known = await workspace_of(slack)
    before = await slack.caller.person(known, SlackActor(user_id="U0MIA"), None)
    async with slack.db.tenant(slack.tenant) as s:
        mia = await user_by_slack(s, "U0MIA")
        assert mia is not None
        await set_role(s, mia.id, Role.VIEWER)
    after = await slack.caller.person(known, SlackActor(user_id="U0MIA"), None)
    assert isinstance(before, Person)
    assert isinstance(after, Person)
    assert (before.role, after.role) == (Role.MEMBER, Role.VIEWER)


async def test_a_refused_person_does_not_become_a_user(slack: Slack) -> None:
    known = await workspace_of(slack)
    for actor in (
        SlackActor(user_id="U0GUS"),
        SlackActor(user_id="U0EVE"),
        SlackActor(user_id="U0NOBODY"),
        SlackActor(user_id=""),
    ):
        assert isinstance(await slack.caller.person(known, actor, None), Denied)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        assert await user_by_slack(s, "U0GUS") is None


async def test_a_message_by_another_bot_is_no_person(slack: Slack) -> None:
    known = await workspace_of(slack)
    assert isinstance(await slack.caller.person(known, SlackActor(user_id="U0MIA", bot_id="B1"), None), Denied)


async def test_slack_is_asked_once_about_a_person_until_that_is_old(slack: Slack, clock: Clock) -> None:
    known = await workspace_of(slack)
    for _ in range(3):
        await slack.caller.person(known, SlackActor(user_id="U0MIA"), "C0INCIDENTS")
    assert (len(slack.workspace.calls("users.info")), len(slack.workspace.calls("conversations.info"))) == (1, 1)
    clock.advance(timedelta(minutes=6))
    await slack.caller.person(known, SlackActor(user_id="U0MIA"), "C0INCIDENTS")
    assert len(slack.workspace.calls("users.info")) == 2


async def test_whoever_decides_is_looked_up_anew(slack: Slack) -> None:
    known = await workspace_of(slack)
    assert not isinstance(await slack.caller.person(known, SlackActor(user_id="U0MIA"), "C0INCIDENTS"), Denied)
    slack.workspace.deactivate("U0MIA")
    assert not isinstance(await slack.caller.person(known, SlackActor(user_id="U0MIA"), "C0INCIDENTS"), Denied)
    deciding = await slack.caller.person(known, SlackActor(user_id="U0MIA"), "C0INCIDENTS", ask_slack=True)
    assert isinstance(deciding, Denied)


async def test_a_channel_that_slack_calls_shared_in_the_event_is_refused_without_asking(slack: Slack) -> None:
    known = await workspace_of(slack)
    refused = await slack.caller.person(known, SlackActor(user_id="U0MIA", shared_outside=True), "C0INCIDENTS")
    assert isinstance(refused, Denied)
    assert slack.workspace.calls("conversations.info") == []


async def test_another_workspace_is_unknown(slack: Slack) -> None:
    assert await slack.caller.workspace(InstallationOrigin(team_id="T0SOMEBODYELSE")) is None
    assert await slack.caller.workspace(InstallationOrigin(team_id="")) is None
