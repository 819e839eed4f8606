"""A tool connected from Slack: the form with its help, what is tested, and where the secret goes."""

import json
from typing import Any

import pytest
from sqlalchemy import select

from agents.connecting.connecting import connectable
from handlers.slack.context import Reply
from handlers.slack.modal import Metadata
from handlers.slack.modals.connect import connect_view
from store import inbox
from store.database.schema import InboxRow
from store.ids import InboxId
from store.people.users import Role
from store.tenancy import connections
from tests.fakes.prometheus import fake_prometheus
from tests.handlers.inbound import Slack, set_person, words

TOKEN = "glsa-8Kd03hQz71LmNbXy"


def test_every_form_is_drawn_with_help_within_slacks_limits() -> None:
    for name, kind in connectable().items():
        view: dict[str, Any] = connect_view(Metadata(subject=name), kind)
        inputs = [block for block in view["blocks"] if block["type"] == "input"]
        assert len(view["title"]["text"]) <= 24
        assert [one["block_id"] for one in inputs] == [*(field.name for field in kind.form.fields), "label"]
        assert all(one["hint"]["text"] for one in inputs)
        secret = {field.name for field in kind.form.fields if field.secret}
        assert {one["block_id"] for one in inputs if one["element"]["action_id"].startswith("secret:")} == secret


async def connect(slack: Slack, url: str, token: str = TOKEN) -> None:
    await slack.workspace.slash("mia", "incidents", "/autoheal connect prometheus")
    await slack.until(lambda: slack.workspace.views)
    (view_id,) = slack.workspace.views
    await slack.workspace.submit_view("mia", view_id, {"url": url, "secret:token": token, "label": "eu"})


async def inbox_of(slack: Slack) -> list[dict[str, Any]]:
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        rows = await s.all(select(InboxRow).order_by(InboxRow.id))
        stored = [await inbox.arrival(s, InboxId(row.id)) for row in rows]
    return [one.payload for one in stored if one is not None]


async def test_a_form_is_tested_stored_and_answered_and_its_secret_leaves_the_inbox(slack: Slack) -> None:
    await set_person(slack, "mia", Role.ADMIN)
    async with fake_prometheus(token=TOKEN) as prometheus:
        await connect(slack, prometheus.url)
        await slack.handled(2)
    (told,) = slack.private("incidents", "mia")
    assert told.startswith("Prometheus is connected as *eu*: Prometheus 3.1.0")
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (stored,) = await connections.connections(s)
        assert (await connections.credentials(s, stored.id))["token"].reveal() == TOKEN
    assert TOKEN not in json.dumps(await inbox_of(slack))
    assert slack.workspace.violations == []


async def test_a_wrong_token_is_told_with_a_button_that_opens_the_form_again(slack: Slack) -> None:
    await set_person(slack, "mia", Role.ADMIN)
    async with fake_prometheus(token=TOKEN) as prometheus:
        await connect(slack, prometheus.url, token="another-token-4711")
        await slack.handled(2)
    (told,) = [m for m in slack.workspace.messages("incidents") if m.ephemeral_for]
    assert "refused the credential (401)" in words(told.blocks)
    assert "Nothing was stored." in words(told.blocks)
    assert told.blocks[-1]["elements"][0]["action_id"] == "connect:prometheus"
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        assert await connections.connections(s) == []
    assert "another-token-4711" not in json.dumps(await inbox_of(slack))
    await slack.workspace.click("mia", told.ts, "connect:prometheus")
    await slack.handled(3)
    assert len(slack.workspace.views) == 1


async def test_slack_down_in_the_middle_leaves_a_whole_connection_or_none(
    slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer cannot be sent: what was stored is whole, and no secret stays behind."""

    async def down(*_: object) -> None:
        raise ConnectionError("Slack is away")

    await set_person(slack, "mia", Role.ADMIN)
    async with fake_prometheus(token=TOKEN) as prometheus:
        await slack.workspace.slash("mia", "incidents", "/autoheal connect prometheus")
        await slack.until(lambda: slack.workspace.views)
        (view_id,) = slack.workspace.views
        monkeypatch.setattr(Reply, "privately", down)
        await slack.workspace.submit_view("mia", view_id, {"url": prometheus.url, "secret:token": TOKEN})
        await slack.handled(2)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (stored,) = await connections.connections(s)
        assert stored.worked_at is not None
        assert (await connections.credentials(s, stored.id))["token"].reveal() == TOKEN
    assert TOKEN not in json.dumps(await inbox_of(slack))
