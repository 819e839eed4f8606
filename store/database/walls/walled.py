"""Which tables stand behind the wall, and what each role may do with them: read off the models."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Table

from store.database.schema import Base, Owned, TenantRow

READ, ADD, CHANGE, TAKE = "select", "insert", "update", "delete"
ALL = frozenset({READ, ADD, CHANGE, TAKE})


@dataclass(frozen=True, kw_only=True)
class Walled:
    """`column` names a row's tenant; None for a table that belongs to the deployment, which no tenant reaches."""

    table: str
    column: str | None
    append_only: bool
    app: frozenset[str]
    door: frozenset[str]
    eraser: frozenset[str]


def walled_tables() -> Iterator[Walled]:
    """Every table of the models, in the order of their names."""
    for mapper in sorted(Base.registry.mappers, key=lambda mapper: str(mapper.local_table)):
        row, table = mapper.class_, mapper.local_table
        if not isinstance(table, Table):
            raise TypeError(f"{row.__name__} is not one table")
        door = row.door_grants
        if door - ALL:
            raise ValueError(f"{row.__name__}.door_grants: {', '.join(sorted(door - ALL))} is no verb")
        name, none = table.name, frozenset[str]()
        if issubclass(row, Owned):
            app = frozenset({READ, ADD}) if row.append_only else ALL
            eraser = frozenset({READ, TAKE})
            yield Walled(table=name, column="tenant_id", append_only=row.append_only, app=app, door=door, eraser=eraser)
        elif row is TenantRow:
            own = frozenset({READ})
            yield Walled(table=name, column="id", append_only=False, app=own, door=door, eraser=own)
        else:
            yield Walled(table=name, column=None, append_only=False, app=none, door=door, eraser=none)
