"""An effect is entered once."""

import asyncio
from typing import Any

import pytest

from store.database.session import Database
from store.errors import NotFound
from store.incidents.fences import enter, fence, finish


async def test_of_many_parallel_callers_one_enters(database: Database, two_tenants: Any) -> None:
    async def try_to_enter() -> bool:
        async with database.tenant(two_tenants[0]) as s:
            return await enter(s, key="apply:1", effect="rollback")

    assert sum(await asyncio.gather(*(try_to_enter() for _ in range(20)))) == 1
    async with database.tenant(two_tenants[1]) as s:
        assert await enter(s, key="apply:1", effect="rollback")


async def test_an_unfinished_fence_shows_that_the_effect_may_have_happened(
    database: Database, two_tenants: Any
) -> None:
    async with database.tenant(two_tenants[0]) as s:
        assert await fence(s, "apply:1") is None
        with pytest.raises(NotFound):
            await finish(s, "apply:1", "applied")
        await enter(s, key="apply:1", effect="rollback")
        entered = await fence(s, "apply:1")
        assert entered is not None
        assert (entered.finished_at, entered.outcome) == (None, None)
        await finish(s, "apply:1", "applied")
        await finish(s, "apply:1", "unknown")
        finished = await fence(s, "apply:1")
        assert finished is not None
        assert finished.outcome == "applied"
