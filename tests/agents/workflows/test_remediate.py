"""From the proposal to the truth afterwards, in steps. Clicks, refusals and odd ends are in test_approval.py."""

import pytest
from fakes.rig import Rig

from agents.workflow import workflow_id

STEPS = ["show card", "re-check", "show re-check", "apply", "show applied", "begin verifying", "finish", "tell"]


async def test_an_approved_plan_is_shown_checked_applied_verified_and_told_in_this_order(rig: Rig) -> None:
    found = await rig.proposed()
    name = workflow_id(rig.tenant, "remediate", found.id)
    assert rig.engine.steps(name)[0] == "show card"
    assert rig.effects == 0
    await rig.decide(found)
    done = [step for step in rig.engine.steps(name) if step in STEPS]
    assert done == STEPS
    assert rig.engine.result(name) == "healed"


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_whose_checkpoint_was_lost_runs_again_and_the_effect_stays_one(step: str, rig: Rig) -> None:
    found = await rig.proposed() if step != "show card" else None
    rig.engine.crash_after = {step}
    found = found or await rig.proposed()
    await rig.decide(found)
    assert rig.effects == 1
    assert await rig.state(found.id) == "healed"
    actions = await rig.actions()
    assert actions.count("agent.effect.started") == actions.count("agent.effect.finished") == 1
