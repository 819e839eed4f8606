"""All that a person can ask of the agent, whichever way the request came in.

Handlers translate a mention, command or click into one call here. Each call checks the permission, writes the decision
with its audit row in one transaction, then enqueues durable work under a deterministic id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from agents.approvals import approval as approval_life
from agents.approvals import prohibitions
from agents.approvals.healing import criteria_of_undo
from agents.errors import AgentError
from agents.incidents import requests
from agents.incidents.requests import Ask, DoneNow, Investigating, NothingToDo
from agents.incidents.same_incident import KnownIncident, Reported, read_known, read_report, same_incident
from agents.permission import (
    Allowed,
    Denied,
    Permission,
    Person,
    check,
    check_approval,
    check_break_glass,
    who_may_approve,
)
from agents.remediation import Impossible, Plan, PlanReason, discover_remediations
from agents.runtime import Runtime
from agents.tool import Risk
from agents.workflow import workflow_id
from agents.workflows.remediate import TOPIC
from store import audit, incidents
from store.audit import Actor, events
from store.database.session import TenantSession
from store.ids import ApprovalId, IncidentId, InvestigationId, NoteId, stable_id
from store.incidents import Ending, Incident, Sight, alerts, approvals, conversations, feedback, investigations
from store.incidents.approvals import Approval, ApprovalState, Decision
from store.people import users
from store.secrets.redaction import Redacted

_UNDOABLE: Final = frozenset(
    {ApprovalState.HEALED, ApprovalState.DONE, ApprovalState.NOT_HEALED, ApprovalState.UNKNOWN}
)
_SETTLES: Final = timedelta(minutes=30)
_TITLE_MAX: Final = 120
_SIGHT_S: Final = 3.0
_LEAST_HASH: Final = 12  # hexadecimal characters of a plan's hash that a button must carry


class IncidentService:
    """Over the store and the engine."""

    def __init__(self, runtime: Runtime, *, sees: requests.Sees | None = None) -> None:
        """Without `sees` nobody sees anything outside of where they ask."""
        self._rt = runtime
        self._sees = sees

    async def investigate(self, person: Person, ask: Ask) -> Investigating | Denied:
        """Start a run, or join the one that is under way. Which incident it is says `same_incident`; a new run of one
        that exists stands in that one's thread. The same message starts once.
        """
        if isinstance(denied := check(person.role, Permission.INVESTIGATE), Denied):
            return denied
        run_id = requests.run_asked_for(person.tenant_id, ask.channel_id, ask.source_ts)
        reported = await self._reported(person, ask)
        sight = await self._sight(person, ask, reported)
        dead: set[InvestigationId] = set()
        while True:
            async with self._rt.db.tenant(person.tenant_id) as s:
                known = await investigations.investigation(s, run_id)
                same = same_incident(reported, await read_known(s, reported.at), sight) if known is None else None
                running = _joins(ask, same, self._rt.clock(), but_not=dead)
                if running is None:
                    if same is not None:
                        ask = replace(ask, channel_id=same.incident.channel_id, thread_ts=same.incident.thread_ts)
                    incident, busy = await self._write_run(
                        s, person, ask, run_id, is_new=known is None, about=reported.service
                    )
                    break
            if not running.is_running or await self._is_alive(person, running.answer.investigation_id):
                return running.answer
            dead.add(running.answer.investigation_id)
        await self._rt.queue.enqueue(
            "investigate",
            workflow_id=workflow_id(person.tenant_id, "investigate", run_id),
            arguments=(person.tenant_id, run_id),
        )
        if busy >= self._rt.pace.concurrent_investigations:
            await self._rt.reporter.opened(person.tenant_id, run_id)  # says that it waits for a free place
        return Investigating(
            investigation_id=run_id,
            incident_id=incident.id,
            joined=False,
            channel_id=ask.channel_id,
            thread_ts=ask.thread_ts,
            number=incident.number,
        )

    async def _reported(self, person: Person, ask: Ask) -> Reported:
        toolbox = await self._rt.toolbox_for(person.tenant_id)
        return read_report(
            str(ask.question),
            toolbox.service_names(),
            toolbox.spellings(),
            alert=ask.alert,
            channel_id=ask.channel_id,
            thread_ts=ask.thread_ts,
            at=self._rt.clock(),
        )

    async def _sight(self, person: Person, ask: Ask, reported: Reported) -> Sight:
        """Of the channels where the same is looked into: whoever asks joins only what they may see. Who cannot be told
        soon whether they may gets a run of their own.
        """
        here = Sight(channels=frozenset({ask.channel_id}))
        if self._sees is None:
            return here
        async with self._rt.db.tenant(person.tenant_id, readonly=True) as s:
            known = await read_known(s, reported.at)
        same = {one.incident.channel_id for one in known if same_incident(reported, [one]) is not None}
        if not same - here.channels:
            return here
        try:
            async with asyncio.timeout(_SIGHT_S):
                return await self._sees.among(person, same, here=ask.channel_id)
        except TimeoutError:
            return here

    async def _write_run(
        self, s: TenantSession, person: Person, ask: Ask, run_id: InvestigationId, *, is_new: bool, about: str | None
    ) -> tuple[Incident, int]:
        """The run in its incident, which is opened where the thread has none; and how many run before it."""
        incident = await incidents.incident_for_thread(s, ask.channel_id, ask.thread_ts)
        if incident is None:
            incident = await incidents.open_incident(
                s,
                id=IncidentId(stable_id("incident", person.tenant_id, ask.channel_id, ask.thread_ts)),
                title=Redacted.ours(_title(ask.question)),
                channel_id=ask.channel_id,
                thread_ts=ask.thread_ts,
                opened_by=person.user_id,
            )
            if about is not None:
                await incidents.set_service(s, incident.id, Redacted.ours(about))
            await events.emit(s, "ai.autoheal.incident.opened.v1", incident.id, {"number": incident.number})
            await self._noted(s, person, "incident.opened", incident.id, {"number": incident.number})
        if await incidents.work_on_incident(s, incident.id):
            await events.emit(s, "ai.autoheal.incident.reopened.v1", incident.id, {"number": incident.number})
            await self._noted(s, person, "incident.reopened", incident.id, {"number": incident.number})
        last = await investigations.latest_investigation(s, incident.id)
        busy = await investigations.count_running(s)
        conversation = await conversations.conversation(s, channel_id=ask.channel_id, thread_ts=ask.thread_ts)
        if conversation is None:
            raise LookupError("a conversation that was just made is missing")
        run = await investigations.create_investigation(
            s,
            id=run_id,
            incident_id=incident.id,
            conversation_id=conversation.id,
            question=ask.question,
            requested_by=person.user_id,
            attempt=1 if last is None or last.id == run_id else last.attempt + 1,
        )
        if is_new:
            await events.emit(s, "ai.autoheal.investigation.queued.v1", run.id, {"incident": incident.id})
            await self._noted(s, person, "investigation.requested", run.id, {"incident": incident.id})
        return incident, busy

    async def _is_alive(self, person: Person, run: InvestigationId) -> bool:
        """Whether somebody who joins this run gets an answer. One that a crash left behind is brought to life; one that
        makes no progress is left to the watchdog, which ends it aloud.
        """
        work = workflow_id(person.tenant_id, "investigate", run)
        await self._rt.queue.revive("investigate", workflow_id=work, arguments=(person.tenant_id, run))
        quiet = self._rt.queue.quiet_for(work)
        return quiet is None or quiet <= self._rt.pace.model_timeout

    async def steer(
        self, person: Person, investigation: InvestigationId, *, text: Redacted, source_ts: str
    ) -> DoneNow | NothingToDo | Denied:
        """A remark that the next model turn reads."""
        if isinstance(denied := check(person.role, Permission.INVESTIGATE), Denied):
            return denied
        async with self._rt.db.tenant(person.tenant_id) as s:
            run = await investigations.investigation(s, investigation, lock=True)  # it may conclude in this moment
            if run is None or run.status not in ("queued", "running"):
                return NothingToDo(reason="This investigation has ended.")
            note = NoteId(stable_id("note", person.tenant_id, investigation, source_ts))
            if await investigations.add_note(s, investigation, note_id=note, text=text, by=person.user_id):
                await events.emit(s, "ai.autoheal.investigation.steered.v1", investigation)
                await self._noted(s, person, "investigation.steered", investigation, {})
        await self._rt.reporter.progressed(person.tenant_id, investigation)
        return DoneNow()

    async def correct_service(
        self, person: Person, investigation: InvestigationId, *, service: str, source_ts: str
    ) -> DoneNow | NothingToDo | Denied:
        """`[Wrong service]`: names the right one and steers the run there."""
        if service not in (await self._rt.toolbox_for(person.tenant_id)).service_names():
            return NothingToDo(reason=f"{service} is not a declared service.")
        text = Redacted.ours(f"The affected service is {service}. Look there.")
        done = await self.steer(person, investigation, text=text, source_ts=source_ts)
        if isinstance(done, DoneNow):
            async with self._rt.db.tenant(person.tenant_id) as s:
                run = await investigations.investigation(s, investigation)
                if run is not None:
                    await incidents.set_service(s, run.incident_id, service)
                    await self._noted(s, person, "incident.retargeted", run.incident_id, {"service": service})
        return done

    async def stop(self, person: Person, investigation: InvestigationId) -> DoneNow | NothingToDo | Denied:
        if isinstance(denied := check(person.role, Permission.INVESTIGATE), Denied):
            return denied
        async with self._rt.db.tenant(person.tenant_id) as s:
            if not await investigations.request_stop(s, investigation, person.user_id):
                return NothingToDo(reason="Nothing is running here.")
            await self._noted(s, person, "investigation.stop_requested", investigation, {})
        await self._rt.queue.revive(  # one that a crash left behind is ended by its own next step
            "investigate",
            workflow_id=workflow_id(person.tenant_id, "investigate", investigation),
            arguments=(person.tenant_id, investigation),
        )
        return DoneNow()

    async def decide(
        self, person: Person, approval: ApprovalId, *, plan_hash: str, decision: Decision, reason: str = ""
    ) -> DoneNow | requests.AlreadyDecided | requests.PlanChanged | Denied:
        """One UPDATE decides. `plan_hash` may be the first 12 or more characters that the card carried."""
        services = (await self._rt.toolbox_for(person.tenant_id)).service_names()
        async with self._rt.db.tenant(person.tenant_id) as s:
            found = await approvals.approval(s, approval)
            if found is None:
                return Denied("This proposal does not exist in your workspace.")
            denied = await self._may_decide(s, person, found, decision, reason=reason)
            if denied is not None:
                await self._noted(s, person, "approval.refused", approval, {"role": person.role.value})
                return denied
            result = await self._decide(s, person, found, plan_hash, decision, services=services)
            if isinstance(result, approvals.Decided):
                details = {"plan_hash": found.plan_hash, "remediation": found.remediation, "risk": found.risk}
                verb = result.approval.state.value
                await events.emit(s, f"ai.autoheal.approval.{verb}.v1", approval, {**details, "decision": decision})
                broken = {"break_glass": str(s.redactor.redact(reason.strip()))} if decision == "break_glass" else {}
                await self._noted(s, person, f"approval.{verb}", approval, {**details, **broken})
        if isinstance(result, Denied | requests.PlanChanged):
            return result
        if isinstance(result, approvals.PlanDiffers):
            return await self._show_new_plan(person, found)
        if isinstance(result, approvals.DecidedBefore | approvals.Expired):
            return await self._already(person, result.approval)
        await self._rt.reporter.approval_changed(person.tenant_id, approval)
        await self._wake(person, result.approval)
        return DoneNow()

    async def _decide(
        self,
        s: TenantSession,
        person: Person,
        found: Approval,
        plan_hash: str,
        decision: Decision,
        *,
        services: Sequence[str] = (),
    ) -> (
        approvals.Decided
        | approvals.DecidedBefore
        | approvals.Expired
        | approvals.PlanDiffers
        | requests.PlanChanged
        | Denied
    ):
        """What ended is said first; then the card must show this plan, its preconditions hold, its reads be fresh."""
        now = self._rt.clock()
        if found.state is not ApprovalState.PROPOSED:
            return approvals.DecidedBefore(approval=found)
        if now >= found.expires_at:
            return approvals.Expired(approval=found)
        if len(plan_hash) < _LEAST_HASH or not found.plan_hash.startswith(plan_hash):
            return requests.PlanChanged(approval=found)
        if decision != "rejected":
            plan = Plan.model_validate(found.plan)
            if (denied := await self._stands_against(s, found, plan, services)) is not None:
                return denied
            if now > plan.fresh_until:
                return approvals.PlanDiffers(approval=found)
        return await approvals.decide(
            s,
            found.id,
            plan_hash=found.plan_hash,
            decision=decision,
            by=person.user_id,
            approved_until=now + self._rt.pace.approval_valid,
        )

    async def _stands_against(
        self, s: TenantSession, found: Approval, plan: Plan, services: Sequence[str]
    ) -> Denied | None:
        """What nobody's click outweighs: a person's word in the thread, a precondition."""
        if found.undo_of is None and (ruled_out := await prohibitions.against_plan(s, services, found)):
            return Denied(f"{plan.title} was {ruled_out}")
        unmet = next((p.text for p in plan.preconditions if not p.holds), None)
        return Denied(f"A precondition does not hold: {unmet}") if unmet else None

    async def _may_decide(
        self, s: TenantSession, person: Person, found: Approval, decision: str, *, reason: str = ""
    ) -> Denied | None:
        risk = Risk(found.risk)
        if decision == "break_glass":
            reversible = Plan.model_validate(found.plan).reversible
            alone = check_break_glass(person.role, risk, reversible=reversible, reason=reason)
            return alone if isinstance(alone, Denied) else None
        run = await investigations.investigation(s, found.investigation_id) if found.investigation_id else None
        asked_for_run = run is not None and run.requested_by == person.user_id
        # Whoever changed the scope, or clicked Undo, asked for this plan although somebody else asked for the run.
        requester = asked_for_run or Plan.model_validate(found.plan).requested_by == person.slack_user_id
        allowed = check_approval(person.role, risk, is_requester=requester and decision == "approved")
        if isinstance(allowed, Denied):
            return Denied(f"{allowed.reason} Who may: {who_may_approve(risk)}.")
        return None

    async def _show_new_plan(self, person: Person, found: Approval) -> requests.PlanChanged | requests.AlreadyDecided:
        """A stale preview: read the target again, apply nothing, show the new plan."""
        replaced = await approval_life.replan(self._rt, person.tenant_id, found)
        if isinstance(replaced, Impossible) or replaced is None:
            return requests.AlreadyDecided(
                sentence="The plan is out of date and cannot be made again now.", approval=found
            )
        await self._rt.reporter.approval_changed(person.tenant_id, found.id)
        return requests.PlanChanged(approval=replaced)

    async def _already(self, person: Person, found: Approval) -> requests.AlreadyDecided:
        async with self._rt.db.tenant(person.tenant_id, readonly=True) as s:
            decider = await users.user(s, found.decided_by) if found.decided_by else None
        if found.state in (ApprovalState.APPROVED, ApprovalState.REJECTED):
            await self._wake(person, found)  # the first click may have died between its decision and its wake-up
        return requests.AlreadyDecided(
            sentence=_decided_sentence(found, decider.slack_user_id if decider else None), approval=found
        )

    async def change_scope(
        self, person: Person, approval: ApprovalId, *, arguments: dict[str, str]
    ) -> DoneNow | requests.AlreadyDecided | NothingToDo | Denied:
        """Another plan for the same proposal, to be decided anew."""
        async with self._rt.db.tenant(person.tenant_id, readonly=True) as s:
            found = await approvals.approval(s, approval)
            if found is None:
                return Denied("This proposal does not exist in your workspace.")
            if (denied := await self._may_decide(s, person, found, "changed")) is not None:
                return denied
        if found.state is not ApprovalState.PROPOSED:
            return await self._already(person, found)
        target = Plan.model_validate(found.plan).target
        replaced = await approval_life.replan(
            self._rt,
            person.tenant_id,
            found,
            arguments={**arguments, "service": target},
            requested_by=person,
        )
        if isinstance(replaced, Impossible):
            return NothingToDo(reason=replaced.reason)
        if replaced is None:
            return await self._already(person, found)
        await self._rt.reporter.approval_changed(person.tenant_id, approval)
        return DoneNow()

    async def undo(  # noqa: PLR0911 - each return is another answer to the person
        self, person: Person, approval: ApprovalId
    ) -> DoneNow | NothingToDo | Denied:
        """The click is the decision: a stored, approved plan that takes the applied one back."""
        async with self._rt.db.tenant(person.tenant_id, readonly=True) as s:
            found = await approvals.approval(s, approval)
            if found is None:
                return Denied("This proposal does not exist in your workspace.")
            denied = await self._may_decide(s, person, found, "approved")
            if denied is not None and not _acted_alone(person, found):
                return denied
        plan = Plan.model_validate(found.plan)
        if found.state not in _UNDOABLE or not plan.reversible:
            return NothingToDo(reason="There is nothing to undo here.")
        if plan.undo_until is not None and self._rt.clock() > plan.undo_until:
            return NothingToDo(reason=f"The undo was possible until {plan.undo_until:%H:%M} UTC.")
        reason = PlanReason(
            cause=f"Takes back: {plan.title}",
            confidence="none",
            evidence=(),
            requested_by=person.slack_user_id,
            healing=criteria_of_undo(plan.healing, (found.outcome or {}).get("last")),
            incident=found.incident_id,
        )
        try:
            undo = await discover_remediations()[plan.remediation].undo(
                plan, reason, await approval_life.context(self._rt, person.tenant_id)
            )
        except AgentError as exc:
            return NothingToDo(reason=f"The target could not be read: {exc}")
        if isinstance(undo, Impossible):
            return NothingToDo(reason=undo.reason)
        undo_id = ApprovalId(stable_id("undo", person.tenant_id, approval))
        async with self._rt.db.tenant(person.tenant_id) as s:
            stored = await approval_life.store_proposal(
                s,
                self._rt,
                undo_id,
                incident=found.incident_id,
                investigation=found.investigation_id,
                plan=undo,
                undo_of=approval,
            )
            decided = await self._decide_undo(s, person, stored, alone=_acted_alone(person, found))
            if isinstance(decided, approvals.Decided):
                details: dict[str, object] = {"undo": undo_id}
                if decided.approval.decision == "break_glass":
                    details["break_glass"] = "takes back what the same person did alone"
                await self._noted(s, person, "undo.requested", approval, details)
        await self._rt.queue.enqueue(
            "remediate",
            workflow_id=workflow_id(person.tenant_id, "remediate", undo_id),
            arguments=(person.tenant_id, undo_id),
        )
        if isinstance(decided, approvals.Decided | Denied):
            return DoneNow() if isinstance(decided, approvals.Decided) else decided
        return NothingToDo(reason="The undo was asked for already.")

    async def _decide_undo(self, s: TenantSession, person: Person, undo: Approval, *, alone: bool) -> object:
        """The click decides, unless the undo is riskier than what is undone: then its card waits for who may.

        Whoever broke the glass alone may take it back alone.
        """
        risk = Risk(undo.risk)
        if alone:
            return await self._decide(s, person, undo, undo.plan_hash, "break_glass")
        if isinstance(denied := check_approval(person.role, risk, is_requester=True), Denied):
            return Denied(f"{denied.reason} Who may: {who_may_approve(risk)}. The card of the undo waits for them.")
        return await self._decide(s, person, undo, undo.plan_hash, "approved")

    async def keep(self, person: Person, approval: ApprovalId) -> DoneNow | NothingToDo | Denied:
        """The applied change stays although it did not heal; noted, so that nobody wonders later."""
        async with self._rt.db.tenant(person.tenant_id) as s:
            found = await approvals.approval(s, approval)
            if found is None:
                return Denied("This proposal does not exist in your workspace.")
            if (denied := await self._may_decide(s, person, found, "kept")) is not None:
                return denied
            if found.state not in _UNDOABLE:
                return NothingToDo(reason="There is nothing to keep here.")
            await self._noted(s, person, "effect.verified", approval, {"kept": True})
        return DoneNow()

    async def feedback(
        self, person: Person, investigation: InvestigationId, *, positive: bool, remark: Redacted | None = None
    ) -> DoneNow | Denied:
        async with self._rt.db.tenant(person.tenant_id) as s:
            if await investigations.investigation(s, investigation) is None:
                return Denied("This investigation does not exist in your workspace.")
            now: datetime = self._rt.clock()
            await feedback.record_feedback(
                s, investigation_id=investigation, by=person.user_id, positive=positive, at=now
            )
            if remark is not None:
                await feedback.record_remark(s, investigation_id=investigation, by=person.user_id, remark=remark)
            await events.emit(s, "ai.autoheal.feedback.given.v1", investigation, {"positive": positive})
            await self._noted(s, person, "feedback.given", investigation, {"positive": positive})
        return DoneNow()

    async def end_incident(
        self, person: Person, incident: IncidentId, *, ending: Ending
    ) -> DoneNow | NothingToDo | Denied:
        """A person says that it is over. What still runs is stopped, and what waits for a decision is withdrawn."""
        if isinstance(denied := check(person.role, Permission.INVESTIGATE), Denied):
            return denied
        async with self._rt.db.tenant(person.tenant_id) as s:
            found = await incidents.incident(s, incident)
            if found is None:
                return Denied("This incident does not exist in your workspace.")
            if not await incidents.resolve_incident(s, incident, status=ending, by=person.user_id):
                return NothingToDo(reason=f"#{found.number} has ended already.")
            details = {"number": found.number, "as": ending}
            await events.emit(s, "ai.autoheal.incident.resolved.v1", incident, details)
            await self._noted(s, person, "incident.resolved", incident, details)
        await self._close_down(person, incident)
        return DoneNow()

    async def alert_ended(self, person: Person, ask: Ask, *, by_person: bool) -> Incident | None:
        """An alert is over, and with it all of its incident's: that is mitigated; it is resolved where a person closed
        the alert. None where there is no such open incident, or another of its alerts is not over.
        """
        if isinstance(check(person.role, Permission.INVESTIGATE), Denied):
            return None
        reported = await self._reported(person, ask)
        sight = Sight(channels=frozenset({ask.channel_id}))
        async with self._rt.db.tenant(person.tenant_id) as s:
            same = same_incident(reported, await read_known(s, reported.at), sight)
            if same is None or not same.incident.is_open:
                return None
            incident = same.incident
            if not await self._alert_over(s, person, incident, by_person=by_person):
                return None
            ended = await incidents.incident(s, incident.id)
        if by_person:
            await self._close_down(person, incident.id)
        return ended

    async def alerts_ended(self, person: Person, incident: IncidentId) -> None:
        """Alerts of it are over by themselves: it is mitigated when all are. The reconciler ends it when nothing of it
        is under way any more.
        """
        async with self._rt.db.tenant(person.tenant_id) as s:
            found = await incidents.incident(s, incident)
            if found is not None:
                await self._alert_over(s, person, found, by_person=False)

    async def _alert_over(self, s: TenantSession, person: Person, incident: Incident, *, by_person: bool) -> bool:
        """False where that changes nothing: others of its alerts are not over, it had ended, or was mitigated."""
        if incident.id in await alerts.not_over(s, [incident.id]):
            return False
        if by_person:
            moved = await incidents.resolve_incident(s, incident.id, by=incidents.BY_ALERT)
        else:
            moved = await incidents.mitigate_incident(s, incident.id)
        if moved:
            verb, details = "resolved" if by_person else "mitigated", {"number": incident.number, "by": "alert"}
            await events.emit(s, f"ai.autoheal.incident.{verb}.v1", incident.id, details)
            await self._noted(s, person, f"incident.{verb}", incident.id, details)
        return moved

    async def _close_down(self, person: Person, incident: IncidentId) -> None:
        """After its end: nothing of it goes on, and its messages say so."""
        tenant = person.tenant_id
        async with self._rt.db.tenant(tenant) as s:
            running = await investigations.running_investigations(s, of=[incident])
            waiting = await approvals.open_approvals(s, of=[incident])
            withdrawn: list[Approval] = []
            for one in waiting:
                over = {ApprovalState.PROPOSED}
                now = self._rt.clock()
                if await approvals.advance(s, one.id, to=ApprovalState.CANCELLED, expect=over, finished_at=now):
                    await events.emit(s, "ai.autoheal.approval.cancelled.v1", one.id)
                    await self._noted(s, person, "approval.cancelled", one.id, {"incident": incident})
                    withdrawn.append(one)
        for run in running:
            await self.stop(person, run.id)
        for one in withdrawn:
            await self._rt.reporter.approval_changed(tenant, one.id)
            await self._wake(person, replace(one, state=ApprovalState.CANCELLED))
        await self._rt.reporter.ended(tenant, incident)

    async def _wake(self, person: Person, decided: Approval) -> None:
        """Wakes the waiting workflow, which reads the decision from the store. Repeating it wakes it once."""
        waiting = workflow_id(person.tenant_id, "remediate", decided.id)
        await self._rt.queue.revive("remediate", workflow_id=waiting, arguments=(person.tenant_id, decided.id))
        word = decided.decision or decided.state.value
        await self._rt.queue.send(waiting, TOPIC, word, key=f"{decided.id}:{decided.plan_hash[:16]}:{word}")

    async def _noted(
        self, s: TenantSession, person: Person, what: str, target: str, details: Mapping[str, object]
    ) -> None:
        actor = Actor(type="user", id=person.user_id)
        await audit.record(s, actor=actor, action=f"slack.{what}", target=target, details=dict(details))


def _acted_alone(person: Person, found: Approval) -> bool:
    may = isinstance(check(person.role, Permission.APPROVE_HIGH), Allowed)
    return may and found.decision == "break_glass" and found.decided_by == person.user_id


def _title(question: str) -> str:
    line = " ".join(question.split()) or "Incident"
    return line if len(line) <= _TITLE_MAX else f"{line[: _TITLE_MAX - 1]}…"


@dataclass(frozen=True, kw_only=True)
class _Join:
    answer: Investigating
    is_running: bool


def _joins(ask: Ask, same: KnownIncident | None, now: datetime, *, but_not: Container[InvestigationId]) -> _Join | None:
    """The run that answers this already: one under way, or of an alert that fired again soon after the last run."""
    if same is None or same.run is None or same.run.id in but_not:
        return None
    quiet = ask.alert is not None and same.incident.is_open and now - same.run.created_at <= _SETTLES
    if not (same.is_running or quiet):
        return None
    answer = Investigating(
        investigation_id=same.run.id,
        incident_id=same.incident.id,
        joined=True,
        channel_id=same.incident.channel_id,
        thread_ts=same.incident.thread_ts,
        number=same.incident.number,
    )
    return _Join(answer=answer, is_running=same.is_running)


def _decided_sentence(found: Approval, slack_user: str | None) -> str:
    if found.decided_at is None and found.state not in (ApprovalState.EXPIRED, ApprovalState.PROPOSED):
        return f"This proposal has ended: {found.state.value.replace('_', ' ')}."
    if found.state is ApprovalState.EXPIRED or found.decided_at is None:
        return "Nobody answered in time; this proposal has expired."
    who = f"<@{slack_user}>" if slack_user else "Somebody"
    verb = {"rejected": "rejected", "break_glass": "approved with break-glass"}.get(str(found.decision), "approved")
    now = found.state.value.replace("_", " ")
    return f"{who} {verb} this at {found.decided_at:%H:%M:%S} UTC; it is now {now}."
