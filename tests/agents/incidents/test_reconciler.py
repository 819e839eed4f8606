"""Every row that is not at its end has live work, or gets some, or is ended aloud."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fakes.rig import Rig
from fakes.scripted_model import call

from agents.incidents.reconciler import Reconciler
from agents.workflow import Life, workflow_id
from store import incidents
from store.ids import ApprovalId, InvestigationId
from store.incidents import alerts, investigations
from store.incidents.approvals import ApprovalState
from tests.store.incidents.test_alerts import a_group

RigOf = Callable[..., Rig]
LONG = timedelta(minutes=2)


async def look(rig: Rig) -> None:
    await Reconciler(rig.runtime, rig.engine).look()
    await rig.engine.settle()


def run_work(rig: Rig, run: InvestigationId) -> str:
    return workflow_id(rig.tenant, "investigate", run)


def card_work(rig: Rig, card: ApprovalId) -> str:
    return workflow_id(rig.tenant, "remediate", card)


async def written_only(rig: Rig) -> InvestigationId:
    """The row of a run whose process died before it was queued."""

    async def died(*_: Any, **__: Any) -> None:
        raise ConnectionError

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rig.engine, "enqueue", died)
        with pytest.raises(ConnectionError):
            await rig.begin()
    async with rig.db.tenant(rig.tenant, readonly=True) as s:
        (run,) = await investigations.running_investigations(s)
    return run.id


async def test_a_run_that_died_between_its_row_and_its_queue_gets_its_work(rig: Rig) -> None:
    run = await written_only(rig)
    await look(rig)
    assert rig.engine.ids("investigate") == []  # it may be on its way
    rig.clock.advance(LONG)
    await look(rig)
    assert (await rig.case(run)).investigation.status == "concluded"


async def test_a_waiting_proposal_whose_work_is_gone_gets_it_again_and_still_acts_once(rig: Rig) -> None:
    found = await rig.proposed()
    rig.engine.lose(card_work(rig, found.id))
    rig.clock.advance(LONG)
    await look(rig)
    await rig.decide(found)
    assert await rig.state(found.id) is ApprovalState.HEALED
    assert rig.effects == 1


async def test_work_that_failed_with_an_open_row_runs_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = 0

    async def concluded(*_: Any) -> None:
        nonlocal broken
        broken += 1
        if broken == 1:
            raise ZeroDivisionError

    monkeypatch.setattr(rig.notes, "concluded", concluded)
    run = await rig.ask()
    assert rig.engine.failed(run_work(rig, run)) is not None
    await look(rig)
    assert broken == 2
    assert await rig.state(rig.approval_of(run)) is ApprovalState.PROPOSED


async def test_a_run_past_its_time_without_progress_is_interrupted(rig_of: RigOf) -> None:
    rig = rig_of(script=lambda _request, turn: [call(turn, 0, "rank_causes", {"minutes": 5 + turn})])
    run = await written_only(rig)
    work = run_work(rig, run)
    async with rig.db.tenant(rig.tenant) as s:
        await investigations.set_status(s, run, "running")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rig.engine, "life", _always("live"))
        rig.clock.advance(rig.runtime.budget.max_wall + rig.runtime.pace.model_timeout + LONG)
        rig.engine.quiet[work] = timedelta(seconds=5)
        await look(rig)
        assert rig.engine.interrupted == []
        rig.engine.quiet[work] = LONG
        await look(rig)
    assert rig.engine.interrupted == [work]


async def test_a_run_that_no_longer_answers_a_stop_is_interrupted(rig: Rig) -> None:
    run = await written_only(rig)
    async with rig.db.tenant(rig.tenant) as s:
        await investigations.set_status(s, run, "running")
        await investigations.request_stop(s, run, None)
    rig.clock.advance(LONG)
    rig.engine.quiet[run_work(rig, run)] = LONG
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rig.engine, "life", _always("live"))
        await look(rig)
    assert rig.engine.interrupted == [run_work(rig, run)]


async def test_stop_ends_a_run_whose_work_was_lost(rig: Rig) -> None:
    run = await written_only(rig)
    await rig.incident_service.stop(await rig.person(), run)
    await rig.engine.settle()
    assert (await rig.case(run)).investigation.status == "stopped"
    assert rig.notes.count("concluded") == 1


async def test_what_cannot_be_brought_to_life_is_ended_aloud(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await written_only(rig)
    monkeypatch.setattr(rig.engine, "life", _always("ended"))
    monkeypatch.setattr(rig.engine, "revive", _always("ended"))
    reconciler = Reconciler(rig.runtime, rig.engine)
    rig.clock.advance(LONG)
    for _ in range(8):
        await reconciler.look()
    assert (await rig.case(run)).investigation.status == "failed"
    assert rig.notes.count("concluded") == 1


def _always(life: Life) -> Callable[..., Any]:
    async def answer(*_: Any, **__: Any) -> Life:
        return life

    return answer


async def test_an_incident_whose_alerts_are_over_ends_with_the_last_that_is_under_way(rig: Rig) -> None:
    card = await rig.proposed()
    group = a_group(rig.db)
    async with rig.db.tenant(rig.tenant) as s:
        await alerts.save_groups(s, [group])
        await alerts.note_incident(s, group.id, card.incident_id)

    async def status() -> str:
        await look(rig)
        async with rig.db.tenant(rig.tenant, readonly=True) as s:
            found = await incidents.incident(s, card.incident_id)
        assert found is not None
        return found.status

    person = await rig.person()
    await rig.incident_service.alerts_ended(person, card.incident_id)
    assert await status() == "investigating", "it fires"
    async with rig.db.tenant(rig.tenant) as s:
        await alerts.save_groups(s, [replace(group, status="resolved")])
    await rig.incident_service.alerts_ended(person, card.incident_id)
    assert await status() == "mitigated", "a proposal waits for somebody"
    await rig.decide(card)
    assert await rig.state(card.id) is ApprovalState.HEALED
    assert await status() == "resolved"
    async with rig.db.tenant(rig.tenant, readonly=True) as s:
        found = await incidents.incident(s, card.incident_id)
    assert found is not None
    assert found.ended_by == incidents.BY_ALERT
    assert rig.notes.count("ended") == 1
    assert await status() == "resolved"
    assert rig.notes.count("ended") == 1


async def test_an_incident_without_alerts_is_ended_by_people_only(rig: Rig) -> None:
    card = await rig.proposed()
    await rig.decide(card)
    rig.clock.advance(LONG)
    await look(rig)
    async with rig.db.tenant(rig.tenant, readonly=True) as s:
        found = await incidents.incident(s, card.incident_id)
    assert found is not None
    assert found.status == "mitigated"
