"""What listens: routes, the guard of the metrics, TLS, and how it says that it cannot."""

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bot.settings import Settings, SettingsError
from bot.web_app import NotListening, build_web_app, serving_web
from store.secrets.redaction import Secret
from tests.fakes.certificate import make_certificate


async def _metrics() -> bytes:
    return b"autoheal_up 1\n"


async def _api(_scope: Any, _receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"api"})


def _client(app: Any, ip: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app, client=(ip, 4711)), base_url="http://web")


async def test_everything_has_its_place() -> None:
    async def slack(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("slack")

    app = build_web_app(slack=[Route("/slack/events", slack, methods=["POST"])], api=_api, metrics=_metrics)
    async with _client(app, "127.0.0.1") as client:
        assert (await client.get("/healthz")).text == "ok"
        assert (await client.post("/slack/events")).text == "slack"
        assert (await client.get("/api/anything")).status_code == 418
        assert (await client.get("/metrics")).text == "autoheal_up 1\n"
        assert (await client.get("/elsewhere")).status_code == 404


@pytest.mark.parametrize(
    ("ip", "headers", "token", "status"),
    [
        ("127.0.0.1", {}, None, 200),
        ("::1", {}, None, 200),
        ("203.0.113.7", {}, None, 403),
        ("127.0.0.1", {"x-forwarded-for": "203.0.113.7"}, None, 403),
        ("127.0.0.1", {"forwarded": "for=127.0.0.1"}, None, 403),
        ("127.0.0.1", {}, "planted-token", 403),
        ("203.0.113.7", {"authorization": "Bearer planted-token"}, "planted-token", 200),
        ("203.0.113.7", {"authorization": "Bearer planted"}, "planted-token", 403),
    ],
)
async def test_metrics_are_for_this_host_or_for_who_has_the_token(
    ip: str, headers: dict[str, str], token: str | None, status: int
) -> None:
    app = build_web_app(metrics=_metrics, metrics_token=Secret(token) if token else None)
    async with _client(app, ip) as client:
        assert (await client.get("/metrics", headers=headers)).status_code == status


async def test_with_a_certificate_tls_1_2_is_the_least(tmp_path: Path) -> None:
    certificate, private = make_certificate(tmp_path)
    settings = Settings(http_port=0, tls_certificate=certificate, tls_key=private)
    async with serving_web(build_web_app(), settings) as port:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=str(certificate))
            context.maximum_version = version
            async with httpx2.AsyncClient(verify=context) as client:
                assert (await client.get(f"https://localhost:{port}/healthz")).text == "ok"
        old = ssl.create_default_context(cafile=str(certificate))
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="deprecated"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        async with httpx2.AsyncClient(verify=old) as client:
            with pytest.raises(httpx2.ConnectError):
                await client.get(f"https://localhost:{port}/healthz")


async def test_a_port_in_use_and_a_certificate_that_is_none_are_said(tmp_path: Path) -> None:
    async with serving_web(build_web_app(), Settings(http_port=0)) as port:
        with pytest.raises(NotListening, match=f"port {port}"):
            async with serving_web(build_web_app(), Settings(http_port=port)):
                pytest.fail("it listens")
    (tmp_path / "no.pem").write_text("no certificate")
    wrong = Settings(http_port=0, tls_certificate=tmp_path / "no.pem", tls_key=tmp_path / "no.pem")
    with pytest.raises(NotListening, match="AUTOHEAL_TLS_CERTIFICATE"):
        async with serving_web(build_web_app(), wrong):
            pytest.fail("it listens")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"http_host": "192.0.2.1"}, "AUTOHEAL_PUBLIC_URL"),
        ({"tls_certificate": "x.pem"}, "go together"),
        ({"http_host": "192.0.2.1", "public_url": "https://autoheal.example"}, None),
        ({"http_host": "192.0.2.1", "tls_certificate": "x.pem", "tls_key": "y.pem"}, None),
        ({}, None),
    ],
)
def test_passwords_do_not_travel_in_the_clear(settings: dict[str, Any], says: str | None) -> None:
    if says is None:
        Settings(**settings).require_web()
        return
    with pytest.raises(SettingsError, match=says):
        Settings(**settings).require_web()
