"""Alerts, groups and changes as rows, kept apart by tenant and forgotten in time."""

from dataclasses import replace
from datetime import timedelta

from store import incidents
from store.database.session import Database
from store.ids import AlertGroupId, IncidentId, TenantId, new_id, stable_id
from store.incidents import alerts
from store.incidents.alerts import StoredAlert, StoredChange, StoredGroup
from store.secrets.redaction import Redacted
from store.upkeep.retention import retire_alerts
from tests.conftest import Clock


def a_group(db: Database, **more: object) -> StoredGroup:
    now = db.now()
    group = StoredGroup(
        id=AlertGroupId(new_id()),
        status="firing",
        severity="high",
        quiet=False,
        service="cart",
        environment=None,
        facts={"title": "Slow"},
        opened_at=now,
        last_at=now,
        resolved_at=None,
        recurrences=0,
        decision=None,
        incident_id=None,
        channel_id=None,
        thread_ts=None,
        merged_into=None,
        version=1,
        shown=0,
    )
    return replace(group, **more)  # type: ignore[arg-type] # as the test says


def an_alert(db: Database, group: StoredGroup) -> StoredAlert:
    now = db.now()
    return StoredAlert(
        id=new_id(),
        group_id=group.id,
        provider="grafana",
        status="firing",
        severity="high",
        service="cart",
        environment="prod",
        facts={"name": "slow", "labels": {"a": "b"}},
        first_at=now,
        fired_at=now,
        last_at=now,
        resolved_at=None,
        occurrences=1,
        turns=1,
    )


async def test_what_is_written_is_read_and_another_tenant_sees_nothing(
    database: Database, two_tenants: tuple[TenantId, TenantId]
) -> None:
    mine, theirs = two_tenants
    group = a_group(database)
    alert = an_alert(database, group)
    async with database.tenant(mine) as s:
        await alerts.save_groups(s, [group])
        await alerts.save_alerts(s, [alert])
        await alerts.save_alerts(s, [replace(alert, occurrences=5, facts={**alert.facts, "title": "Slow"})])
        await alerts.note_thread(s, group.id, channel_id="C1", thread_ts="1.2")
        await alerts.note_decision(s, group.id, "offer")
    async with database.tenant(mine, readonly=True) as s:
        (read,) = await alerts.alerts(s, [alert.id])
        assert (read.occurrences, read.facts["title"], read.environment) == (5, "Slow", "prod")
        stored = await alerts.group(s, group.id)
        assert stored is not None
        assert (stored.channel_id, stored.decision, stored.facts) == ("C1", "offer", {"title": "Slow"})
        assert [one.id for one in await alerts.unshown_groups(s)] == [group.id]
        assert await alerts.count_decided(s, "offer", database.now() - timedelta(hours=1)) == 1
    assert await alerts.tenants_with_unshown_groups(database) == [mine]
    async with database.tenant(mine) as s:
        await alerts.note_shown(s, group.id, 1)
        await alerts.note_shown(s, group.id, 0)
    assert await alerts.tenants_with_unshown_groups(database) == []
    async with database.tenant(theirs, readonly=True) as s:
        assert await alerts.alerts(s, [alert.id]) == []
        assert await alerts.group(s, group.id) is None
        assert await alerts.policy(s) == {}


async def test_the_newest_word_on_a_change_counts(database: Database, two_tenants: tuple[TenantId, TenantId]) -> None:
    mine, _ = two_tenants
    now = database.now()
    begun = StoredChange(
        id=stable_id("change", mine, "gitlab:1"),
        provider="gitlab",
        kind="deployment",
        service=None,
        environment="prod",
        facts={"outcome": "running"},
        occurred_at=now,
        received_at=now,
    )
    ended = replace(begun, facts={"outcome": "success"}, occurred_at=now + timedelta(minutes=2))
    async with database.tenant(mine) as s:
        for change in (begun, ended, begun):
            await alerts.save_change(s, change)
        (read,) = await alerts.changes_between(s, now - timedelta(hours=1), now + timedelta(hours=1))
    assert read.facts == {"outcome": "success"}
    assert await alerts.tenants_with_changes(database) == [mine]


async def test_what_nobody_hears_of_any_more_is_forgotten(
    database: Database, two_tenants: tuple[TenantId, TenantId], clock: Clock
) -> None:
    mine, _ = two_tenants
    old = a_group(database)
    async with database.tenant(mine) as s:
        await alerts.save_groups(s, [old])
        await alerts.save_alerts(s, [an_alert(database, old)])
    clock.advance(timedelta(days=60))
    young = a_group(database)
    async with database.tenant(mine) as s:
        await alerts.save_groups(s, [young])
        await alerts.save_alerts(s, [an_alert(database, young)])
    clock.advance(timedelta(days=31))
    assert await retire_alerts(database) == 2
    async with database.tenant(mine, readonly=True) as s:
        assert [one.id for one in await alerts.groups_since(s, clock() - timedelta(days=365))] == [young.id]


async def test_an_incidents_alerts_are_over_when_all_of_its_groups_are(
    database: Database, two_tenants: tuple[TenantId, TenantId]
) -> None:
    mine, theirs = two_tenants
    one, other = (IncidentId(stable_id("incident", str(n))) for n in range(2))
    home = a_group(database)
    firing = a_group(database)
    over = a_group(database, status="resolved")
    merged = a_group(database, status="resolved", merged_into=home.id)
    async with database.tenant(mine) as s:
        for incident in (one, other):
            await incidents.open_incident(
                s, id=incident, title=Redacted.ours("x"), channel_id="C1", thread_ts=incident, opened_by=None
            )
        await alerts.save_groups(s, [home, firing, over, merged])
        for group, incident in ((firing, one), (over, one), (merged, other)):
            await alerts.note_incident(s, group.id, incident)
        assert await alerts.not_over(s, [one, other]) == {one, other}
        assert await alerts.all_over(s, [one, other]) == frozenset()
        await alerts.save_groups(s, [replace(firing, status="resolved")])
        assert await alerts.not_over(s, [one, other]) == {other}, "it became part of one that fires"
        await alerts.save_groups(s, [replace(home, status="resolved")])
        assert await alerts.all_over(s, [one, other]) == {one, other}
        assert await alerts.all_over(s, []) == frozenset()
    async with database.tenant(theirs, readonly=True) as s:
        assert await alerts.all_over(s, [one, other]) == frozenset()
