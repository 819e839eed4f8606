"""An uninstall stops everything; one that arrives after the app came back is old news."""

from datetime import timedelta

import pytest

from handlers.slack.inbound.arrival import TokensRevoked, Uninstalled
from handlers.slack.uninstall import SLACK, Uninstall
from store import inbox
from store.database.schema import SlackInstallRow
from store.ids import InboxId, TenantId
from store.inbox import Arrival, Inbox, StoredArrival
from store.tenancy import tenants
from store.tenancy.tenants import find_tenant
from store.upkeep import erasure
from tests.handlers.inbound import Slack


class Cancels:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def cancel_all(self, prefix: str, *, keep: str) -> int:
        self.asked.append((prefix, keep))
        return 1


async def news(slack: Slack, what: Uninstalled | TokensRevoked | None = None) -> StoredArrival:
    told = what or Uninstalled()
    payload = told.model_dump(mode="json", exclude_none=True)
    written = await Inbox(slack.db).record(
        slack.tenant, Arrival(source="slack", external_id="Ev0GONE", kind=told.kind, payload=payload)
    )
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        stored = await inbox.arrival(s, written.inbox_id)
    assert stored is not None
    return stored


async def test_all_workflows_of_the_tenant_are_cancelled_but_the_one_that_does_it(slack: Slack) -> None:
    stored, cancels, forgotten = await news(slack), Cancels(), list[TenantId]()
    uninstall = Uninstall(db=slack.db, queue=cancels, forget=forgotten.append)
    await uninstall.leave(slack.tenant, stored)
    await uninstall.leave(slack.tenant, stored)
    own = f"t:{slack.tenant}:receive:{stored.id}"
    assert cancels.asked == [(f"t:{slack.tenant}:", own)] * 2
    assert forgotten == [slack.tenant] * 2
    async with slack.db.tenant(slack.tenant, readonly=True, frozen_too=True) as s:
        again = await inbox.arrival(s, stored.id)
    assert again is not None
    assert again.state == "received", "its own arrival is marked when it is done"


async def test_an_uninstall_before_the_last_installation_is_old_news(slack: Slack) -> None:
    stored, cancels = await news(slack), Cancels()
    async with slack.db.tenant(slack.tenant) as s:
        install = await tenants.load_install(s)
        assert install is not None
        values = {"installed_at": stored.received_at + timedelta(seconds=1)}
        await s.update(SlackInstallRow, values=values)
    await Uninstall(db=slack.db, queue=cancels, forget=lambda _: None).leave(slack.tenant, stored)
    known = await find_tenant(slack.db, slack.tenant)
    assert known is not None
    assert known.status == "active"
    assert cancels.asked == []


@pytest.mark.parametrize("kind", [Uninstalled, TokensRevoked])
@pytest.mark.parametrize(("seconds", "status"), [(-1, "active"), (0, "frozen"), (1, "frozen")])
async def test_when_it_happened_counts_and_not_when_it_came(
    slack: Slack, kind: type[Uninstalled | TokensRevoked], seconds: int, status: str
) -> None:
    installed = slack.db.now() - timedelta(hours=1)
    async with slack.db.tenant(slack.tenant) as s:
        await s.update(SlackInstallRow, values={"installed_at": installed})
    stored = await news(slack, kind(event_time=int(installed.timestamp()) + seconds))
    assert stored.received_at > installed
    await Uninstall(db=slack.db, queue=Cancels(), forget=lambda _: None).leave(slack.tenant, stored)
    known = await find_tenant(slack.db, slack.tenant)
    assert known is not None
    assert known.status == status


async def test_what_was_written_down_before_is_not_handled_after(slack: Slack) -> None:
    slack.engine.receive = None
    await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.until(lambda: slack.engine.of("receive"))
    await erasure.freeze(slack.db, slack.tenant, actor=SLACK)
    (arguments,) = slack.engine.of("receive")
    await slack.receiver.receive(slack.tenant, InboxId(arguments[1]))
    assert slack.engine.of("investigate") == []
