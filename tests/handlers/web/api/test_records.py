"""The audit log and the events, read by admins."""

from store.audit import events
from tests.handlers.web.api.api import Api, error

RANGE = "since=2026-11-01T00:00:00Z&until=2026-11-20T00:00:00%2B00:00"


async def test_the_audit_log_is_read_a_page_at_a_time(api: Api) -> None:
    async with api.browser(api.admin) as client:
        for name in ("Ann", "Ben", "Cleo"):
            await client.patch("/me", json={"first_name": name})
        first = (await client.get("/audit?limit=2")).json()["entries"]
        rest = (await client.get(f"/audit?after={first[-1]['sequence']}")).json()["entries"]
    assert [one["sequence"] for one in (*first, *rest)] == [1, 2, 3]
    assert {one["action"] for one in (*first, *rest)} == {"web.account.changed"}


async def test_events_of_a_range_are_cloudevents_of_this_organisation(api: Api) -> None:
    async with api.db.tenant(api.tenant) as s:
        await events.emit(s, "ai.autoheal.incident.opened.v1", "incident-1", {"number": 1})
    async with api.browser(api.admin) as client:
        (shown,) = (await client.get(f"/events?{RANGE}")).json()["events"]
        too_long = await client.get("/events?since=2026-01-01T00:00:00Z&until=2026-11-20T00:00:00Z")
    assert (shown["specversion"], shown["type"], shown["tenantid"], shown["data"]) == (
        "1.0",
        "ai.autoheal.incident.opened.v1",
        api.tenant,
        {"number": 1},
    )
    assert error(too_long) == "unreadable"
