"""`/autoheal false alarm`."""

from datetime import timedelta

from store.incidents import candidates
from tests.handlers.inbound import Slack, stored_run


async def test_the_words_are_understood_with_a_blank(slack: Slack) -> None:
    await stored_run(slack)
    await slack.workspace.slash("mia", "incidents", "/autoheal false alarm 1")
    await slack.handled(1)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (found,) = await candidates(s, ended_since=s.now() - timedelta(days=1))
    assert found.status == "false_alarm"
