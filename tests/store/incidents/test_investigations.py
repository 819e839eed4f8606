"""An investigation's state, cost, notes and history survive repeated steps."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from store.database.session import Database, TenantSession
from store.errors import NotFound
from store.ids import InvestigationId, NoteId, new_id
from store.incidents.investigations import (
    add_note,
    add_usage,
    append_message,
    count_messages,
    create_investigation,
    investigation,
    latest_investigation,
    messages,
    request_stop,
    running_investigations,
    save_verdict,
    set_status,
    spent_today,
    stop_requested,
    take_notes,
)


async def _note(s: TenantSession, case: Any, text: str, note_id: str | None = None) -> bool:
    return await add_note(
        s,
        case.investigation_id,
        note_id=NoteId(note_id or new_id()),
        text=s.redactor.redact(text),
        by=case.member,
    )


async def test_it_starts_once_and_ends_once(database: Database, case: Any, clock: Any) -> None:
    async with database.tenant(case.tenant_id) as s:
        started = await set_status(s, case.investigation_id, "running", model="offline")
        clock.advance(timedelta(seconds=10))
        await set_status(s, case.investigation_id, "running")
        ended = await set_status(s, case.investigation_id, "concluded")
        clock.advance(timedelta(seconds=10))
        assert await set_status(s, case.investigation_id, "concluded") == ended
        assert (ended.started_at, ended.model) == (started.started_at, "offline")
        assert await running_investigations(s) == []


async def test_creating_it_again_changes_nothing(database: Database, case: Any) -> None:
    async with database.tenant(case.tenant_id) as s:
        again = await create_investigation(
            s,
            id=case.investigation_id,
            incident_id=case.incident_id,
            conversation_id=case.conversation_id,
            question=s.redactor.redact("another question"),
            requested_by=None,
            attempt=7,
        )
        assert (again.question, again.attempt) == ("why does checkout fail?", 1)
        assert again.requested_by == case.member
        second = await create_investigation(
            s,
            id=InvestigationId(new_id()),
            incident_id=case.incident_id,
            conversation_id=case.conversation_id,
            question=s.redactor.redact("go on"),
            requested_by=None,
            attempt=2,
        )
        assert await latest_investigation(s, case.incident_id) == second
        assert [one.id for one in await running_investigations(s)] == [case.investigation_id, second.id]


async def test_usage_adds_up_and_spend_is_counted_by_the_day(
    database: Database, case: Any, clock: Any, two_tenants: Any
) -> None:
    async def use() -> None:
        async with database.tenant(case.tenant_id) as s:
            await add_usage(s, case.investigation_id, input_tokens=100, output_tokens=10, cost_usd=0.25, tool_calls=2)

    await asyncio.gather(*(use() for _ in range(8)))
    async with database.tenant(case.tenant_id) as s:
        found = await investigation(s, case.investigation_id)
        assert found is not None
        assert (found.input_tokens, found.output_tokens, found.cost_usd, found.tool_calls) == (800, 80, 2.0, 16)
        assert await spent_today(s) == 2.0
        clock.advance(timedelta(days=1))
        assert await spent_today(s) == 0.0
    async with database.tenant(two_tenants[1]) as s:
        clock.advance(timedelta(days=-1))
        assert await spent_today(s) == 0.0


async def test_notes_are_taken_once_and_a_repeated_turn_gets_the_same(database: Database, case: Any) -> None:
    async with database.tenant(case.tenant_id) as s:
        assert await take_notes(s, case.investigation_id, turn=0) == []
        note_id = new_id()
        assert await _note(s, case, "not payments", note_id)
        assert not await _note(s, case, "not payments", note_id)
        assert await take_notes(s, case.investigation_id, turn=0) == []  # the turn had none
        first = await take_notes(s, case.investigation_id, turn=1)
        assert [note.text for note in first] == ["not payments"]
        await _note(s, case, "already rolled back")
        assert await take_notes(s, case.investigation_id, turn=1) == first
        assert [note.text for note in await take_notes(s, case.investigation_id, turn=2)] == ["already rolled back"]
        assert await take_notes(s, case.investigation_id, turn=3) == []


async def test_a_stop_is_asked_for_once(database: Database, case: Any) -> None:
    async with database.tenant(case.tenant_id) as s:
        assert not await stop_requested(s, case.investigation_id)
        assert await request_stop(s, case.investigation_id, case.member)
        assert not await request_stop(s, case.investigation_id, case.admin)
        assert await stop_requested(s, case.investigation_id)
        found = await investigation(s, case.investigation_id)
        assert found is not None
        assert found.stop_requested_by == case.member


async def test_an_ended_investigation_is_not_stopped(sqlite_database: Database, case: Any) -> None:
    async with sqlite_database.tenant(case.tenant_id) as s:
        await set_status(s, case.investigation_id, "failed")
        assert not await request_stop(s, case.investigation_id, case.member)


async def test_history_is_append_only_and_keeps_signatures(database: Database, case: Any) -> None:
    signature = "ghp_" + "a1B2" * 9
    thinking = [{"type": "thinking", "thinking": f"token {signature}", "signature": signature}]
    async with database.tenant(case.tenant_id) as s:
        assert await append_message(s, case.investigation_id, seq=1, role="assistant", content=thinking, meta={"n": 1})
        assert await append_message(s, case.investigation_id, seq=0, role="user", content="why?")
        assert not await append_message(s, case.investigation_id, seq=1, role="assistant", content="changed")
        assert await count_messages(s, case.investigation_id) == 2
    async with database.tenant(case.tenant_id) as s:
        history = await messages(s, case.investigation_id)
    assert [(message.seq, message.role) for message in history] == [(0, "user"), (1, "assistant")]
    assert history[1].content == [
        {"type": "thinking", "thinking": "token [redacted:github_token]", "signature": signature}
    ]
    assert history[1].meta == {"n": 1}


async def test_a_verdict_is_kept(database: Database, case: Any, two_tenants: Any) -> None:
    async with database.tenant(case.tenant_id) as s:
        await save_verdict(s, case.investigation_id, {"service": "checkout", "confidence": 0.9})
        found = await investigation(s, case.investigation_id)
        assert found is not None
        assert found.verdict == {"service": "checkout", "confidence": 0.9}
    async with database.tenant(two_tenants[1]) as s:
        assert await investigation(s, case.investigation_id) is None
        assert await messages(s, case.investigation_id) == []
        with pytest.raises(NotFound):
            await save_verdict(s, case.investigation_id, {})
        with pytest.raises(NotFound):
            await take_notes(s, case.investigation_id, turn=0)
