"""From an invitation to an account."""

from tests.handlers.web.api.api import OWN_PAGE, Api, error

NEW = {"first_name": "Raj", "last_name": "Iyer", "password": "nine-lamps-over-harbour"}


async def test_an_invited_person_makes_one_account_and_signs_in(api: Api) -> None:
    async with api.browser(api.admin) as client:
        made = (await client.post("/invitations", json={"email": "Raj@acme.example", "role": "viewer"})).json()
        listed = (await client.get("/invitations")).json()["invitations"]
    assert [one["email"] for one in listed] == ["raj@acme.example"]
    assert "token" not in listed[0]
    async with api.nobody(**OWN_PAGE) as client:
        weak = await client.post(
            "/invitations/accept", json={**NEW, "token": made["token"], "password": "raj@acme.example"}
        )
        done = await client.post("/invitations/accept", json={**NEW, "token": made["token"]})
        again = await client.post("/invitations/accept", json={**NEW, "token": made["token"]})
        signed_in = await client.post("/session", json={"email": "raj@acme.example", "password": NEW["password"]})
    assert [error(weak), done.status_code, error(again)] == ["password_weak", 201, "invitation_ended"]
    assert signed_in.status_code == 200


async def test_an_invitation_can_be_taken_back(api: Api) -> None:
    async with api.browser(api.admin) as client:
        made = (await client.post("/invitations", json={"email": "raj@acme.example"})).json()
        assert (await client.delete(f"/invitations/{made['id']}")).status_code == 200
    async with api.nobody() as client:
        assert (
            error(await client.post("/invitations/accept", json={**NEW, "token": made["token"]})) == "invitation_ended"
        )


async def test_who_has_an_account_is_not_invited_again_and_no_address_neither(api: Api) -> None:
    async with api.browser(api.admin) as client:
        taken = await client.post("/invitations", json={"email": "viewer@acme.example"})
        wrong = await client.post("/invitations", json={"email": "viewer at acme"})
        owner = await client.post("/invitations", json={"email": "a@acme.example", "role": "owner"})
    assert [error(taken), error(wrong), error(owner)] == ["address_taken", "unreadable", "unreadable"]
