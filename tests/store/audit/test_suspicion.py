"""Each rule strikes at its count and not before; the alert is raised once an hour and told."""

import logging
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from store import audit
from store.audit import Actor, trail
from store.audit.event_days import open_event_days
from store.audit.events import events
from store.database.session import Database
from store.ids import TenantId
from store.upkeep.watch import Watch

ADMIN, MEMBER, SYSTEM = (Actor(type="user", id="u-admin"), Actor(type="user", id="u-member"), audit.SYSTEM)
Entry = tuple[Actor, str, str, dict[str, Any]]


class Told:
    def __init__(self) -> None:
        self.messages: dict[tuple[TenantId, str], str] = {}

    async def tell_admins(self, tenant: TenantId, *, key: str, text: str) -> bool:
        self.messages.setdefault((tenant, key), text)
        return True


async def _record(database: Database, tenant_id: TenantId, *entries: Entry) -> None:
    async with database.tenant(tenant_id) as s:
        for actor, action, target, details in entries:
            await audit.record(s, actor=actor, action=action, target=target, details=details)


def _times(count: int, actor: Actor, action: str, target: str = "x", **details: Any) -> list[Entry]:
    return [(actor, action, target, details)] * count


CASES: dict[str, tuple[list[Entry], list[Entry]]] = {
    "bad_signatures": (
        _times(4, SYSTEM, "slack.request.refused", reason="stale"),
        _times(1, SYSTEM, "slack.request.refused", reason="replayed"),
    ),
    "bad_logins": (
        _times(4, SYSTEM, "web.login.refused", "account-1", reason="password"),
        _times(1, SYSTEM, "api.token.refused", "account-1"),
    ),
    "probes": (
        [*_times(2, MEMBER, "slack.access.refused", reason="unknown_id"), *_times(1, ADMIN, "slack.access.refused")],
        _times(1, MEMBER, "api.access.refused", reason="unknown_id"),
    ),
    "mass_export": (
        [*_times(2, ADMIN, "api.export.created"), *_times(2, MEMBER, "operator.events.exported")],
        _times(1, ADMIN, "api.export.requested"),
    ),
    "role_used_at_once": (
        [
            (SYSTEM, "system.role.granted", "u-admin", {"role": "admin"}),
            (ADMIN, "api.role.granted", "u-member", {"role": "admin"}),
            (MEMBER, "slack.approval.refused", "x", {}),
        ],
        _times(1, MEMBER, "slack.approval.approved"),
    ),
    "many_remediations": (_times(4, SYSTEM, "agent.effect.started"), _times(1, SYSTEM, "agent.effect.started")),
}


@pytest.mark.parametrize("rule", CASES)
async def test_a_rule_strikes_at_its_count(sqlite_database: Database, two_tenants: Any, rule: str) -> None:
    a, b = two_tenants
    before, last = CASES[rule]
    told = Told()
    watch = Watch(sqlite_database, told)
    await _record(sqlite_database, a, *before)
    assert await watch.look() == 0
    await _record(sqlite_database, b, *last)  # another tenant's deeds do not count here
    assert await watch.look() == 0
    await _record(sqlite_database, a, *last)
    assert await watch.look() == 1
    assert [(tenant, key.split(":")[1]) for tenant, key in told.messages] == [(a, rule)]


async def test_each_use_of_break_glass_is_told_once(sqlite_database: Database, two_tenants: Any, clock: Any) -> None:
    a = two_tenants[0]
    told = Told()
    watch = Watch(sqlite_database, told)
    broken = {"break_glass": "nobody else answered"}
    await _record(
        sqlite_database,
        a,
        (ADMIN, "slack.approval.approved", "plan-1", broken),
        (ADMIN, "slack.approval.approved", "plan-2", broken),
        (MEMBER, "slack.approval.approved", "plan-3", {}),
    )
    assert await watch.look() == 2
    clock.advance(timedelta(minutes=5))
    await _record(sqlite_database, a, (MEMBER, "slack.approval.approved", "plan-4", {}))
    assert await watch.look() == 0
    assert [key.rpartition(":")[0] for _, key in told.messages] == [
        "alert:break_glass:plan-1",
        "alert:break_glass:plan-2",
    ]
    await _record(sqlite_database, a, (ADMIN, "slack.approval.approved", "plan-1", broken))  # planned anew meanwhile
    assert await watch.look() == 1
    assert all("without a second person" in text for text in told.messages.values())


async def test_one_write_past_the_wall_is_enough(sqlite_database: Database, two_tenants: Any) -> None:
    told = Told()
    await _record(sqlite_database, two_tenants[0], (MEMBER, "slack.access.refused", "x", {"reason": "wall"}))
    assert await Watch(sqlite_database, told).look() == 1


async def test_a_flood_of_other_entries_hides_nothing(sqlite_database: Database, two_tenants: Any) -> None:
    burst, flood = _times(5, SYSTEM, "agent.effect.started"), _times(600, MEMBER, "agent.tool.called")
    await _record(sqlite_database, two_tenants[0], *burst, *flood)
    assert await Watch(sqlite_database, Told()).look() == 1


async def test_a_flood_of_refusals_does_not_hide_break_glass(sqlite_database: Database, two_tenants: Any) -> None:
    told = Told()
    broken = (ADMIN, "slack.undo.requested", "plan-1", {"break_glass": "takes back"})
    await _record(sqlite_database, two_tenants[0], broken, *_times(1_100, MEMBER, "slack.access.refused"))
    await Watch(sqlite_database, told).look()
    assert any("break_glass" in key for _, key in told.messages)


async def test_slow_failures_are_no_attack(sqlite_database: Database, two_tenants: Any, clock: Any) -> None:
    watch = Watch(sqlite_database, Told())
    for _ in range(20):
        await _record(sqlite_database, two_tenants[0], (SYSTEM, "web.login.refused", "account-1", {}))
        assert await watch.look() == 0
        clock.advance(timedelta(minutes=3))


async def test_an_alert_is_one_event_one_entry_one_message_an_hour(
    database: Database, two_tenants: Any, clock: Any, store_place: Any
) -> None:
    a = two_tenants[0]
    told, burst = Told(), _times(5, SYSTEM, "agent.effect.started")
    await _record(database, a, *burst)
    assert await Watch(database, told).look() == 1
    restarted = Watch(database, told)
    assert await restarted.look() == 0
    await _record(database, a, *burst)
    assert await restarted.look() == 0
    assert len(told.messages) == 1
    clock.advance(timedelta(hours=1))
    await _record(database, a, *burst)
    assert await restarted.look() == 1
    assert len(told.messages) == 2
    days = open_event_days(store_place.url, clock=clock)
    async with database.tenant(a) as s:
        raised = [entry for entry in await trail(s) if entry.action == "system.alert.raised"]
        found = await events(s, clock() - timedelta(hours=2), clock() + timedelta(seconds=1), days=days)
    await days.close()
    assert [entry.details["rule"] for entry in raised] == ["many_remediations"] * 2
    assert [event.get_type() for event in found] == ["ai.autoheal.alert.raised.v1"] * 2


async def test_a_message_that_a_crash_kept_back_is_told_later(sqlite_database: Database, two_tenants: Any) -> None:
    class Faulty(Told):
        def __init__(self) -> None:
            super().__init__()
            self.fails: list[bool | Exception] = [ConnectionError(), False, TimeoutError()]

        async def tell_admins(self, tenant: TenantId, *, key: str, text: str) -> bool:
            if self.fails:
                outcome = self.fails.pop(0)
                if isinstance(outcome, Exception):
                    raise outcome
                return outcome
            return await super().tell_admins(tenant, key=key, text=text)

    await _record(sqlite_database, two_tenants[0], *_times(5, SYSTEM, "agent.effect.started"))
    told = Faulty()
    watch = Watch(sqlite_database, told)
    for _ in range(3):
        await watch.look()
        assert told.messages == {}
    await watch.look()
    await watch.look()
    assert ["5 remediations" in text for text in told.messages.values()] == [True]


async def test_one_tenants_trouble_hinders_no_others_alert(sqlite_database: Database, two_tenants: Any) -> None:
    class Refusing(Told):
        async def tell_admins(self, tenant: TenantId, *, key: str, text: str) -> bool:
            if tenant == min(two_tenants):
                raise ConnectionError
            return await super().tell_admins(tenant, key=key, text=text)

    for tenant in two_tenants:
        await _record(sqlite_database, tenant, *_times(5, SYSTEM, "agent.effect.started"))
    told = Refusing()
    await Watch(sqlite_database, told).look()
    assert [tenant for tenant, _ in told.messages] == [max(two_tenants)]


async def test_forged_requests_of_nobody_reach_the_operators_log(
    sqlite_database: Database, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    counts: Counter[str] = Counter()
    watch = Watch(sqlite_database, Told(), refused=lambda: counts)
    await watch.look_at_door()
    with caplog.at_level(logging.ERROR):
        for _ in range(19):
            counts["refused_forged"] += 1
            clock.advance(timedelta(seconds=20))
            await watch.look_at_door()
        assert "requests.forged" not in caplog.text
        counts["refused_unknown_workspace"] += 1
        await watch.look_at_door()
        await watch.look_at_door()
    assert caplog.text.count("action=requests.forged count=20") == 1
