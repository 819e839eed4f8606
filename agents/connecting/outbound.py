"""The one way out to vendors over HTTP: time-outs, bounded retries, a size cap, no redirects and a guard against SSRF.

Every address is checked at the moment of connecting, and the checked address is the one that is connected to: a name
that resolves differently a second later gains nothing. Host header, SNI and certificate check keep the name. Which
addresses are public is said in `addresses.py`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import unquote

import httpcore2
import httpx2

from agents.connecting.addresses import IPAddress, is_public, unwrap
from agents.connecting.foreign_json import read_json
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, NotPermitted, TooLarge, Unavailable

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[list[str]]]

_DISGUISED_IPV4 = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+)){0,3}\.?", re.IGNORECASE)
_RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})
_READS = frozenset({"GET", "HEAD"})
_TELLING = frozenset({301, 302, 303, 307, 308, 401, 403, 404, 429})


@dataclass(frozen=True, kw_only=True)
class EgressPolicy:
    """Where calls may go: public addresses, plus `allow_networks` for sources inside the operator's own network.

    A non-empty `allow_hosts` narrows names to these (`*.example.com` covers sub-domains); addresses inside
    `allow_networks` stay reachable by literal address.
    """

    allow_networks: tuple[IPNetwork, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    only_hosts: tuple[str, ...] = ()
    """Where it is for one connection: the hosts of that connection, and no others."""

    def inside(self, address: IPAddress) -> bool:
        return any(address.version == n.version and address in n for n in self.allow_networks)

    def permits_address(self, address: IPAddress) -> bool:
        return self.inside(unwrap(address)) or is_public(address)

    def permits_own(self, host: str) -> bool:
        """Whether it is one of the connection's own hosts, where the policy is for one."""
        name = host.lower().rstrip(".")
        return not self.only_hosts or name in {one.lower().rstrip(".") for one in self.only_hosts}

    def permits_host(self, host: str) -> bool:
        if not self.allow_hosts:
            return True
        literal = _literal(host)
        if literal is not None and self.inside(unwrap(literal)):
            return True
        name = host.lower().rstrip(".")
        return any(
            name == allowed.lower() or (allowed.startswith("*.") and name.endswith(allowed[1:].lower()))
            for allowed in self.allow_hosts
        )


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A whole answer. `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """The body as JSON. Raises Unavailable when it is none, as a proxy's error page."""
        try:
            return read_json(self.body)
        except ValueError as exc:
            raise Unavailable("the answer is not JSON; is the address that of the API itself?") from exc


def _leads_upwards(url: str) -> bool:
    """Whether a part of the path is `.` or `..`, however it is written: a client, a proxy or a server would take it for
    a step, and the name that somebody gave a service would choose the endpoint.
    """
    path = re.split(r"[?#]", url, maxsplit=1)[0]
    return any(unquote(part) in {".", ".."} for part in re.split(r"[/\\\\]|%2f|%5c", path, flags=re.IGNORECASE))


def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


async def resolve_by_system(host: str, port: int) -> list[str]:
    """All addresses of a name, as the system's resolver gives them. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class _PinningBackend(httpcore2.AsyncNetworkBackend):
    """Connects only to addresses that the policy permits, and to exactly those that it looked at."""

    def __init__(self, egress: EgressPolicy, resolve: Resolve) -> None:
        self._egress, self._resolve, self._plain = egress, resolve, httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        literal = _literal(host)
        try:
            addresses = [literal] if literal else [ipaddress.ip_address(a) for a in await self._resolve(host, port)]
        except (OSError, ValueError) as exc:
            raise httpcore2.ConnectError("the name does not resolve") from exc
        if not addresses:
            raise httpcore2.ConnectError("the name does not resolve")
        if not all(self._egress.permits_address(address) for address in addresses):
            raise NotPermitted(
                f"{host} leads to an address that is not public; an operator may add its network to [egress] "
                "allow_networks in the operator's file"
            )
        failure: httpcore2.ConnectError | httpcore2.ConnectTimeout | None = None
        for address in addresses:
            try:
                return await self._plain.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as exc:
                failure = exc
        raise failure or httpcore2.ConnectError("no address")


@cache
def _trusted() -> ssl.SSLContext:
    """Read once: the authorities take longer to read than most answers, and every connection has a client."""
    return httpx2.create_ssl_context()


class _PinningTransport(httpx2.AsyncHTTPTransport):
    """httpx2's transport over a pool that connects through the pinning backend."""

    def __init__(self, backend: _PinningBackend, trusted: ssl.SSLContext) -> None:
        # httpx2 offers no public way to hand a network backend to its transport.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=trusted,
            max_connections=50,
            max_keepalive_connections=20,
            keepalive_expiry=30.0,
            network_backend=backend,
        )


class Untrusted(Unavailable):
    """The server's certificate is signed by nobody whom this client trusts."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(
            f"{place}: its certificate is not trusted ({reason}); where a company's own authority signed it, "
            "SSL_CERT_FILE names a file with the authorities to trust"
        )
        self.reason = reason


class Outbound:
    """One pooled client for all vendors. Close it when the process ends.

    Raises NotPermitted (egress policy), NeedsReauthorisation (401, 403), BadArguments (other 4xx, an unusable URL) and
    Unavailable (no connection, time-out, 429 and 5xx after the retries, a redirect, an answer above the cap). Messages
    name scheme, host and port only: paths and queries may hold secrets.
    """

    def __init__(
        self,
        egress: EgressPolicy,
        *,
        resolve: Resolve = resolve_by_system,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        """`trusted` replaces the authorities of this host, for servers that an authority of their own signed."""
        self.egress = egress
        self._resolve, self._sleep = resolve, sleep
        self._transport = _PinningTransport(_PinningBackend(egress, resolve), trusted or _trusted())
        self._client = httpx2.AsyncClient(
            transport=self._transport,
            follow_redirects=False,
            trust_env=False,
            headers={"user-agent": "autoheal"},
        )

    def trusting(self, trusted: ssl.SSLContext) -> Outbound:
        """Another client under the same policy that trusts these authorities instead. Close it, too."""
        return Outbound(self.egress, resolve=self._resolve, sleep=self._sleep, trusted=trusted)

    async def get(self, url: str, **options: Any) -> Answer:
        """`request` with GET."""
        return await self.request("GET", url, **options)

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str | list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout_s: float = 10.0,
        max_bytes: int = 8_000_000,
        retries: int = 2,
        retry_cap_s: float = 5.0,
        accept: Collection[int] = (),
    ) -> Answer:
        """One call; reads are retried up to `retries` times with pauses of at most `retry_cap_s` seconds.

        `timeout_s` bounds each attempt as a whole, body included. Statuses in `accept` are returned like a success.
        """
        place = self._check_url(url)
        attempts = 1 + (retries if method in _READS else 0)
        for attempt in range(1, attempts + 1):
            cause: Exception | None = None
            pause = min(0.2 * 2 ** (attempt - 1), retry_cap_s)
            try:
                async with asyncio.timeout(timeout_s):
                    request = self._client.build_request(
                        method, url, params=params, headers=headers, content=content, timeout=None
                    )
                    answer = await self._once(request, place, max_bytes)
            except TimeoutError as exc:
                failure, cause = f"{place} did not answer within {timeout_s:g} s", exc
            except httpx2.InvalidURL as exc:
                raise BadArguments("the URL cannot be used") from exc
            except httpx2.TransportError as exc:
                if reason := _distrusted(exc):
                    raise Untrusted(place, reason) from exc
                failure, cause = f"{place} cannot be reached ({type(exc).__name__})", exc
            else:
                if 200 <= answer.status < 300 or answer.status in accept:
                    return answer
                if answer.status not in _RETRIED_STATUS:
                    raise _refusal(place, answer.status)
                failure = f"{place} answered {answer.status}"
                pause = min(_retry_after_s(answer.headers, pause), retry_cap_s)
            if attempt == attempts:
                raise Unavailable(failure) from cause
            await self._sleep(pause)
        raise AssertionError("unreachable")  # the last attempt returns or raises

    async def pause(self, seconds: float) -> None:
        """Waits before a question is asked again, as long as a vendor wished."""
        await self._sleep(seconds)

    def lend(self, *, headers: Mapping[str, str], max_bytes: int, timeout_s: float) -> LentClient:
        """A client for a library that makes requests of its own, under the same rules. Close it with `async with`."""
        return LentClient(self, self._transport, headers=headers, max_bytes=max_bytes, timeout_s=timeout_s)

    async def close(self) -> None:
        await self._client.aclose()

    def place_of(self, url: str) -> str:
        """Scheme, host and port, where the policy lets calls go there. Raises NotPermitted."""
        return self._check_url(url)

    def _check_url(self, url: str) -> str:
        """The place that messages may name: scheme, host and port. Raises before anything is resolved."""
        try:
            parsed = httpx2.URL(url)
        except (httpx2.InvalidURL, TypeError) as exc:
            raise NotPermitted("the URL cannot be used") from exc
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise NotPermitted("only http and https URLs with a host are called")
        if parsed.userinfo:
            raise NotPermitted("the URL holds a user name or password; put it into the credential fields")
        if _leads_upwards(url):
            raise NotPermitted("the URL has a step upwards in its path, so it would lead to elsewhere")
        host = parsed.host
        if _literal(host) is None and _DISGUISED_IPV4.fullmatch(host):
            raise NotPermitted(f"{host} is a disguised IPv4 address; write it as four decimal numbers")
        literal = _literal(host)
        if not self.egress.permits_own(host):
            raise NotPermitted(f"{host} is none of the hosts of this connection")
        if not self.egress.permits_host(host):
            raise NotPermitted(f"{host} is not in [egress] allow_hosts of the operator's file")
        if literal is not None and not self.egress.permits_address(literal):
            raise NotPermitted(
                f"{host} is not a public address; an operator may add its network to [egress] allow_networks in the "
                "operator's file"
            )
        shown = f"[{host}]" if ":" in host else host
        return f"{parsed.scheme}://{shown}" + (f":{parsed.port}" if parsed.port else "")

    async def _once(self, request: httpx2.Request, place: str, max_bytes: int) -> Answer:
        response = await self._client.send(request, stream=True)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > max_bytes:
                    raise TooLarge(f"{place} answered more than {max_bytes} bytes")
        finally:
            await response.aclose()
        lowered = {name.lower(): value for name, value in response.headers.items()}
        return Answer(status=response.status_code, headers=lowered, body=bytes(body))


class _Watched(httpx2.AsyncByteStream):
    """A body that is given up where all bodies together grow over the cap."""

    def __init__(self, stream: httpx2.AsyncByteStream, count: Callable[[int], None]) -> None:
        self._stream, self._count = stream, count

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._count(len(chunk))
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class _LentTransport(httpx2.AsyncBaseTransport):
    """The pool of an `Outbound`, which is not closed with the client that it was lent to."""

    def __init__(self, outbound: Outbound, pool: httpx2.AsyncBaseTransport, max_bytes: int) -> None:
        self._outbound, self._pool, self._left, self._most = outbound, pool, max_bytes, max_bytes
        self._place = ""
        self.failure: AgentError | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            self._place = self._outbound.place_of(str(request.url))
            response = await self._pool.handle_async_request(request)
        except AgentError as exc:
            raise self._failed(exc) from exc
        except httpx2.TransportError as exc:
            reason = _distrusted(exc)
            words = f"{self._place} cannot be reached ({type(exc).__name__})"
            raise self._failed(Untrusted(self._place, reason) if reason else Unavailable(words)) from exc
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()  # what was packed has no size until it is unpacked
            raise self._failed(Unavailable(f"{self._place} packed its answer although it was asked not to"))
        if response.status_code in _TELLING or response.status_code >= 500:
            refusal = _refusal(self._place, response.status_code)
            self.failure = refusal if isinstance(refusal, AgentError) else None
        stream = response.stream
        if not isinstance(stream, httpx2.AsyncByteStream):
            raise TypeError("an asynchronous pool answers with asynchronous bodies")
        response.stream = _Watched(stream, self._count)
        return response

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise self._failed(TooLarge(f"{self._place} answered more than {self._most} bytes"))

    def _failed(self, failure: AgentError) -> httpx2.TransportError:
        self.failure = failure
        return httpx2.ReadError("not permitted or not possible")


class LentClient(httpx2.AsyncClient):
    """Follows no redirects to elsewhere, takes `max_bytes` of all its answers together, and remembers in `failure` why
    a request came to nothing, since libraries tell that in many ways.
    """

    def __init__(
        self,
        outbound: Outbound,
        pool: httpx2.AsyncBaseTransport,
        *,
        headers: Mapping[str, str],
        max_bytes: int,
        timeout_s: float,
    ) -> None:
        self._lent = _LentTransport(outbound, pool, max_bytes)
        super().__init__(
            transport=self._lent,
            follow_redirects=False,
            trust_env=False,
            timeout=timeout_s,
            headers={"user-agent": "autoheal", "accept-encoding": "identity", **headers},
        )

    @property
    def failure(self) -> AgentError | None:
        return self._lent.failure


def _distrusted(failure: BaseException | None) -> str:
    """Why a certificate was refused, where that is what failed; else ""."""
    while failure is not None:
        if isinstance(failure, ssl.SSLCertVerificationError):
            return failure.verify_message or "no reason given"
        failure = failure.__cause__ or failure.__context__
    return ""


def _refusal(place: str, status: int) -> Exception:
    if status in {401, 403}:
        return NeedsReauthorisation(f"{place} refused the credential ({status})")
    if 300 <= status < 400:
        return Unavailable(f"{place} answered with a redirect ({status}); redirects are not followed")
    if 400 <= status < 500:
        return BadArguments(f"{place} refused the request ({status})")
    return Unavailable(f"{place} answered {status}")


def _retry_after_s(headers: Mapping[str, str], otherwise: float) -> float:
    """Seconds of `Retry-After`, given as a number or as a date against the answer's own `Date`."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - parsedate_to_datetime(headers["date"])).total_seconds())
    except (ValueError, TypeError, KeyError):
        return otherwise
