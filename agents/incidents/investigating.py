"""Requests about an investigation: start or join one, steer it, stop it, say how good it was."""

from __future__ import annotations

import asyncio
from collections.abc import Container
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from agents.approvals import prohibitions
from agents.incidents import requests
from agents.incidents.person_requests import PersonRequests
from agents.incidents.requests import Ask, DoneNow, Investigating, NothingToDo
from agents.incidents.same_incident import KnownIncident, Reported, read_known, read_report, same_incident
from agents.permission import (
    Denied,
    Permission,
    Person,
    check,
)
from agents.workflow import workflow_id
from store import incidents
from store.audit import events
from store.database.session import TenantSession
from store.ids import IncidentId, InvestigationId, NoteId, stable_id
from store.incidents import Incident, Sight, conversations, feedback, investigations
from store.secrets.redaction import Redacted

_SETTLES: Final = timedelta(minutes=30)
_TITLE_MAX: Final = 120
_SIGHT_S: Final = 3.0


class InvestigationRequests(PersonRequests):
    """See `agents.incidents.service`."""

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

    async def steer(
        self, person: Person, investigation: InvestigationId, *, text: Redacted, source_ts: str
    ) -> DoneNow | NothingToDo | Denied:
        """A remark that the next model turn reads."""
        if isinstance(denied := check(person.role, Permission.INVESTIGATE), Denied):
            return denied
        services = (await self._rt.toolbox_for(person.tenant_id)).service_names()
        async with self._rt.db.tenant(person.tenant_id) as s:
            run = await investigations.investigation(s, investigation, lock=True)  # it may conclude in this moment
            if run is None or run.status not in ("queued", "running"):
                return NothingToDo(reason="This investigation has ended.")
            note = NoteId(stable_id("note", person.tenant_id, investigation, source_ts))
            if await investigations.add_note(s, investigation, note_id=note, text=text, by=person.user_id):
                await prohibitions.hear(s, services, run.incident_id)
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

    async def rename(self, person: Person, incident: IncidentId, title: Redacted) -> DoneNow | NothingToDo | Denied:
        """A person calls it something else."""
        if isinstance(denied := check(person.role, Permission.INVESTIGATE), Denied):
            return denied
        async with self._rt.db.tenant(person.tenant_id) as s:
            if not await incidents.rename_incident(s, incident, title, by=person.user_id):
                return NothingToDo(reason="It is called that already.")
            await self._noted(s, person, "incident.renamed", incident, {})
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
