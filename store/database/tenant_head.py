"""What nearly every transaction does with its tenant's head: reads its state, and links an entry to its audit chain.

Written down once, in Core: mapper and guard (store/database/isolation.py) took more time for these than the database
did. So they pass by the guard and keep its rules themselves: the tenant they name is the session's own, and no caller
can give another. The database's walls stand behind them as behind everything.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import BindParameter, Executable, bindparam, insert, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from store.database.schema import AuditRow, Base, TenantHeadRow
from store.errors import RefusedStatement, UnknownTenant

_HEADS: Final = Base.metadata.tables[TenantHeadRow.__tablename__]
_AUDIT: Final = Base.metadata.tables[AuditRow.__tablename__]
_OWN: Final = (_HEADS.c.tenant_id == bindparam("own"), _HEADS.c.id == bindparam("own"))
_STATE: Final = select(_HEADS.c.secrets_version, _HEADS.c.status).where(*_OWN)
_LAST: Final = select(_HEADS.c.audit_sequence, _HEADS.c.audit_hash).where(*_OWN).with_for_update()
_NEW: Final[dict[str, BindParameter[Any]]] = {
    column.key: bindparam(f"new_{column.key}") for column in _AUDIT.c if column.key != "tenant_id"
}
_ADD: Final = insert(_AUDIT).values({**_NEW, "tenant_id": bindparam("own")})
_MOVE: Final = (
    update(_HEADS).where(*_OWN).values(audit_sequence=bindparam("new_sequence"), audit_hash=bindparam("new_hash"))
)
_ADD_AND_MOVE: Final = _MOVE.add_cte(_ADD.cte("added"))
"""One trip instead of two. SQLite knows no such thing, and has no trips."""


def state(session: Session) -> tuple[int, str]:
    """The version of the tenant's secrets, and its status. Raises UnknownTenant."""
    found = _run(session, _STATE).one_or_none()
    if found is None:
        raise UnknownTenant("this tenant does not exist")
    return found.secrets_version, found.status


def link_audit(session: Session, row: AuditRow, hash_of: Callable[[bytes, AuditRow], bytes]) -> None:
    """Gives the row its tenant and its place in the chain, and stores it. The head stays locked until the commit."""
    if session.info["readonly"] or session.info["erasing"]:
        raise RefusedStatement("this session only reads" + (" and deletes" if session.info["erasing"] else ""))
    session.flush()  # rows that were changed before are locked before the head, as everywhere
    last = _run(session, _LAST).one_or_none()
    if last is None:
        raise UnknownTenant("this tenant does not exist")
    row.tenant_id = session.info["tenant_id"]
    row.sequence = last.audit_sequence + 1
    row.hash = hash_of(last.audit_hash, row)
    new = {bound.key: getattr(row, column) for column, bound in _NEW.items()}
    for statement in (_ADD_AND_MOVE,) if session.get_bind().dialect.name == "postgresql" else (_ADD, _MOVE):
        _run(session, statement, **new)


def _run(session: Session, statement: Executable, **values: Any) -> CursorResult[Any]:
    connection = Session.connection(session)  # its own class gives none
    return connection.execute(statement, {**values, "own": session.info["tenant_id"]})
