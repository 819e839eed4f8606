"""The way to Slack's Web API: one guarded session for the process, a client per tenant, and the adoption of a
workspace.

The session refuses every host but Slack's own and its subdomains, redirects included, so that neither a response
address nor a library's default can lead elsewhere. A token is read from the vault when it is needed and kept for a
minute.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient
from yarl import URL

from bot.first_admin import name_first_admin
from bot.slack_installs import settle_install
from bot.waiting import absence
from store.database.session import Database
from store.errors import NotFound, TenantFrozen
from store.ids import TenantId
from store.secrets.redaction import Secret
from store.tenancy import tenants
from store.tenancy.tenants import SlackInstall

log = logging.getLogger("autoheal.slack")

TOKEN_FRESH: Final = timedelta(seconds=60)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class EgressRefused(Exception):
    """A request to a host that is not Slack's was stopped before it left. Check SLACK_API_URL."""


class SlackNotReady(Exception):
    """Slack refused the token; the message says which variable to mend and how."""


def guarded_session(api_url: str) -> aiohttp.ClientSession:
    """A session that reaches the host of `api_url` and its subdomains only. Close it at the end."""
    own = URL(api_url).host or ""
    schemes = ("https", "wss") if URL(api_url).scheme == "https" else ("http", "https", "ws", "wss")

    def judge(url: URL) -> None:
        host = url.host or ""
        if host != own and not host.endswith(f".{own}"):
            raise EgressRefused(f"{host} is not {own}")
        if url.scheme not in schemes:
            raise EgressRefused(f"{host} is only reached by {schemes[0]}")

    async def before_request(
        _: aiohttp.ClientSession, __: SimpleNamespace, start: aiohttp.TraceRequestStartParams
    ) -> None:
        judge(start.url)

    async def before_redirect(
        _: aiohttp.ClientSession, __: SimpleNamespace, redirect: aiohttp.TraceRequestRedirectParams
    ) -> None:
        told = redirect.response.headers
        judge(redirect.url.join(URL(told.get("Location") or told.get("URI") or "")))  # aiohttp follows either

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(before_request)
    trace.on_request_redirect.append(before_redirect)
    return aiohttp.ClientSession(trace_configs=[trace])


def make_client(session: aiohttp.ClientSession, api_url: str, token: Secret | None) -> AsyncWebClient:
    """A Web API client on the shared session. It waits out a rate limit and repeats what broke, once each."""
    client = AsyncWebClient(
        token=token.reveal() if token else None,
        base_url=api_url,
        session=session,
        retry_handlers=[
            AsyncConnectionErrorRetryHandler(),
            AsyncServerErrorRetryHandler(),
            AsyncRateLimitErrorRetryHandler(max_retry_count=1),
        ],
    )
    if URL(api_url).host in _LOOPBACK:
        client.proxy = None  # a proxy of the environment is for the outside
    return client


class TenantClients:
    """`handlers.slack.clients.SlackClients`. Each call makes a client of its own, which its user may change."""

    def __init__(
        self, *, db: Database, session: aiohttp.ClientSession, api_url: str, clock: Callable[[], datetime]
    ) -> None:
        self._db = db
        self._session = session
        self._api_url = api_url
        self._clock = clock
        self._tokens: dict[TenantId, tuple[datetime, Secret]] = {}

    async def client_for(self, tenant: TenantId) -> AsyncWebClient:
        """Raises NotFound for a tenant whose app was uninstalled or never installed."""
        known = self._tokens.get(tenant)
        if known is None or self._clock() - known[0] >= TOKEN_FRESH:
            known = self._tokens[tenant] = (self._clock(), await self._token(tenant))
        return make_client(self._session, self._api_url, known[1])

    def forget(self, tenant: TenantId) -> None:
        """Its token, after it was destroyed."""
        self._tokens.pop(tenant, None)

    async def _token(self, tenant: TenantId) -> Secret:
        try:
            async with self._db.tenant(tenant, readonly=True) as s:
                install = await tenants.load_install(s)
        except TenantFrozen:
            install = None
        if install is None or not install.bot_token.reveal():
            self._tokens.pop(tenant, None)
            raise NotFound("Slack is not connected for this tenant")
        return install.bot_token


@dataclass(frozen=True, kw_only=True)
class ServedTenant:
    """The tenant that a process for one workspace serves."""

    tenant_id: TenantId
    team_id: str
    team: str
    bot_user_id: str


async def tenant_of_token(
    db: Database, client: AsyncWebClient, token: Secret, *, admin_slack_id: str | None = None
) -> ServedTenant:
    """Ask Slack once who the token is, and keep the install for its workspace, encrypted. Safe to run at every start.

    The first admin is `admin_slack_id`, else whom `first_admin.py` finds. Raises SlackNotReady for a refused token,
    and SlackApiError where Slack is only busy or away.
    """
    try:
        answer = await client.auth_test()
    except SlackApiError as exc:
        if absence(exc) is not None:
            raise
        code = exc.response.get("error")
        raise SlackNotReady(
            f"SLACK_BOT_TOKEN was refused by Slack ({code}): reinstall the app and copy the Bot User OAuth Token again"
        ) from exc
    team_id, enterprise_id = str(answer["team_id"]), str(answer.get("enterprise_id") or "") or None
    team = str(answer.get("team") or team_id)
    install = SlackInstall(
        enterprise_id=enterprise_id,
        team_id=team_id,
        is_enterprise_install=False,
        app_id=str(answer.get("app_id") or ""),
        bot_user_id=str(answer["user_id"]),
        bot_token=token,
        installer_slack_id=admin_slack_id or "",
        scopes=_scopes(answer.headers),
        installed_at=db.now(),
    )
    tenant = await settle_install(db, install, name=team)
    await name_first_admin(db, tenant, client, named=admin_slack_id)
    return ServedTenant(tenant_id=tenant, team_id=team_id, team=team, bot_user_id=str(answer["user_id"]))


def _scopes(headers: Mapping[str, Any]) -> tuple[str, ...]:
    """Slack names the token's scopes in a header of each answer."""
    given = next((value for name, value in headers.items() if name.lower() == "x-oauth-scopes"), "")
    text = given[0] if isinstance(given, list) and given else given
    return tuple(sorted(scope.strip() for scope in str(text).split(",") if scope.strip()))
