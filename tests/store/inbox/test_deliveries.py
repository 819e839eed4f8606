"""A message goes out once."""

from datetime import timedelta
from typing import Any

import pytest

from store.database.session import Database
from store.errors import NotFound
from store.inbox.deliveries import claim, complete, delivery, due, refuse, refused


async def test_a_claimed_message_is_known_when_it_is_sent_again(database: Database, two_tenants: Any) -> None:
    async with database.tenant(two_tenants[0]) as s:
        assert (await claim(s, "inv:1:verdict", "C1")).is_new
        again = await claim(s, "inv:1:verdict", "C1")
        assert (again.is_new, again.ts, again.state) == (False, None, "claimed")
        await complete(s, "inv:1:verdict", ts="1.000001", body_hash="a")
        await complete(s, "inv:1:verdict", ts="1.000001", body_hash="b")
        sent = await delivery(s, "inv:1:verdict")
        assert sent is not None
        assert (sent.ts, sent.state, sent.body_hash) == ("1.000001", "sent", "b")
    async with database.tenant(two_tenants[1]) as s:
        assert await delivery(s, "inv:1:verdict") is None
        with pytest.raises(NotFound):
            await complete(s, "inv:1:verdict", ts="1", body_hash="x")


async def test_what_was_claimed_and_never_sent_is_due_until_it_is_sent_or_refused(
    database: Database, two_tenants: Any, clock: Any
) -> None:
    async with database.tenant(two_tenants[0]) as s:
        await claim(s, "verdict:0", "C1")
    clock.advance(timedelta(hours=25))
    since = clock() - timedelta(hours=24)
    async with database.tenant(two_tenants[0]) as s:
        for key in ("verdict:1", "verdict:2", "verdict:2#2", "card:1", "opening:1", "verdicts"):
            await claim(s, key, "C1")
        await complete(s, "verdict:1", ts="1.1", body_hash="a", channel_id="D1")
        assert sorted(await due(s, of=("verdict", "card"), since=since)) == ["card:1", "verdict:2", "verdict:2#2"]
        await refuse(s, "card:1")
        await refuse(s, "verdict:1")  # it was sent after all
        assert [one.key for one in await refused(s, since)] == ["card:1"]
        assert await due(s, of=("card",), since=since) == []
        sent = await delivery(s, "verdict:1")
        assert sent is not None
        assert (sent.state, sent.channel_id) == ("sent", "D1")
    async with database.tenant(two_tenants[1]) as s:
        assert (await due(s, of=("verdict", "card"), since=since), await refused(s, since)) == ([], [])
