"""Threads and what was said in them, once."""

import asyncio
from typing import Any

from store.database.session import Database
from store.incidents.conversations import chat, conversation, conversation_by_id, record_chat


async def test_a_thread_has_one_conversation(database: Database, two_tenants: Any) -> None:
    async def reply() -> Any:
        async with database.tenant(two_tenants[0]) as s:
            return await conversation(s, channel_id="C1", thread_ts="1.000001")

    found = await asyncio.gather(*(reply() for _ in range(8)))
    assert len({one.id for one in found}) == 1
    async with database.tenant(two_tenants[0]) as s:
        assert await conversation_by_id(s, found[0].id) == found[0]
        assert await conversation(s, channel_id="C2", thread_ts="1.000001", create=False) is None
    async with database.tenant(two_tenants[1]) as s:
        assert await conversation(s, channel_id="C1", thread_ts="1.000001", create=False) is None
        assert await conversation_by_id(s, found[0].id) is None


async def test_a_message_delivered_twice_is_recorded_once(database: Database, case: Any) -> None:
    async with database.tenant(case.tenant_id) as s:
        for ts, text in (("2.000002", "second"), ("1.000001", "first"), ("2.000002", "again")):
            added = await record_chat(
                s,
                case.conversation_id,
                slack_ts=ts,
                slack_user_id="U0MEMBER",
                text=s.redactor.redact(text),
                kind="mention",
            )
            assert added == (text != "again")
        assert [(said.slack_ts, said.text, said.kind) for said in await chat(s, case.conversation_id)] == [
            ("1.000001", "first", "mention"),
            ("2.000002", "second", "mention"),
        ]
