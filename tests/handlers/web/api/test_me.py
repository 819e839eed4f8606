"""Access, rectification, password and deletion by the person."""

import pytest

from store import audit
from store.people import accounts, sign_in
from store.people.users import user
from tests.handlers.web.api.api import Api, error
from tests.store.accounts import GOOD, HERE, sign_in_over

NEW = "nine-lamps-over-harbour"


async def test_a_person_reads_and_corrects_their_own_data(api: Api) -> None:
    async with api.browser(api.viewer) as client:
        before = (await client.get("/me")).json()
        changed = (await client.patch("/me", json={"last_name": " Jones  Smith", "notify": False})).json()
        after = (await client.get("/me")).json()
    assert (before["email"], before["last_name"], before["slack_user_id"]) == ("viewer@acme.example", "Jones", None)
    assert after == changed
    assert (after["first_name"], after["last_name"], after["notify"]) == ("Mia", "Jones Smith", False)
    async with api.db.tenant(api.tenant) as s:
        last = (await audit.trail(s))[-1]
    assert (last.action, last.details) == ("web.account.changed", {"fields": ["last_name", "notify"]})


async def test_a_new_address_needs_the_password_and_one_that_is_free(api: Api) -> None:
    async with api.browser(api.viewer) as client:
        tries = [
            await client.patch("/me", json={"email": "new@acme.example"}),
            await client.patch("/me", json={"email": "new@acme.example", "password": "wrong"}),
            await client.patch("/me", json={"email": "ADMIN@acme.example", "password": GOOD.reveal()}),
            await client.patch("/me", json={"email": "no address", "password": GOOD.reveal()}),
            await client.patch("/me", json={"email": "New@acme.example", "password": GOOD.reveal()}),
        ]
    assert [error(answer) for answer in tries[:-1]] == [
        "password_needed",
        "password_wrong",
        "address_taken",
        "unreadable",
    ]
    assert tries[-1].json()["email"] == "new@acme.example"


@pytest.mark.parametrize("field", ["user_id", "tenant_id", "organisation", "role", "id"])
async def test_nobody_changes_who_they_are_along_the_way(api: Api, field: str) -> None:
    async with api.browser(api.viewer) as client:
        answer = await client.patch("/me", json={"first_name": "Eve", field: api.admin})
        assert answer.status_code == 422
        assert (await client.get("/me")).json()["first_name"] == "Mia"


async def test_a_new_password_counts_at_once_and_a_weak_one_not(api: Api) -> None:
    async with api.browser(api.member) as other, api.browser(api.member) as client:
        weak = await client.put("/me/password", json={"password": GOOD.reveal(), "new_password": "member@acme.example"})
        assert error(weak) == "password_weak"
        done = await client.put("/me/password", json={"password": GOOD.reveal(), "new_password": NEW})
        assert done.status_code == 200
        assert (await client.get("/me")).status_code == 200
        assert (await other.get("/me")).status_code == 401
    again = await sign_in_over(api.db).sign_in(email="member@acme.example", password=GOOD, origin=HERE)
    assert isinstance(again, sign_in.Refused)


async def test_a_person_deletes_themselves_and_the_last_admin_cannot(api: Api) -> None:
    async with api.browser(api.member) as client:
        assert error(await client.post("/me/deletion", json={"password": "wrong"})) == "password_wrong"
        assert (await client.post("/me/deletion", json={"password": GOOD.reveal()})).status_code == 200
        assert (await client.get("/me")).status_code == 401
    async with api.db.tenant(api.tenant) as s:
        gone = await user(s, api.member)
        assert await accounts.account(s, api.member) is None
    assert gone is not None
    assert gone.deleted_at is not None
    async with api.browser(api.admin) as client:  # another admin is known from Slack alone
        assert (await client.post("/me/deletion", json={"password": GOOD.reveal()})).status_code == 200
