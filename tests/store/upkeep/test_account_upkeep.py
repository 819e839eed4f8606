"""What people no longer use is forgotten."""

from datetime import timedelta
from typing import Any

from store.database.session import Database
from store.people import api_tokens, invitations, web_sessions
from store.people.users import Role
from store.upkeep.account_upkeep import KEPT, forget_ended
from tests.store.accounts import KEYS, make_account


async def test_ended_sessions_tokens_and_invitations_are_forgotten_and_living_ones_stay(
    database: Database, two_tenants: Any, clock: Any
) -> None:
    for tenant in two_tenants:
        made = await make_account(database, tenant)
        async with database.tenant(tenant) as s:
            await web_sessions.start_session(s, made.user_id, ip="", user_agent="")
            for days in (1, 90):
                lifetime = timedelta(days=days)
                await api_tokens.create_token(s, made.user_id, name="ci", scopes=("read",), lifetime=lifetime)
            await invitations.invite(s, KEYS, email="raj@acme.example", role=Role.MEMBER, invited_by=None)
    assert await forget_ended(database) == 0
    clock.advance(KEPT + timedelta(days=8))
    assert await forget_ended(database) == 2 * 4  # one of each, and the invitation that was used
    async with database.tenant(two_tenants[0]) as s:
        assert len(await api_tokens.tokens_of(s, made.user_id)) == 0
        assert await invitations.open_invitations(s) == []
    async with database.tenant(two_tenants[1]) as s:
        assert len(await api_tokens.tokens_of(s, made.user_id)) == 1
