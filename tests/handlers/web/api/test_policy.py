"""The policy by the API: shown to all, set by an admin who signed in, paused by a program too."""

from store import audit
from tests.handlers.web.api.api import Api


async def test_an_admin_sets_it_and_a_program_of_a_member_may_pause_it(api: Api) -> None:
    async with api.browser(api.viewer) as client:
        shown = (await client.get("/policy")).json()
        assert (shown["low"], shown["paused"], shown["automatic_by"]) == ("approve", False, None)
        assert (await client.post("/policy/pause", json={})).status_code == 403
    async with api.browser(api.admin) as client:
        changed = (await client.patch("/policy", json={"low": "automatic", "hourly_cap": 7})).json()
        assert (changed["low"], changed["hourly_cap"], changed["automatic_by"]) == ("automatic", 7, api.admin)
        refused = await client.patch("/policy", json={"high": "automatic"})
        assert (refused.status_code, "low risk only" in refused.text) == (422, True)
        assert (await client.patch("/policy", json={})).status_code == 422
    async with api.browser(api.member) as client:
        paused = (await client.post("/policy/pause", json={"minutes": 30})).json()
        assert (paused["paused"], paused["paused_by"]) == (True, api.member)
        assert (await client.post("/policy/resume")).status_code == 403
    async with api.browser(api.admin) as client:
        assert not (await client.post("/policy/resume")).json()["paused"]
    async with api.db.tenant(api.tenant, readonly=True) as s:
        actions = [one.action for one in await audit.trail(s) if ".policy." in one.action]
    assert actions == ["web.policy.changed", "web.policy.paused", "web.policy.resumed"]
