"""The caller's own organisation."""

from typing import Any

import pytest

from store import audit
from tests.handlers.web.api.api import Api


async def test_everybody_reads_it_and_admins_change_its_settings(api: Api) -> None:
    async with api.browser(api.viewer) as client:
        shown = (await client.get("/organisation")).json()
    assert (shown["id"], shown["name"], shown["settings"]["autonomy"]) == (api.tenant, "Acme", "approve")
    async with api.browser(api.admin) as client:
        changed = (await client.patch("/organisation", json={"autonomy": "suggest", "triage_channels": ["C1"]})).json()
    assert (changed["settings"]["autonomy"], changed["settings"]["triage_channels"]) == ("suggest", ["C1"])
    async with api.db.tenant(api.tenant) as s:
        assert (await audit.trail(s))[-1].action == "web.settings.changed"


@pytest.mark.parametrize(
    "body", [{"tenant_id": "x"}, {"id": "x"}, {"organisation": "x"}, {"daily_usd_cap": -1}, {"model": "gpt"}, {}]
)
async def test_another_organisation_or_nonsense_is_refused(api: Api, two_tenants: Any, body: dict[str, Any]) -> None:
    wanted = {name: two_tenants[1] if value == "x" else value for name, value in body.items()}
    async with api.browser(api.admin) as client:
        answer = await client.patch("/organisation", json=wanted)
        asked = await client.get(f"/organisation?tenant_id={two_tenants[1]}", headers={"x-tenant-id": two_tenants[1]})
    assert answer.status_code == 422
    assert asked.json()["id"] == api.tenant
