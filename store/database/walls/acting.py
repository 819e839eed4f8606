"""For whom a transaction acts: what the database itself is told when one begins.

A transaction that does not say for whom it acts reaches no tenant's row on PostgreSQL and changes none on SQLite.
"""

import uuid
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from store.errors import UnknownTenant

ACTS_FOR = "acts_for"
"""The execution option that carries an `Acting` to the `begin` event."""

APP, DOOR, ERASER = "autoheal_app", "autoheal_door", "autoheal_eraser"
"""The group roles on PostgreSQL. They own nothing and cannot log in."""


@dataclass(frozen=True, kw_only=True)
class Acting:
    """`postgresql`: the values of `role`, `app.tenant_id` and `app.door`; `sqlite`: what `cur_tenant()` answers."""

    postgresql: tuple[str, str, str]
    sqlite: str


def for_tenant(tenant_id: str, *, erasing: bool = False) -> Acting:
    """One tenant. `erasing` may read and delete, the append-only tables included, and nothing else.

    Raises UnknownTenant for what is no tenant's id: an empty one must never mean all.
    """
    try:
        tenant = uuid.UUID(tenant_id)
    except ValueError as exc:
        raise UnknownTenant("this is not the id of a tenant") from exc
    return Acting(
        postgresql=(ERASER if erasing else APP, str(tenant), ""),
        sqlite=f"erase:{tenant.hex}" if erasing else tenant.hex,
    )


DOOR_KEEPER = Acting(postgresql=(DOOR, "", "*"), sqlite="*")
"""`Database.across_tenants`: all tenants, in the tables and for the verbs of their `door_grants`."""

OWNER = Acting(postgresql=("none", "", "owner"), sqlite="owner")
"""Migrations and maintenance: all tables, except that append-only rows stay as they are on SQLite."""

OWNER_ERASING = Acting(postgresql=("none", "", "owner"), sqlite="erase:*")
"""Maintenance that takes append-only rows away, such as the retention of the audit log."""


def acting(engine: AsyncEngine, whom: Acting) -> AsyncEngine:
    """The same pool; each transaction acts for `whom`."""
    return engine.execution_options(**{ACTS_FOR: whom})


def owning(engine: AsyncEngine, *, erasing: bool = False) -> AsyncEngine:
    """The same pool, past all walls: for migrations and maintenance. The login must own the tables on PostgreSQL.

    `erasing` lets it change and delete rows of append-only tables too.
    """
    return acting(engine, OWNER_ERASING if erasing else OWNER)
