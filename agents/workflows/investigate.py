"""From a question to a verdict and, where something can be done, a proposal that waits for a person.

Every turn of the model and every round of tools is a step of its own, so a crash loses at most one of them.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from agents.approvals import planning
from agents.investigation import conclusion, loop
from agents.investigation.case import load_case
from agents.investigation.loop import TurnOutcome
from agents.runtime import Runtime
from agents.workflow import Lane, StepFailed, Workflow, WorkflowContext, workflow_id
from store import audit
from store.audit import Actor, events
from store.ids import InvestigationId, TenantId
from store.incidents import investigations

_MAX_TURNS: Final = 60  # the budget ends a run long before; this bounds a broken model


async def body(run: WorkflowContext, rt: Runtime, tenant: str, investigation: str) -> str:
    """Answers `concluded`, `stopped` or `failed`."""
    t, i = TenantId(tenant), InvestigationId(investigation)
    try:
        word = await _investigate(run, rt, t, i)
    except StepFailed as exc:
        failed = exc

        async def fail() -> str:
            return await end_broken(rt, t, i, failed)

        return await run.step("fail", fail)
    if word != TurnOutcome.CONCLUDED:
        return word

    async def report() -> str:
        await rt.reporter.concluded(t, i)
        return "reported"

    proposed = await _propose(run, rt, t, i)
    await run.step("report", report)
    if proposed:
        await run.start("remediate", workflow_id(tenant, "remediate", proposed), tenant, proposed)
    return TurnOutcome.CONCLUDED


async def _investigate(run: WorkflowContext, rt: Runtime, t: TenantId, i: InvestigationId) -> str:
    async def open_run() -> str:
        await loop.begin(rt, t, i)
        await rt.reporter.opened(t, i)
        return "opened"

    await run.step("open", open_run)
    for turn in range(_MAX_TURNS):
        outcome = await run.step(f"turn {turn}", partial(loop.take_turn, rt, t, i, turn), preemptible=True)
        if outcome == TurnOutcome.TOOLS:
            outcome = await run.step(f"tools {turn}", partial(loop.answer_calls, rt, t, i, turn))
        if outcome == TurnOutcome.CONCLUDED:
            return TurnOutcome.CONCLUDED
        if outcome in (TurnOutcome.STOPPED, TurnOutcome.UNFINISHED):
            return await run.step("end", partial(_end, rt, t, i, outcome))
    return await run.step("end", lambda: _end(rt, t, i, TurnOutcome.UNFINISHED))


async def _propose(run: WorkflowContext, rt: Runtime, t: TenantId, i: InvestigationId) -> str:
    """The id of the proposal, or nothing. A plan that cannot be made never costs the verdict."""

    async def propose() -> str:
        return await planning.propose(rt, t, i) or ""

    try:
        return await run.step("propose", propose)
    except StepFailed as exc:
        reference = exc.reference

        async def withdraw() -> str:
            await planning.withdraw(rt, t, i, reference)
            return ""

        return await run.step("withdraw", withdraw)


async def _end(rt: Runtime, t: TenantId, i: InvestigationId, outcome: str) -> str:
    """A stop by a person, or a run that used up its budget without a conclusion."""
    if outcome == TurnOutcome.STOPPED:
        return await _stopped(rt, t, i)
    case = await load_case(rt.db, t, i)
    if case.investigation.verdict is not None:
        return TurnOutcome.CONCLUDED
    await conclusion.abstain(rt, t, case)
    return TurnOutcome.CONCLUDED


async def _stopped(rt: Runtime, t: TenantId, i: InvestigationId) -> str:
    async with rt.db.tenant(t) as s:
        if await investigations.end_investigation(s, i, "stopped"):
            await events.emit(s, "ai.autoheal.investigation.stopped.v1", i)
            await audit.record(s, actor=Actor(type="agent", id=i), action="agent.investigation.stopped", target=i)
    await rt.reporter.concluded(t, i)
    return TurnOutcome.STOPPED


async def end_broken(rt: Runtime, t: TenantId, i: InvestigationId, failed: StepFailed) -> str:
    """Our bug, a store that did not answer, a run past its time: the thread hears which, and what was found so far.

    A run that somebody stopped is stopped. What had ended stays as it is. Safe to repeat.
    """
    async with rt.db.tenant(t, readonly=True) as s:
        stop = await investigations.stop_requested(s, i)
    if stop:
        return await _stopped(rt, t, i)
    async with rt.db.tenant(t) as s:
        if await investigations.end_investigation(s, i, "failed"):
            await loop.note_end(s, i, why_it_broke(failed.kind))
            await events.emit(s, "ai.autoheal.investigation.failed.v1", i, {"reference": failed.reference})
            actor, details = Actor(type="agent", id=i), {"reference": failed.reference}
            await audit.record(s, actor=actor, action="agent.investigation.failed", target=i, details=details)
    await rt.reporter.concluded(t, i)
    return "failed"


def why_it_broke(kind: str) -> str:
    """The reason as people read it."""
    return {
        StepFailed.STORE: "my own database did not answer for too long",
        StepFailed.INTERRUPTED: "it was past its time and made no progress",
        StepFailed.CUT_OFF: "what it waited for was cancelled again and again",
    }.get(kind, "something failed on my side")


WORKFLOW = Workflow(name="investigate", lane=Lane.INVESTIGATE, body=body)
