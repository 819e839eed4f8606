"""Every route, every kind of caller: the whole table. A new route without a row here fails."""

import uuid
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import pytest

from agents.permission import GRANTS, Permission
from handlers.web.api_resource import PUBLIC, Operation, Resource, discover_resources
from store.database.session import Database
from store.ids import TenantId
from store.people.users import Role
from tests.handlers.web.api.api import OWN_PAGE, Api, error, open_api

SOMEBODY: Final = str(uuid.UUID(int=7))
RANGE: Final = "?since=2026-11-01T00:00:00Z&until=2026-11-20T00:00:00Z"


@dataclass(frozen=True, kw_only=True)
class Row:
    """`body` is one that a permitted caller may send; `past`: what a permitted caller is answered with it."""

    access: Permission | str
    body: dict[str, Any] | None = None
    past: tuple[int, ...] = (200,)
    query: str = ""
    browser_only: bool = field(default=False)


OWN, PEOPLE, RECORDS = Permission.OWN, Permission.MANAGE_PEOPLE, Permission.READ_RECORDS
WRONG_PASSWORD: Final = {"password": "not-the-password-of-mia"}
TABLE: Final[dict[str, Row]] = {
    "POST /session": Row(access=PUBLIC, body={"email": "x@y.zz", **WRONG_PASSWORD}, past=(401,)),
    "GET /session": Row(access=OWN),
    "DELETE /session": Row(access=OWN, browser_only=True),
    "GET /me": Row(access=OWN),
    "PATCH /me": Row(access=OWN, body={"first_name": "Maria"}, browser_only=True),
    "PUT /me/password": Row(access=OWN, body={**WRONG_PASSWORD, "new_password": "x"}, past=(403,), browser_only=True),
    "POST /me/deletion": Row(access=OWN, body=WRONG_PASSWORD, past=(403,), browser_only=True),
    "GET /people": Row(access=PEOPLE),
    "PATCH /people/{user_id}": Row(access=PEOPLE, body={"role": "member"}, past=(404,), browser_only=True),
    "DELETE /people/{user_id}": Row(access=PEOPLE, past=(404,), browser_only=True),
    "GET /invitations": Row(access=PEOPLE),
    "POST /invitations": Row(access=PEOPLE, body={"email": "new@acme.example"}, past=(201,), browser_only=True),
    "DELETE /invitations/{invitation_id}": Row(access=PEOPLE, past=(404,), browser_only=True),
    "POST /invitations/accept": Row(
        access=PUBLIC, body={"token": "t", "first_name": "A", "last_name": "B", "password": "x"}, past=(404,)
    ),
    "GET /sessions": Row(access=OWN),
    "DELETE /sessions": Row(access=OWN),
    "DELETE /sessions/{session_id}": Row(access=OWN, past=(404,)),
    "GET /tokens": Row(access=OWN),
    "POST /tokens": Row(access=OWN, body={"name": "ci", "scopes": ["read"]}, past=(201,), browser_only=True),
    "DELETE /tokens/{token_id}": Row(access=OWN, past=(404,)),
    "GET /organisation": Row(access=Permission.READ),
    "PATCH /organisation": Row(access=Permission.SET_POLICY, body={"daily_usd_cap": 5}),
    "GET /connections": Row(access=Permission.CONNECT),
    "GET /connectors": Row(access=Permission.CONNECT),
    "POST /connections": Row(access=Permission.CONNECT, body={"connector": "jaeger", "values": {}}, past=(422,)),
    "POST /connections/{connection_id}/accept": Row(access=Permission.CONNECT, past=(404,), body={"seen": "a1"}),
    "POST /connections/{connection_id}/test": Row(access=Permission.CONNECT, past=(404,)),
    "GET /investigations/{investigation_id}": Row(access=Permission.READ, past=(404,)),
    "GET /services": Row(access=Permission.READ),
    "PUT /services/{name}": Row(access=Permission.CONNECT, body={"depends_on": ["nobody"]}, past=(422,)),
    "POST /services/{service_id}/answer": Row(access=Permission.CONNECT, body={"answer": "own"}, past=(404,)),
    "DELETE /connections/{connection_id}": Row(access=Permission.CONNECT, past=(404,)),
    "GET /policy": Row(access=Permission.READ),
    "PATCH /policy": Row(access=Permission.SET_POLICY, body={"low": "approve"}, browser_only=True),
    "POST /policy/pause": Row(access=Permission.APPROVE_MEDIUM, body={}),
    "POST /policy/resume": Row(access=Permission.SET_POLICY, browser_only=True),
    "GET /webhooks": Row(access=Permission.CONNECT),
    "POST /webhooks": Row(access=Permission.CONNECT, body={"provider": "github"}, past=(201,), browser_only=True),
    "POST /webhooks/{webhook_id}/rotate": Row(access=Permission.CONNECT, body={}, past=(404,), browser_only=True),
    "DELETE /webhooks/{webhook_id}": Row(access=Permission.CONNECT, past=(404,)),
    "POST /unsubscribe": Row(access=PUBLIC, query="?ticket=x", past=(404,)),
    "GET /export": Row(access=Permission.EXPORT),
    "GET /audit": Row(access=RECORDS),
    "GET /events": Row(access=RECORDS, query=RANGE),
}
OPERATIONS: Final = {
    f"{operation.method} {operation.path}": operation
    for resource in discover_resources().values()
    for operation in resource.operations
}


def address(route: str) -> tuple[str, str]:
    """Method and path with an id that names nothing."""
    method, path = route.split(" ", 1)
    parts = [SOMEBODY if part.startswith("{") else part for part in path.split("/")]
    return method, "/".join(parts) + TABLE[route].query


async def ask(client: Any, route: str) -> Any:
    method, path = address(route)
    return await client.request(method, path, json=TABLE[route].body)


def test_the_table_has_a_row_for_every_route_and_no_other() -> None:
    assert set(TABLE) == set(OPERATIONS)


@pytest.mark.parametrize("route", TABLE)
def test_a_route_declares_what_the_table_says(route: str) -> None:
    assert OPERATIONS[route].access == TABLE[route].access
    assert OPERATIONS[route].in_browser_only == TABLE[route].browser_only


def test_the_application_serves_the_table_and_nothing_else(api: Api) -> None:
    from fastapi.routing import APIRoute

    fastapi: Any = api.app.routes[0].app._app  # type: ignore[attr-defined] # inside the mount and the headers
    served = [route for route in fastapi.routes if isinstance(route, APIRoute)]
    assert {f"{next(iter(route.methods))} {route.path}" for route in served} == set(TABLE)
    assert [route.path for route in fastapi.routes if not isinstance(route, APIRoute)] == ["/openapi.json"]


@pytest.mark.parametrize("access", [None, "", "read", "admin"])
def test_an_operation_without_a_declared_permission_cannot_exist(access: Any) -> None:
    async def run() -> None: ...

    with pytest.raises(TypeError, match="must declare"):
        Operation(method="GET", path="/x", access=access, run=run)
    with pytest.raises(TypeError):
        Operation(method="GET", path="/x", run=run)  # type: ignore[call-arg] # that is the point
    assert Resource(name="x", operations=()).operations == ()


def test_an_operation_that_lets_a_program_change_people_cannot_exist() -> None:
    async def promote() -> None:
        raise AssertionError

    Operation(method="GET", path="/people", access=Permission.MANAGE_PEOPLE, run=promote)
    with pytest.raises(TypeError, match="changes people"):
        Operation(method="POST", path="/people", access=Permission.MANAGE_PEOPLE, run=promote)


async def test_nobody_gets_past_a_guarded_route(api: Api) -> None:
    wrong: tuple[dict[str, str], ...] = (
        {},
        {"cookie": "__Host-autoheal=guessed"},
        {"authorization": "Bearer ah_guessed"},
        {"authorization": "Basic bWlhOm1pYQ=="},
        {"authorization": f"Bearer ah_{'0' * 32}_{'0' * 64}_00000000"},
    )
    for headers in wrong:
        async with api.nobody(**OWN_PAGE, **headers) as client:
            for route, row in TABLE.items():
                answer = await ask(client, route)
                expected = row.past if row.access == PUBLIC else (401,)
                assert answer.status_code in expected, (route, answer.text)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("over", ["browser", "token"])
async def test_each_role_reaches_what_it_may_and_nothing_else(api: Api, role: Role, over: str) -> None:
    user = api.user(role)
    as_somebody = api.browser(user) if over == "browser" else api.program(user, *(p.value for p in Permission))
    last_of_all = sorted(TABLE.items(), key=lambda item: item[0] == "DELETE /session")
    async with as_somebody as client:
        for route, row in last_of_all:
            if row.access == PUBLIC:
                continue
            answer = await ask(client, route)
            if row.access not in GRANTS[role]:
                assert (answer.status_code, error(answer)) == (403, "role"), route
            elif over == "token" and row.browser_only:
                assert (answer.status_code, error(answer)) == (403, "browser_only"), route
            else:
                assert answer.status_code in row.past, (route, answer.text)


async def test_a_token_reaches_no_further_than_its_scopes(api: Api) -> None:
    async with api.program(api.admin, "read") as client:
        for route, row in TABLE.items():
            if row.access == PUBLIC:
                continue
            answer = await ask(client, route)
            if row.access is Permission.READ:
                assert answer.status_code in row.past, route
            else:
                assert error(answer) in ("scope", "browser_only"), route


async def test_a_page_of_another_site_changes_nothing_with_somebodys_cookie(api: Api) -> None:
    foreign: tuple[dict[str, str], ...] = (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "https://other.example"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://autoheal.example.evil.example"},
        {"origin": "http://autoheal.example"},
        {},
    )
    async with api.browser(api.admin) as client:
        own = dict(client.headers)
        for headers in foreign:
            client.headers = httpx2.Headers({**{k: v for k, v in own.items() if k not in OWN_PAGE}, **headers})
            for route, row in TABLE.items():
                if route.startswith("GET") or (row.access == PUBLIC and not headers):
                    continue
                answer = await ask(client, route)
                assert (answer.status_code, error(answer)) == (403, "foreign_origin"), (route, headers)


async def test_ids_of_another_organisation_are_ids_of_nothing(
    api: Api, sqlite_database: Database, two_tenants: tuple[TenantId, TenantId]
) -> None:
    from datetime import timedelta

    from store.inbox.webhooks import add_webhook
    from store.incidents.catalog import CatalogStatement, take_in
    from store.people import api_tokens, invitations, web_sessions
    from store.secrets.redaction import Secret
    from store.tenancy.connections import save_connection
    from tests.handlers.web.api.investigated import a_run
    from tests.store.accounts import KEYS

    theirs = await open_api(sqlite_database, two_tenants[1])
    run = await a_run(theirs, "C0OPEN")
    async with sqlite_database.tenant(two_tenants[1]) as s:
        _, invitation = await invitations.invite(s, KEYS, email="n@globex.example", role=Role.ADMIN, invited_by=None)
        started = await web_sessions.start_session(s, theirs.admin, ip="", user_agent="")
        _, token = await api_tokens.create_token(
            s, theirs.admin, name="ci", scopes=("read",), lifetime=timedelta(days=1)
        )
        connection = await save_connection(s, connector="git", config={}, credentials={"token": Secret("s" * 12)})
        hook = await add_webhook(
            s, provider="github", label="theirs", secret=Secret("s" * 20), config={}, created_by=None
        )
        [question] = await take_in(s, [CatalogStatement(name="checkout-7d9f", origin="traces", question=True)])
    assert started is not None
    ids = {
        "user_id": theirs.member,
        "invitation_id": invitation.id,
        "session_id": started[1].id,
        "token_id": token.id,
        "connection_id": connection.id,
        "webhook_id": hook.id,
        "service_id": question.id,
        "investigation_id": run,
    }
    # A service goes by its name, which every organisation gives for itself.
    routes = [route for route in TABLE if "_id}" in route]
    async with api.browser(api.admin) as client:
        for route in routes:
            method, path = route.split(" ", 1)
            there = await client.request(method, path.format(**ids), json=TABLE[route].body)
            nowhere = await ask(client, route)
            assert (there.status_code, error(there)) == (nowhere.status_code, error(nowhere)) == (404, "not_found")
    before = {name: theirs_id for name, theirs_id in ids.items() if theirs_id}
    assert len(before) == len({name for route in routes for name in ids if f"{{{name}}}" in route}) == 8
    async with theirs.browser(theirs.admin) as client:
        people = (await client.get("/people")).json()["people"]
        assert theirs.member in {one["user_id"] for one in people}
        assert len((await client.get("/connections")).json()["connections"]) == 1
        assert len((await client.get("/invitations")).json()["invitations"]) == 1


async def test_probing_ids_is_on_the_record(api: Api) -> None:
    from store import audit

    async with api.browser(api.admin) as client:
        await client.delete(f"/people/{SOMEBODY}")
    async with api.browser(api.viewer) as client:
        await client.get("/people")
    async with api.db.tenant(api.tenant, readonly=True) as s:
        refused = [e for e in await audit.trail(s) if e.action == "web.access.refused"]
    assert [(e.actor.id, e.details["reason"]) for e in refused] == [(api.admin, "unknown_id"), (api.viewer, "role")]
