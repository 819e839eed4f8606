"""Where a person is signed in."""

from tests.handlers.web.api.api import Api, error


async def test_a_person_sees_where_they_are_signed_in_and_ends_it(api: Api) -> None:
    async with api.browser(api.member) as first, api.browser(api.member) as second:
        shown = (await second.get("/sessions")).json()["sessions"]
        assert [(one["ip"], one["user_agent"], one["is_this"]) for one in shown] == [
            ("203.0.113.7", "Firefox", False),
            ("203.0.113.7", "Firefox", True),
        ]
        assert (await second.delete(f"/sessions/{shown[0]['id']}")).status_code == 200
        assert (await first.get("/sessions")).status_code == 401


async def test_all_others_end_at_once(api: Api) -> None:
    async with api.browser(api.member) as first, api.browser(api.member) as second, api.browser(api.admin) as admin:
        assert (await second.delete("/sessions")).status_code == 200
        assert [(await one.get("/sessions")).status_code for one in (first, second, admin)] == [401, 200, 200]


async def test_a_colleagues_session_is_out_of_reach(api: Api) -> None:
    async with api.browser(api.member) as member, api.browser(api.admin) as admin:
        theirs = (await member.get("/sessions")).json()["sessions"][0]["id"]
        assert error(await admin.delete(f"/sessions/{theirs}")) == "not_found"
