"""Which errors of a database pass by themselves: it is busy, full, restarting or out of reach. Whoever can wait, waits.

Everything else is our bug or damage, and trying again does not help.
SQLite: https://www.sqlite.org/rescode.html. PostgreSQL: https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""

from __future__ import annotations

import errno
from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from store.errors import KeyServiceUnreachable, StoreBusy

_PRIMARY: Final = 0xFF  # SQLite's extended codes carry the primary one in the lowest byte
_SQLITE: Final = frozenset({5, 6, 10, 13, 14, 15})  # BUSY, LOCKED, IOERR, FULL, CANTOPEN, PROTOCOL
_AWAY: Final = ("08", "53", "57P")
"""Connections, resources (a full disk is 53100), a server that goes down or comes up."""
_PASSING: Final = (*_AWAY, "57", "40", "55P03", "58030", "25006")
"""Those, statements that were interrupted, conflicts, locks, input and output, and a server that only reads for now."""
_FILES: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def passes(exc: BaseException) -> bool:
    """Whether the same call may succeed later although nobody mends anything here."""
    if isinstance(exc, StoreBusy | KeyServiceUnreachable | PoolTimeout):
        return True
    if isinstance(exc, DBAPIError):
        return exc.connection_invalidated or _passes_below(exc)
    return isinstance(exc, OSError) and exc.errno in _FILES


def server_is_away(sqlstate: str) -> bool:
    """Whether PostgreSQL answers with this state while it cannot be used at all, which waiting mends."""
    return sqlstate.startswith(_AWAY)


def _passes_below(exc: DBAPIError) -> bool:
    """By what the driver says: SQLite calls a missing table an operational error too."""
    code = getattr(exc.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & _PRIMARY in _SQLITE
    state = getattr(exc.orig, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_PASSING)
    return isinstance(exc, OperationalError | InterfaceError)
