"""P18: what travels is encrypted with TLS 1.2 or later."""

from __future__ import annotations

import asyncio
import socket
import ssl
import warnings
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import text

from bot.settings import is_verified
from bot.verify.promise import NeedsAttestation, NotApplicable, Promise, Proved, Seen
from bot.verify.site import Site, require

_MODERN: Final = ("TLSv1.2", "TLSv1.3")
_TIMEOUT_S: Final = 10.0


class InTransitPromise(Promise):
    id = "P18"
    title = "Encryption in transit: TLS 1.2 or later, HSTS, database TLS"

    async def check(self, site: Site) -> Seen:
        settings = site.settings
        database = await self._database(site)
        public = urlsplit(settings.public_url or "")
        if public.scheme == "https":
            version, hsts = await asyncio.to_thread(_ask, public.hostname or "", public.port or 443)
            require(version in _MODERN, f"{public.hostname} answers with {version}")
            old = await asyncio.to_thread(_takes_old_versions, public.hostname or "", public.port or 443)
            require(not old, f"{public.hostname} still speaks TLS 1.1 or older")
            require(hsts, f"{public.hostname} sends no Strict-Transport-Security header")
            return Proved(
                sentence=f"{public.hostname} answers with {version} and HSTS; {database}",
                observed=(f"a connection to {public.hostname}",),
            )
        if settings.web or settings.mode == "http":
            if settings.http_host in ("127.0.0.1", "::1", "localhost"):
                return NotApplicable(
                    setting=f"AUTOHEAL_HTTP_HOST={settings.http_host}",
                    sentence=f"only this host itself can connect, so no TLS is observed; {database}",
                )
            return NeedsAttestation(sentence=f"What stands before {settings.http_host} cannot be seen from here.")
        return NotApplicable(
            setting="AUTOHEAL_MODE=socket", sentence=f"nothing listens; Slack is reached by TLS from here; {database}"
        )

    async def _database(self, site: Site) -> str:
        if site.is_sqlite:
            return "the database is a file of this host"
        url = site.settings.database_url or ""
        async with site.as_owner() as connection:
            encrypted = await connection.scalar(text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
            local = await connection.scalar(text("SELECT inet_server_addr() IS NULL"))
        if local:
            return "the database is reached by a socket of this host"
        if site.settings.database_tls == "off":
            return "AUTOHEAL_DATABASE_TLS=off: the connection to the database is the operator's to protect"
        require(encrypted or is_verified(url), "the connection to the database is not encrypted")
        return "the database is reached by TLS" if encrypted else "the database is on this host"


def _ask(host: str, port: int) -> tuple[str, bool]:
    """Protocol version, and whether HSTS is sent. Old versions are not even offered."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        with (
            socket.create_connection((host, port), timeout=_TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            secure.sendall(f"HEAD /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = secure.recv(65_536).lower()
            return secure.version() or "no TLS", b"strict-transport-security:" in answer
    except (OSError, ssl.SSLError) as exc:
        require(condition=False, sentence=f"{host} cannot be reached by TLS 1.2 or later ({type(exc).__name__})")
        raise


def _takes_old_versions(host: str, port: int) -> bool:
    """Offers TLS 1.0 and 1.1 only, with every cipher that this side still knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # asking for them is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=_TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return True
    except (OSError, ssl.SSLError):
        return False


PROMISE = InTransitPromise()
