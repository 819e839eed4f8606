"""Consents, and withdrawing them."""

from store import audit
from store.secrets.redaction import Secret
from store.tenancy.connections import connections, save_connection
from tests.fakes.prometheus import fake_prometheus
from tests.handlers.web.api.api import Api


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
