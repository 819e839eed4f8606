"""Vault's Transit engine, as its API documents it: a strict local server answers in its place."""

import base64
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from agents.master_keys.vault_transit import VaultTransitKeys, vault_outbound
from store.errors import KeyAccessDenied, KeyServiceUnreachable, WrongMasterKey
from store.secrets.redaction import Secret

CONTEXT = {"tenant_id": "t", "dek_id": "d"}


class FakeVault:
    """Refuses what Vault refuses: a wrong token, another mount or key, fields that are not base64, a wrong context."""

    def __init__(self) -> None:
        self.versions = [AESGCM.generate_key(256)]
        self.sealed = False
        self.requests: list[str] = []

    def answer(  # noqa: PLR0911 -- one for each thing that Vault answers
        self, path: str, headers: Any, fields: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        self.requests.append(path)
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if headers["x-vault-token"] != "hvs.good" or headers["x-vault-request"] != "true":
            return 403, {"errors": ["permission denied"]}
        match path.split("/"):
            case ["", "v1", "transit", "encrypt", "autoheal"]:
                bound = base64.b64decode(fields["associated_data"], validate=True)
                plain = base64.b64decode(fields["plaintext"], validate=True)
                assert fields["context"] == fields["associated_data"]
                nonce = os.urandom(12)
                body = nonce + AESGCM(self.versions[-1]).encrypt(nonce, plain, bound)
                text = f"vault:v{len(self.versions)}:{base64.b64encode(body).decode()}"
                return 200, {"data": {"ciphertext": text, "key_version": len(self.versions)}}
            case ["", "v1", "transit", "decrypt", "autoheal"]:
                bound = base64.b64decode(fields["associated_data"], validate=True)
                prefix, version, encoded = fields["ciphertext"].split(":")
                body = base64.b64decode(encoded)
                assert prefix == "vault"
                try:
                    plain = AESGCM(self.versions[int(version[1:]) - 1]).decrypt(body[:12], body[12:], bound)
                except InvalidTag:
                    return 400, {"errors": ["cipher: message authentication failed"]}
                return 200, {"data": {"plaintext": base64.b64encode(plain).decode()}}
            case ["", "v1", "transit", "keys", "autoheal", "rotate"]:
                self.versions.append(AESGCM.generate_key(256))
                return 200, {"data": {"latest_version": len(self.versions)}}
            case ["", "v1", "transit", _, "plain"]:
                return 400, {"errors": ["associated_data provided for non-AEAD cipher suite"]}
            case ["", "v1", "transit", *_]:
                return 400, {"errors": ["encryption key not found"]}
        return 404, {"errors": ["no handler for route. route entry not found."]}


@pytest.fixture
def vault() -> Iterator[tuple[FakeVault, str]]:
    fake = FakeVault()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, answer = fake.answer(self.path, self.headers, json.loads(body))
            sent = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield fake, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def keys_of(address: str, **changes: Any) -> VaultTransitKeys:
    given = {"key": "autoheal", "token": Secret("hvs.good"), **changes}
    return VaultTransitKeys(vault_outbound(address), address=address, **given)


async def test_a_data_key_comes_back_under_the_same_context_only(vault: tuple[FakeVault, str]) -> None:
    keys = keys_of(vault[1])
    wrapped = await keys.wrap(b"k" * 32, context=CONTEXT)
    assert wrapped.startswith(b"vault:v1:")
    assert await keys.unwrap(wrapped, context=CONTEXT) == b"k" * 32
    with pytest.raises(WrongMasterKey, match="another key"):
        await keys.unwrap(wrapped, context={**CONTEXT, "tenant_id": "another"})
    await keys.close()


async def test_after_a_rotation_old_wraps_open_and_are_known_as_old(vault: tuple[FakeVault, str]) -> None:
    keys = keys_of(vault[1])
    old = await keys.wrap(b"k" * 32, context=CONTEXT)
    assert await keys.is_current(old)
    assert "autoheal" in await keys.rotate()
    assert not await keys.is_current(old)
    assert await keys.unwrap(old, context=CONTEXT) == b"k" * 32
    new = await keys.wrap(b"k" * 32, context=CONTEXT)
    assert new.startswith(b"vault:v2:")
    fresh = keys_of(vault[1])
    assert await fresh.is_current(new)
    assert not await fresh.is_current(old)
    await keys.close()
    await fresh.close()


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"token": Secret("hvs.expired")}, KeyAccessDenied, "AUTOHEAL_VAULT_TOKEN"),
        ({"key": "missing"}, WrongMasterKey, "AUTOHEAL_VAULT_KEY"),
        ({"mount": "elsewhere"}, WrongMasterKey, "AUTOHEAL_VAULT_MOUNT"),
        ({"key": "plain"}, WrongMasterKey, "aes256-gcm96"),
    ],
)
async def test_refusals_say_what_to_do(
    vault: tuple[FakeVault, str], changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    keys = keys_of(vault[1], **changes)
    with pytest.raises(error, match=words) as refused:
        await keys.wrap(b"k" * 32, context=CONTEXT)
    assert "hvs." not in str(refused.value)
    await keys.close()


async def test_a_sealed_or_absent_vault_loses_nothing(vault: tuple[FakeVault, str]) -> None:
    vault[0].sealed = True
    for address in (vault[1], "http://127.0.0.1:1"):
        keys = keys_of(address)
        with pytest.raises(KeyServiceUnreachable, match=r"unseal it.*Nothing was lost"):
            await keys.wrap(b"k" * 32, context=CONTEXT)
        await keys.close()


async def test_the_client_reaches_its_vault_only(vault: tuple[FakeVault, str]) -> None:
    from agents.errors import NotPermitted

    outbound = vault_outbound("https://vault.internal:8200")
    with pytest.raises(NotPermitted):
        await outbound.request("POST", "https://example.com/v1/transit/encrypt/x")
    await outbound.close()
