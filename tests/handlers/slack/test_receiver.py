"""Handling what waits: idempotent after a crash, and never silent."""

import asyncio

import pytest

from handlers.slack.receiver import SlackReceiver
from handlers.slack.uninstall import Uninstall
from store import inbox
from store.database.schema import InboxRow
from store.ids import InboxId, TenantId, new_id
from tests.handlers.inbound import Slack


async def waiting(slack: Slack) -> InboxId:
    await slack.intake.settle()
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        row = await s.one(InboxRow)
    assert row is not None
    return InboxId(row.id)


async def test_a_crash_between_handling_and_marking_repeats_nothing_that_people_see(
    slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    slack.engine.receive = None
    await slack.workspace.slash("mia", "incidents", "/autoheal investigate checkout is failing")
    await slack.until(lambda: slack.intake.counts["recorded"] >= 1)
    inbox_id = await waiting(slack)
    with monkeypatch.context() as patch:
        patch.setattr(inbox, "mark", die)
        with pytest.raises(KeyboardInterrupt):
            await slack.receiver.receive(slack.tenant, inbox_id)
    await slack.receiver.receive(slack.tenant, inbox_id)
    assert slack.said("incidents") == ["<@U0MIA> asks: checkout is failing"]
    assert len(slack.engine.of("investigate")) == 1


async def test_what_breaks_because_the_process_stops_is_done_after_the_restart(slack: Slack) -> None:
    slack.engine.receive = None
    await slack.workspace.slash("mia", "incidents", "/autoheal help")
    await slack.until(lambda: slack.intake.counts["recorded"] >= 1)
    inbox_id = await waiting(slack)
    slack.receiver.leave()
    slack.workspace.faults.fail("users.info", "fatal_error")
    with pytest.raises(asyncio.CancelledError):
        await slack.receiver.receive(slack.tenant, inbox_id)
    assert slack.private("incidents", "mia") == []
    again = SlackReceiver(
        context=slack.context,
        caller=slack.caller,
        uninstall=Uninstall(db=slack.db, queue=slack.engine, forget=lambda _: None),
    )
    await again.receive(slack.tenant, inbox_id)
    assert "use a command" in slack.private("incidents", "mia")[0]


async def test_an_unknown_or_foreign_arrival_is_nothing(slack: Slack, two_tenants: tuple[TenantId, TenantId]) -> None:
    await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.handled(1)
    receiver: SlackReceiver = slack.receiver
    await receiver.receive(slack.tenant, InboxId(new_id()))
    await receiver.receive(two_tenants[0], await waiting(slack))
    assert len(slack.engine.of("investigate")) == 1


async def test_a_failure_marks_the_arrival_with_its_reference(slack: Slack) -> None:
    slack.workspace.faults.fail("users.info", "fatal_error", times=1)
    await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.handled(1)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        stored = await inbox.arrival(s, await waiting(slack))
    assert stored is not None
    assert stored.state == "failed"
    assert stored.note is not None
    assert stored.note in slack.private("incidents", "mia")[0]
