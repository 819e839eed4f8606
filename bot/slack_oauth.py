"""Workspaces that install the app themselves: Slack's OAuth, with slack-bolt's own flow and a store of ours.

`GET /slack/install` sends a browser to Slack with a state that is signed, bound to that browser by a cookie and good
for ten minutes; Slack sends it back to `GET /slack/oauth_redirect` with a code, which buys the bot's token. Only
workspaces that the operator named become tenants: a token of any other one is revoked at once.
https://docs.slack.dev/authentication/installing-with-oauth
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable
from html import escape
from logging import Logger
from typing import Any, Final
from urllib.parse import urljoin

from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from slack_bolt.error import BoltError
from slack_bolt.oauth.async_callback_options import AsyncCallbackOptions, AsyncFailureArgs, AsyncSuccessArgs
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from slack_sdk.web.async_client import AsyncWebClient
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agents.failure import log_failure
from bot.first_admin import name_first_admin
from bot.manifest import bot_scopes, load_manifest
from bot.settings import Settings
from bot.slack_installs import settle_install
from store.database.session import Database
from store.errors import StoreError
from store.ids import TenantId
from store.secrets.redaction import Secret
from store.tenancy.tenants import SlackInstall

log = logging.getLogger("autoheal.install")

INSTALL_PATH: Final = "/slack/install"
REDIRECT_PATH: Final = "/slack/oauth_redirect"
STATE_S: Final = 600
_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_REASONS: Final = {
    "access_denied": "The installation was cancelled in Slack.",
    "invalid_browser": "This browser did not begin the installation, or does not keep cookies.",
    "invalid_state": "The installation took longer than ten minutes.",
    "missing_code": "Slack sent no code.",
    "invalid_code": "Slack did not confirm the installation.",
}


class NotInstalled(BoltError):
    """Why nothing was installed, for the person at the browser."""


class SignedStates(AsyncOAuthStateStore):
    """States that any replica can check: a random word and a time, under a key made of the client's secret."""

    def __init__(self, client_secret: Secret, now: Callable[[], float]) -> None:
        self._key = hashlib.sha256(b"autoheal oauth state\0" + client_secret.reveal().encode()).digest()
        self._now = now

    @property
    def logger(self) -> Logger:
        return log

    async def async_issue(self, *_: Any, **__: Any) -> str:
        word = f"{secrets.token_urlsafe(16)}.{int(self._now())}"
        return f"{word}.{self._sign(word)}"

    async def async_consume(self, state: str) -> bool:
        """Whether it is ours and young enough. The code that comes with it works once, so it need not be remembered."""
        word, _, signature = state.rpartition(".")
        issued = word.rpartition(".")[2]
        if not hmac.compare_digest(signature.encode(), self._sign(word).encode()) or not issued.isdecimal():
            return False
        return 0 <= self._now() - int(issued) <= STATE_S

    def _sign(self, word: str) -> str:
        return hmac.new(self._key, word.encode(), hashlib.sha256).hexdigest()


class TenantInstallations(AsyncInstallationStore):
    """Keeps an installation as its tenant's. `installed` is told of each."""

    def __init__(
        self,
        db: Database,
        client: Callable[[Secret | None], AsyncWebClient],
        *,
        may_install: frozenset[str] | None,
        installed: Callable[[TenantId], object],
    ) -> None:
        self._db, self._client, self._may_install, self._installed = db, client, may_install, installed

    async def async_save(self, installation: Installation) -> None:
        """Raises NotInstalled."""
        token = Secret(installation.bot_token or "")
        ids = {one for one in (installation.team_id, installation.enterprise_id) if one}
        if self._may_install is not None and not ids & self._may_install:
            await self._revoke(token)
            raise NotInstalled(
                f"This Autoheal does not serve {' or '.join(sorted(ids))}. Whoever runs it names the workspaces that "
                "it serves in AUTOHEAL_SLACK_WORKSPACES."
            )
        if installation.bot_refresh_token or installation.bot_token_expires_at:
            await self._revoke(token)
            raise NotInstalled("The app has token rotation switched on, which Autoheal does not support yet.")
        install = SlackInstall(
            enterprise_id=installation.enterprise_id or None,
            team_id=None if installation.is_enterprise_install else installation.team_id,
            is_enterprise_install=bool(installation.is_enterprise_install),
            app_id=installation.app_id or "",
            bot_user_id=installation.bot_user_id or "",
            bot_token=token,
            installer_slack_id=installation.user_id or "",
            scopes=tuple(sorted(installation.bot_scopes or ())),
            installed_at=self._db.now(),
        )
        name = installation.enterprise_name if installation.is_enterprise_install else installation.team_name
        try:
            tenant = await settle_install(self._db, install, name=name or " ".join(sorted(ids)))
            await name_first_admin(self._db, tenant, self._client(token), named=installation.user_id)
        except StoreError as exc:
            log_failure(log, "install.not_kept", exc)
            raise NotInstalled("It could not be stored. Try again in a minute.") from exc
        self._installed(tenant)
        log.info("installed", extra={"action": "slack.installed", "tenant": tenant})

    async def _revoke(self, token: Secret) -> None:
        try:
            await self._client(token).auth_revoke()
        except SlackApiError as exc:
            log_failure(log, "install.not_revoked", exc)


def install_routes(
    settings: Settings,
    db: Database,
    client: Callable[[Secret | None], AsyncWebClient],
    *,
    installed: Callable[[TenantId], object],
    now: Callable[[], float],
) -> list[Route]:
    """The two addresses, for settings with SLACK_CLIENT_ID (`Settings.require_slack` has checked the rest)."""
    client_secret = settings.slack_client_secret.get_secret_value() if settings.slack_client_secret else ""
    silent = logging.getLogger("autoheal.install.flow")  # the flow writes codes, which are as good as tokens
    silent.disabled = True
    flow = AsyncOAuthFlow(
        client=client(None),
        logger=silent,
        settings=AsyncOAuthSettings(
            client_id=settings.slack_client_id,
            client_secret=client_secret,
            scopes=sorted(bot_scopes(load_manifest())),
            redirect_uri=f"{settings.public_url}{REDIRECT_PATH}",
            authorization_url=urljoin(settings.slack_api_url, "/oauth/v2/authorize"),
            install_page_rendering_enabled=False,
            installation_store=TenantInstallations(db, client, may_install=settings.may_install, installed=installed),
            state_store=SignedStates(Secret(client_secret), now),
            state_expiration_seconds=STATE_S,
            callback_options=AsyncCallbackOptions(success=_installed, failure=_refused),
            logger=silent,
        ),
    )

    def answering(handle: Callable[[AsyncBoltRequest], Awaitable[BoltResponse]]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            try:
                return to_starlette_response(await handle(to_async_bolt_request(request, b"")))
            except Exception as exc:  # noqa: BLE001 -- the outer guard of an entry point
                log_failure(log, "install.failed", exc)
                return to_starlette_response(_page(503, "Not installed", "Slack or the store did not answer.", _AGAIN))

        return answer

    return [
        Route(INSTALL_PATH, answering(flow.handle_installation), methods=["GET"]),
        Route(REDIRECT_PATH, answering(flow.handle_callback), methods=["GET"]),
    ]


async def _installed(args: AsyncSuccessArgs) -> BoltResponse:
    one = args.installation
    bot = load_manifest()["features"]["bot_user"]["display_name"]
    where = escape(str(one.team_name or one.enterprise_name or "your workspace"))
    steps = (
        f"<li>In your incident channel: <code>/invite @{escape(bot)}</code></li>"
        "<li>Connect the first tool: <code>/autoheal connect</code></li>"
        f"<li>Say what is wrong: <code>@{escape(bot)} checkout is slow since 14:05</code></li>"
    )
    link = f'<p><a href="https://app.slack.com/client/{escape(str(one.team_id or ""))}">Open Slack</a></p>'
    said = "Whoever installs it first is its admin. Next:"
    page = _page(200, f"Autoheal is installed in {where}", said, f"<ol>{steps}</ol>{link}")
    page.headers["set-cookie"] = [args.settings.state_utils.build_set_cookie_for_deletion()]
    return page


async def _refused(args: AsyncFailureArgs) -> BoltResponse:
    ours = args.error if isinstance(args.error, NotInstalled) else None
    log.warning("not installed", extra={"action": "slack.not_installed", "reason": args.reason[:40]})
    said = str(ours) if ours else _REASONS.get(args.reason, "Slack did not allow it.")
    page = _page(403 if ours else args.suggested_status_code, "Not installed", escape(said), _AGAIN)
    page.headers["set-cookie"] = [args.settings.state_utils.build_set_cookie_for_deletion()]
    return page


_AGAIN: Final = f'<p><a href="{INSTALL_PATH}">Begin again</a></p>'
_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 10vh auto; padding: 0 1.25rem; color: #1d1c1d; }
h1 { font-size: 1.4rem } li { margin: .4rem 0 } a { color: #1264a3 }
code { background: #f2f2f2; padding: .1em .35em; border-radius: 4px }
@media (prefers-color-scheme: dark) {
  body { color: #e8e8e8; background: #1a1d21 } code { background: #2c2f33 } a { color: #6cb6e6 }
}
"""


def _page(status: int, title: str, said: str, rest: str) -> BoltResponse:
    """All arguments are markup: what comes from elsewhere was escaped."""
    body = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1><p>{said}</p>{rest}</html>"
    )
    return BoltResponse(status=status, body=body, headers=dict(_HEADERS))
