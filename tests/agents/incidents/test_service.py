"""What a person can ask beside approvals (those are in test_approval.py)."""

from collections.abc import Callable
from dataclasses import replace

from fakes.incidents import open_incidents
from fakes.rig import Rig

from agents.incidents.requests import Ask, DoneNow, Investigating, NothingToDo
from agents.permission import Denied
from store.ids import InvestigationId
from store.incidents import feedback, investigations
from store.secrets.redaction import Redacted

RigOf = Callable[..., Rig]


def ask(text: str = "checkout fails", ts: str = "1.0", thread: str | None = None) -> Ask:
    return Ask(question=Redacted.ours(text), channel_id="C1", thread_ts=thread or ts, source_ts=ts)


async def test_the_same_message_starts_one_run(rig: Rig) -> None:
    person = await rig.person()
    first, second = (
        await rig.incident_service.investigate(person, ask()),
        await rig.incident_service.investigate(person, ask()),
    )
    await rig.engine.settle()
    assert isinstance(first, Investigating)
    assert isinstance(second, Investigating)
    assert first.investigation_id == second.investigation_id
    assert (await rig.actions()).count("slack.investigation.requested") == 1


async def test_the_same_words_elsewhere_join_the_running_investigation(rig: Rig) -> None:
    person = await rig.person()
    first = await rig.incident_service.investigate(person, ask())
    second = await rig.incident_service.investigate(person, ask("Checkout  fails", ts="2.0"))
    other = await rig.incident_service.investigate(person, ask("search is slow", ts="3.0"))
    await rig.engine.settle()
    assert isinstance(first, Investigating)
    assert isinstance(second, Investigating)
    assert isinstance(other, Investigating)
    assert (second.joined, second.investigation_id, second.thread_ts) == (True, first.investigation_id, "1.0")
    assert not other.joined


async def test_a_viewer_can_neither_start_nor_steer_nor_stop(rig: Rig) -> None:
    viewer = await rig.person("U0VIEWER")
    run = await rig.begin()
    assert isinstance(await rig.incident_service.investigate(viewer, ask(ts="9.0")), Denied)
    assert isinstance(await rig.incident_service.steer(viewer, run, text=Redacted.ours("no"), source_ts="1.1"), Denied)
    assert isinstance(await rig.incident_service.stop(viewer, run), Denied)
    await rig.engine.settle()


async def test_what_has_ended_cannot_be_steered_or_stopped(rig: Rig) -> None:
    run, person = await rig.ask(), await rig.person()
    assert isinstance(
        await rig.incident_service.steer(person, run, text=Redacted.ours("no"), source_ts="1.1"), NothingToDo
    )
    assert isinstance(await rig.incident_service.stop(person, run), NothingToDo)


async def test_a_corrected_service_is_noted_and_must_be_declared(rig: Rig) -> None:
    run, person = await rig.begin(), await rig.person()
    wrong = await rig.incident_service.correct_service(person, run, service="mainframe", source_ts="1.1")
    right = await rig.incident_service.correct_service(person, run, service="payments", source_ts="1.2")
    await rig.engine.settle()
    assert isinstance(wrong, NothingToDo)
    assert isinstance(right, DoneNow)
    case = await rig.case(run)
    assert "payments" in " ".join(str(m.content) for m in case.messages if m.role == "system")
    assert case.incident.service == "payments"


async def test_feedback_is_kept_per_person_and_the_last_one_counts(rig: Rig) -> None:
    run, person = await rig.ask(), await rig.person()
    assert isinstance(await rig.incident_service.feedback(person, run, positive=True), DoneNow)
    assert isinstance(await rig.incident_service.feedback(person, run, positive=False), DoneNow)
    assert isinstance(await rig.incident_service.feedback(person, InvestigationId(rig.other), positive=True), Denied)
    async with rig.db.tenant(rig.tenant, readonly=True) as s:
        assert [found.positive for found in await feedback.feedback(s, run)] == [False]


async def test_a_run_beyond_the_cap_says_at_once_that_it_waits(rig: Rig) -> None:
    incident_service = type(rig.incident_service)(
        replace(rig.runtime, pace=replace(rig.runtime.pace, concurrent_investigations=0))
    )
    asked = await incident_service.investigate(await rig.person(), ask())
    assert isinstance(asked, Investigating)
    assert rig.notes.count("opened") >= 1
    await rig.engine.settle()


async def test_another_tenants_investigation_is_not_found(rig: Rig) -> None:
    run = await rig.ask()
    stranger = await rig.person(tenant=rig.other)
    assert isinstance(await rig.incident_service.stop(stranger, run), NothingToDo)
    async with rig.db.tenant(rig.other, readonly=True) as s:
        assert await investigations.investigation(s, run) is None
        assert await open_incidents(s) == []
