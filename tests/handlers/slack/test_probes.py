"""Ids that are not of the caller's organisation are refused and noted, and whoever tries many is told on."""

from typing import Any

from handlers.slack.blocks.message import Message, actions, button
from handlers.slack.notices import Notices
from store import audit
from store.ids import new_id
from store.people.users import Role
from store.upkeep.watch import Watch
from tests.handlers.inbound import Slack, set_person, show


async def test_trying_out_ids_is_audited_and_told_to_the_admins(slack: Slack) -> None:
    await set_person(slack, "olga", Role.ADMIN)
    for name in ("undo", "approve", "details"):
        ts = await show(slack, Message(text="x", blocks=tuple(actions(button(name, name, f"{new_id()}:0123456789ab")))))
        await slack.workspace.click("mia", ts, name)
    await slack.handled(3)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        tries = [entry for entry in await audit.trail(s) if entry.action == "slack.access.refused"]
    assert {entry.details["reason"] for entry in tries} == {"unknown_id"}
    assert [entry.target for entry in tries].count("approval") == 2
    told: dict[str, Any] = {}

    class Delivery:
        async def post(self, _tenant: object, *, key: str, channel: str, message: Message, **_: object) -> str:
            told[key] = (channel, message.text)
            return "1.0"

    notices = Notices(slack.db, Delivery())  # type: ignore[arg-type]  # it speaks this one word
    assert await Watch(slack.db, notices).look() == 1
    assert slack.workspace.users["olga"].id in {channel for channel, _ in told.values()}
    assert all("Suspicious activity" in text for _, text in told.values())
