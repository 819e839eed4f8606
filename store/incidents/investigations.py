"""Investigations: a run of the agent on an incident, what it cost, how it ended, what people told it meanwhile."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select

from store.database.schema import DailySpendRow, InvestigationRow, NoteRow
from store.database.session import TenantSession
from store.errors import NotFound
from store.ids import ConversationId, IncidentId, InvestigationId, NoteId, UserId, stable_id
from store.incidents.model_messages import Content, ModelMessage, append_message, count_messages, messages
from store.secrets.redaction import Redacted

__all__ = [
    "Content",
    "Investigation",
    "InvestigationStatus",
    "ModelMessage",
    "StoredNote",
    "add_note",
    "add_usage",
    "append_message",
    "count_messages",
    "count_running",
    "create_investigation",
    "earlier_investigations",
    "end_investigation",
    "investigation",
    "latest_investigation",
    "messages",
    "newest_investigations",
    "note_authors",
    "request_stop",
    "running_investigations",
    "said_by_people",
    "save_verdict",
    "set_status",
    "spent_today",
    "stop_requested",
    "take_notes",
    "waiting_notes",
]

InvestigationStatus = Literal["queued", "running", "concluded", "stopped", "failed"]
_ENDED = frozenset({"concluded", "stopped", "failed"})


@dataclass(frozen=True, kw_only=True)
class Investigation:
    id: InvestigationId
    incident_id: IncidentId
    conversation_id: ConversationId
    attempt: int
    status: InvestigationStatus
    model: str | None
    question: Redacted
    requested_by: UserId | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    input_tokens: int
    output_tokens: int
    cost_usd: float
    tool_calls: int
    turns: int
    verdict: dict[str, Any] | None
    stop_requested_by: UserId | None
    stop_requested_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class StoredNote:
    """What a person told a running investigation."""

    id: NoteId
    text: Redacted
    by: UserId | None
    created_at: datetime


async def create_investigation(
    s: TenantSession,
    *,
    id: InvestigationId,  # noqa: A002 - the row's id, named as everywhere
    incident_id: IncidentId,
    conversation_id: ConversationId,
    question: Redacted,
    requested_by: UserId | None,
    attempt: int = 1,
    model: str | None = None,
) -> Investigation:
    """Queued. Safe to repeat with the same id."""
    await s.insert_if_absent(
        InvestigationRow,
        {
            "id": id,
            "incident_id": incident_id,
            "conversation_id": conversation_id,
            "attempt": attempt,
            "status": "queued",
            "model": model,
            "question": s.seal("investigations", "question", id, question),
            "requested_by": requested_by,
            "created_at": s.now(),
        },
    )
    return _investigation(s, await _row(s, id))


async def investigation(
    s: TenantSession, investigation_id: InvestigationId, *, lock: bool = False
) -> Investigation | None:
    row = await s.one(InvestigationRow, InvestigationRow.id == investigation_id, lock=lock)
    return None if row is None else _investigation(s, row)


async def latest_investigation(s: TenantSession, incident_id: IncidentId) -> Investigation | None:
    """The one with the highest attempt."""
    rows = await s.all(
        select(InvestigationRow)
        .where(InvestigationRow.incident_id == incident_id)
        .order_by(InvestigationRow.attempt.desc(), InvestigationRow.created_at.desc(), InvestigationRow.id.desc())
        .limit(1)
    )
    return _investigation(s, rows[0]) if rows else None


async def newest_investigations(s: TenantSession, of: Collection[IncidentId]) -> dict[IncidentId, Investigation]:
    """The one with the highest attempt of each of these incidents."""
    found: dict[IncidentId, Investigation] = {}
    if of:
        order = (InvestigationRow.attempt, InvestigationRow.created_at, InvestigationRow.id)
        chosen = select(InvestigationRow).where(InvestigationRow.incident_id.in_(of)).order_by(*order)
        for row in await s.all(chosen):
            found[IncidentId(row.incident_id)] = _investigation(s, row)
    return found


async def earlier_investigations(s: TenantSession, run: Investigation) -> list[Investigation]:
    """The runs of the same incident before this one, oldest first."""
    rows = await s.all(
        select(InvestigationRow)
        .where(InvestigationRow.incident_id == run.incident_id, InvestigationRow.attempt < run.attempt)
        .order_by(InvestigationRow.attempt, InvestigationRow.id)
    )
    return [_investigation(s, row) for row in rows]


async def running_investigations(s: TenantSession, *, of: Collection[IncidentId] | None = None) -> list[Investigation]:
    """Queued ones included, oldest first. `of`: those of these incidents, which somebody may see; all of them are for
    the system itself.
    """
    chosen = select(InvestigationRow).where(InvestigationRow.status.in_(("queued", "running")))
    if of is not None:
        chosen = chosen.where(InvestigationRow.incident_id.in_(of))
    rows = await s.all(chosen.order_by(InvestigationRow.created_at, InvestigationRow.id))
    return [_investigation(s, row) for row in rows]


async def count_running(s: TenantSession) -> int:
    """How many hold a place now."""
    return int(await s.value(select(func.count(InvestigationRow.id)).where(InvestigationRow.status == "running")))


async def set_status(
    s: TenantSession, investigation_id: InvestigationId, status: InvestigationStatus, *, model: str | None = None
) -> Investigation:
    """Notes the first start and the end. Raises NotFound."""
    row = await _row(s, investigation_id, lock=True)
    row.status = _status(status)
    if model is not None:
        row.model = model
    if status == "running" and row.started_at is None:
        row.started_at = s.now()
    row.finished_at = (row.finished_at or s.now()) if status in _ENDED else None
    await s.save()
    return _investigation(s, row)


async def end_investigation(
    s: TenantSession, investigation_id: InvestigationId, status: Literal["stopped", "failed"]
) -> bool:
    """Ends a run without a verdict. False when it had ended already: then it stays as it is."""
    ended = await s.update(
        InvestigationRow,
        InvestigationRow.id == investigation_id,
        InvestigationRow.status.in_(("queued", "running")),
        values={"status": status, "finished_at": s.now()},
    )
    return ended == 1


async def add_usage(
    s: TenantSession,
    investigation_id: InvestigationId,
    *,
    input_tokens: int = 0,
    output_tokens: int = 0,
    cost_usd: float = 0.0,
    tool_calls: int = 0,
    turns: int = 0,
) -> None:
    """Adds to the run's totals and to today's spend. Not idempotent: a repeated step counts twice, on the safe side."""
    row = await _row(s, investigation_id, lock=True)
    row.input_tokens += input_tokens
    row.output_tokens += output_tokens
    row.cost_usd += cost_usd
    row.tool_calls += tool_calls
    row.turns += turns
    if cost_usd:
        day = s.now().date().isoformat()
        await s.insert_if_absent(DailySpendRow, {"id": stable_id("spend", s.tenant_id, day), "day": day})
        await s.update(DailySpendRow, DailySpendRow.day == day, values={"cost_usd": DailySpendRow.cost_usd + cost_usd})
    await s.save()


async def spent_today(s: TenantSession) -> float:
    """US dollars since midnight UTC."""
    row = await s.one(DailySpendRow, DailySpendRow.day == s.now().date().isoformat())
    return 0.0 if row is None else row.cost_usd


async def save_verdict(s: TenantSession, investigation_id: InvestigationId, verdict: dict[str, Any]) -> None:
    """Replaces the verdict. Raises NotFound."""
    row = await _row(s, investigation_id, lock=True)
    row.verdict = s.seal_json("investigations", "verdict", row.id, verdict)
    await s.save()


async def request_stop(s: TenantSession, investigation_id: InvestigationId, by: UserId | None) -> bool:
    """False when it had ended, or when somebody asked before."""
    stopped = await s.update(
        InvestigationRow,
        InvestigationRow.id == investigation_id,
        InvestigationRow.stop_requested_at.is_(None),
        InvestigationRow.status.in_(("queued", "running")),
        values={"stop_requested_at": s.now(), "stop_requested_by": by},
    )
    return stopped == 1


async def stop_requested(s: TenantSession, investigation_id: InvestigationId) -> bool:
    return (await _row(s, investigation_id)).stop_requested_at is not None


async def add_note(
    s: TenantSession, investigation_id: InvestigationId, *, note_id: NoteId, text: Redacted, by: UserId | None
) -> bool:
    """Safe to repeat with the same id: False when the note is there already."""
    added = await s.insert_if_absent(
        NoteRow,
        {
            "id": note_id,
            "investigation_id": investigation_id,
            "text": s.seal("notes", "text", note_id, text),
            "by_user_id": by,
            "created_at": s.now(),
        },
    )
    return note_id in added


async def take_notes(s: TenantSession, investigation_id: InvestigationId, *, turn: int) -> list[StoredNote]:
    """The notes that nobody took before this turn, oldest first. A repeated turn gets exactly what it got at first:
    the model's history must not change when a step runs again.
    """
    investigation_row = await _row(s, investigation_id, lock=True)
    if turn > investigation_row.notes_turn:
        investigation_row.notes_turn = turn
        await s.save()
        await s.update(
            NoteRow,
            NoteRow.investigation_id == investigation_id,
            NoteRow.taken_turn.is_(None),
            values={"taken_turn": turn},
        )
    rows = await s.all(
        select(NoteRow)
        .where(NoteRow.investigation_id == investigation_id, NoteRow.taken_turn == turn)
        .order_by(NoteRow.created_at, NoteRow.id)
    )
    return [
        StoredNote(
            id=NoteId(row.id),
            text=s.open("notes", "text", row.id, row.text),
            by=None if row.by_user_id is None else UserId(row.by_user_id),
            created_at=row.created_at,
        )
        for row in rows
    ]


async def waiting_notes(s: TenantSession, investigation_id: InvestigationId) -> int:
    """How many notes no turn took yet. Holds the run, so that none comes in before what is decided on the answer."""
    await _row(s, investigation_id, lock=True)
    waiting = NoteRow.investigation_id == investigation_id, NoteRow.taken_turn.is_(None)
    return int(await s.value(select(func.count(NoteRow.id)).where(*waiting)))


async def note_authors(s: TenantSession, investigation_id: InvestigationId) -> dict[NoteId, UserId]:
    """Who said what steered a run, by the note's id; without those who are no longer known."""
    rows = await s.all(select(NoteRow).where(NoteRow.investigation_id == investigation_id))
    return {NoteId(row.id): UserId(row.by_user_id) for row in rows if row.by_user_id is not None}


async def said_by_people(s: TenantSession, incident_id: IncidentId) -> list[tuple[Redacted, datetime, UserId | None]]:
    """What was asked and told in all runs of an incident, when and by whom, oldest first."""
    runs = await s.all(select(InvestigationRow).where(InvestigationRow.incident_id == incident_id))
    notes = await s.all(select(NoteRow).where(NoteRow.investigation_id.in_([run.id for run in runs])))
    said = [
        (s.open("investigations", "question", run.id, run.question), run.created_at, run.requested_by) for run in runs
    ]
    said += [(s.open("notes", "text", note.id, note.text), note.created_at, note.by_user_id) for note in notes]
    return [(text, at, None if by is None else UserId(by)) for text, at, by in sorted(said, key=lambda one: one[1])]


async def _row(s: TenantSession, investigation_id: str, *, lock: bool = False) -> InvestigationRow:
    row = await s.one(InvestigationRow, InvestigationRow.id == investigation_id, lock=lock)
    if row is None:
        raise NotFound("no such investigation")
    return row


def _investigation(s: TenantSession, row: InvestigationRow) -> Investigation:
    return Investigation(
        id=InvestigationId(row.id),
        incident_id=IncidentId(row.incident_id),
        conversation_id=ConversationId(row.conversation_id),
        attempt=row.attempt,
        status=_status(row.status),
        model=row.model,
        question=s.open("investigations", "question", row.id, row.question),
        requested_by=None if row.requested_by is None else UserId(row.requested_by),
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost_usd=row.cost_usd,
        tool_calls=row.tool_calls,
        turns=row.turns,
        verdict=None if row.verdict is None else s.open_json("investigations", "verdict", row.id, row.verdict),
        stop_requested_at=row.stop_requested_at,
        stop_requested_by=None if row.stop_requested_by is None else UserId(row.stop_requested_by),
    )


def _status(value: str) -> InvestigationStatus:
    match value:
        case "queued" | "running" | "concluded" | "stopped" | "failed":
            return value
        case _:
            raise ValueError(f"unknown investigation status {value!r}")
