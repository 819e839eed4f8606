"""Everything that listens: Slack's signed HTTP, the JSON API, health, metrics, in one ASGI application and one server.

TLS is ours where a certificate is configured, and at least 1.2; else that of a proxy in front, which
`AUTOHEAL_PUBLIC_URL` names. Who a client is, is taken from proxy headers of the configured proxies alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agents.failure import log_failure
from bot.patient_protocol import PatientProtocol
from bot.settings import Settings, SettingsError
from store.secrets.redaction import Secret

log = logging.getLogger("autoheal.web")

_STARTED_POLL_S: Final = 0.02
_PARTING_S: Final = 10
"""How long a stop waits for answers that are still being read, such as an export."""
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


class NotListening(SettingsError):
    """The address cannot be listened on: it is in use, or the certificate cannot be read. The log says which."""


def build_web_app(
    *,
    slack: Sequence[BaseRoute] = (),
    webhooks: Sequence[BaseRoute] = (),
    api: ASGIApp | None = None,
    metrics: Callable[[], Awaitable[bytes]] | None = None,
    metrics_token: Secret | None = None,
) -> Starlette:
    """Slack's route comes first, so that nothing delays its acknowledgement."""
    routes: list[BaseRoute] = [*slack, *webhooks, Route("/healthz", _healthy)]
    if metrics is not None:
        routes.append(Route("/metrics", _metrics_page(metrics, metrics_token)))
    if api is not None:
        routes.append(Mount("/api", api))
    return Starlette(routes=routes, middleware=[Middleware(Guard)], exception_handlers={HTTPException: _refused})


class Guard:
    """The outer guard of everything that listens: what fails here is one line in the log, and never its text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            log.info("a client went away", extra={"action": "web.client_gone"})
        except Exception as exc:  # noqa: BLE001 -- the outer guard of an entry point
            reference = log_failure(log, "web.failed", exc)
            if not begun and scope["type"] == "http":
                await PlainTextResponse(f"failed, reference {reference}", status_code=500)(scope, receive, send)


async def _refused(_request: Request, exc: Exception) -> Response:
    """A path or a method that is not there."""
    status = exc.status_code if isinstance(exc, HTTPException) else 400
    return PlainTextResponse("refused", status_code=status)


@asynccontextmanager
async def serving_web(app: ASGIApp, settings: Settings) -> AsyncIterator[int]:
    """Listening, on the port that is yielded. Raises NotListening."""
    config = uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        log_level="warning",
        lifespan="off",
        http=PatientProtocol,
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=_PARTING_S,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or "",
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        ssl_context_factory=_modern if settings.tls_certificate else None,
    )
    try:
        config.load()
    except (OSError, ValueError) as exc:
        raise NotListening(
            f"AUTOHEAL_TLS_CERTIFICATE or AUTOHEAL_TLS_KEY cannot be used: {type(exc).__name__}"
        ) from exc
    server = Server(config)
    running = asyncio.create_task(_run(server))
    try:
        while not server.started and not running.done():  # noqa: ASYNC110 -- uvicorn tells it by an attribute only
            await asyncio.sleep(_STARTED_POLL_S)
        if not server.started:
            raise NotListening(f"cannot listen on {settings.http_host} port {settings.http_port}: is it in use?")
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        await running


class Server(uvicorn.Server):
    """Leaves signals to the process that embeds it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _run(server: Server) -> None:
    with contextlib.suppress(SystemExit):  # uvicorn ends the process when the address is in use
        await server.serve()


def _modern(_config: uvicorn.Config, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context = default()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def _healthy(_request: Request) -> Response:
    """For a load balancer: the process answers."""
    return PlainTextResponse("ok")


def _metrics_page(
    metrics: Callable[[], Awaitable[bytes]], token: Secret | None
) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        if not _may_scrape(request, token):
            return PlainTextResponse("send the token of AUTOHEAL_METRICS_TOKEN", status_code=403)
        return Response(await metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return page


def _may_scrape(request: Request, token: Secret | None) -> bool:
    """With a token: who sends it. Without one: this host itself, not somebody behind a proxy on it."""
    if token is not None:
        sent = request.headers.get("authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(sent.encode(), token.reveal().encode())
    return is_loopback(request.client.host if request.client else "") and not any(
        name in request.headers for name in _FORWARDED
    )


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
