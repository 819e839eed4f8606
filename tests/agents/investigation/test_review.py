"""A cause meets its refuters before it is shown: whole runs of the bench, which fails every day at this hour."""

from collections.abc import Callable

from fakes.rig import Rig, restart_draft
from fakes.scripted_model import call, results

from agents.models.model import Block, TurnRequest
from store.ids import NoteId, stable_id
from store.incidents import investigations
from store.secrets.redaction import Redacted

RigOf = Callable[..., Rig]
H1 = {"id": "H1", "text": "checkout is stuck", "state": "supported"}
H2 = {"id": "H2", "text": "payments fails", "state": "refuted", "reason": "nothing of it moved"}


def looks_back(request: TurnRequest, turn: int) -> list[Block]:
    """Ranks, compares with yesterday, then concludes whatever that says."""
    if turn == 0:
        return [call(0, 0, "rank_causes", {"minutes": 5})]
    if turn == 1:
        return [call(1, 0, "compare_windows", {"minutes": 5, "ago_minutes": 1440})]
    return [call(turn, 0, "conclude", restart_draft(str(results(request)[0]["content"]), hypotheses=[H1, H2]))]


def ranks_only(request: TurnRequest, turn: int) -> list[Block]:
    if turn == 0:
        return [call(0, 0, "rank_causes", {"minutes": 5})]
    draft = restart_draft(str(results(request)[0]["content"]), hypotheses=[H1, H2])
    return [call(turn, 0, "conclude", draft)]


async def test_a_refuted_cause_goes_back_once_and_then_is_shown_with_low_confidence(rig_of: RigOf) -> None:
    rig = rig_of(script=looks_back)
    run = await rig.ask()
    case, verdict = await rig.case(run), await rig.verdict(run)
    told = [str(block["content"]) for block in case.results() if "conclude once more" in str(block["content"])]
    assert len(told) == 1
    assert "checkout is no worse than at the same hour yesterday" in told[0]
    assert (verdict.confidence, verdict.cause is not None) == ("low", True)
    assert verdict.trace is not None
    met = [(one.by, one.returned) for one in verdict.trace.review if one.outcome == "refuted"]
    assert met == [("same_hour_yesterday", True), ("same_hour_yesterday", False)]
    assert (verdict.trace.drafted, verdict.trace.drafts) == ("medium", 2)


async def test_a_cause_that_holds_is_shown_as_it_was_drafted(rig_of: RigOf) -> None:
    rig = rig_of(script=ranks_only)
    verdict = await rig.verdict(await rig.ask())
    assert verdict.confidence == "medium"
    assert verdict.trace is not None
    assert {one.outcome for one in verdict.trace.review} <= {"held", "not_judged"}
    assert "same_hour_yesterday" in {one.by for one in verdict.trace.review if one.outcome == "not_judged"}


async def test_the_trace_holds_what_was_read_weighed_said_and_spent(rig_of: RigOf) -> None:
    rig = rig_of(script=ranks_only)
    asked = await rig.begin()
    person = await rig.person()
    note = NoteId(stable_id("note", rig.tenant, asked, "9.0"))
    async with rig.db.tenant(rig.tenant) as s:
        await investigations.add_note(s, asked, note_id=note, text=Redacted.ours("look at checkout"), by=person.user_id)
    await rig.engine.settle()
    trace = (await rig.verdict(asked)).trace
    assert trace is not None
    assert [(read.artifact, read.tool, read.failed) for read in trace.reads] == [("A1", "rank_causes", False)]
    assert [(h.id, h.state, h.supporting, h.opposing) for h in trace.hypotheses] == [
        ("H1", "supported", (1,), ()),
        ("H2", "refuted", (), ()),
    ]
    assert [(one.note, one.text) for one in trace.steered] == [(note, "look at checkout")]
    assert (trace.costs.turns, trace.costs.tool_calls) == (2, 2)
    async with rig.db.tenant(rig.tenant, readonly=True) as s:
        assert await investigations.note_authors(s, asked) == {note: person.user_id}
