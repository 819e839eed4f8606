"""The shape of every table: owned by a tenant, keyed by (tenant_id, id), joined by composite foreign keys.

A composite foreign key makes it impossible for a row to point into another tenant, whatever the code does.
"""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import ForeignKey, ForeignKeyConstraint, MetaData, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from store.database.schema.columns import Sealed, UtcDateTime

__all__ = ["ID", "NAMING", "Base", "Owned", "Sealed", "owned_by"]

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
ID = Uuid(as_uuid=False)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar = {datetime: UtcDateTime()}

    door_grants: ClassVar[frozenset[str]] = frozenset()
    """What `Database.across_tenants` may do with the table: some of `select`, `insert`, `update`, `delete`."""


class Owned:
    """Mixin of all tables that belong to a tenant; the tenant wall filters on it."""

    append_only: ClassVar[bool] = False
    keeps_its_seal: ClassVar[bool] = False
    """Rows on their way to an append-only place: the rotation of a data key passes them over, as it does those."""

    tenant_id: Mapped[str] = mapped_column(ID, ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[str] = mapped_column(ID, primary_key=True)


def owned_by(table: str, column: str) -> ForeignKeyConstraint:
    """`column` points at a row of `table` in the same tenant."""
    return ForeignKeyConstraint(["tenant_id", column], [f"{table}.tenant_id", f"{table}.id"])
