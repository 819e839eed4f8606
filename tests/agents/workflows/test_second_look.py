"""A while after a remedy healed: it holds, it came back, or nobody can say. By the same code that saw the symptom."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from fakes.bench import BenchMetrics, broken_again
from fakes.rig import Rig

from agents.approvals.healing import Healed, Reading, judge_hold
from agents.connecting.connector import SeriesRead
from agents.incidents.reconciler import Reconciler
from agents.remediation import Healing
from agents.workflow import workflow_id
from store import incidents
from store.database.session import Database
from store.ids import ApprovalId
from store.incidents.approvals import Approval
from store.tenancy import tenants

RigOf = Callable[..., Rig]
HALF_AN_HOUR = timedelta(minutes=30)


async def healed(rig: Rig) -> Approval:
    found = await rig.proposed()
    await rig.decide(found)
    assert await rig.state(found.id) == "healed"
    return await rig.approval(found.id)


async def status(rig: Rig, found: Approval) -> str:
    async with rig.db.tenant(rig.tenant, readonly=True) as s:
        incident = await incidents.incident(s, found.incident_id)
    assert incident is not None
    return incident.status


async def look_of(rig: Rig, approval: ApprovalId) -> dict[str, Any]:
    return dict((await rig.approval(approval)).outcome or {}).get("second_look") or {}


async def test_what_still_holds_after_half_an_hour_is_told_and_changes_nothing(database: Database, rig: Rig) -> None:
    found = await healed(rig)
    await rig.engine.pass_time(timedelta(minutes=29))
    assert await look_of(rig, found.id) == {}
    await rig.engine.pass_time(timedelta(minutes=1))
    look = await look_of(rig, found.id)
    assert (look["word"], look["last"]) == ("held", 0.0)
    assert look["after_s"] == pytest.approx(HALF_AN_HOUR.total_seconds(), abs=30)
    assert rig.notes.told[-1] == ("looked_again", found.id)
    assert (await status(rig, found), rig.effects) == ("mitigated", 1)


async def test_what_came_back_opens_its_incident_again_and_says_since_when(database: Database, rig: Rig) -> None:
    found = await healed(rig)
    broken_again(rig.folder)
    await rig.engine.pass_time(HALF_AN_HOUR)
    look = await look_of(rig, found.id)
    assert look["word"] == "came_back"
    assert look["last"] > 0.3
    assert look["since"] is not None
    assert await status(rig, found) == "open"
    assert (await rig.actions())[-2:] == ["agent.incident.reopened", "agent.effect.verified"]
    assert rig.notes.count("looked_again") == 1
    assert rig.effects == 1  # nothing is tried by itself


async def test_what_cannot_be_measured_is_neither(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await healed(rig)

    async def nothing(*_: Any, **__: Any) -> SeriesRead:
        return SeriesRead(series=())

    monkeypatch.setattr(BenchMetrics, "read_series", nothing)
    await rig.engine.pass_time(HALF_AN_HOUR)
    assert (await look_of(rig, found.id))["word"] == "not_measured"
    assert await status(rig, found) == "mitigated"
    assert rig.notes.count("looked_again") == 1


@pytest.mark.parametrize("ending", ["resolved", "false_alarm"])
async def test_what_somebody_ended_is_not_looked_at_again(rig: Rig, ending: Any) -> None:
    found = await healed(rig)
    await rig.incident_service.end_incident(await rig.person(), found.incident_id, ending=ending)
    broken_again(rig.folder)
    await rig.engine.pass_time(HALF_AN_HOUR)
    assert (await look_of(rig, found.id))["word"] == "over"
    assert (await status(rig, found), rig.notes.count("looked_again")) == (ending, 0)


async def test_of_two_remedies_the_newer_is_looked_at(rig: Rig) -> None:
    first = await healed(rig)
    rig.clock.advance(timedelta(minutes=10))
    broken_again(rig.folder)
    second = await rig.approval(rig.approval_of(await rig.ask("checkout fails again", ts="2.0")))
    assert (second.incident_id, second.id != first.id) == (first.incident_id, True)
    await rig.decide(second)
    assert await rig.state(second.id) == "healed"
    await rig.engine.pass_time(timedelta(hours=1))
    assert (await look_of(rig, first.id))["word"] == "over"
    assert (await look_of(rig, second.id))["word"] == "held"


async def test_a_workspace_chooses_when_and_whether(rig: Rig) -> None:
    async with rig.db.tenant(rig.tenant) as s:
        await tenants.update_settings(s, second_look_minutes=5)
    found = await healed(rig)
    await rig.engine.pass_time(timedelta(minutes=5))
    assert (await look_of(rig, found.id))["word"] == "held"


async def test_without_a_second_look_nothing_waits(rig: Rig) -> None:
    async with rig.db.tenant(rig.tenant) as s:
        await tenants.update_settings(s, second_look_minutes=0)
    found = await healed(rig)
    assert rig.engine.result(workflow_id(rig.tenant, "second_look", found.id)) == "over"
    await Reconciler(rig.runtime, rig.engine).look()
    await rig.engine.pass_time(timedelta(hours=2))
    assert await look_of(rig, found.id) == {}


@pytest.mark.parametrize("minutes", [4, -1, 1441])
async def test_another_time_is_refused_with_what_is_accepted(rig: Rig, minutes: int) -> None:
    async with rig.db.tenant(rig.tenant) as s:
        with pytest.raises(ValueError, match="5 to 1440, or 0"):
            await tenants.update_settings(s, second_look_minutes=minutes)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["time until", "begin", "measure 0", "finish", "tell"])
async def test_a_step_whose_checkpoint_was_lost_runs_again_and_reopens_once(step: str, rig: Rig) -> None:
    rig.engine.crash_after = {step}
    found = await healed(rig)
    broken_again(rig.folder)
    await rig.engine.pass_time(HALF_AN_HOUR)
    assert (await look_of(rig, found.id))["word"] == "came_back"
    assert (await rig.actions()).count("agent.incident.reopened") == 1


async def test_a_look_whose_work_is_lost_is_made_up_for(rig: Rig) -> None:
    found = await healed(rig)
    rig.engine.lose(workflow_id(rig.tenant, "second_look", found.id))
    rig.clock.advance(timedelta(minutes=40))
    await Reconciler(rig.runtime, rig.engine).look()
    await rig.engine.settle()
    await rig.engine.pass_time(timedelta(0))
    assert (await look_of(rig, found.id))["word"] == "held"


HEALING = Healing(
    service="checkout", indicator="error_ratio", unit="ratio", before=0.5, threshold=0.05, worse_than=0.75, hold_s=20,
    window_s=60,
)  # fmt: skip


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([0.0] * 5, Healed.HEALED),
        ([0.1] * 5, Healed.NOT_HEALED),
        ([0.0, 0.1, 0.0], Healed.WAIT),
        ([0.0, 0.1] * 7, Healed.NOT_HEALED),
        ([], Healed.WAIT),
    ],
)
def test_it_holds_only_where_it_is_well_for_as_long_as_healing_asks(
    values: list[float], says: Healed, clock: Callable[[], datetime]
) -> None:
    begun = clock() - timedelta(seconds=1)
    readings = [Reading(at=clock() + timedelta(seconds=5 * n), value=value) for n, value in enumerate(values)]
    assert judge_hold(HEALING, readings, begun, begun + timedelta(seconds=5 * max(len(values) - 1, 0))) is says


def test_without_a_reading_it_is_unknown_at_the_end(clock: Callable[[], datetime]) -> None:
    assert judge_hold(HEALING, [], clock(), clock() + timedelta(seconds=61)) is Healed.UNKNOWN
