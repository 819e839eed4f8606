"""People and roles."""

import asyncio
from typing import Any

import pytest

from store.database.session import Database
from store.errors import LastAdmin, NotFound
from store.ids import UserId, new_id
from store.people.users import Role, admins, ensure_user, set_role, user, user_by_slack


async def test_first_contact_gives_a_role_and_later_ones_change_nothing(database: Database, two_tenants: Any) -> None:
    async with database.tenant(two_tenants[0]) as s:
        first = await ensure_user(s, slack_user_id="UNEW", role=Role.VIEWER)
        assert await ensure_user(s, slack_user_id="UNEW", role=Role.ADMIN) == first
        assert await user(s, first.id) == first
        assert await user_by_slack(s, "UNKNOWN") is None


async def test_parallel_first_contacts_make_one_user(database: Database, two_tenants: Any) -> None:
    async def contact() -> str:
        async with database.tenant(two_tenants[0]) as s:
            return (await ensure_user(s, slack_user_id="UNEW", role=Role.MEMBER)).id

    assert len(set(await asyncio.gather(*(contact() for _ in range(10))))) == 1


async def test_the_last_admin_stays_however_many_try(database: Database, two_tenants: Any) -> None:
    async with database.tenant(two_tenants[0]) as s:
        other = await ensure_user(s, slack_user_id="UTWO", role=Role.ADMIN)
        first = await user_by_slack(s, "U0ADMIN")
    assert first is not None

    async def demote(user_id: UserId) -> None:
        async with database.tenant(two_tenants[0]) as s:
            await set_role(s, user_id, Role.MEMBER)

    results = await asyncio.gather(*(demote(user_id) for user_id in (first.id, other.id) * 10), return_exceptions=True)
    async with database.tenant(two_tenants[0]) as s:
        assert len(await admins(s)) == 1
    assert any(isinstance(result, LastAdmin) for result in results)


async def test_a_role_of_another_tenants_user_cannot_be_set(database: Database, two_tenants: Any) -> None:
    async with database.tenant(two_tenants[1]) as s:
        theirs = await user_by_slack(s, "U0VIEWER")
    assert theirs is not None
    async with database.tenant(two_tenants[0]) as s:
        with pytest.raises(NotFound):
            await set_role(s, theirs.id, Role.ADMIN)
        with pytest.raises(NotFound):
            await set_role(s, UserId(new_id()), Role.ADMIN)
