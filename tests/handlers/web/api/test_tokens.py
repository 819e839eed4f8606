"""Tokens for programs."""

from datetime import timedelta
from typing import Any

from store.people.users import Role, set_role
from tests.handlers.web.api.api import Api, error


async def test_a_token_is_shown_once_and_works_until_it_is_revoked(api: Api) -> None:
    async with api.browser(api.admin) as client:
        made = (await client.post("/tokens", json={"name": "CI", "scopes": ["read", "export"], "days": 7})).json()
        listed = (await client.get("/tokens")).json()["tokens"]
        assert [(one["name"], one["scopes"]) for one in listed] == [("CI", ["export", "read"])]
        assert made["token"].startswith("ah_")
        assert made["token"] not in str(listed)
        async with api.nobody(authorization=f"Bearer {made['token']}") as program:
            assert (await program.get("/organisation")).status_code == 200
            assert (await client.delete(f"/tokens/{made['id']}")).status_code == 200
            assert (await program.get("/organisation")).status_code == 401


async def test_a_token_ends_with_its_time(api: Api, clock: Any) -> None:
    async with api.program(api.admin, "read") as program:
        assert (await program.get("/organisation")).status_code == 200
        clock.advance(timedelta(days=1))
        assert (await program.get("/organisation")).status_code == 401


async def test_a_token_is_worth_no_more_than_its_persons_role_at_that_moment(api: Api) -> None:
    async with api.browser(api.member) as client:
        assert error(await client.post("/tokens", json={"name": "CI", "scopes": ["export"]})) == "role"
    async with api.program(api.admin, "manage_people") as program:
        assert (await program.get("/people")).status_code == 200
        async with api.db.tenant(api.tenant) as s:
            await set_role(s, api.admin, Role.MEMBER)
        assert error(await program.get("/people")) == "role"


async def test_a_broken_token_is_not_helped_by_a_cookie(api: Api) -> None:
    async with api.browser(api.admin) as client:
        answer = await client.get("/organisation", headers={"authorization": "Bearer ah_wrong"})
    assert error(answer) == "not_signed_in"
