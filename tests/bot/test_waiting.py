"""What is away is waited for, with a line; what refuses ends the start at once."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import psycopg
import pytest
import sqlalchemy as sa
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from bot import waiting
from bot.slack_clients import SlackNotReady
from bot.waiting import StillAway, absence, when_all_answer
from store.errors import KeyServiceUnreachable, SchemaMismatch


def _driver(error: psycopg.Error) -> sa.exc.DBAPIError:
    return sa.exc.OperationalError("SELECT 1", None, error)


def _slack(code: str, status: int = 200) -> SlackApiError:
    client = object()
    response = SlackResponse(
        client=client,
        http_verb="POST",
        api_url="",
        req_args={},
        data={"ok": False, "error": code},
        headers={},
        status_code=status,
    )
    return SlackApiError("", response)  # type: ignore[no-untyped-call]


def _not_ready(code: str) -> SlackNotReady:
    refused = SlackNotReady("refused")
    refused.__cause__ = _slack(code)
    return refused


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (
            _driver(psycopg.OperationalError('connection to server at "db", port 5432 failed: Connection refused')),
            "data",
        ),
        (_driver(psycopg.OperationalError("connection failed: FATAL: the database system is starting up")), "data"),
        (_driver(psycopg.errors.CannotConnectNow("starting up")), "data"),
        (_driver(psycopg.errors.AdminShutdown("terminating connection")), "data"),
        (_driver(psycopg.errors.TooManyConnections("sorry, too many clients already")), "data"),
        (psycopg.OperationalError("could not translate host name"), "data"),
        (sa.exc.TimeoutError("QueuePool limit"), "data"),
        (KeyServiceUnreachable("AWS KMS does not answer"), "key"),
        (aiohttp.ClientConnectionError(), "Slack"),
        (_slack("ratelimited", 429), "Slack"),
        (_slack("", 503), "Slack"),
        (_not_ready("service_unavailable"), "Slack"),
        (ConnectionRefusedError(), "server"),
        (TimeoutError(), "server"),
    ],
)
def test_what_is_away_is_told_apart_by_what_it_is(error: Exception, what: str) -> None:
    found = absence(error)
    assert found is not None
    assert what in found.what


@pytest.mark.parametrize(
    "error",
    [
        _driver(psycopg.OperationalError('FATAL: password authentication failed for user "autoheal"')),
        _driver(psycopg.OperationalError('FATAL: database "autoheal" does not exist')),
        _driver(psycopg.errors.UndefinedTable("no such table")),
        _driver(psycopg.errors.InvalidPassword("no")),
        _not_ready("invalid_auth"),
        _slack("invalid_auth"),
        SchemaMismatch("migrate"),
        BrokenPipeError(),
        FileNotFoundError(),
        KeyError("bug"),
    ],
)
def test_a_refusal_or_a_bug_is_no_absence(error: Exception) -> None:
    assert absence(error) is None


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_AGAIN_S", (0.001,))


async def test_a_start_waits_with_one_line_and_then_begins(caplog: pytest.LogCaptureFixture) -> None:
    tries = ended = 0

    @asynccontextmanager
    async def begin() -> AsyncIterator[str]:
        nonlocal tries, ended
        tries += 1
        if tries < 20:
            raise ConnectionRefusedError
        yield "ready"
        ended += 1

    with caplog.at_level(logging.WARNING):
        async with when_all_answer(begin) as begun:
            assert (begun, ended) == ("ready", 0)
    assert (tries, ended) == (20, 1)
    assert len(caplog.records) == 1
    assert "waiting: a server does not answer (ConnectionRefusedError)" in caplog.text


async def test_what_stays_away_ends_the_start_with_a_sentence() -> None:
    @asynccontextmanager
    async def begin() -> AsyncIterator[str]:
        raise KeyServiceUnreachable("Vault does not answer")
        yield ""

    with pytest.raises(StillAway, match="The key service does not answer"):
        async with when_all_answer(begin, patience_s=0.0):
            pass


async def test_an_error_while_it_serves_is_no_reason_to_begin_anew() -> None:
    tries = 0

    @asynccontextmanager
    async def begin() -> AsyncIterator[str]:
        nonlocal tries
        tries += 1
        yield "ready"

    with pytest.raises(ConnectionResetError):
        async with when_all_answer(begin):
            raise ConnectionResetError
    assert tries == 1


async def test_the_wait_can_be_ended() -> None:
    @asynccontextmanager
    async def begin() -> AsyncIterator[str]:
        raise ConnectionRefusedError
        yield ""

    async def start() -> None:
        async with when_all_answer(begin):
            pass

    starting = asyncio.create_task(start())
    await asyncio.sleep(0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
