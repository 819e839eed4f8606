"""Webhooks by the API: made in a browser, the secret shown once, nothing of other organisations."""

import uuid

from tests.handlers.web.api.api import Api


async def test_an_admin_makes_rotates_and_deletes(api: Api) -> None:
    async with api.browser(api.admin) as client:
        made = await client.post(
            "/webhooks", json={"provider": "pagerduty", "label": "PD", "secret": "given-by-pagerduty"}
        )
        assert made.status_code == 201
        body = made.json()
        assert body["secret"] == "given-by-pagerduty"
        assert body["webhook"]["path"].startswith("/webhooks/pagerduty/")
        listed = await client.get("/webhooks")
        assert [one["label"] for one in listed.json()["webhooks"]] == ["PD"]
        assert "given-by" not in listed.text
        which = body["webhook"]["id"]
        rotated = await client.post(f"/webhooks/{which}/rotate", json={})
        assert len(rotated.json()["secret"]) > 30
        assert (await client.delete(f"/webhooks/{which}")).status_code == 200
        assert (await client.delete(f"/webhooks/{which}")).status_code == 404
        assert (await client.post(f"/webhooks/{uuid.uuid4()}/rotate", json={})).status_code == 404


async def test_what_cannot_be_made_says_why(api: Api) -> None:
    async with api.browser(api.admin) as client:
        for body, words in (
            ({"provider": "nagios"}, "there are"),
            ({"provider": "cloudwatch_sns"}, "topic_arn"),
            ({"provider": "github", "secret": "x"}, "at least"),
        ):
            answer = await client.post("/webhooks", json=body)
            assert answer.status_code == 422
            assert words in answer.json()["error"]["message"]


async def test_a_member_may_not(api: Api) -> None:
    async with api.browser(api.member) as client:
        assert (await client.get("/webhooks")).status_code == 403
        assert (await client.post("/webhooks", json={"provider": "github"})).status_code == 403
