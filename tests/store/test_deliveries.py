"""A message goes out once."""

from typing import Any

import pytest

from store.deliveries import claim, complete, delivery
from store.errors import NotFound
from store.session import Database


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
