"""Signing in and out over the API."""

from typing import Any

from handlers.web.credential import COOKIE
from store.people.users import Role, remove_user, set_role
from store.people.web_sessions import find_session
from store.secrets.redaction import Secret
from tests.handlers.web.api.api import OWN_PAGE, Api, error
from tests.store.accounts import GOOD

MIA = {"email": "admin@acme.example", "password": GOOD.reveal()}


def cookie_of(answer: Any) -> str:
    return str(answer.headers["set-cookie"]).partition(";")[0].partition("=")[2]


async def test_signing_in_sets_one_cookie_that_only_the_server_reads(api: Api) -> None:
    async with api.nobody(**OWN_PAGE) as client:
        answer = await client.post("/session", json=MIA)
    assert answer.status_code == 200
    (cookie,) = answer.headers.get_list("set-cookie")
    name, *flags = cookie.split("; ")
    assert name.startswith(f"{COOKIE}=")
    assert {flag.lower() for flag in flags} == {"httponly", "max-age=1209600", "path=/", "samesite=lax", "secure"}
    assert cookie_of(answer) not in answer.text


async def test_each_sign_in_is_a_new_session_and_the_one_before_ends(api: Api) -> None:
    async with api.nobody(**OWN_PAGE) as client:
        first = cookie_of(await client.post("/session", json=MIA))
        second = cookie_of(await client.post("/session", json=MIA, headers={"cookie": f"{COOKIE}={first}"}))
    assert first != second
    assert await find_session(api.db, Secret(first)) is None
    assert await find_session(api.db, Secret(second)) is not None


async def test_what_does_not_fit_is_refused_in_the_same_words_whoever_exists(api: Api, two_tenants: Any) -> None:
    async with api.nobody(**OWN_PAGE) as client:
        answers = [
            await client.post("/session", json={**MIA, **wrong})
            for wrong in (
                {"password": "some-other-tulip-words"},
                {"email": "nobody@acme.example"},
                {"organisation": two_tenants[1]},
                {"password": ""},
                {"email": "no address"},
            )
        ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.json()["error"]["message"] for answer in answers}) == 1
    assert not any("set-cookie" in answer.headers for answer in answers)


async def test_guessing_is_told_to_wait(api: Api) -> None:
    async with api.nobody(**OWN_PAGE) as client:
        wrong = {**MIA, "password": "x"}
        answers = [await client.post("/session", json=wrong) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert answers[-1].headers["retry-after"] == "2"


async def test_the_session_knows_its_person_and_follows_the_role(api: Api) -> None:
    async with api.browser(api.member) as client:
        before = (await client.get("/session")).json()
        async with api.db.tenant(api.tenant) as s:
            await set_role(s, api.member, Role.VIEWER)
        after = (await client.get("/session")).json()
    assert (before["user_id"], before["organisation"], before["role"]) == (api.member, api.tenant, "member")
    assert (after["role"], after["permissions"]) == ("viewer", ["own", "read"])


async def test_signing_out_ends_the_session_and_takes_the_cookie_back(api: Api) -> None:
    async with api.browser(api.member) as client:
        answer = await client.delete("/session")
        assert "Max-Age=0" in answer.headers["set-cookie"]
        assert (await client.get("/session")).status_code == 401


async def test_the_session_of_a_deleted_person_is_worth_nothing(api: Api) -> None:
    async with api.browser(api.member) as client:
        async with api.db.tenant(api.tenant) as s:
            await remove_user(s, api.member)
        answer = await client.get("/session")
    assert error(answer) == "not_signed_in"
