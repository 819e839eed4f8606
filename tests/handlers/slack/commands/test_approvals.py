"""`/autoheal approvals`."""

from datetime import timedelta

import pytest

from tests.conftest import Clock
from tests.handlers.inbound import Slack, stored_card


@pytest.mark.parametrize("asked", ["approvals", "approve list", "APPROVE"])
async def test_what_waits_is_listed_with_a_link_to_its_card(slack: Slack, asked: str) -> None:
    _, ts = await stored_card(slack)
    await slack.workspace.slash("mia", "incidents", f"/autoheal {asked}")
    await slack.handled(1)
    (told,) = slack.private("incidents", "mia")
    assert f"p{ts.replace('.', '')}" in told
    assert "|Roll back checkout to 9c01be0>: medium risk" in told


async def test_what_has_expired_does_not_wait(slack: Slack, clock: Clock) -> None:
    await stored_card(slack)
    clock.advance(timedelta(hours=25))
    await slack.workspace.slash("mia", "incidents", "/autoheal approvals")
    await slack.handled(1)
    assert slack.private("incidents", "mia") == ["Nothing waits for a decision."]
