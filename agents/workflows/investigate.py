"""From a question to a verdict and, where something can be done, a proposal that waits for a person.

Every turn of the model and every round of tools is a step of its own, so a crash loses at most one of them.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from agents import approval, conclusion, loop
from agents.case import load_case
from agents.loop import Outcome
from agents.runtime import Runtime
from agents.workflow import Lane, Run, StepFailed, Workflow, workflow_id
from store import audit, events, investigations
from store.audit import Actor
from store.ids import InvestigationId, TenantId

_MAX_TURNS: Final = 60  # the budget ends a run long before; this bounds a broken model


async def body(run: Run, rt: Runtime, tenant: str, investigation: str) -> str:
    """Answers `concluded`, `stopped` or `failed`."""
    t, i = TenantId(tenant), InvestigationId(investigation)
    try:
        word = await _investigate(run, rt, t, i)
    except StepFailed as exc:
        reference = exc.reference

        async def fail() -> str:
            await _fail(rt, t, i, reference)
            return "failed"

        return await run.step("fail", fail)
    if word != Outcome.CONCLUDED:
        return word

    async def report() -> str:
        await rt.reporter.concluded(t, i)
        return "reported"

    proposed = await _propose(run, rt, t, i)
    await run.step("report", report)
    if proposed:
        await run.start("remediate", workflow_id(tenant, "remediate", proposed), tenant, proposed)
    return Outcome.CONCLUDED


async def _investigate(run: Run, rt: Runtime, t: TenantId, i: InvestigationId) -> str:
    async def open_run() -> str:
        await loop.begin(rt, t, i)
        await rt.reporter.opened(t, i)
        return "opened"

    await run.step("open", open_run)
    for turn in range(_MAX_TURNS):
        outcome = await run.step(f"turn {turn}", partial(loop.take_turn, rt, t, i, turn), preemptible=True)
        if outcome == Outcome.TOOLS:
            outcome = await run.step(f"tools {turn}", partial(loop.answer_calls, rt, t, i, turn))
        if outcome == Outcome.CONCLUDED:
            return Outcome.CONCLUDED
        if outcome in (Outcome.STOPPED, Outcome.UNFINISHED):
            return await run.step("end", partial(_end, rt, t, i, outcome))
    return await run.step("end", lambda: _end(rt, t, i, Outcome.UNFINISHED))


async def _propose(run: Run, rt: Runtime, t: TenantId, i: InvestigationId) -> str:
    """The id of the proposal, or nothing. A plan that cannot be made never costs the verdict."""

    async def propose() -> str:
        return await approval.propose(rt, t, i) or ""

    try:
        return await run.step("propose", propose)
    except StepFailed as exc:
        reference = exc.reference

        async def withdraw() -> str:
            await approval.withdraw(rt, t, i, reference)
            return ""

        return await run.step("withdraw", withdraw)


async def _end(rt: Runtime, t: TenantId, i: InvestigationId, outcome: str) -> str:
    """A stop by a person, or a run that used up its budget without a conclusion."""
    if outcome == Outcome.STOPPED:
        async with rt.db.tenant(t) as s:
            await investigations.set_status(s, i, "stopped")
            await events.emit(s, "ai.autoheal.investigation.stopped.v1", i)
            await audit.record(s, actor=Actor(type="agent", id=i), action="agent.investigation.stopped", target=i)
        await rt.reporter.concluded(t, i)
        return Outcome.STOPPED
    case = await load_case(rt.db, t, i)
    if case.investigation.verdict is not None:
        return Outcome.CONCLUDED
    await conclusion.abstain(rt, t, case, "No confident cause: the run ended before a conclusion.")
    return Outcome.CONCLUDED


async def _fail(rt: Runtime, t: TenantId, i: InvestigationId, reference: str) -> None:
    """Our bug, or a store that cannot be reached: the thread gets the reference and what was found so far."""
    async with rt.db.tenant(t) as s:
        await investigations.set_status(s, i, "failed")
        await events.emit(s, "ai.autoheal.investigation.failed.v1", i, {"reference": reference})
        details = {"reference": reference}
        actor = Actor(type="agent", id=i)
        await audit.record(s, actor=actor, action="agent.investigation.failed", target=i, details=details)
    await rt.reporter.concluded(t, i)


WORKFLOW = Workflow(name="investigate", lane=Lane.INVESTIGATE, body=body)
