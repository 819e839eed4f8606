"""A while after a remedy healed: does it hold? The deadline is the engine's, so it survives a restart."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from agents.approvals import second_look
from agents.approvals.healing import Healed
from agents.approvals.second_look import Held
from agents.runtime import Runtime
from agents.workflow import Lane, Workflow, WorkflowContext
from store.ids import ApprovalId, TenantId

_TOPIC: Final = "look"  # nobody sends it: it is waited out
_MAX_CHECKS: Final = 600


async def body(run: WorkflowContext, rt: Runtime, tenant: str, approval_id: str) -> str:
    """Answers `held`, `came_back`, `not_measured`, or `over` where nothing is to be looked at."""
    t, a = TenantId(tenant), ApprovalId(approval_id)
    left = await run.step("time until", lambda: second_look.time_until(rt, t, a))
    if not left:
        return Held.OVER
    await run.mark("waiting")
    await run.wait_for(_TOPIC, timedelta(seconds=int(left)))
    if await run.step("begin", lambda: second_look.begin(rt, t, a)) == Held.OVER:
        return Held.OVER
    judged: str = Healed.WAIT
    for check in range(_MAX_CHECKS):
        judged = await run.step(f"measure {check}", lambda: second_look.measure(rt, t, a))
        if judged != Healed.WAIT:
            break
        await run.sleep(rt.pace.healing_check)
    word = await run.step("finish", lambda: second_look.finish(rt, t, a, judged))
    if word == Held.OVER:
        return Held.OVER

    async def tell() -> str:
        await rt.reporter.looked_again(t, a)
        return "told"

    await run.step("tell", tell)
    return word


WORKFLOW = Workflow(name="second_look", lane=Lane.DIRECT, body=body)
