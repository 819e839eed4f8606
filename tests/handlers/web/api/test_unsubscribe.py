"""Ending e-mail by one click."""

from handlers.mail.ticket import make_ticket
from store import audit
from store.people import accounts
from tests.handlers.web.api.api import Api, error
from tests.store.accounts import KEYS


async def test_one_click_of_a_mail_program_ends_the_mail_of_that_person_alone(api: Api) -> None:
    ticket = make_ticket(KEYS, api.tenant, api.viewer)
    form = {"content-type": "application/x-www-form-urlencoded"}
    async with api.nobody(**form) as client:
        for _ in range(2):
            answer = await client.post(f"/unsubscribe?ticket={ticket}", content=b"List-Unsubscribe=One-Click")
            assert answer.status_code == 200
        forged = ticket[:-1] + ("1" if ticket.endswith("0") else "0")
        assert error(await client.post(f"/unsubscribe?ticket={forged}")) == "no_such_ticket"
    async with api.db.tenant(api.tenant, readonly=True) as s:
        wants = {one.user_id: one.notify for one in (await accounts.accounts(s)).values()}
        opted_out = [e.target for e in await audit.trail(s) if e.action == "mail.mail.opted_out"]
    assert wants == {api.viewer: False, api.member: True, api.admin: True}
    assert opted_out == [api.viewer]
