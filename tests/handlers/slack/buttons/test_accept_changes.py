"""What changed stands above a button, and a click uses it as it is now."""

import pytest

from agents.connecting.connector import Check, Connector, ConnectorConfig, Pins, discover_connectors
from agents.connecting.fields import Form
from store.ids import ConnectionId, new_id
from store.people.users import Role
from store.tenancy import connections
from tests.handlers.inbound import Slack, set_person


class _Settings(ConnectorConfig):
    pinned: str = "old"


class _Moody(Connector):
    """Offers something else than what was accepted."""

    name = "moody"
    title = "Moody"
    config_model = _Settings
    form = Form()

    async def check(self) -> Check:
        changed = () if self.config.pinned == "new" else ("search changed: it said “old”, and says now “new”",)
        return Check(ok=True, detail="fine", changed=changed, seen="abc123" if changed else "")

    async def pins(self) -> Pins:
        return Pins(settings={"pinned": "new"}, seen="abc123")


@pytest.fixture
def moody(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {**discover_connectors(), "moody": _Moody}
    for module in ("connecting", "toolboxes"):
        monkeypatch.setattr(f"agents.connecting.{module}.discover_connectors", lambda: known)


@pytest.mark.usefixtures("moody")
async def test_a_click_accepts_what_was_shown(slack: Slack) -> None:
    await set_person(slack, "mia", Role.ADMIN)
    async with slack.db.tenant(slack.tenant) as s:
        saved = await connections.save_connection(
            s, id=ConnectionId(new_id()), connector="moody", label="books", config={}, credentials={}
        )
    await slack.workspace.slash("mia", "incidents", "/autoheal integrations")
    await slack.handled(1)
    (told,) = [m for m in slack.workspace.messages("incidents") if m.ephemeral_for]
    assert "1 change nobody accepted yet, so that is off" in str(told.blocks)
    assert "and says now “new”" in str(told.blocks)
    (button,) = [
        e for b in told.blocks if b["type"] == "actions" for e in b["elements"] if "accept_changes" in e["action_id"]
    ]
    assert button["value"] == f"{saved.id}:abc123"
    await slack.workspace.click("mia", told.ts, button["action_id"])
    await slack.handled(2)
    assert slack.private("incidents", "mia")[-1].startswith("Accepted: books is used as it is now.")
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        assert (await connections.connections(s))[0].config == {"pinned": "new"}
    await slack.workspace.slash("mia", "incidents", "/autoheal integrations")
    await slack.handled(3)
    assert "accepted yet" not in str(slack.workspace.messages("incidents")[-1].blocks)
