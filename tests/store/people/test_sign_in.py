"""Signing in: the right password, the right organisation, and the same answer to everything else."""

import asyncio
from datetime import timedelta
from typing import Any

from store import audit
from store.database.session import Database
from store.people import web_sessions
from store.people.sign_in import Refused, SignedIn
from store.people.users import remove_user
from store.secrets.redaction import Secret
from tests.store.accounts import EMAIL, GOOD, HERE, make_account, sign_in_over

WRONG = Secret("some-other-tulip-words")


async def test_the_right_password_starts_a_session_and_is_recorded(database: Database, two_tenants: Any) -> None:
    made = await make_account(database, two_tenants[0])
    entry = sign_in_over(database)
    done = await entry.sign_in(email=EMAIL, password=GOOD, origin=HERE)
    assert isinstance(done, SignedIn)
    assert (done.tenant_id, done.user_id) == (two_tenants[0], made.user_id)
    assert await web_sessions.find_session(database, done.token) is not None
    async with database.tenant(two_tenants[0]) as s:
        actions = [entry.action for entry in await audit.trail(s)]
    assert actions[-1] == "web.login.succeeded"


async def test_everything_wrong_is_refused_alike_and_only_a_known_account_hears_of_it(
    database: Database, two_tenants: Any
) -> None:
    made = await make_account(database, two_tenants[0])
    entry = sign_in_over(database)
    tries = [
        await entry.sign_in(email=EMAIL, password=WRONG, origin=HERE),
        await entry.sign_in(email="nobody@acme.example", password=GOOD, origin=HERE),
        await entry.sign_in(email=EMAIL, password=GOOD, origin=HERE, tenant_id=two_tenants[1]),
    ]
    assert tries == [Refused()] * 3
    async with database.tenant(two_tenants[0]) as s:
        refused = [e for e in await audit.trail(s) if e.action == "web.login.refused"]
    assert [(e.target, e.details) for e in refused] == [(made.user_id, {"reason": "password"})]


async def test_the_named_organisation_decides_between_accounts_of_one_address(
    database: Database, two_tenants: Any, clock: Any
) -> None:
    await make_account(database, two_tenants[0])
    clock.advance(timedelta(seconds=1))
    await make_account(database, two_tenants[1], password=WRONG)
    entry = sign_in_over(database)
    first = await entry.sign_in(email=EMAIL, password=GOOD, origin=HERE)
    second = await entry.sign_in(email=EMAIL, password=WRONG, origin=HERE, tenant_id=two_tenants[1])
    assert isinstance(first, SignedIn)
    assert isinstance(second, SignedIn)
    assert (first.tenant_id, second.tenant_id) == two_tenants


async def test_guessing_is_slowed_down_alike_for_known_and_unknown_addresses(
    database: Database, two_tenants: Any, clock: Any
) -> None:
    await make_account(database, two_tenants[0])
    entry = sign_in_over(database)
    for email in (EMAIL, "nobody@acme.example"):
        answers = await asyncio.gather(*(entry.sign_in(email=email, password=WRONG, origin=HERE) for _ in range(9)))
        assert [answer.wait for answer in answers if isinstance(answer, Refused)] == [timedelta(0)] * 5 + [
            timedelta(seconds=1)
        ] * 4
    clock.advance(timedelta(seconds=1))
    assert isinstance(await entry.sign_in(email=EMAIL, password=GOOD, origin=HERE), SignedIn)


async def test_a_deleted_person_cannot_sign_in(database: Database, two_tenants: Any) -> None:
    made = await make_account(database, two_tenants[0])
    async with database.tenant(two_tenants[0]) as s:
        await remove_user(s, made.user_id)
    assert await sign_in_over(database).sign_in(email=EMAIL, password=GOOD, origin=HERE) == Refused()


async def test_a_signed_in_person_confirms_with_the_password(database: Database, two_tenants: Any) -> None:
    made = await make_account(database, two_tenants[0])
    entry = sign_in_over(database)
    assert await entry.confirm(two_tenants[0], made.user_id, GOOD, HERE) is True
    tries = [await entry.confirm(two_tenants[0], made.user_id, WRONG, HERE) for _ in range(6)]
    assert tries == [False] * 5 + [Refused(wait=timedelta(seconds=1))]
