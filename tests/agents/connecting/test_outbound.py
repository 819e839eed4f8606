import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agents.connecting.addresses import unwrap
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, NotPermitted, Unavailable

LOOPBACK = EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),))


class Web:
    """A loopback HTTP server that answers raw bytes in turn and keeps the requests."""

    def __init__(self, *answers: bytes) -> None:
        self.answers, self.requests, self.port = list(answers), list[str](), 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer == b"SILENCE":
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def web(*answers: bytes) -> AsyncIterator[Web]:
    site = Web(*answers)
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()


def reply(status: str = "200 OK", body: bytes = b"ok", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def outbound(
    egress: EgressPolicy = LOOPBACK,
    *,
    slept: list[float] | None = None,
    resolve: Callable[[str, int], Awaitable[list[str]]] | None = None,
) -> AsyncIterator[Outbound]:
    async def sleep(seconds: float) -> None:
        if slept is not None:
            slept.append(seconds)

    client = Outbound(egress, sleep=sleep, resolve=resolve) if resolve else Outbound(egress, sleep=sleep)
    try:
        yield client
    finally:
        await client.close()


def resolver(*turns: list[str]) -> Callable[[str, int], Awaitable[list[str]]]:
    left = list(turns)

    async def resolve(host: str, port: int) -> list[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://127.1/",
        "http://0177.0.0.1/",
        "http://[::1]/",
        "http://[::]/",
        "http://0.0.0.0/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[64:ff9b:1::a9fe:a9fe]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[::169.254.169.254]/",
        "http://[2002:a9fe:a9fe::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://100.64.0.1/",
        "http://224.0.0.1/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
        "http://１２７.0.0.1/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "http:///nohost",
        "//example.com/",
        "http://user:hunter2@example.com/",
    ],
)
async def test_addresses_that_are_not_public_are_refused_before_any_connection(url: str) -> None:
    async with outbound(EgressPolicy()) as client:
        with pytest.raises(NotPermitted) as refusal:
            await client.get(url)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "64:ff9b::7f00:1", "::ffff:10.1.2.3", "169.254.169.254", "2002:7f00:1::"]
)
async def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    async with outbound(EgressPolicy(), resolve=resolver([address])) as client:
        with pytest.raises(NotPermitted, match="allow_networks"):
            await client.get("http://metrics.example/")


async def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    async with outbound(EgressPolicy(), resolve=resolver(["93.184.215.14", "127.0.0.1"])) as client:
        with pytest.raises(NotPermitted):
            await client.get("http://metrics.example/")


async def test_a_disguised_address_is_refused_even_inside_an_allowed_network() -> None:
    async with outbound() as client:
        for url in ("http://0x7f.1/", "http://2130706433/", "http://127.1/"):
            with pytest.raises(NotPermitted, match="disguised"):
                await client.get(url)


async def test_the_checked_address_is_the_connected_one_and_the_name_stays_in_the_host_header() -> None:
    async with web(reply()) as site, outbound(resolve=resolver(["127.0.0.1"], ["192.0.2.1"])) as client:
        answer = await client.get(f"http://metrics.example:{site.port}/metrics")
        assert answer.text() == "ok"
    assert f"host: metrics.example:{site.port}" in site.requests[0].lower()


async def test_a_rebinding_name_is_checked_again_at_each_connection() -> None:
    async with web(reply()) as site, outbound(resolve=resolver(["127.0.0.1"], ["10.0.0.1"])) as client:
        await client.get(f"http://metrics.example:{site.port}/")
        with pytest.raises(NotPermitted):
            await client.get(f"http://metrics.example:{site.port}/")
    assert len(site.requests) == 1


async def test_only_allowed_hosts_are_called_when_hosts_are_listed() -> None:
    policy = EgressPolicy(allow_networks=LOOPBACK.allow_networks, allow_hosts=("*.example",))
    async with web(reply()) as site, outbound(policy, resolve=resolver(["127.0.0.1"])) as client:
        await client.get(f"http://a.example:{site.port}/")
        await client.get(f"http://127.0.0.1:{site.port}/")
        for host in ("example.org", "example"):
            with pytest.raises(NotPermitted, match="allow_hosts"):
                await client.get(f"http://{host}:{site.port}/")


async def test_redirects_are_not_followed() -> None:
    async with web(reply("302 Found", location="http://169.254.169.254/")) as site, outbound() as client:
        with pytest.raises(Unavailable, match="redirect"):
            await client.get(f"http://127.0.0.1:{site.port}/")
    assert len(site.requests) == 1


async def test_an_overloaded_source_is_asked_again_after_the_time_it_wants_but_not_longer_than_the_cap() -> None:
    slept: list[float] = []
    busy, lazy = reply("429 Too Many", retry_after="2"), reply("503 Later", retry_after="3600")
    async with web(busy, lazy, reply()) as site, outbound(slept=slept) as client:
        assert (await client.get(f"http://127.0.0.1:{site.port}/")).status == 200
    assert slept == [2.0, 5.0]


async def test_a_date_in_retry_after_counts_from_the_answers_own_date() -> None:
    slept: list[float] = []
    dated = reply("503 X", retry_after="Wed, 21 Oct 2026 07:28:03 GMT", date="Wed, 21 Oct 2026 07:28:00 GMT")
    async with web(dated, reply()) as site, outbound(slept=slept) as client:
        await client.get(f"http://127.0.0.1:{site.port}/")
    assert slept == [3.0]


async def test_retries_are_bounded_and_writes_are_never_repeated() -> None:
    async with web(reply("503 X")) as site, outbound() as client:
        with pytest.raises(Unavailable, match="503"):
            await client.get(f"http://127.0.0.1:{site.port}/")
        assert len(site.requests) == 3
        with pytest.raises(Unavailable, match="503"):
            await client.request("POST", f"http://127.0.0.1:{site.port}/", content=b"x")
        assert len(site.requests) == 4


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        ("401 No", NeedsReauthorisation),
        ("403 No", NeedsReauthorisation),
        ("404 No", BadArguments),
        ("501 No", Unavailable),
    ],
)
async def test_refusals_become_fates(status: str, fate: type[AgentError]) -> None:
    async with web(reply(status)) as site, outbound() as client:
        with pytest.raises(fate):
            await client.get(f"http://127.0.0.1:{site.port}/")
        assert (await client.get(f"http://127.0.0.1:{site.port}/", accept={int(status[:3])})).text() == "ok"


async def test_errors_name_neither_path_nor_query() -> None:
    async with web(reply("500 X")) as site, outbound() as client:
        with pytest.raises(Unavailable) as failure:
            await client.get(f"http://127.0.0.1:{site.port}/hook/T0PSECRET", params={"api_key": "hunter2"})
    assert "T0PSECRET" not in str(failure.value)
    assert "hunter2" not in str(failure.value)


async def test_a_source_that_stays_silent_is_given_up() -> None:
    async with web(b"SILENCE") as site, outbound() as client:
        with pytest.raises(Unavailable, match="did not answer within"):
            await client.get(f"http://127.0.0.1:{site.port}/", timeout_s=0.05, retries=0)


async def test_nothing_listening_is_unavailable() -> None:
    async with web(reply()) as site:
        port = site.port
    async with outbound() as client:
        with pytest.raises(Unavailable, match="cannot be reached"):
            await client.get(f"http://127.0.0.1:{port}/")


async def test_an_answer_above_the_cap_is_refused() -> None:
    async with web(reply(body=b"x" * 2_000)) as site, outbound() as client:
        with pytest.raises(Unavailable, match="more than 1000 bytes"):
            await client.get(f"http://127.0.0.1:{site.port}/", max_bytes=1_000)


async def test_a_page_that_is_not_json_is_said_so() -> None:
    async with web(reply(body=b"<html>")) as site, outbound() as client:
        answer = await client.get(f"http://127.0.0.1:{site.port}/")
        with pytest.raises(Unavailable, match="not JSON"):
            answer.json()


def test_public_addresses_stay_themselves() -> None:
    policy = EgressPolicy()
    for text in ("8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"):
        assert policy.permits_address(ipaddress.ip_address(text))
    assert str(unwrap(ipaddress.ip_address("::1"))) == "::1"


async def test_a_certificate_that_is_not_trusted_is_said_so_at_once(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Shop Internal CA")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "server.pem").write_bytes(made.public_bytes(pem) + private)
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(tmp_path / "server.pem")

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=secure)
    outbound = Outbound(LOOPBACK)
    try:
        with pytest.raises(Unavailable, match=r"its certificate is not trusted \(.*SSL_CERT_FILE"):
            await outbound.get(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    finally:
        await outbound.close()
        server.close()


@pytest.mark.parametrize(
    "path", ["queues/..", "queues/../users", "queues/%2e%2e/users", "queues/.%2E/x", "a%2f..%2fb", "./x", "a\\..\\b"]
)
async def test_a_step_upwards_in_a_path_is_refused_before_anything_is_sent(path: str) -> None:
    async with web(reply()) as site, outbound() as out:
        with pytest.raises(NotPermitted, match="upwards"):
            await out.get(f"http://127.0.0.1:{site.port}/api/{path}?of=..")
        assert (await out.get(f"http://127.0.0.1:{site.port}/api/v1..v2/...?of=../..")).status == 200
        assert len(site.requests) == 1


async def test_json_that_is_too_deep_is_told_like_any_other_that_is_none() -> None:
    async with web(reply(body=b"[" * 50_000)) as site, outbound() as out:
        answer = await out.get(f"http://127.0.0.1:{site.port}/")
        with pytest.raises(Unavailable, match="not JSON"):
            answer.json()
