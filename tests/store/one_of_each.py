"""A row of every table for a tenant, all under one id, so that two tenants share every record id."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Uuid,
)
from sqlalchemy.types import JSON, TypeDecorator, TypeEngine

from store.database.schema import Base

SHARED_ID: Final = "01a20000-0000-7000-8000-000000000001"


def tables() -> list[Table]:
    """Every table that a tenant owns, as the database sees it: without the types that check what is stored."""
    return [plain(table) for table in Base.metadata.sorted_tables if table.name != "tenants"]


def one_of_each(connection: Connection, tenant_id: str, mark: str) -> None:
    """`mark` stands where a value must be unique over all tenants. The connection must act for the owner."""
    for table in tables():
        connection.execute(table.insert(), {"tenant_id": tenant_id, "id": SHARED_ID} | a_row(table, mark))


def a_row(table: Table, mark: str, *, text: str = "x", number: int = 1) -> dict[str, Any]:
    """Its columns that must be filled, but for its tenant and id. `mark`, `text` and `number` keep rows apart."""
    real = Base.metadata.tables[table.name]
    points = {column.name for column in real.columns if column.foreign_keys}
    apart = {
        column.name
        for constraint in real.constraints
        if "tenant_id" not in (names := {column.name for column in getattr(constraint, "columns", ())})
        for column in real.columns
        if column.name in names
    }
    return {
        column.name: SHARED_ID
        if column.name in points
        else _value(column.type, mark if column.name in apart else text, number)
        for column in table.columns
        if not column.nullable and column.name not in ("tenant_id", "id")
    }


def plain(table: Table) -> Table:
    columns = (
        Column(column.name, _impl(column.type), primary_key=column.primary_key, nullable=column.nullable)
        for column in table.columns
    )
    return Table(table.name, MetaData(), *columns)


def _impl(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return _impl(kind.impl_instance) if isinstance(kind, TypeDecorator) else kind


def _value(kind: TypeEngine[Any], text: str, number: int) -> Any:  # noqa: PLR0911 - one line a type
    match kind:
        case Boolean():
            return True
        case Integer() | Float() | Numeric():
            return number
        case DateTime():
            return datetime(2026, 11, 5, tzinfo=UTC)
        case LargeBinary():
            return b"x"
        case JSON():
            return []
        case Uuid():
            return SHARED_ID
        case _:
            return text
