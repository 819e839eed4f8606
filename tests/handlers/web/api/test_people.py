"""Roles and deletion of others."""

import asyncio

from store import audit
from store.people.users import Role, admins, set_role, user_by_slack
from tests.handlers.web.api.api import Api, error


async def test_admins_see_people_with_and_without_accounts(api: Api) -> None:
    async with api.browser(api.admin) as client:
        people = (await client.get("/people")).json()["people"]
    by_slack = {one["slack_user_id"]: one for one in people}
    assert by_slack["U0VIEWER"]["email"] is None
    assert {one["email"] for one in people if one["email"]} == {f"{role.value}@acme.example" for role in Role}


async def test_a_role_is_assigned_and_recorded(api: Api) -> None:
    async with api.browser(api.admin) as client:
        answer = await client.patch(f"/people/{api.viewer}", json={"role": "member"})
        bad = await client.patch(f"/people/{api.viewer}", json={"role": "owner"})
    assert (answer.json()["role"], bad.status_code) == ("member", 422)
    async with api.db.tenant(api.tenant) as s:
        last = (await audit.trail(s))[-1]
    assert (last.action, last.target, last.actor.id) == ("web.role.granted", api.viewer, api.admin)
    assert last.details == {"role": "member", "before": "viewer"}


async def test_of_many_requests_at_once_none_removes_the_last_admin(api: Api) -> None:
    async with api.db.tenant(api.tenant) as s:
        first = await user_by_slack(s, "U0ADMIN")
        assert first is not None
        await set_role(s, first.id, Role.MEMBER)
        await set_role(s, api.member, Role.ADMIN)
    async with api.browser(api.admin) as one, api.browser(api.member) as other:
        answers = await asyncio.gather(
            *(one.delete(f"/people/{api.member}") for _ in range(5)),
            *(other.delete(f"/people/{api.admin}") for _ in range(5)),
            *(one.patch(f"/people/{api.admin}", json={"role": "viewer"}) for _ in range(5)),
            *(other.patch(f"/people/{api.member}", json={"role": "viewer"}) for _ in range(5)),
        )
    assert {answer.status_code for answer in answers} <= {200, 401, 403, 404, 409}
    async with api.db.tenant(api.tenant) as s:
        assert len(await admins(s)) == 1


async def test_an_admin_deletes_another_person_and_not_themselves_here(api: Api) -> None:
    async with api.browser(api.admin) as client:
        assert (await client.delete(f"/people/{api.viewer}")).status_code == 200
        assert error(await client.delete(f"/people/{api.viewer}")) == "not_found"
        assert error(await client.delete(f"/people/{api.admin}")) == "yourself"
