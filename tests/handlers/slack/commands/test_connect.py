"""`/autoheal connect`: what there is, and a form that opened too late."""

import pytest

from handlers.slack.commands import connect
from store.people.users import Role
from tests.handlers.inbound import Slack, set_person


async def test_without_a_name_it_shows_what_can_be_connected(slack: Slack) -> None:
    await set_person(slack, "mia", Role.ADMIN)
    await slack.workspace.slash("mia", "incidents", "/autoheal connect")
    await slack.workspace.slash("mia", "incidents", "/autoheal connect commands")
    await slack.handled(2)
    everything, unknown = slack.private("incidents", "mia")
    assert "*Prometheus*: Metrics" in everything
    assert unknown.startswith("I cannot connect 'commands'. What I can connect:")
    assert slack.workspace.violations == []


async def test_a_form_that_slack_opens_too_late_is_offered_as_a_button(
    slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_person(slack, "mia", Role.ADMIN)

    async def late(*_: object) -> bool:
        return False

    monkeypatch.setattr(connect, "open_modal", late)
    await slack.workspace.slash("mia", "incidents", "/autoheal connect jaeger")
    await slack.handled(1)
    (told,) = [m for m in slack.workspace.messages("incidents") if m.ephemeral_for]
    assert told.blocks[-1]["elements"][0]["action_id"] == "connect:jaeger"
