"""Sessions and API tokens: only the holder knows the secret; they end when they should."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from store.database.schema import ApiTokenRow, WebSessionRow
from store.database.session import Database
from store.people import api_tokens, web_sessions
from store.people.accounts import set_password
from store.secrets.redaction import Secret
from tests.store.accounts import cheap_passwords, make_account

WEEK = timedelta(days=7)


async def test_a_session_is_found_by_its_secret_and_the_store_does_not_hold_it(
    database: Database, two_tenants: Any
) -> None:
    made = await make_account(database, two_tenants[0])
    async with database.tenant(two_tenants[0]) as s:
        started = await web_sessions.start_session(s, made.user_id, ip="203.0.113.7", user_agent="Firefox" * 99)
        assert started is not None
        row = await s.one(WebSessionRow)
        assert row is not None
        assert started[0].reveal() not in repr(vars(row))
        assert b"203.0.113.7" not in row.ip
    found = await web_sessions.find_session(database, started[0])
    assert found == web_sessions.PresentedSecret(tenant_id=two_tenants[0], row_id=started[1].id)
    assert await web_sessions.find_session(database, Secret("guessed")) is None
    async with database.tenant(two_tenants[0]) as s:
        live = await web_sessions.live_session(s, found.row_id)
    assert live is not None
    assert (live.user_id, live.ip, len(live.user_agent)) == (made.user_id, "203.0.113.7", 300)
    async with database.tenant(two_tenants[1]) as s:
        assert await web_sessions.live_session(s, found.row_id) is None
        assert not await web_sessions.end_session(s, made.user_id, found.row_id)


@pytest.mark.parametrize("used", ["daily", "never"])
async def test_a_session_ends_when_idle_and_at_the_latest_after_two_weeks(
    database: Database, two_tenants: Any, clock: Any, used: str
) -> None:
    made = await make_account(database, two_tenants[0])
    async with database.tenant(two_tenants[0]) as s:
        started = await web_sessions.start_session(s, made.user_id, ip="", user_agent="")
        assert started is not None
        lived = 0
        while await web_sessions.live_session(s, started[1].id) is not None:
            if used == "daily":
                await web_sessions.note_use(s, started[1].id)
            clock.advance(timedelta(hours=12))
            lived += 12
        assert lived == (14 * 24 if used == "daily" else 24)
        assert await web_sessions.sessions_of(s, made.user_id) == []
        assert await web_sessions.forget_expired(s) == 1


async def test_a_person_has_so_many_sessions_and_the_oldest_go(
    database: Database, two_tenants: Any, clock: Any
) -> None:
    made = await make_account(database, two_tenants[0])
    async with database.tenant(two_tenants[0]) as s:
        ids = []
        for _ in range(web_sessions.MOST_PER_PERSON + 3):
            clock.advance(timedelta(seconds=1))
            started = await web_sessions.start_session(s, made.user_id, ip="", user_agent="")
            assert started is not None
            ids.append(started[1].id)
        assert [one.id for one in await web_sessions.sessions_of(s, made.user_id)] == ids[3:]
        assert await web_sessions.end_sessions(s, made.user_id, but=ids[-1]) == web_sessions.MOST_PER_PERSON - 1


async def test_no_session_starts_on_a_password_that_changed_meanwhile(
    database: Database, two_tenants: Any, clock: Any
) -> None:
    made = await make_account(database, two_tenants[0])
    hashed = await cheap_passwords().hash(Secret("another-tulip-of-gravel"))
    clock.advance(timedelta(seconds=1))
    async with database.tenant(two_tenants[0]) as s:
        await set_password(s, made.user_id, hashed)
        started = await web_sessions.start_session(
            s, made.user_id, ip="", user_agent="", password_changed_at=made.password_changed_at
        )
    assert started is None


async def test_a_token_is_found_by_its_secret_and_the_store_does_not_hold_it(
    database: Database, two_tenants: Any, clock: Any
) -> None:
    made = await make_account(database, two_tenants[0])
    async with database.tenant(two_tenants[0]) as s:
        token, shown = await api_tokens.create_token(s, made.user_id, name="CI", scopes=("read",), lifetime=WEEK)
        row = (await s.all(select(ApiTokenRow)))[0]
        assert token.reveal() not in repr(vars(row))
        assert b"CI" not in row.name
        assert s.redactor.redact(f"use {token.reveal()}, not mine") == "use [redacted:autoheal_token], not mine"
    assert api_tokens.is_token(token.reveal())
    assert (await api_tokens.find_token(database, token)) == web_sessions.PresentedSecret(
        tenant_id=two_tenants[0], row_id=shown.id
    )
    async with database.tenant(two_tenants[0]) as s:
        assert await api_tokens.live_token(s, shown.id) == shown
        await api_tokens.note_token_use(s, shown.id)
        clock.advance(WEEK)
        assert await api_tokens.live_token(s, shown.id) is None
        assert await api_tokens.revoke_token(s, made.user_id, shown.id)
        assert not await api_tokens.revoke_token(s, made.user_id, shown.id)
    assert await api_tokens.find_token(database, token) is None


async def test_a_mistyped_token_is_known_by_its_checksum(database: Database, two_tenants: Any) -> None:
    made = await make_account(database, two_tenants[0])
    async with database.tenant(two_tenants[0]) as s:
        token, _ = await api_tokens.create_token(s, made.user_id, name="CI", scopes=("read",), lifetime=WEEK)
        for wrong in (timedelta(0), timedelta(days=400)):
            with pytest.raises(ValueError, match="at most 366 days"):
                await api_tokens.create_token(s, made.user_id, name="CI", scopes=(), lifetime=wrong)
    text = token.reveal()
    for at in (5, 50, len(text) - 1):
        mistyped = text[:at] + ("1" if text[at] == "0" else "0") + text[at + 1 :]
        assert not api_tokens.is_token(mistyped)
        assert await api_tokens.find_token(database, Secret(mistyped)) is None
