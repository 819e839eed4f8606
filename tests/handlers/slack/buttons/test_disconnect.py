"""Disconnecting by a click."""

from store.ids import ConnectionId, new_id
from store.people.users import Role
from store.tenancy import connections
from tests.handlers.inbound import Slack, set_person


async def test_a_click_disconnects_and_says_what_was_done(slack: Slack) -> None:
    await set_person(slack, "mia", Role.ADMIN)
    async with slack.db.tenant(slack.tenant) as s:
        saved = await connections.save_connection(
            s,
            id=ConnectionId(new_id()),
            connector="jaeger",
            label="traces",
            config={"url": "http://127.0.0.1:9"},
            credentials={},
        )
    await slack.workspace.slash("mia", "incidents", "/autoheal integrations")
    await slack.handled(1)
    (told,) = [m for m in slack.workspace.messages("incidents") if m.ephemeral_for]
    assert "*traces* (Jaeger) *does not work*" in str(told.blocks)
    (button,) = [
        e for b in told.blocks if b["type"] == "actions" for e in b["elements"] if "disconnect" in e["action_id"]
    ]
    assert button["value"] == saved.id
    for _ in range(2):
        await slack.workspace.click("mia", told.ts, button["action_id"])
    await slack.handled(3)
    said = slack.private("incidents", "mia")
    assert said[-2].startswith("traces is disconnected and what was stored of it is deleted.")
    assert said[-1] == "It is disconnected already."
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        assert await connections.connections(s) == []
