"""Requests about the end of an incident, by a person or because its alerts are over. Nothing of it goes on after it."""

from __future__ import annotations

from dataclasses import replace

from agents.incidents.investigating import InvestigationRequests
from agents.incidents.requests import Ask, DoneNow, NothingToDo
from agents.incidents.same_incident import read_known, same_incident
from agents.permission import (
    Denied,
    Permission,
    Person,
    check,
)
from store import incidents
from store.audit import events
from store.database.session import TenantSession
from store.ids import IncidentId
from store.incidents import Ending, Incident, Sight, alerts, approvals, investigations
from store.incidents.approvals import Approval, ApprovalState


class EndingRequests(InvestigationRequests):
    """See `agents.incidents.service`."""

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

    async def alerts_returned(self, person: Person, incident: IncidentId) -> bool:
        """Alerts of it fire again shortly after their end: it is open again, whoever had ended it. False where it was
        open.
        """
        if isinstance(check(person.role, Permission.INVESTIGATE), Denied):
            return False
        async with self._rt.db.tenant(person.tenant_id) as s:
            found = await incidents.incident(s, incident)
            if found is None or not await incidents.reopen_incident(s, incident):
                return False
            details = {"number": found.number, "by": "alert"}
            await events.emit(s, "ai.autoheal.incident.reopened.v1", incident, details)
            await self._noted(s, person, "incident.reopened", incident, details)
        if not found.is_open:
            await self._rt.reporter.ended(person.tenant_id, incident)
        return True

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
