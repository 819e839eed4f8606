"""What an unsubscribe link carries: whose mail ends, and a proof that we made it. It opens nothing else."""

from __future__ import annotations

import hmac
import re
from typing import Final

from store.ids import TenantId, UserId
from store.people.account_keys import AccountKeys

_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_FORMAT: Final = re.compile(rf"({_UUID})\.({_UUID})\.([0-9a-f]{{64}})")


def make_ticket(keys: AccountKeys, tenant: TenantId, user: UserId) -> str:
    return f"{tenant}.{user}.{keys.link_code('unsubscribe', tenant, user)}"


def read_ticket(keys: AccountKeys, ticket: str) -> tuple[TenantId, UserId] | None:
    """None for one that is not ours."""
    parts = _FORMAT.fullmatch(ticket)
    if parts is None:
        return None
    tenant, user, code = TenantId(parts[1]), UserId(parts[2]), parts[3]
    return (tenant, user) if hmac.compare_digest(code, keys.link_code("unsubscribe", tenant, user)) else None
