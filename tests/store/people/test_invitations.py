"""Invitations make one account, once."""

import asyncio
from typing import Any

import pytest

from store.database.session import Database
from store.errors import AddressTaken, NotFound
from store.ids import UserId
from store.people import accounts
from store.people.invitations import (
    LIFETIME,
    accept,
    find_invitation,
    invite,
    open_invitation,
    open_invitations,
    revoke_invitation,
)
from store.people.users import Role, set_role, user, user_by_slack
from store.secrets.redaction import Secret
from tests.store.accounts import EMAIL, KEYS

HASH = Secret("$2b$04$hash")


async def _accept(db: Database, tenant: Any, invitation_id: str) -> accounts.Account | None:
    async with db.tenant(tenant) as s:
        return await accept(s, KEYS, invitation_id, first_name="Mia", last_name="Jones", password_hash=HASH)


async def test_of_many_who_accept_at_once_one_gets_the_account(database: Database, two_tenants: Any) -> None:
    async with database.tenant(two_tenants[0]) as s:
        token, invitation = await invite(s, KEYS, email=EMAIL, role=Role.ADMIN, invited_by=None)
    found = await find_invitation(database, token)
    assert found is not None
    assert (found.tenant_id, found.row_id) == (two_tenants[0], invitation.id)
    made = await asyncio.gather(*(_accept(database, two_tenants[0], invitation.id) for _ in range(10)))
    (account,) = [one for one in made if one is not None]
    async with database.tenant(two_tenants[0]) as s:
        known = await user(s, account.user_id)
        assert await open_invitation(s, invitation.id) is None
        assert await open_invitations(s) == []
        assert not await revoke_invitation(s, invitation.id)
    assert known is not None
    assert (known.role, known.slack_user_id) == (Role.ADMIN, f"web:{known.id}")


async def test_an_invitation_ends_after_a_week_or_when_it_is_taken_back_or_made_anew(
    database: Database, two_tenants: Any, clock: Any
) -> None:
    async with database.tenant(two_tenants[0]) as s:
        _, first = await invite(s, KEYS, email=EMAIL, role=Role.MEMBER, invited_by=None)
        _, second = await invite(s, KEYS, email=EMAIL, role=Role.MEMBER, invited_by=None)
        _, third = await invite(s, KEYS, email="raj@acme.example", role=Role.MEMBER, invited_by=None)
        assert await revoke_invitation(s, third.id)
        assert [one.id for one in await open_invitations(s)] == [second.id]
    assert await _accept(database, two_tenants[0], first.id) is None
    assert await _accept(database, two_tenants[0], third.id) is None
    clock.advance(LIFETIME)
    assert await _accept(database, two_tenants[0], second.id) is None


async def test_somebody_known_from_slack_keeps_identity_and_role(database: Database, two_tenants: Any) -> None:
    async with database.tenant(two_tenants[0]) as s:
        viewer = await user_by_slack(s, "U0VIEWER")
        assert viewer is not None
        _, invitation = await invite(s, KEYS, email=EMAIL, role=Role.ADMIN, invited_by=None, user_id=viewer.id)
        assert invitation.role == Role.VIEWER
    account = await _accept(database, two_tenants[0], invitation.id)
    assert account is not None
    assert account.user_id == viewer.id
    async with database.tenant(two_tenants[0]) as s:
        assert await user(s, viewer.id) == viewer
        with pytest.raises(AddressTaken):
            await invite(s, KEYS, email=EMAIL, role=Role.MEMBER, invited_by=None)
    async with database.tenant(two_tenants[1]) as s:
        with pytest.raises(NotFound):
            await invite(s, KEYS, email=EMAIL, role=Role.MEMBER, invited_by=None, user_id=viewer.id)


async def test_who_loses_the_admin_role_leaves_no_invitation_behind(database: Database, two_tenants: Any) -> None:
    async with database.tenant(two_tenants[0]) as s:
        admin, member = await user_by_slack(s, "U0ADMIN"), await user_by_slack(s, "U0MEMBER")
        assert admin is not None
        assert member is not None
        await set_role(s, member.id, Role.ADMIN)
        await invite(s, KEYS, email=EMAIL, role=Role.ADMIN, invited_by=UserId(admin.id))
        await set_role(s, admin.id, Role.MEMBER)
        assert await open_invitations(s) == []


async def test_another_tenant_cannot_use_an_invitation(database: Database, two_tenants: Any) -> None:
    async with database.tenant(two_tenants[0]) as s:
        _, invitation = await invite(s, KEYS, email=EMAIL, role=Role.ADMIN, invited_by=None)
    assert await _accept(database, two_tenants[1], invitation.id) is None
