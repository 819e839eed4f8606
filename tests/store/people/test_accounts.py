"""Accounts, and what becomes of them, on both databases."""

import asyncio
import hashlib
from typing import Any

import pytest

from store.database.session import Database
from store.errors import AddressTaken, LastAdmin, NotFound
from store.ids import ConversationId, UserId
from store.incidents import conversations
from store.people import accounts, web_sessions
from store.people.accounts import read_email, read_name
from store.people.users import Role, admins, ensure_user, people, remove_user, set_role, user, user_by_slack
from store.secrets.redaction import Secret
from tests.store.accounts import EMAIL, GOOD, HERE, KEYS, cheap_passwords, make_account


async def test_an_account_keeps_what_was_told_and_is_found_by_its_address(database: Database, two_tenants: Any) -> None:
    made = await make_account(database, two_tenants[0], email="Mia@Acme.example")
    async with database.tenant(two_tenants[0], readonly=True) as s:
        assert await accounts.account(s, made.user_id) == made
        assert await accounts.accounts(s) == {made.user_id: made}
        known = await user(s, made.user_id)
    assert (made.email, made.first_name, made.last_name, made.notify) == (EMAIL, "Mia", "Jones", True)
    assert known is not None
    assert known.role == Role.MEMBER
    found = await accounts.find_candidate(database, KEYS, " MIA@acme.EXAMPLE ")
    assert found == accounts.Candidate(tenant_id=two_tenants[0], user_id=made.user_id)
    assert await accounts.find_candidate(database, KEYS, "raj@acme.example") is None


async def test_the_oldest_account_of_an_address_is_meant_unless_an_organisation_is_named(
    database: Database, two_tenants: Any, clock: Any
) -> None:
    from datetime import timedelta

    first = await make_account(database, two_tenants[1])
    clock.advance(timedelta(seconds=1))
    second = await make_account(database, two_tenants[0])
    unnamed = await accounts.find_candidate(database, KEYS, EMAIL)
    named = await accounts.find_candidate(database, KEYS, EMAIL, tenant_id=two_tenants[0])
    assert unnamed is not None
    assert named is not None
    assert (unnamed.user_id, named.user_id) == (first.user_id, second.user_id)


async def test_an_address_has_one_account_a_tenant(database: Database, two_tenants: Any) -> None:
    await make_account(database, two_tenants[0])
    with pytest.raises(AddressTaken):
        await make_account(database, two_tenants[0])
    other = await make_account(database, two_tenants[0], email="raj@acme.example")
    with pytest.raises(AddressTaken):
        async with database.tenant(two_tenants[0]) as s:
            await accounts.change_account(s, KEYS, other.user_id, email=EMAIL)


async def test_changes_are_kept_and_anothers_account_is_out_of_reach(database: Database, two_tenants: Any) -> None:
    made = await make_account(database, two_tenants[0])
    async with database.tenant(two_tenants[0]) as s:
        changed = await accounts.change_account(s, KEYS, made.user_id, email="m@acme.example", notify=False)
    assert (changed.email, changed.first_name, changed.notify) == ("m@acme.example", "Mia", False)
    assert await accounts.find_candidate(database, KEYS, EMAIL) is None
    async with database.tenant(two_tenants[1]) as s:
        assert await accounts.account(s, made.user_id) is None
        assert await accounts.password_hash(s, made.user_id) is None
        with pytest.raises(NotFound):
            await accounts.change_account(s, KEYS, made.user_id, first_name="Eve")


async def test_a_new_password_ends_every_other_session(database: Database, two_tenants: Any) -> None:
    made = await make_account(database, two_tenants[0])
    hashed = await cheap_passwords().hash(Secret("another-tulip-of-gravel"))
    async with database.tenant(two_tenants[0]) as s:
        kept = await web_sessions.start_session(s, made.user_id, ip=HERE.ip, user_agent="one")
        await web_sessions.start_session(s, made.user_id, ip=HERE.ip, user_agent="two")
        assert kept is not None
        await accounts.set_password(s, made.user_id, hashed, keep_session=kept[1].id)
        assert [found.id for found in await web_sessions.sessions_of(s, made.user_id)] == [kept[1].id]
        stored = await accounts.password_hash(s, made.user_id)
    assert not await cheap_passwords().matches(GOOD, stored)


async def test_a_deleted_person_leaves_an_id_and_nothing_else(database: Database, two_tenants: Any, case: Any) -> None:
    async with database.tenant(two_tenants[0]) as s:
        said = s.redactor.redact("hello")
        await conversations.record_chat(
            s, ConversationId(case.conversation_id), slack_ts="1.2", slack_user_id="U0MEMBER", text=said, kind="mention"
        )
        await remove_user(s, case.member)
        left = await user(s, case.member)
        messages = await conversations.chat(s, ConversationId(case.conversation_id))
        assert left is not None
        digest = hashlib.sha256(f"{two_tenants[0]}|U0MEMBER".encode()).hexdigest()
        assert (left.slack_user_id, left.role) == (f"gone:{digest[:32]}", Role.VIEWER)
        assert left.deleted_at is not None
        assert "U0MEMBER" not in {message.slack_user_id for message in messages}
        assert case.member not in {person.id for person in await people(s)}
        with pytest.raises(NotFound):
            await set_role(s, case.member, Role.ADMIN)
        with pytest.raises(NotFound):
            await remove_user(s, case.member)
        back = await ensure_user(s, slack_user_id="U0MEMBER", role=Role.VIEWER)
        assert back.id != case.member


async def test_whoever_was_deleted_comes_back_as_a_viewer_until_an_admin_says_otherwise(
    database: Database, two_tenants: Any
) -> None:
    async with database.tenant(two_tenants[0]) as s:
        for _ in range(3):
            back = await ensure_user(s, slack_user_id="U0MEMBER", role=Role.ADMIN)
            await set_role(s, back.id, Role.MEMBER)
            assert (await ensure_user(s, slack_user_id="U0MEMBER", role=Role.ADMIN)).role == Role.MEMBER
            await remove_user(s, back.id)
        assert (await ensure_user(s, slack_user_id="U0MEMBER", role=Role.ADMIN)).role == Role.VIEWER
        assert (await ensure_user(s, slack_user_id="UNEW", role=Role.MEMBER)).role == Role.MEMBER
    async with database.tenant(two_tenants[1]) as s:
        theirs = await user_by_slack(s, "U0VIEWER")
        assert theirs is not None
        await remove_user(s, theirs.id)
    async with database.tenant(two_tenants[0]) as s:
        ours = await user_by_slack(s, "U0VIEWER")
        assert ours is not None
        assert ours.deleted_at is None


async def test_the_marker_of_one_tenant_says_nothing_in_another(database: Database, two_tenants: Any) -> None:
    markers = []
    for tenant in two_tenants:
        async with database.tenant(tenant) as s:
            person = await user_by_slack(s, "U0MEMBER")
            assert person is not None
            await remove_user(s, person.id)
            left = await user(s, person.id)
            assert left is not None
            markers.append(left.slack_user_id)
    assert markers[0] != markers[1]


async def test_who_writes_while_being_deleted_comes_back_as_a_viewer_at_most(
    database: Database, two_tenants: Any, case: Any
) -> None:
    deleting, may_end = asyncio.Event(), asyncio.Event()

    async def delete() -> None:
        async with database.tenant(two_tenants[0]) as s:
            await remove_user(s, case.member)
            deleting.set()
            await may_end.wait()

    async def write() -> Role:
        async with database.tenant(two_tenants[0]) as s:
            return (await ensure_user(s, slack_user_id="U0MEMBER", role=Role.ADMIN)).role

    async with asyncio.TaskGroup() as group:
        group.create_task(delete())
        await deleting.wait()
        written = [group.create_task(write()) for _ in range(3)]
        await asyncio.sleep(0)
        may_end.set()
    assert {one.result() for one in written} <= {Role.VIEWER, Role.MEMBER}
    assert await write() == Role.VIEWER


async def test_deleting_somebody_deletes_their_account_and_all_that_hangs_on_it(
    database: Database, two_tenants: Any
) -> None:
    from datetime import timedelta

    from store.people import api_tokens, invitations

    made = await make_account(database, two_tenants[0], role=Role.ADMIN)
    async with database.tenant(two_tenants[0]) as s:
        await web_sessions.start_session(s, made.user_id, ip=HERE.ip, user_agent="one")
        await api_tokens.create_token(s, made.user_id, name="ci", scopes=("read",), lifetime=timedelta(days=1))
        await invitations.invite(s, KEYS, email="eve@acme.example", role=Role.ADMIN, invited_by=made.user_id)
        await remove_user(s, made.user_id)
        assert await accounts.account(s, made.user_id) is None
        assert await invitations.open_invitations(s) == []
    assert await accounts.find_candidate(database, KEYS, EMAIL) is None


@pytest.mark.parametrize("act", ["delete", "demote", "both"])
async def test_of_twenty_who_try_at_once_none_removes_the_last_admin(
    database: Database, two_tenants: Any, act: str
) -> None:
    async with database.tenant(two_tenants[0]) as s:
        other = await ensure_user(s, slack_user_id="UTWO", role=Role.ADMIN)
        first = await user_by_slack(s, "U0ADMIN")
    assert first is not None

    async def attempt(number: int, user_id: UserId) -> None:
        async with database.tenant(two_tenants[0]) as s:
            if act == "delete" or (act == "both" and number % 4 < 2):
                await remove_user(s, user_id)
            else:
                await set_role(s, user_id, Role.MEMBER)

    targets = [first.id, other.id] * 10
    results = await asyncio.gather(*(attempt(n, t) for n, t in enumerate(targets)), return_exceptions=True)
    assert any(isinstance(result, LastAdmin) for result in results)
    assert {type(result) for result in results} <= {type(None), LastAdmin, NotFound}
    async with database.tenant(two_tenants[0]) as s:
        assert len(await admins(s)) == 1


@pytest.mark.parametrize(
    "text", ["mia", "mia@acme", "a b@c.de", "mia@acme.example\r\nBcc: x@y.zz", "x" * 250 + "@a.bc", "<a@b.cc>"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert read_email(text) is None


def test_addresses_and_names_are_kept_in_one_spelling() -> None:
    assert read_email(" Mia.Jones+x@Acme.Example ") == "mia.jones+x@acme.example"
    assert read_name("  Mia \n Maria ") == "Mia Maria"
    assert read_name("a\u202eb") is None
    assert read_name("") is None
