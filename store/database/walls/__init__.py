"""The second wall between tenants: the database itself.

PostgreSQL: row-level security and a role that owns nothing (`store.database.walls.postgresql`). SQLite: triggers that
compare a row's tenant with that of the connection's transaction (`store.database.walls.sqlite`). Neither is written in
a migration: both follow from the models, and `store.database.migrations` lays them anew whenever one is missing.
"""

from typing import Protocol

from sqlalchemy import Connection

from store.database.walls import postgresql, sqlite


class _Walls(Protocol):
    def build(self, connection: Connection) -> None: ...

    def missing(self, connection: Connection) -> list[str]: ...


def build(connection: Connection) -> None:
    """Idempotent. Needs a connection that owns the tables. Raises SchemaMismatch when an administrator must help."""
    _of(connection).build(connection)


def missing(connection: Connection) -> list[str]:
    """What is not as `build` leaves it, a short sentence each; empty when all walls stand."""
    return _of(connection).missing(connection)


def _of(connection: Connection) -> _Walls:
    return postgresql if connection.dialect.name == "postgresql" else sqlite
