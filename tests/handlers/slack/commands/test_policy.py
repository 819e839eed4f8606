"""`/autoheal policy`: shown to all, paused by whoever may approve, set by admins."""

import pytest

from store.people.users import Role
from store.tenancy.autonomy import AutonomyPolicy, autonomy_policy
from tests.handlers.inbound import Slack, audited, set_person


async def say(slack: Slack, who: str, count: int, words: str = "") -> str:
    """The answer to the `count`-th command."""
    await slack.workspace.slash(who, "incidents", f"/autoheal policy {words}".strip())
    await slack.handled(count)
    return slack.private("incidents", who)[-1]


async def stored(slack: Slack) -> AutonomyPolicy:
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        return await autonomy_policy(s)


async def test_it_is_shown_to_everybody(slack: Slack) -> None:
    await set_person(slack, "raj", Role.VIEWER)
    assert "low risk: approve" in await say(slack, "raj", 1)
    assert await stored(slack) == AutonomyPolicy()


async def test_an_admin_opts_in_and_it_says_who_allowed_what(slack: Slack) -> None:
    await set_person(slack, "mia", Role.ADMIN)
    answer = await say(slack, "mia", 1, "low automatic")
    assert f"low risk: automatic, allowed by <@{slack.workspace.users['mia'].id}>" in answer
    assert "up to 3 an hour" in answer
    assert "up to 5 an hour" in await say(slack, "mia", 2, "cap 5")
    found = await stored(slack)
    assert (found.low, found.hourly_cap) == ("automatic", 5)
    assert found.automatic_by is not None
    assert (await audited(slack)).count("slack.policy.changed") == 2


async def test_a_member_pauses_at_once_and_an_admin_resumes(slack: Slack) -> None:
    assert "everything waits for a click" in await say(slack, "mia", 1, "pause 2h")
    assert "This needs an admin" in await say(slack, "mia", 2, "resume")
    assert (await stored(slack)).is_paused(slack.db.now())
    await set_person(slack, "mia", Role.ADMIN)
    assert "paused" not in await say(slack, "mia", 3, "resume")
    assert {"slack.policy.paused", "slack.policy.resumed"} <= set(await audited(slack))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("medium automatic", "automatic is for low risk only"),
        ("low whatever", "A level is one of suggest, approve, automatic"),
        ("tiny approve", "A risk class is one of low, medium, high"),
        ("cap 101", "a number from 0 to 100"),
        ("pause forever", "write how long as 30m, 2h or 1d"),
        ("make me a sandwich", "That is no change I know"),
    ],
)
async def test_bad_input_says_what_is_accepted_and_changes_nothing(slack: Slack, words: str, says: str) -> None:
    await set_person(slack, "mia", Role.ADMIN)
    assert says in await say(slack, "mia", 1, words)
    assert await stored(slack) == AutonomyPolicy()


async def test_members_set_nothing(slack: Slack) -> None:
    assert "This needs an admin" in await say(slack, "mia", 1, "low automatic")
    assert await stored(slack) == AutonomyPolicy()
