"""What people and the agent did is in the audit log, each thing once."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from fakes.rig import Rig

from store.audit.event_days import open_event_days
from store.audit.events import events
from store.database.session import Database


async def test_a_run_from_the_question_to_the_healed_service_is_audited(
    sqlite_database: Database, rig: Rig, sqlite_place: Any, clock: Any
) -> None:
    found = await rig.proposed()
    await rig.decide(found)
    actions = Counter(await rig.actions())
    once = (
        "slack.incident.opened",
        "slack.investigation.requested",
        "agent.investigation.started",
        "agent.investigation.concluded",
        "agent.approval.proposed",
        "slack.approval.approved",
        "agent.effect.started",
        "agent.effect.finished",
        "agent.effect.verified",
    )
    assert {action: actions[action] for action in once} == dict.fromkeys(once, 1)
    assert actions["agent.model.called"] >= 2
    assert actions["agent.tool.called"] >= 1
    days = open_event_days(sqlite_place.url, clock=clock)
    async with sqlite_database.tenant(rig.tenant, readonly=True) as s:
        told = await events(s, datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC), days=days)
    types = Counter(event.get_type() for event in told)
    for noun in ("incident.opened", "investigation.started", "remediation.healed", "incident.mitigated"):
        assert types[f"ai.autoheal.{noun}.v1"] == 1, noun
