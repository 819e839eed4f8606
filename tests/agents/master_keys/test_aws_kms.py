"""AWS KMS wraps and unwraps under its encryption context; each refusal says what to do. moto's server, not AWS."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from agents.master_keys.aws_kms import AwsKmsKeys
from store.errors import KeyAccessDenied, KeyServiceUnreachable, WrongMasterKey

ARN = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
CONTEXT = {"tenant_id": "t", "dek_id": "d"}


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """A local AWS."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


async def make_key(endpoint: str) -> str:
    from aiobotocore.session import get_session  # type: ignore[import-untyped] # publishes no types

    async with get_session().create_client("kms", region_name="us-east-1", endpoint_url=endpoint) as client:
        return str((await client.create_key())["KeyMetadata"]["Arn"])


async def test_a_data_key_comes_back_under_the_same_context_only(aws: str) -> None:
    keys = AwsKmsKeys(key_arn=await make_key(aws), endpoint_url=aws)
    wrapped = await keys.wrap(b"k" * 32, context=CONTEXT)
    assert b"k" * 32 not in wrapped
    assert await keys.unwrap(wrapped, context=CONTEXT) == b"k" * 32
    with pytest.raises(WrongMasterKey, match="nothing was changed"):
        await keys.unwrap(wrapped, context={**CONTEXT, "tenant_id": "another"})
    with pytest.raises(WrongMasterKey):
        await keys.unwrap(wrapped[:-1] + bytes([wrapped[-1] ^ 1]), context=CONTEXT)
    await keys.close()


async def test_a_former_key_unwraps_only_where_the_operator_named_it(aws: str) -> None:
    first, second = await make_key(aws), await make_key(aws)
    old = AwsKmsKeys(key_arn=first, endpoint_url=aws)
    wrapped = await old.wrap(b"k" * 32, context=CONTEXT)
    assert await old.is_current(wrapped)
    stranger = AwsKmsKeys(key_arn=second, endpoint_url=aws)
    with pytest.raises(WrongMasterKey, match="AUTOHEAL_KMS_FORMER_KEY_ARNS"):
        await stranger.unwrap(wrapped, context=CONTEXT)
    moved = AwsKmsKeys(key_arn=second, former_arns=(first,), endpoint_url=aws)
    assert await moved.unwrap(wrapped, context=CONTEXT) == b"k" * 32
    assert not await moved.is_current(wrapped)
    for keys in (old, stranger, moved):
        await keys.close()


async def test_an_unknown_key_says_what_to_do(aws: str) -> None:
    unknown = AwsKmsKeys(key_arn=ARN, endpoint_url=aws)
    with pytest.raises(WrongMasterKey, match="AUTOHEAL_KMS_KEY_ARN"):
        await unknown.wrap(b"k" * 32, context=CONTEXT)
    await unknown.close()


@pytest.fixture
def refusing() -> Iterator[Callable[[str, int], str]]:
    """Servers that refuse everything with one of AWS's error codes, as KMS words it on the wire."""
    started: list[ThreadingHTTPServer] = []

    def start(code: str, status: int) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                assert self.headers["x-amz-target"].startswith("TrentService.")
                body = json.dumps({"__type": code, "message": "User: arn:aws:sts::1:x is not authorized"}).encode()
                self.send_response(status)
                self.send_header("content-type", "application/x-amz-json-1.1")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        started.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("code", "status", "error", "words"),
    [
        ("AccessDeniedException", 400, KeyAccessDenied, f"allow kms:Encrypt on {ARN}"),
        ("UnrecognizedClientException", 400, KeyAccessDenied, "UnrecognizedClientException"),
        ("DisabledException", 400, KeyAccessDenied, "enable it again"),
        ("KMSInvalidStateException", 400, KeyAccessDenied, "waits for its deletion"),
    ],
)
async def test_refusals_name_the_missing_right(
    refusing: Any, code: str, status: int, error: type[Exception], words: str
) -> None:
    keys = AwsKmsKeys(key_arn=ARN, endpoint_url=refusing(code, status))
    with pytest.raises(error) as refused:
        await keys.wrap(b"k" * 32, context=CONTEXT)
    assert words in str(refused.value)
    await keys.close()


async def test_no_service_and_no_credentials_are_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    nobody = AwsKmsKeys(key_arn=ARN, endpoint_url="http://127.0.0.1:1", timeout_s=0.5, attempts=1)
    nobody_wraps = nobody.wrap(b"k" * 32, context=CONTEXT)
    with pytest.raises(KeyServiceUnreachable, match="Nothing was lost"):
        await asyncio.wait_for(nobody_wraps, 60)
    await nobody.close()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    unknown = AwsKmsKeys(key_arn=ARN, endpoint_url="http://127.0.0.1:1")
    with pytest.raises(KeyAccessDenied, match="give it a role"):
        await unknown.wrap(b"k" * 32, context=CONTEXT)
    await unknown.close()
