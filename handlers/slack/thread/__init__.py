"""What an incident's thread shows: the `Reporter` of the agents, spoken in Slack.

Normal path of an incident: opening, plan, verdict, card, outcome. The first two come as streams and ring no phone;
nobody waits for them, and where many investigations begin at once they are one plain message, or none where the verdict
is faster. The others are owed until they are there. Each is rendered from the store by id, so that every method may run
again, in another process too, and says it once.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from agents.reporter import Reporter
from agents.verdict import Symptom
from handlers.slack.blocks.card import card
from handlers.slack.blocks.message import Message
from handlers.slack.blocks.outcome import came_back, outcome
from handlers.slack.delivery import Delivery
from handlers.slack.delivery.pace import Sleep, Urgency, speaking
from handlers.slack.delivery.streams import Streams, Where
from handlers.slack.due import Due
from handlers.slack.elsewhere import Elsewhere, Letter
from handlers.slack.sessions import AgentSessions
from handlers.slack.thread.messages import conclusion_of, opening_of, plan_key, plan_view
from handlers.slack.thread.reading import RunView, read_proposal, read_run_view, refutes
from handlers.slack.visibility import Visibility
from store.database.session import Database
from store.database.trouble import passes
from store.ids import ApprovalId, IncidentId, InvestigationId, TenantId
from store.incidents import alerts, approvals, investigations
from store.incidents.approvals import Approval

_log = logging.getLogger(__name__)

COALESCE_S: Final = 0.3
EDIT_S: Final = 1.0
"""In a channel the plan is edited, and of edits Slack lets fewer through than of what is added to a stream."""
PATIENCE_S: Final = 2.0
PARTING_S: Final = 1.0
MANY: Final = 8
"""Openings that wait, or plans that are shown, above which Slack's pace is kept for verdicts and cards."""
_COSMETIC: Final = frozenset({"opened", "progressed", "session", "tidied"})


class Sources(Protocol):
    """Which kinds of evidence a tenant has connected, in words for people. Filled by `bot/assemble.py`."""

    async def sources(self, tenant: TenantId) -> list[str]:
        """For example `["Prometheus", "logs", "git"]`."""

    async def missing(self, tenant: TenantId) -> list[str]:
        """For example `["traces"]`."""


@dataclass(kw_only=True)
class _Pump:
    """Shows progress of one run, a few times a second at most. What it shows next waits while it is `pausing`."""

    dirty: bool = True
    pausing: bool = False
    task: asyncio.Task[None] | None = None


class SlackThread(Reporter):
    """Call `close` at the end: it waits a moment for what is still being shown."""

    def __init__(
        self,
        db: Database,
        delivery: Delivery,
        sources: Sources,
        *,
        sleep: Sleep = asyncio.sleep,
        visibility: Visibility | None = None,
    ) -> None:
        self._db, self._delivery, self._sources, self._sleep = db, delivery, sources, sleep
        self._streams = Streams(delivery)
        self.sessions = AgentSessions(db, delivery)
        self._elsewhere = Elsewhere(db, delivery, visibility)
        self._due = Due(db, delivery, self._letter, self._elsewhere, sleep=sleep)
        self._pumps: dict[tuple[TenantId, InvestigationId], _Pump] = {}
        self._openings: dict[tuple[TenantId, InvestigationId], asyncio.Task[None]] = {}
        self._plain_turn = asyncio.Lock()
        self._showing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def resume(self) -> None:
        """Take up what an earlier process owed. For the start and now and then; one replica does it for all."""
        await self._due.resume()

    async def settle(self) -> None:
        """Wait until what is being shown now is there. For tests, and for whoever ends in order."""
        while showing := [task for task in self._showing if not task.done()]:
            await asyncio.wait(showing)
        await self._due.settle()

    async def close(self) -> None:
        """Give what was told a moment to be shown, then let go: investigations that still run tell more without end.
        At the next start the thread is shown from the store.
        """
        self._closed = True
        await self._due.close()
        if not self._showing:
            return
        _, late = await asyncio.wait(self._showing, timeout=PARTING_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def opened(self, tenant: TenantId, investigation: InvestigationId) -> None:
        if self._closed:
            return
        before = self._openings.get((tenant, investigation))
        task = self._show(self._open(tenant, investigation, before))
        self._openings[tenant, investigation] = task
        task.add_done_callback(lambda _: self._forget_opening(tenant, investigation, task))

    def _forget_opening(self, tenant: TenantId, investigation: InvestigationId, task: asyncio.Task[None]) -> None:
        if self._openings.get((tenant, investigation)) is task:
            del self._openings[tenant, investigation]

    async def _open(self, tenant: TenantId, investigation: InvestigationId, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        async with _guard("opened", tenant, investigation):
            with speaking(Urgency.COSMETIC):
                if self._are_many(tenant):
                    await self._open_plainly(tenant, investigation)
                    return
                run = await read_run_view(self._db, tenant, investigation)
                self._show_session(tenant, run.incident.id)
                where, message = _where(tenant, run, f"opening:{investigation}"), await self._opening(tenant, run)
                if not run.ended:
                    await self._streams.quiet(where, message)
                await self._delivery.update(tenant, where.key, message)  # it may have been shown while it was queued

    async def _open_plainly(self, tenant: TenantId, investigation: InvestigationId) -> None:
        """One after the other, so that a run that has ended before its turn says nothing but its verdict."""
        async with self._plain_turn:
            run = await read_run_view(self._db, tenant, investigation)
            if run.ended:
                return
            await self._delivery.show(
                tenant,
                key=f"opening:{investigation}",
                channel=run.incident.channel_id,
                thread_ts=run.incident.thread_ts,
                message=await self._opening(tenant, run),
            )

    def _show(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._showing.add(task)
        task.add_done_callback(self._showing.discard)
        return task

    async def progressed(self, tenant: TenantId, investigation: InvestigationId) -> None:
        if self._closed:
            return
        pump = self._pumps.setdefault((tenant, investigation), _Pump())
        pump.dirty = True
        if pump.task is None or pump.task.done():
            pump.task = self._show(self._show_progress(tenant, investigation, pump))

    async def concluded(self, tenant: TenantId, investigation: InvestigationId) -> None:
        async with _guard("concluded", tenant, investigation):
            pump = self._pumps.pop((tenant, investigation), None)
            await self._drain(tenant, investigation, pump)
            await self._due.say(tenant, f"verdict:{investigation}")
            self._show(self._tidy(tenant, investigation, pump))
            await self._tell_alerts(tenant, investigation)

    async def _tell_alerts(self, tenant: TenantId, investigation: InvestigationId) -> None:
        """The messages of the alerts that it is about say what came of it; `alert_groups.py` edits them."""
        async with self._db.tenant(tenant) as s:
            run = await investigations.investigation(s, investigation)
            if run is not None:
                await alerts.show_incident_again(s, run.incident_id)

    async def _tidy(self, tenant: TenantId, investigation: InvestigationId, pump: _Pump | None) -> None:
        """After the verdict: the plan's last state, an opening without its buttons. What is being shown comes first: it
        was read earlier, and would stand there for good.
        """
        async with _guard("tidied", tenant, investigation):
            opening = self._openings.get((tenant, investigation))
            before = [one for one in (opening, pump.task if pump else None) if one is not None]
            if before:
                await asyncio.wait(before)
            with speaking(Urgency.COSMETIC):
                run = await read_run_view(self._db, tenant, investigation)
                await self._streams.finish_plan(_where(tenant, run, plan_key(run)), plan_view(run))
                await self._delivery.update(tenant, f"opening:{investigation}", await self._opening(tenant, run))
            self._show_session(tenant, run.incident.id, anew=True)

    def _show_session(self, tenant: TenantId, incident: IncidentId, *, anew: bool = False) -> None:
        """Slack's sign beside the thread of what is done there. Nobody waits for it."""
        self._show(self._bring_session(tenant, incident, anew=anew))

    async def _bring_session(self, tenant: TenantId, incident: IncidentId, *, anew: bool) -> None:
        async with _guard("session", tenant, incident):
            with speaking(Urgency.COSMETIC):
                await self.sessions.show(tenant, incident, anew=anew)

    async def proposed(self, tenant: TenantId, approval: ApprovalId) -> None:
        async with _guard("proposed", tenant, approval):
            await self._due.say(tenant, f"card:{approval}")
            self._show_session(tenant, (await read_proposal(self._db, tenant, approval)).incident.id)

    async def approval_changed(self, tenant: TenantId, approval: ApprovalId) -> None:
        async with _guard("approval_changed", tenant, approval):
            await self._update_card(tenant, approval)

    async def _update_card(self, tenant: TenantId, approval: ApprovalId) -> Approval:
        """Wherever it stands: in the thread, or where somebody was told of it instead."""
        key = f"card:{approval}"
        found = await read_proposal(self._db, tenant, approval)
        letter = found.letter(card(found.card))
        with speaking(Urgency.FIRST):
            if not await self._delivery.update(tenant, key, letter.message):
                await self._elsewhere.update(tenant, key, letter)
        self._show_session(tenant, found.incident.id)
        return found.card.approval

    async def outcome(self, tenant: TenantId, approval: ApprovalId) -> None:
        async with _guard("outcome", tenant, approval):
            ended = await self._update_card(tenant, approval)
            if not await self._due.say(tenant, f"outcome:{approval}"):
                return
            if ended.investigation_id is not None and refutes(ended):
                await self._strike(tenant, ended.investigation_id)

    async def looked_again(self, tenant: TenantId, approval: ApprovalId) -> None:
        """The end message says what the second look found; what came back is told in a message of its own."""
        async with _guard("looked_again", tenant, approval):
            letter = await self._letter(tenant, key := f"outcome:{approval}")
            if letter is not None:
                await self._delivery.update(tenant, key, letter.message)
            await self._due.say(tenant, f"came_back:{approval}")

    async def ended(self, tenant: TenantId, incident: IncidentId) -> None:
        """Verdicts and outcomes say how it ended, and offer no ending any more."""
        async with _guard("ended", tenant, incident):
            self._show_session(tenant, incident)
            async with self._db.tenant(tenant, readonly=True) as s:
                run = await investigations.latest_investigation(s, incident)
                remedies = [one.id for one in await approvals.approvals_of_incident(s, incident)]
            keys = [f"verdict:{run.id}"] if run else []
            for key in (*keys, *(f"{kind}:{one}" for one in remedies for kind in ("outcome", "came_back"))):
                letter = await self._letter(tenant, key)
                if letter is not None:
                    await self._delivery.update(tenant, key, letter.message)

    async def _letter(self, tenant: TenantId, key: str) -> Letter | None:
        """What is to be said under a key, as the store has it now. Raises LookupError."""
        kind, _, subject = key.partition(":")
        if kind == "verdict":
            run = await read_run_view(self._db, tenant, InvestigationId(subject))
            return Letter(incident=run.incident, message=conclusion_of(run), asked_by=run.investigation.requested_by)
        found = await read_proposal(self._db, tenant, ApprovalId(subject))
        if kind == "card":
            return found.letter(card(found.card))
        told = came_back(found.card) if kind == "came_back" else outcome(found.card)
        return None if told is None else found.letter(told)

    async def _strike(self, tenant: TenantId, investigation: InvestigationId) -> None:
        """The remedy did not heal: the explanation it followed from is struck through where it stands."""
        run = await read_run_view(self._db, tenant, investigation)
        await self._delivery.update(tenant, f"verdict:{investigation}", conclusion_of(run))
        await self._streams.finish_plan(_where(tenant, run, plan_key(run)), plan_view(run))

    async def _show_progress(self, tenant: TenantId, investigation: InvestigationId, pump: _Pump) -> None:
        opened_with: Symptom | None = None
        if (opening := self._openings.get((tenant, investigation))) is not None:
            await asyncio.wait([opening])
        pause = COALESCE_S
        while pump.dirty and not self._are_many(tenant):
            pump.dirty = False
            async with _guard("progressed", tenant, investigation):
                with speaking(Urgency.COSMETIC):
                    run = await read_run_view(self._db, tenant, investigation)
                    where = _where(tenant, run, plan_key(run))
                    pause = COALESCE_S if where.is_direct else EDIT_S
                    if run.tasks or run.hypotheses:
                        await self._streams.show_plan(where, plan_view(run))
                    if run.symptom is not None and run.symptom != opened_with:
                        opened_with = run.symptom
                        await self._delivery.update(
                            tenant, f"opening:{investigation}", await self._opening(tenant, run)
                        )
            pump.pausing = True
            await self._sleep(pause)
            pump.pausing = False

    def _are_many(self, tenant: TenantId) -> bool:
        """Whether so much is going on in a workspace that progress would hold up what counts."""
        return any(sum(1 for of, _ in known if of == tenant) > MANY for known in (self._openings, self._pumps))

    async def _drain(self, tenant: TenantId, investigation: InvestigationId, pump: _Pump | None) -> None:
        """Progress comes before the verdict, unless Slack holds the plan back: the verdict does not wait for that."""
        opening = self._openings.get((tenant, investigation))
        showing = pump.task if pump is not None and not pump.pausing else None
        before = [task for task in (opening, showing) if task is not None]
        if before and not self._are_many(tenant):
            await asyncio.wait(before, timeout=PATIENCE_S)

    async def _opening(self, tenant: TenantId, run: RunView) -> Message:
        sources, missing = await self._sources.sources(tenant), await self._sources.missing(tenant)
        return opening_of(run, sources=sources, missing=missing)


def _where(tenant: TenantId, run: RunView, key: str) -> Where:
    return Where(
        tenant=tenant,
        key=key,
        channel=run.incident.channel_id,
        thread_ts=run.incident.thread_ts,
        recipient=run.requester,
    )


@asynccontextmanager
async def _guard(action: str, tenant: TenantId, subject: str) -> AsyncIterator[None]:
    """The outer guard of each entry: the agents' work never ends because Slack could not be told. Trouble of the store
    is the step's, which waits for it; what is cosmetic is not worth that.
    """
    try:
        yield
    except Exception as exc:  # the outer guard of an entry point
        if passes(exc) and action not in _COSMETIC:
            raise
        reference = secrets.token_hex(4)
        _log.exception("action=thread.%s.failed tenant=%s subject=%s reference=%s", action, tenant, subject, reference)
