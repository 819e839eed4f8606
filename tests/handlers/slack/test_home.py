"""The Home tab."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from agents.connecting.connector import Check, Connector, ConnectorConfig, ConnectorContext
from agents.errors import NeedsReauthorisation
from handlers.slack import home
from handlers.slack.blocks.home import Home
from handlers.slack.blocks.home import home as render
from tests.conftest import Clock
from tests.handlers.inbound import Slack, stored_card


class Fine(Connector):
    name = "fine"
    title = "Fine"
    config_model = ConnectorConfig

    async def check(self) -> Check:
        return Check(ok=True, detail="3 targets")


class Locked(Fine):
    title = "Locked"

    async def check(self) -> Check:
        raise NeedsReauthorisation("the token was refused")


class Buggy(Fine):
    title = "Buggy"

    async def check(self) -> Check:
        raise KeyError("canary")


class Late(Fine):
    title = "Late"

    async def check(self) -> Check:
        await asyncio.Event().wait()
        raise AssertionError("it never answers")


async def test_what_could_not_be_asked_is_not_called_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "_CHECK_PATIENCE_S", 0.01)
    context = ConnectorContext(services=(), outbound=None, now=Clock())  # type: ignore[arg-type] # unused by these
    found = await home.check_all(tuple(one(ConnectorConfig(), context) for one in (Fine, Buggy, Late)))
    assert [one.healthy for one in found] == [True, None, None]
    assert "canary" not in str(found)
    shown = str(render(Home(incidents=[], approvals=[], integrations=found, now=datetime.now(UTC))))
    assert "*Late*: *could not be checked*, no answer in" in shown


async def test_the_tab_shows_incidents_and_what_waits(slack: Slack) -> None:
    await stored_card(slack)
    await slack.workspace.open_home("mia")
    view = await slack.until(lambda: slack.workspace.home("mia"))
    assert view is not None
    shown = json.dumps(view.view["blocks"])
    assert "*#1* checkout: investigating for" in shown
    assert "rollback deployment of *checkout*" in shown


async def test_a_guest_sees_why_there_is_nothing_to_see(slack: Slack) -> None:
    await stored_card(slack)
    await slack.workspace.open_home("gus")
    view = await slack.until(lambda: slack.workspace.home("gus"))
    assert view is not None
    shown = json.dumps(view.view["blocks"])
    assert "Guests cannot use Autoheal" in shown
    assert "checkout" not in shown


async def test_integrations_are_asked_and_a_broken_one_hides_no_other() -> None:
    context = ConnectorContext(services=(), outbound=None, now=Clock())  # type: ignore[arg-type] # unused by these two
    fine, locked = await home.check_all((Fine(ConnectorConfig(), context), Locked(ConnectorConfig(), context)))
    assert (fine.healthy, fine.detail) == (True, "3 targets")
    assert (locked.healthy, locked.detail) == (False, "the token was refused")


async def test_the_messages_tab_of_the_app_needs_no_answer(slack: Slack) -> None:
    await slack.workspace.open_home("mia", "messages")
    await slack.until(lambda: slack.intake.counts["nothing"] >= 1)
    assert slack.workspace.calls("views.publish") == []
