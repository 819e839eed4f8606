"""The first wall between tenants: a SQLAlchemy session that can only see and write one of them.

Loader criteria filter every ORM select, update and delete. What they cannot filter (Core tables, text, statements with
their own parameters, inserts, values that the database computes) is refused before it reaches the database, and each
flush is checked.
https://docs.sqlalchemy.org/en/21/orm/queryguide/api.html#sqlalchemy.orm.with_loader_criteria
"""

from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction, with_loader_criteria
from sqlalchemy.orm.context import FromStatement
from sqlalchemy.sql import ClauseElement, Join, Select, visitors
from sqlalchemy.sql.operators import custom_op

from store.database.schema import Owned
from store.errors import CrossTenantWrite, RefusedStatement

CHECKED_INSERT = "checked_insert"  # execution option set by TenantSession alone, with the tenant filled in

_FUNCTIONS = frozenset({"abs", "avg", "coalesce", "count", "length", "lower", "max", "min", "nullif", "sum", "upper"})
"""SQL functions that read nothing but their arguments and set nothing."""


class BoundSession(Session):
    """`info` holds tenant_id, readonly and erasing. Made by Database.tenant only."""

    def connection(self, *_args: Any, **_kwargs: Any) -> Any:
        raise RefusedStatement("a tenant's session gives no raw connection")

    def bulk_save_objects(self, *_args: Any, **_kwargs: Any) -> None:
        raise RefusedStatement("bulk operations pass the tenant wall")

    def bulk_insert_mappings(self, *_args: Any, **_kwargs: Any) -> None:
        raise RefusedStatement("bulk operations pass the tenant wall")

    def bulk_update_mappings(self, *_args: Any, **_kwargs: Any) -> None:
        raise RefusedStatement("bulk operations pass the tenant wall")


@event.listens_for(BoundSession, "do_orm_execute")
def _guard_statement(state: ORMExecuteState) -> None:
    tenant_id: str = state.session.info["tenant_id"]
    if not state.is_orm_statement or isinstance(state.statement, FromStatement):
        raise RefusedStatement("only ORM statements can be bound to a tenant")
    if state.parameters:
        raise RefusedStatement("statements with separate parameters pass the tenant wall")
    if not state.is_select and state.session.info["readonly"]:
        raise RefusedStatement("this session only reads")
    if state.session.info["erasing"] and not (state.is_select or state.is_delete):
        raise RefusedStatement("this session only reads and deletes")
    if state.is_insert:
        if not state.execution_options.get(CHECKED_INSERT):
            raise RefusedStatement("insert through TenantSession.insert or insert_if_absent")
        _check_inserted(state.statement, tenant_id)
        return
    _refuse_unfiltered(state.statement)
    if state.is_update or state.is_delete:
        _refuse_rewrites(state)
    state.statement = state.statement.options(
        with_loader_criteria(Owned, lambda owned: owned.tenant_id == tenant_id, include_aliases=True)
    )


def _refuse_unfiltered(statement: Any) -> None:
    """Every table, alias and column in the statement must come from an entity that a tenant owns; text is refused.

    A filter on an entity drags its bare table or alias into the walk, so those are judged by the entities around them;
    what a select names as its source must be an entity itself.
    """
    bare: set[Any] = set()
    owned: set[Any] = set()
    element: Any
    for element in visitors.iterate(statement):
        kind = element.__visit_name__
        if isinstance(element, Select):
            _refuse_bare_sources(element)
        if getattr(element, "is_literal", False) and element.name == "*":  # count(*)
            continue
        _refuse_text(element)
        if kind not in ("table", "column", "alias"):
            continue
        entity = element._annotations.get("parententity")  # noqa: SLF001 - the only way to tell Core from ORM
        if entity is not None and issubclass(entity.mapper.class_, Owned):
            owned |= {entity.selectable, entity.mapper.local_table}
        elif kind != "column" and entity is None:
            bare.add(element)
        else:
            raise RefusedStatement(f"{element.name} is not bound to a tenant here")
    if bare - owned:
        raise RefusedStatement("a table or alias in this statement is not bound to a tenant")


def _refuse_text(element: Any) -> None:
    kind = element.__visit_name__
    if getattr(element, "is_literal", False) or kind in ("textclause", "text_as_from"):
        raise RefusedStatement("text cannot be bound to a tenant")
    if isinstance(getattr(element, "operator", None), custom_op):
        raise RefusedStatement("an operator of one's own is text, which cannot be bound to a tenant")
    if kind == "function" and element.name.lower() not in _FUNCTIONS:
        raise RefusedStatement(f"the function {element.name} is not known to be harmless")


def _refuse_bare_sources(chosen: Any) -> None:
    if chosen._prefixes or chosen._suffixes or chosen._hints or chosen._statement_hints:  # noqa: SLF001 - no public way
        raise RefusedStatement("text cannot be bound to a tenant")
    sources = [*chosen._from_obj, *(join[0] for join in chosen._setup_joins), *chosen._raw_columns]  # noqa: SLF001
    while sources:
        source = sources.pop()
        if isinstance(source, Join):
            sources += [source.left, source.right]
        elif source.__visit_name__ in ("table", "alias", "tablesample", "lateral", "table_valued_alias", "values"):
            entity = source._annotations.get("parententity")  # noqa: SLF001 - as below
            if entity is None or not issubclass(entity.mapper.class_, Owned):
                raise RefusedStatement("a table or alias in this statement is not bound to a tenant")


def _check_inserted(statement: Any, tenant_id: str) -> None:
    rows = [row for rows in statement._multi_values for row in rows]  # noqa: SLF001 - no public way
    if not rows or statement.select is not None:
        raise RefusedStatement("insert plain rows")
    for row in rows:
        values = {getattr(column, "key", column): value for column, value in row.items()}
        if values.get("tenant_id") != tenant_id:
            raise CrossTenantWrite("a row of another tenant")
        if any(isinstance(value, ClauseElement) for value in values.values()):
            raise RefusedStatement("a value that the database computes cannot be bound to a tenant")


def _refuse_rewrites(state: ORMExecuteState) -> None:
    mapper = state.bind_mapper
    if mapper is None or (mapper.class_.append_only and not state.session.info["erasing"]):
        raise RefusedStatement("rows of this table are only ever added")
    values = getattr(state.statement, "_values", None) or {}
    if any(getattr(column, "key", column) == "tenant_id" for column in values):
        raise CrossTenantWrite("a row cannot change its tenant")


@event.listens_for(BoundSession, "before_flush")
def _guard_flush(session: Session, _context: UOWTransaction, _instances: object) -> None:
    tenant_id = session.info["tenant_id"]
    changed = [*session.new, *session.dirty, *session.deleted]
    if changed and session.info["readonly"]:
        raise RefusedStatement("this session only reads")
    if changed and session.info["erasing"]:
        raise RefusedStatement("this session deletes by statements only")
    for row in changed:
        if not isinstance(row, Owned):
            raise CrossTenantWrite(f"{type(row).__name__} belongs to no tenant")
        if row in session.new and row.tenant_id is None:
            row.tenant_id = tenant_id
        if row.tenant_id != tenant_id or inspect(row).attrs.tenant_id.history.deleted:
            raise CrossTenantWrite(f"{type(row).__name__} of another tenant")
        if any(isinstance(value, ClauseElement) for value in inspect(row).dict.values()):
            raise RefusedStatement("a value that the database computes cannot be bound to a tenant")
        if type(row).append_only and row not in session.new:
            raise RefusedStatement("rows of this table are only ever added")
