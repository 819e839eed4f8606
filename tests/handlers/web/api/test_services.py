"""The catalog over the API."""

from store.incidents import catalog
from store.incidents.catalog import CatalogStatement
from tests.handlers.web.api.api import Api


async def test_services_are_listed_corrected_and_questions_answered(api: Api) -> None:
    async with api.db.tenant(api.tenant) as s:
        await catalog.take_in(s, [CatalogStatement(name="checkout", origin="connection")])
        (asked,) = await catalog.take_in(
            s, [CatalogStatement(name="chekout", origin="traces", question=True, same_as="checkout")]
        )
    async with api.browser(api.admin) as client:
        listed = (await client.get("/services")).json()
        assert [one["name"] for one in listed["services"]] == ["checkout"]
        assert [(one["name"], one["same_as"]) for one in listed["questions"]] == [("chekout", "checkout")]
        put = await client.put("/services/checkout", json={"aliases": ["web-*"], "owners": ["@a"]})
        assert put.status_code == 200
        refused = await client.put("/services/checkout", json={"depends_on": ["nobody"]})
        assert refused.status_code == 422
        assert "is no service that I know" in refused.text
        answered = await client.post(f"/services/{asked.id}/answer", json={"answer": "same"})
        assert answered.json()["told"] == "chekout is another name for checkout from now on."
        (one,) = (await client.get("/services")).json()["services"]
        assert (one["aliases"], one["said_by"]) == (["web-*", "chekout"], "person")
