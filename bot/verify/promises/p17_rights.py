"""P17: people read, correct, delete and take along their data by the API."""

from __future__ import annotations

import io
import json
import zipfile

from bot.verify.promise import Promise, Proved
from bot.verify.promises.p01_account import plant_account
from bot.verify.site import Site, require
from bot.verify.web import signed_in
from store.people.users import Role


class RightsPromise(Promise):
    id = "P17"
    title = "Rights by API: access, rectification, roles, deletion, export"

    async def plant(self, site: Site) -> None:
        await plant_account(site)
        await site.say(site.other, f"exported {site.canary('exported message')}")

    async def check(self, site: Site) -> Proved:
        password = {"password": site.canary("password")}
        viewer = site.other.people[Role.VIEWER].id
        async with signed_in(site, site.other) as client:
            me = (await client.get("/api/me")).raise_for_status().json()
            require(me["email"] == site.planted["e-mail"].casefold(), "one's own data cannot be read")
            corrected = (await client.patch("/api/me", json={"first_name": "Verified"})).raise_for_status().json()
            require(corrected["first_name"] == "Verified", "one's own name cannot be corrected")
            raised = await client.patch(f"/api/people/{viewer}", json={"role": "member"})
            require(raised.is_success, "an admin cannot change somebody's role")
            removed = await client.delete(f"/api/people/{viewer}")
            require(removed.is_success, "an admin cannot delete somebody")
            last = await client.post("/api/me/deletion", json=password)
            require(last.status_code == 409, "the last admin could be deleted")
            as_json = (await client.get("/api/export", params={"format": "json"})).raise_for_status().content
            as_csv = (await client.get("/api/export", params={"format": "csv"})).raise_for_status().content
        tables = json.loads(as_json)["tables"]
        require(site.canary("exported message") in as_json.decode(), "a chat message is missing from the JSON export")
        require(site.canary("chat message") not in as_json.decode(), "an export holds another tenant's message")
        with zipfile.ZipFile(io.BytesIO(as_csv)) as archive:
            names = archive.namelist()
            exported = b"".join(archive.read(name) for name in names)
        require(site.canary("exported message").encode() in exported, "a chat message is missing from the CSV export")
        return Proved(
            sentence="one's data was read, corrected and exported, people were managed, the last admin stayed",
            observed=(f"an export of {len(tables)} tables as JSON, {len(names)} files as CSV",),
        )


PROMISE = RightsPromise()
