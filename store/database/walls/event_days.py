"""The walls of the event days on PostgreSQL, in a schema of their own (`store.audit.event_days.postgresql`).

The parent has forced row-level security and a policy a role. Nothing is granted on days, attached or not, and they have
row-level security without a policy, which lets nobody but their owner through: the parent's policies do not hold there.
"""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, text

from store.database.walls.acting import APP, DOOR, ERASER
from store.database.walls.catalog import lines, plain
from store.database.walls.walled import ADD, READ, TAKE

SCHEMA: Final = "autoheal_events"
TABLE: Final = "event_days"
PARENT: Final = f"{SCHEMA}.{TABLE}"
_OURS: Final = "tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid"
_GRANTS: Final = {APP: (READ, ADD), ERASER: (READ, TAKE)}
_POLICIES: Final = {APP: (_OURS, _OURS), ERASER: (_OURS, None)}
"""Which rows are seen, and which may be written."""
_RELATIONS: Final = (
    "SELECT c.relname::text, c.relrowsecurity, c.relforcerowsecurity"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = :schema AND c.relkind IN ('r', 'p')"
)
_EVERYBODY: Final = f"PUBLIC, {APP}, {DOOR}, {ERASER}"


def statements() -> Iterator[str]:
    """What walls a new parent."""
    yield f"GRANT USAGE ON SCHEMA {SCHEMA} TO {', '.join(_GRANTS)}"
    yield f"ALTER TABLE {PARENT} ENABLE ROW LEVEL SECURITY"
    yield f"ALTER TABLE {PARENT} FORCE ROW LEVEL SECURITY"
    yield f"REVOKE ALL ON {PARENT} FROM {_EVERYBODY}"
    for role, verbs in _GRANTS.items():
        yield f"GRANT {', '.join(verbs)} ON {PARENT} TO {role}"
    for role, (using, check) in _POLICIES.items():
        with_check = f" WITH CHECK ({check})" if check else ""
        yield f"CREATE POLICY {role} ON {PARENT} TO {role} USING ({using}){with_check}"


def of_day(day: str) -> Iterator[str]:
    """What walls a day; `day` is its qualified name."""
    yield f"ALTER TABLE {day} ENABLE ROW LEVEL SECURITY"
    yield f"REVOKE ALL ON {day} FROM {_EVERYBODY}"


def is_there(connection: Connection) -> bool:
    """Whether the parent was made; asked of the catalogue, because a login may not look into the schema."""
    return bool(lines(connection, f"{_RELATIONS} AND c.relname = :parent", schema=SCHEMA, parent=TABLE))


def missing(connection: Connection) -> list[str]:
    """Empty also where there are no event days yet."""
    if not is_there(connection):
        return []
    return [*_weak_tables(connection), *_weak_policies(connection), *_wrong_grants(connection)]


def build(connection: Connection) -> None:
    """Mends what `missing` finds. Needs the login that made the event days."""
    if not missing(connection):
        return
    for name, policy in lines(
        connection,
        "SELECT quote_ident(tablename), quote_ident(policyname) FROM pg_policies WHERE schemaname = :schema",
        schema=SCHEMA,
    ):
        connection.execute(text(f"DROP POLICY {policy} ON {SCHEMA}.{name}"))
    open_days = {name for name, enabled, _ in _tables(connection) if not enabled} - {TABLE}
    for name in sorted(open_days):
        connection.execute(text(f"ALTER TABLE {_quoted(name)} ENABLE ROW LEVEL SECURITY"))
    for name in sorted({name for _, name, _ in _granted(connection)} - {TABLE}):
        connection.execute(text(f"REVOKE ALL ON {_quoted(name)} FROM {_EVERYBODY}"))
    for statement in statements():
        connection.execute(text(statement))


def _tables(connection: Connection) -> list[tuple[str, bool, bool]]:
    found = lines(connection, f"{_RELATIONS} ORDER BY c.relname", schema=SCHEMA)
    return [(name, enabled, forced) for name, enabled, forced in found]


def _weak_tables(connection: Connection) -> Iterator[str]:
    for name, enabled, forced in _tables(connection):
        if not enabled or (name == TABLE and not forced):
            yield f"row-level security of {SCHEMA}.{name} is not {'forced' if name == TABLE else 'enabled'}"


def _weak_policies(connection: Connection) -> Iterator[str]:
    present = {
        (table, policy): (roles, permissive, command, plain(using), plain(check))
        for table, policy, roles, permissive, command, using, check in lines(
            connection,
            "SELECT tablename, policyname, roles::text[], permissive, cmd, qual, with_check"
            " FROM pg_policies WHERE schemaname = :schema",
            schema=SCHEMA,
        )
    }
    for role, (using, check) in _POLICIES.items():
        if present.pop((TABLE, role), None) != ([role], "PERMISSIVE", "ALL", plain(using), plain(check)):
            yield f"the policy {role} of {PARENT} is missing or changed"
    yield from (f"the policy {policy} of {SCHEMA}.{table} is not ours" for table, policy in sorted(present))


def _granted(connection: Connection) -> set[tuple[str, str, str]]:
    """Role, relation of any kind, verb."""
    found = lines(
        connection,
        "SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END,"
        " c.relname::text, lower(a.privilege_type)"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a"
        " WHERE n.nspname = :schema AND (a.grantee = 0 OR pg_get_userbyid(a.grantee) = ANY(:roles))",
        schema=SCHEMA,
        roles=[APP, DOOR, ERASER],
    )
    return {(role, name, verb) for role, name, verb in found}


def _wrong_grants(connection: Connection) -> Iterator[str]:
    wanted = {(role, TABLE, verb) for role, verbs in _GRANTS.items() for verb in verbs}
    present = _granted(connection)
    yield from (f"{role} may not {verb} in {SCHEMA}.{name}" for role, name, verb in sorted(wanted - present))
    yield from (f"{role} may {verb} in {SCHEMA}.{name}" for role, name, verb in sorted(present - wanted))


def _quoted(name: str) -> str:
    return f'{SCHEMA}."{name.replace(chr(34), chr(34) * 2)}"'
