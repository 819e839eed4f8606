"""Row-level security, forced on the owner too, and three group roles that own nothing.

`autoheal_app` reaches the rows of the tenant that the transaction names, `autoheal_door` the few tables that routing,
sweeps and the creation of tenants need, `autoheal_eraser` reads and deletes the rows of the named tenant. The owner of
the tables sees rows only where its transaction says that it acts as the owner. Nothing is granted on partitions: the
policy of a parent does not protect them. `store.database.walls.event_days` walls those of the events.
https://www.postgresql.org/docs/current/ddl-rowsecurity.html
"""

from collections.abc import Iterator

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from store.database.walls import event_days
from store.database.walls.acting import APP, DOOR, ERASER
from store.database.walls.catalog import lines, plain
from store.database.walls.walled import Walled, walled_tables
from store.errors import SchemaMismatch

ROLES = (APP, DOOR, ERASER)
_OWNER = "autoheal_owner"  # the name of a policy; the role is whoever owns the table
_TENANT = "NULLIF(current_setting('app.tenant_id', true), '')::uuid"
_AT_THE_DOOR = "current_setting('app.door', true) = '*'"
_AS_OWNER = "current_setting('app.door', true) = 'owner'"
_MAKE_ROLES = "\n".join(
    f"""DO $$ BEGIN
    CREATE ROLE {role} NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;"""
    for role in ROLES
)
"""Roles belong to the whole server: another database's migration may make them at this moment."""


def build(connection: Connection) -> None:
    make_roles(connection)
    schema = str(connection.scalar(text("SELECT quote_ident(current_schema())")))
    present = lines(
        connection,
        "SELECT quote_ident(policyname), tablename FROM pg_policies"
        " WHERE schemaname = current_schema() AND tablename = ANY(:tables)",
        tables=[walled.table for walled in walled_tables()],
    )
    drops = [f"DROP POLICY {policy} ON {table};" for policy, table in present]
    connection.exec_driver_sql("\n".join((*drops, *_statements(schema))).replace("%", "%%"))
    event_days.build(connection)


def make_roles(connection: Connection) -> None:
    """Creates what is missing and makes the login a member. Raises SchemaMismatch where it may not, saying what an
    administrator must run. A restore needs them before it: its policies name them.
    """
    found = lines(connection, "SELECT rolname FROM pg_roles WHERE rolname = ANY(:roles)", roles=list(ROLES))
    absent = [role for role in ROLES if (role,) not in found]
    if absent:
        _as_administrator(connection, _MAKE_ROLES, "".join(f" CREATE ROLE {role} NOLOGIN;" for role in absent))
    login = str(connection.scalar(text("SELECT quote_ident(current_user)")))
    if not _may_take(connection):
        grant = f"GRANT {', '.join(ROLES)} TO {login}"
        if _version(connection) >= 160000:
            grant += " WITH INHERIT FALSE, SET TRUE"
        _as_administrator(connection, grant, f" {grant};")


def missing(connection: Connection) -> list[str]:
    return [
        *_weak_roles(connection),
        *_weak_tables(connection),
        *_foreign_grants(connection),
        *event_days.missing(connection),
    ]


# What there should be


def _statements(schema: str) -> Iterator[str]:
    yield f"GRANT USAGE ON SCHEMA {schema} TO {', '.join(ROLES)};"
    yield "GRANT SELECT ON autoheal_content_schema TO PUBLIC;"
    for walled in walled_tables():
        yield from _of_table(walled)


def _of_table(walled: Walled) -> Iterator[str]:
    yield f"REVOKE ALL ON {walled.table} FROM PUBLIC, {', '.join(ROLES)};"
    for role, verbs in _grants(walled).items():
        if verbs:
            yield f"GRANT {', '.join(sorted(verbs))} ON {walled.table} TO {role};"
    yield f"ALTER TABLE {walled.table} ENABLE ROW LEVEL SECURITY;"
    yield f"ALTER TABLE {walled.table} FORCE ROW LEVEL SECURITY;"
    for name, rule in _policies(walled).items():
        to = "CURRENT_USER" if name == _OWNER else name
        yield f"CREATE POLICY {name} ON {walled.table} TO {to} USING ({rule}) WITH CHECK ({rule});"


def _grants(walled: Walled) -> dict[str, frozenset[str]]:
    return {APP: walled.app, DOOR: walled.door, ERASER: walled.eraser}


def _policies(walled: Walled) -> dict[str, str]:
    """The condition of each policy, by its name, which is also that of its role."""
    rules = {DOOR: _AT_THE_DOOR, _OWNER: _AS_OWNER}
    if walled.column is not None:
        own = f"{walled.column} = {_TENANT}"
        rules |= {APP: own, ERASER: own}
    return rules


# What there is


def _weak_roles(connection: Connection) -> Iterator[str]:
    found = {
        row[0]: row[1:]
        for row in lines(
            connection,
            "SELECT rolname, rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole OR rolcreatedb OR rolreplication,"
            " EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid),"
            " EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid)"
            " FROM pg_roles r WHERE rolname = ANY(:roles)",
            roles=list(ROLES),
        )
    }
    for role in ROLES:
        if role not in found:
            yield f"the role {role} is missing"
            continue
        for bad, what in zip(
            found[role], ("has rights of its own", "is a member of others", "owns tables"), strict=True
        ):
            if bad:
                yield f"the role {role} {what}"
    if len(found) == len(ROLES) and not _may_take(connection):
        yield f"the login is not a member of {', '.join(ROLES)}"


def _weak_tables(connection: Connection) -> Iterator[str]:
    secured = set(
        lines(
            connection,
            "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
            " AND relrowsecurity AND relforcerowsecurity",
        )
    )
    present = {
        (table, policy): (
            roles == [owner if policy == _OWNER else policy],
            permissive,
            command,
            plain(using),
            plain(check),
        )
        for table, policy, roles, owner, permissive, command, using, check in lines(
            connection,
            "SELECT p.tablename, p.policyname, p.roles::text[], pg_get_userbyid(c.relowner), p.permissive, p.cmd,"
            " p.qual, p.with_check FROM pg_policies p JOIN pg_class c ON c.relname = p.tablename"
            " AND c.relnamespace = p.schemaname::regnamespace WHERE p.schemaname = current_schema()",
        )
    }
    for walled in walled_tables():
        if (walled.table,) not in secured:
            yield f"row-level security of {walled.table} is not forced"
        for policy, rule in _policies(walled).items():
            stated = (True, "PERMISSIVE", "ALL", plain(rule), plain(rule))
            if present.pop((walled.table, policy), None) != stated:
                yield f"the policy {policy} of {walled.table} is missing or changed"
    ours = {walled.table for walled in walled_tables()}
    yield from (f"the policy {policy} of {table} is not ours" for table, policy in sorted(present) if table in ours)


def _foreign_grants(connection: Connection) -> Iterator[str]:
    """Every right of the roles, and of everybody, on whatever relation: no more and no less than is meant."""
    wanted = {
        (role, walled.table, verb)
        for walled in walled_tables()
        for role, verbs in _grants(walled).items()
        for verb in verbs
    }
    wanted.add(("PUBLIC", "autoheal_content_schema", "select"))
    present = set(
        lines(
            connection,
            "SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END,"
            " c.relname::text, lower(a.privilege_type)"
            " FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = current_schema()::regnamespace"
            " AND (a.grantee = 0 OR pg_get_userbyid(a.grantee) = ANY(:roles))",
            roles=list(ROLES),
        )
    )
    yield from (f"{role} may not {verb} in {table}" for role, table, verb in sorted(wanted - present))
    yield from (f"{role} may {verb} in {table}" for role, table, verb in sorted(present - wanted))


def _may_take(connection: Connection) -> bool:
    how = "SET" if _version(connection) >= 160000 else "MEMBER"
    return bool(
        connection.scalar(
            text("SELECT bool_and(pg_has_role(r, :how)) FROM unnest(CAST(:roles AS name[])) r"),
            {"how": how, "roles": list(ROLES)},
        )
    )


def _version(connection: Connection) -> int:
    return int(connection.scalar(text("SHOW server_version_num")) or 0)


def _as_administrator(connection: Connection, statement: str, instead: str) -> None:
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(statement)
    except ProgrammingError as exc:
        raise SchemaMismatch(
            "the database's login may not make the roles that keep tenants apart. Ask an administrator to run"
            f"{instead} Then run `autoheal migrate` again; nothing was changed"
        ) from exc
