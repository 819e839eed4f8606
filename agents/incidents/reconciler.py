"""Nothing hangs: each investigation and proposal that is not at its end has live work, or gets some, or is ended aloud.

It mends what a crash leaves between a row and its queue, what a restored backup, a stall of a database or a failed step
leave, and it ends a run that is past its time and makes no progress. An incident whose alerts are over ends here when
the last thing of it has ended. It looks at the start and every minute.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Final, Protocol

from agents.approvals import second_look
from agents.failure import log_failure
from agents.runtime import Runtime
from agents.workflow import Life, Queue, StepFailed, workflow_id
from agents.workflows.investigate import end_broken
from store import audit, incidents
from store.audit import events
from store.errors import TenantFrozen, UnknownTenant
from store.ids import IncidentId, TenantId
from store.incidents import alerts, approvals, investigations
from store.incidents.approvals import Approval, ApprovalState
from store.incidents.investigations import Investigation
from store.tenancy import tenants
from store.tenancy.tenants import list_tenants

log = logging.getLogger("autoheal.reconciler")

LOOK_EVERY: Final = timedelta(minutes=1)
_SETTLED: Final = timedelta(seconds=15)  # younger rows are on their way into the queue
_QUIET: Final = timedelta(minutes=1)
_APPLYING: Final = timedelta(minutes=10)  # more than an effect may take
_LATE_LOOK: Final = timedelta(hours=2)  # for which a second look that was lost is still made up for
_STOPPING: Final = timedelta(seconds=30)
_MOST_REVIVALS: Final = 5  # of one piece of work in this process: past that it is not the accident that ended it


class Mendable(Queue, Protocol):
    """The engine, as far as it is asked here."""

    async def broken(self) -> list[tuple[str, str]]:
        """Workflow and id of those that ended by trouble of the engine, or should run here and do not."""


class Reconciler:
    """One per process. Safe to run on several replicas: what it starts has deterministic ids."""

    def __init__(self, runtime: Runtime, engine: Mendable) -> None:
        self._rt = runtime
        self._engine = engine
        self._revived: Counter[str] = Counter()

    async def look(self) -> None:
        """Once over everything. What fails for one tenant or row is logged, and costs the others nothing."""
        for name, work in await self._engine.broken():
            await self._guarded(name, self._rerun(name, work), work)
        for tenant in await list_tenants(self._rt.db):
            await self._guarded("tenant", self._look_at(tenant.id), tenant.id)

    async def _guarded(self, what: str, work: Coroutine[object, object, None], subject: str) -> None:
        try:
            await work
        except (TenantFrozen, UnknownTenant):
            return  # it ended in this moment
        except Exception as exc:  # noqa: BLE001 - the outer guard of one thing to mend: the next look tries again
            log_failure(log, "reconciler.failed", exc, what=what, subject=subject)

    async def _rerun(self, name: str, work: str) -> None:
        """By trouble of the engine's own: its steps are idempotent, so it runs again."""
        _, tenant, _, *ids = work.split(":")
        if self._may_revive(work):
            await self._engine.revive(name, workflow_id=work, arguments=(tenant, *ids))
            self._say("rerun", name, work)

    async def _look_at(self, tenant: TenantId) -> None:
        async with self._rt.db.tenant(tenant, readonly=True) as s:
            runs = await investigations.running_investigations(s)
            cards = await approvals.open_approvals(s)
            busy = {run.incident_id for run in runs} | {card.incident_id for card in cards}
            idle = set(await incidents.open_ids(s)) - busy
            recovered = await alerts.all_over(s, idle)
            minutes = (await tenants.settings(s)).second_look_minutes
            healed = await approvals.healed_since(s, self._rt.clock() - timedelta(minutes=minutes) - _LATE_LOOK)
        for incident in sorted(recovered):
            await self._guarded("incident", self._end_recovered(tenant, incident), incident)
        for run in runs:
            await self._guarded("investigation", self._mend_run(tenant, run), run.id)
        for card in cards:
            await self._guarded("approval", self._mend_card(tenant, card), card.id)
        for one in healed if minutes else ():
            await self._guarded("second look", self._mend_look(tenant, one), one.id)

    async def _end_recovered(self, tenant: TenantId, incident: IncidentId) -> None:
        """Its alerts are over and nothing of it is under way: it is resolved. A workflow that has concluded may
        still be about to propose something, or to look again.
        """
        async with self._rt.db.tenant(tenant, readonly=True) as s:
            run = await investigations.latest_investigation(s, incident)
            cards = await approvals.approvals_of_incident(s, incident)
        works = [workflow_id(tenant, "investigate", run.id)] if run else []
        works += [workflow_id(tenant, "remediate", card.id) for card in cards]
        for work in works:
            if await self._engine.life(work) in ("live", "lost"):
                return
        async with self._rt.db.tenant(tenant) as s:
            found = await incidents.incident(s, incident)
            again = await investigations.running_investigations(s, of=[incident])
            if found is None or again or incident in await alerts.not_over(s, [incident]):
                return  # in this moment
            if not await incidents.resolve_incident(s, incident, by=incidents.BY_ALERT):
                return
            details = {"number": found.number, "by": "alert"}
            await events.emit(s, "ai.autoheal.incident.resolved.v1", incident, details)
            await audit.record(
                s, actor=audit.SYSTEM, action="system.incident.resolved", target=incident, details=details
            )
        await self._rt.reporter.ended(tenant, incident)

    async def _mend_run(self, tenant: TenantId, run: Investigation) -> None:
        now = self._rt.clock()
        if now - run.created_at < _SETTLED:
            return
        work = workflow_id(tenant, "investigate", run.id)
        if await self._lives("investigate", work, tenant, run.id):
            asked = run.stop_requested_at
            is_late = run.started_at is not None and now > run.started_at + self._longest_run
            if is_late or (asked is not None and now - asked > _STOPPING):
                self._interrupt("investigate", work)
        elif self._revived[work] > _MOST_REVIVALS:
            await self._give_up(tenant, run, work)

    @property
    def _longest_run(self) -> timedelta:
        """The budget is judged before each turn, so the last one may go beyond it."""
        return self._rt.budget.max_wall + self._rt.pace.model_timeout

    async def _give_up(self, tenant: TenantId, run: Investigation, work: str) -> None:
        reference = log_failure(log, "reconciler.gave_up", LookupError("no live work"), workflow=work)
        await end_broken(self._rt, tenant, run.id, StepFailed("NoWork", reference))

    async def _mend_card(self, tenant: TenantId, card: Approval) -> None:
        now = self._rt.clock()
        if now - card.proposed_at < _SETTLED:
            return
        if card.investigation_id is not None and card.undo_of is None:
            before = workflow_id(tenant, "investigate", card.investigation_id)
            if await self._engine.life(before) in ("live", "lost"):
                return  # its verdict is told first, then it shows this card
        work = workflow_id(tenant, "remediate", card.id)
        if await self._lives("remediate", work, tenant, card.id) and now > self._due(card):
            self._interrupt("remediate", work)

    async def _mend_look(self, tenant: TenantId, healed: Approval) -> None:
        """A remedy that healed is looked at again, also where the work that should do so is lost."""
        settled = healed.finished_at is not None and self._rt.clock() - healed.finished_at >= _SETTLED
        if settled and second_look.is_due(healed):
            before = await self._engine.life(workflow_id(tenant, "remediate", healed.id))
            if before not in ("live", "lost"):  # else it starts the look itself
                await self._lives("second_look", workflow_id(tenant, "second_look", healed.id), tenant, healed.id)

    def _due(self, card: Approval) -> datetime:
        """When something must have come of it at the latest."""
        pace = self._rt.pace
        begun = card.decided_at
        if card.state is ApprovalState.PROPOSED or begun is None:
            return card.expires_at + pace.approval_valid
        return begun + pace.approval_valid + _APPLYING + pace.healing_window

    async def _lives(self, name: str, work: str, tenant: TenantId, row: str) -> bool:
        """Whether there was live work before; if not, there is now."""
        life: Life = await self._engine.life(work)
        if life == "live":
            self._revived.pop(work, None)
            return True
        if self._may_revive(work):
            await self._engine.revive(name, workflow_id=work, arguments=(tenant, row))
            self._say(life, name, work)
        return False

    def _may_revive(self, work: str) -> bool:
        self._revived[work] += 1
        return self._revived[work] <= _MOST_REVIVALS

    def _interrupt(self, name: str, work: str) -> None:
        quiet = self._engine.quiet_for(work)
        if quiet is not None and quiet >= _QUIET and self._engine.interrupt(work):
            self._say("stuck", name, work)

    @staticmethod
    def _say(what: str, name: str, work: str) -> None:
        log.warning("mended %s, which was %s", name, what, extra={"action": f"reconciler.{what}", "workflow": work})
