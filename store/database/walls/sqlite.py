"""Triggers that compare the tenant of each written row with `cur_tenant()`, which the connection answers.

A connection that is not this program's lacks that function, so it can change nothing. Reads are not walled here: SQLite
has no means for it. `INSERT OR REPLACE` takes rows away past a trigger unless recursive_triggers is on
(store.database.engine). A table that is rebuilt loses its triggers:
https://www.sqlite.org/lang_altertable.html#otheralter
"""

from collections.abc import Iterator

from sqlalchemy import Connection

from store.database.walls.walled import ADD, CHANGE, TAKE, Walled, walled_tables

_PREFIX = "wall_"


def build(connection: Connection) -> None:
    present, wanted = _present(connection), triggers()
    for name, sql in present.items():
        if wanted.get(name) != sql:
            connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
    for name, sql in wanted.items():
        if present.get(name) != sql:
            connection.exec_driver_sql(sql)


def missing(connection: Connection) -> list[str]:
    present, wanted = _present(connection), triggers()
    lost = [f"the trigger {name} is missing or changed" for name in wanted if present.get(name) != wanted[name]]
    return [*lost, *(f"the trigger {name} is not ours" for name in sorted(present.keys() - wanted.keys()))]


def triggers() -> dict[str, str]:
    """The statement that makes each trigger, by name, word for word as SQLite keeps it."""
    return {name: sql for walled in walled_tables() for name, sql in _triggers(walled)}


def _triggers(walled: Walled) -> Iterator[tuple[str, str]]:
    for verb, row in ((ADD, "NEW"), (CHANGE, "OLD"), (TAKE, "OLD")):
        name = f"{_PREFIX}{walled.table}_{verb}"
        message = f"the tenant wall refuses to {verb} in {walled.table}"
        sql = f'CREATE TRIGGER "{name}" BEFORE {verb.upper()} ON "{walled.table}" WHEN {_refused(walled, verb, row)}'
        yield name, f"{sql} BEGIN SELECT RAISE(ABORT, '{message}'); END"


def _refused(walled: Walled, verb: str, row: str) -> str:
    """True for a write that nobody allowed. The tenant's own writes are judged by the first comparison alone."""
    frozen = walled.append_only and verb != ADD
    past = ["erase:*"] if frozen else ["owner", "erase:*"]
    if verb in walled.door:
        past.append("*")
    others = "cur_tenant() NOT IN ({})".format(", ".join(f"'{who}'" for who in past))
    if walled.column is None:
        return others
    tenant = f'{row}."{walled.column}"'
    if verb == TAKE and verb in walled.eraser:
        others += f" AND cur_tenant() IS NOT 'erase:' || {tenant}"
    if verb not in walled.app:
        return others
    foreign = f"{tenant} IS NOT cur_tenant()"
    if verb == CHANGE:
        foreign = f'({foreign} OR NEW."{walled.column}" IS NOT {tenant})'
    return f"{foreign} AND {others}"


def _present(connection: Connection) -> dict[str, str]:
    rows = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND substr(name, 1, ?) = ?", (len(_PREFIX), _PREFIX)
    )
    return {str(name): str(sql) for name, sql in rows}
