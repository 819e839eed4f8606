"""Consents, and withdrawing them."""

from agents.connecting.toolboxes import Toolboxes
from store import audit
from store.secrets.redaction import Secret
from store.tenancy.connections import connections, save_connection
from tests.fakes.mcp_server import a_tool, fake_mcp_server
from tests.fakes.operators import permitting_loopback
from tests.fakes.prometheus import fake_prometheus
from tests.handlers.web.api.api import Api, error, serve_api


async def test_a_consent_is_shown_without_credentials_and_can_be_withdrawn(api: Api) -> None:
    async with api.db.tenant(api.tenant) as s:
        made = await save_connection(
            s,
            connector="git",
            config={"url": "https://git.acme.example"},
            credentials={"token": Secret("planted-credential")},
            scopes=("read",),
            consented_by=api.admin,
        )
    async with api.browser(api.admin) as client:
        answer = await client.get("/connections")
        (shown,) = answer.json()["connections"]
        assert (shown["connector"], shown["scopes"], shown["consented_by"]) == ("git", ["read"], api.admin)
        assert shown["readable"]
        assert "planted" not in answer.text
        assert (await client.delete(f"/connections/{made.id}")).status_code == 200
    async with api.db.tenant(api.tenant) as s:
        assert await connections(s) == []
        last = (await audit.trail(s))[-1]
    assert (last.action, last.target, last.actor.id) == ("web.connection.removed", made.id, api.admin)


async def test_a_tool_is_connected_and_tested_over_the_api(api: Api) -> None:
    async with fake_prometheus(token="glsa-77aQzX81LmNbKd") as prometheus, api.browser(api.admin) as client:
        described = {one["name"]: one for one in (await client.get("/connectors")).json()["connectors"]}
        assert {"name": "token", "secret": True}.items() <= described["prometheus"]["fields"][4].items()
        body = {"connector": "prometheus", "values": {"url": prometheus.url, "token": "wrong"}, "request": "r1"}
        refused = await client.post("/connections", json=body)
        assert refused.status_code == 422
        assert "is not a public address" in refused.json()["error"]["message"]
        assert "glsa" not in refused.text


async def test_what_changed_is_told_and_accepted_over_the_api(api: Api) -> None:
    toolboxes = Toolboxes(api.db, file=permitting_loopback(), bound=lambda _tenant: True, now=api.db.now)
    people = (api.admin, api.member, api.viewer)
    permitted = serve_api(api.db, api.tenant, people, toolboxes=toolboxes)
    async with fake_mcp_server() as server, permitted.browser(api.admin) as client:
        body = {"connector": "mcp", "label": "books", "values": {"url": server.url, "read": "search_runbooks"}}
        made = (await client.post("/connections", json=body)).json()["connection"]
        server.tools = [a_tool(description="Finds other things.")]
        tested = (await client.post(f"/connections/{made['id']}/test")).json()
        assert (tested["works"], len(tested["changed"])) == (False, 1)
        where = f"/connections/{made['id']}/accept"
        refused = await client.post(where, json={"seen": "something-else"})
        assert (refused.status_code, error(refused)) == (409, "not_accepted")
        assert (await client.post(where, json={"seen": tested["seen"]})).status_code == 200
        again = (await client.post(f"/connections/{made['id']}/test")).json()
        assert (again["works"], again["changed"], again["seen"]) == (True, [], "")
    await toolboxes.close()
