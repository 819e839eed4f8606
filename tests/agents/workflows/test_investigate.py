"""The story of a run in steps: which steps there are, and that a lost checkpoint repeats no more than one of them."""

from collections.abc import Callable

import pytest
from fakes.rig import Rig
from fakes.scripted_model import call, say

from agents.workflow import workflow_id
from store.incidents import investigations

RigOf = Callable[..., Rig]
STEPS = ["open", "turn 0", "tools 0", "turn 1", "tools 1", "propose", "report", "start remediate"]


async def test_a_run_goes_from_the_question_to_the_waiting_proposal_in_named_steps(rig: Rig) -> None:
    run = await rig.ask()
    name = workflow_id(rig.tenant, "investigate", run)
    assert rig.engine.steps(name) == STEPS
    assert rig.engine.result(name) == "concluded"
    assert await rig.state(rig.approval_of(run)) == "proposed"


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_whose_checkpoint_was_lost_runs_again_without_doubling_anything(step: str, rig: Rig) -> None:
    rig.engine.crash_after = {step}
    run = await rig.ask()
    name = workflow_id(rig.tenant, "investigate", run)
    assert rig.engine.steps(name).count(step) == 2
    case = await rig.case(run)
    assert [message.role for message in case.messages] == ["user", "assistant", "user", "assistant", "user"]
    assert len(case.artifacts) == 1
    actions = await rig.actions()
    assert actions.count("agent.investigation.concluded") == actions.count("agent.approval.proposed") == 1


async def test_a_run_without_a_conclusion_ends_with_a_verdict_that_abstains(rig_of: RigOf) -> None:
    rig = rig_of(script=lambda _request, _turn: [say("I cannot tell.")])
    run = await rig.ask()
    verdict = await rig.verdict(run)
    assert (verdict.cause, verdict.confidence) == (None, "none")
    assert rig.notes.count("concluded") == 1


async def test_a_run_that_breaks_ends_as_failed_and_says_so(rig_of: RigOf) -> None:
    rig = rig_of(script=lambda _request, turn: [call(turn, 0, "rank_causes", {"minutes": 5 // (1 - turn)})])
    run = await rig.ask()
    async with rig.db.tenant(rig.tenant, readonly=True) as s:
        found = await investigations.investigation(s, run)
    assert found is not None
    assert found.status == "failed"
    assert rig.notes.count("concluded") == 1
    assert "agent.investigation.failed" in await rig.actions()
