"""What `autoheal account` does: invitations by the operator, recorded in the audit log of the organisation."""

from __future__ import annotations

import asyncio
from uuid import UUID

from bot.opening import open_database
from bot.settings import SettingsError, load_settings
from bot.web_side import open_account_keys
from store import audit
from store.audit import events
from store.database.session import Database
from store.ids import TenantId, UserId
from store.people import accounts, invitations
from store.people.accounts import read_email
from store.people.users import Role
from store.tenancy.tenants import list_tenants

_OPERATOR = audit.Actor(type="system", id="operator")


def invite(email: str, *, role: str, tenant: str | None, user: str | None) -> int:
    """Exit code 0. Raises SettingsError, AddressTaken, NotFound."""

    async def run() -> None:
        settings = load_settings()
        address = _address(email)
        async with open_database(settings) as (db, master_keys):
            keys = await open_account_keys(settings, master_keys)
            async with db.tenant(await _tenant(db, tenant)) as s:
                token, made = await invitations.invite(
                    s,
                    keys,
                    email=address,
                    role=Role(role),
                    invited_by=None,
                    user_id=None if user is None else UserId(_uuid(user)),
                )
                words = {"role": made.role.value}
                await events.emit(s, "ai.autoheal.invitation.created.v1", made.id, words, actor=_OPERATOR)
                await audit.record(
                    s, actor=_OPERATOR, action="operator.invitation.created", target=made.id, details=words
                )
        print(f"Invitation token: {token.reveal()}")  # noqa: T201 -- for the person who asked
        print(f"For {address} as {made.role.value}, once, until {made.expires_at:%Y-%m-%d %H:%M} UTC.")  # noqa: T201
        where = settings.public_url or "http://127.0.0.1:3000"
        print(f"Accept it: POST {where}/api/invitations/accept with token, first_name, last_name, password.")  # noqa: T201

    asyncio.run(run())
    return 0


def forget(email: str, *, tenant: str | None) -> int:
    """Exit code 0. The user with role and history stays. Raises SettingsError."""

    async def run() -> None:
        settings = load_settings()
        address = _address(email)
        async with open_database(settings) as (db, master_keys):
            keys = await open_account_keys(settings, master_keys)
            tenant_id = await _tenant(db, tenant)
            found = await accounts.find_candidate(db, keys, address, tenant_id=tenant_id)
            if found is None:
                raise SettingsError("nobody has an account with this address there")
            async with db.tenant(tenant_id) as s:
                await accounts.delete_account(s, found.user_id)
                await events.emit(s, "ai.autoheal.account.deleted.v1", found.user_id, actor=_OPERATOR)
                await audit.record(s, actor=_OPERATOR, action="operator.account.deleted", target=found.user_id)
        print(f"Deleted. Invite anew with: autoheal account invite EMAIL --user {found.user_id}")  # noqa: T201

    asyncio.run(run())
    return 0


def _address(email: str) -> str:
    address = read_email(email)
    if address is None:
        raise SettingsError("this is not an e-mail address")
    return address


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as exc:
        raise SettingsError(f"{text!r} is not an id") from exc


async def _tenant(db: Database, wanted: str | None) -> TenantId:
    known = [one.id for one in await list_tenants(db)]
    if wanted is None and len(known) == 1:
        return known[0]
    if wanted is None:
        raise SettingsError("name the organisation: --tenant ID; `autoheal tenant` lists them")
    if wanted not in known:
        raise SettingsError(f"there is no tenant {wanted}; `autoheal tenant` lists them")
    return TenantId(wanted)
