"""A start waits for what it needs and what is only away: the database, the key service, Slack.

One line of the log says for what, and again from time to time; a refusal is no absence, and ends the start at once.
Which is which is decided here, for the other commands too.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

import aiohttp
import psycopg
import sqlalchemy as sa
from slack_sdk.errors import SlackApiError

from store.database.trouble import server_is_away
from store.errors import KeyServiceUnreachable

log = logging.getLogger("autoheal.waiting")
T = TypeVar("T")

PATIENCE_S: Final = 600.0
_AGAIN_S: Final = (1.0, 2.0, 4.0, 5.0)
_REMIND_S: Final = 60.0
_MOST_WORDS: Final = 200
_REFUSED: Final = (
    "authentication failed",
    "does not exist",
    "no pg_hba.conf entry",
    "permission denied",
    "certificate",
)
_SLACK_AWAY: Final = frozenset(
    {"ratelimited", "service_unavailable", "internal_error", "fatal_error", "request_timeout"}
)
_SERVER_ERROR: Final = 500


class StillAway(Exception):
    """What is needed did not answer for ten minutes. Nothing is wrong here that a person could mend; start it again."""


@dataclass(frozen=True, kw_only=True)
class Absence:
    """`what` does not answer; `why` is for the log, short and without secrets."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what} does not answer ({self.why})"


def absence(exc: BaseException) -> Absence | None:
    """None for an error that waiting does not mend."""
    known = next((cause for cause in _causes(exc) if isinstance(cause, tuple(_TELLING))), None)
    if isinstance(known, SlackApiError):
        return _slack(known)
    if known is None or isinstance(known, BrokenPipeError):
        return None
    if isinstance(known, psycopg.OperationalError) and not _is_away(known):
        return None
    what = next(name for kind, name in _TELLING.items() if isinstance(known, kind))
    return Absence(what=what, why=_first_line(known))


_TELLING: Final[dict[type[BaseException], str]] = {
    KeyServiceUnreachable: "the key service",
    psycopg.OperationalError: "the database",
    sa.exc.TimeoutError: "the database",
    SlackApiError: "Slack",
    aiohttp.ClientConnectionError: "Slack",
    ConnectionError: "a server",
    TimeoutError: "a server",
    socket.gaierror: "a server",
}


@asynccontextmanager
async def when_all_answer(
    begin: Callable[[], AbstractAsyncContextManager[T]], *, patience_s: float = PATIENCE_S
) -> AsyncIterator[T]:
    """Enters `begin()` anew until nothing is away. Raises StillAway, and what is no absence as it is."""
    async with AsyncExitStack() as stack:
        yield await _entered(stack, begin, time.monotonic() + patience_s)


async def _entered(stack: AsyncExitStack, begin: Callable[[], AbstractAsyncContextManager[T]], until: float) -> T:
    pauses, told_at, told = iter(_AGAIN_S), 0.0, ""
    while True:
        try:
            return await stack.enter_async_context(begin())
        except Exception as exc:
            away = absence(exc)
            if away is None:
                raise
            now = time.monotonic()
            if now > until:
                raise StillAway(f"{str(away)[:1].upper()}{str(away)[1:]}. Start again when it does.") from exc
            if away.what != told or now - told_at >= _REMIND_S:
                told_at, told = now, away.what
                log.warning("waiting: %s", away, extra={"action": "serve.waiting"})
            await asyncio.sleep(next(pauses, _AGAIN_S[-1]))


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """The error, what the driver said, and what it was raised from."""
    seen: BaseException | None = exc
    while seen is not None:
        yield seen
        seen = seen.orig if isinstance(seen, sa.exc.DBAPIError) else seen.__cause__


def _is_away(error: psycopg.OperationalError) -> bool:
    """A failed connection has no SQL state, only the server's words: those that refuse are known."""
    if error.sqlstate is not None:
        return server_is_away(error.sqlstate)
    return not any(words in str(error) for words in _REFUSED)


def _slack(error: SlackApiError) -> Absence | None:
    code = str(error.response.get("error") or "")
    status = getattr(error.response, "status_code", None) or 0
    if code in _SLACK_AWAY or status >= _SERVER_ERROR:
        return Absence(what="Slack", why=code or str(status))
    return None


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:_MOST_WORDS] or type(error).__name__
