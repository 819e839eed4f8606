"""One call to Slack's Web API: paced, repeated while that can help, and with its failure named.

slack_sdk repeats a request by itself when the connection breaks, and then a message appears twice. Its handlers are
taken off; a lost answer is told to the caller, who looks whether the message is there before sending it again.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from handlers.slack.delivery.pace import SendingPace, Sleep
from store.errors import NotFound
from store.ids import TenantId

_log = logging.getLogger(__name__)

ATTEMPTS: Final = 5
LONGEST_WAIT_S: Final = 60.0
_PASSING: Final = frozenset(
    {"ratelimited", "internal_error", "fatal_error", "service_unavailable", "team_added_to_org", "request_timeout"}
)

ClientFor = Callable[[TenantId], Awaitable[AsyncWebClient]]
Send = Callable[[AsyncWebClient], Awaitable[AsyncSlackResponse]]


class SlackFailure(Exception):
    """Root of what Slack, or the way to it, did to a call."""


class SlackRefused(SlackFailure):
    """Slack said no, and would again: `code` is its error code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class AnswerLost(SlackFailure):
    """The connection broke or Slack stumbled after the request left: it may have been carried out."""


class Unreachable(SlackFailure):
    """Slack did not answer within all attempts."""


class SlackCalls:
    """Calls in the name of a tenant's bot."""

    def __init__(self, client_for: ClientFor, *, pace: SendingPace, sleep: Sleep) -> None:
        self._client_for, self._pace, self._sleep = client_for, pace, sleep

    async def call(
        self, tenant: TenantId, method: str, send: Send, *, channel: str = "", repeatable: bool = True
    ) -> Mapping[str, Any]:
        """The answer's data. Raises SlackRefused, Unreachable and, unless `repeatable`, AnswerLost."""
        client = await self._client(tenant)
        for attempt in range(ATTEMPTS):
            await self._pace.wait(tenant, method, channel)
            try:
                return _data(await send(client))
            except SlackApiError as exc:
                wait = _judge(exc, method, attempt, repeatable=repeatable)
            except (aiohttp.ClientError, TimeoutError, OSError) as exc:
                if not repeatable:
                    raise AnswerLost(type(exc).__name__) from exc
                wait = backoff(attempt)
            _log.warning("action=slack.call.repeated tenant=%s method=%s wait_s=%.1f", tenant, method, wait)
            await self._sleep(wait)
        raise Unreachable(method)

    async def _client(self, tenant: TenantId) -> AsyncWebClient:
        try:
            client = await self._client_for(tenant)
        except NotFound as exc:
            raise SlackRefused("not_installed") from exc
        if client.retry_handlers:
            client.retry_handlers = []
        return client


def backoff(attempt: int) -> float:
    """Seconds before the next try: 0.5, 1, 2, 4, 8."""
    return float(0.5 * 2**attempt)


def _judge(exc: SlackApiError, method: str, attempt: int, *, repeatable: bool) -> float:
    """Seconds to wait, or the failure."""
    data, status = _data(exc.response), getattr(exc.response, "status_code", getattr(exc.response, "status", 200))
    code = str(data.get("error") or "")
    if status == 429 or code == "ratelimited":
        return _retry_after(getattr(exc.response, "headers", {}), attempt)
    if code in _PASSING:
        return backoff(attempt)
    if code:
        raise SlackRefused(code) from exc
    if not repeatable:
        raise AnswerLost(f"{method} {status}") from exc
    return backoff(attempt)


def _retry_after(headers: Mapping[str, Any], attempt: int) -> float:
    given = next((value for name, value in headers.items() if name.lower() == "retry-after"), None)
    first = given[0] if isinstance(given, list) and given else given
    try:
        wait = float(str(first))
    except ValueError:
        return backoff(attempt)
    return min(max(wait, 0.0), LONGEST_WAIT_S)


def _data(response: Any) -> Mapping[str, Any]:
    data = getattr(response, "data", response)
    return data if isinstance(data, Mapping) else {}
