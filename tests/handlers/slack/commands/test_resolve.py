"""`/autoheal resolve`."""

import pytest

from store.incidents import Sight, visible_incidents
from tests.handlers.inbound import Slack, stored_run


async def open_numbers(slack: Slack) -> list[int]:
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        return [one.number for one in await visible_incidents(s, Sight(channels=frozenset({"C0INCIDENTS"})))]


@pytest.mark.parametrize("said", ["resolve", "resolve #1", "close 1"])
async def test_the_only_open_one_or_the_one_named_ends(slack: Slack, said: str) -> None:
    await stored_run(slack)
    await slack.workspace.slash("mia", "incidents", f"/autoheal {said}")
    await slack.handled(1)
    assert await open_numbers(slack) == []


async def test_what_cannot_be_meant_ends_nothing(slack: Slack) -> None:
    await stored_run(slack)
    for place, (said, answer) in enumerate(
        (("resolve all", "Give the number of an incident"), ("resolve 7", "None is open under that number.")), start=1
    ):
        await slack.workspace.slash("mia", "incidents", f"/autoheal {said}")
        await slack.handled(place)
        assert slack.private("incidents", "mia")[-1].startswith(answer)
    assert await open_numbers(slack) == [1]
