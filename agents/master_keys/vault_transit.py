"""HashiCorp Vault's Transit engine as the master key: data keys are encrypted there, under a key that never leaves it.

Tenant and key id go along twice: as `associated_data`, which any AEAD key authenticates, and as `context`, which keys
made with `derived=true` need. Vault's own rewrap takes no associated data, so keys are rewrapped by unwrap and wrap.
https://developer.hashicorp.com/vault/api-docs/secret/transit
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any, Final
from urllib.parse import quote, urlsplit

from agents.connecting.outbound import Answer, EgressPolicy, Outbound
from agents.errors import AgentError, NotPermitted
from store.errors import KeyAccessDenied, KeyServiceUnreachable, WrongMasterKey
from store.secrets.redaction import Secret

_REFUSED: Final = frozenset({400, 401, 403, 404})


def vault_outbound(address: str) -> Outbound:
    """A client for this one host, wherever in the operator's network it is."""
    anywhere = (ip_network("0.0.0.0/0"), ip_network("::/0"))
    return Outbound(EgressPolicy(allow_networks=anywhere, allow_hosts=(urlsplit(address).hostname or "",)))


class VaultTransitKeys:
    """`address` as in VAULT_ADDR. The token's policy needs update on `<mount>/encrypt/<key>` and
    `<mount>/decrypt/<key>`, and on `<mount>/keys/<key>/rotate` for `autoheal keys rotate-master`.
    """

    name = "vault"

    def __init__(
        self,
        outbound: Outbound,
        *,
        address: str,
        key: str,
        token: Secret,
        mount: str = "transit",
        namespace: str | None = None,
    ) -> None:
        self._outbound = outbound
        self._base = f"{address.rstrip('/')}/v1/{quote(mount.strip('/'))}"
        self._key = key
        self._token = token
        self._namespace = namespace
        self._latest: int | None = None

    async def wrap(self, data_key: bytes, *, context: Mapping[str, str]) -> bytes:
        fields = {"plaintext": base64.b64encode(data_key).decode(), **_bound(context)}
        ciphertext = await self._ask("encrypt", fields, "ciphertext")
        self._latest = _version(ciphertext)
        return ciphertext.encode()

    async def unwrap(self, wrapped: bytes, *, context: Mapping[str, str]) -> bytes:
        fields = {"ciphertext": wrapped.decode("ascii", "replace"), **_bound(context)}
        plaintext = await self._ask("decrypt", fields, "plaintext")
        try:
            return base64.b64decode(plaintext, validate=True)
        except binascii.Error as exc:
            raise KeyServiceUnreachable(
                "Vault answered a plaintext that is not base64: is AUTOHEAL_VAULT_ADDRESS right?"
            ) from exc

    async def is_current(self, wrapped: bytes) -> bool:
        """Whether the key's newest version wrapped it. Asks by wrapping something, which needs no further right."""
        if self._latest is None:
            await self.wrap(bytes(32), context={"purpose": "version"})
        return _version(wrapped.decode("ascii", "replace")) == self._latest

    async def rotate(self) -> str:
        """A new version of the key, in Vault. Earlier versions stay there until their minimum is raised."""
        await self._post(f"keys/{quote(self._key)}/rotate", {})
        self._latest = None
        return f"Vault has a new version of {self._key}; earlier versions still open what they wrapped."

    async def close(self) -> None:
        await self._outbound.close()

    async def _ask(self, action: str, fields: Mapping[str, str], wanted: str) -> str:
        answer = await self._post(f"{action}/{quote(self._key)}", fields)
        data = _object(answer).get("data")
        value = data.get(wanted) if isinstance(data, dict) else None
        if not isinstance(value, str) or not value:
            raise KeyServiceUnreachable("the answer is not Vault's: is AUTOHEAL_VAULT_ADDRESS right?")
        return value

    async def _post(self, path: str, fields: Mapping[str, str]) -> Answer:
        headers = {"x-vault-token": self._token.reveal(), "x-vault-request": "true", "content-type": "application/json"}
        if self._namespace:
            headers["x-vault-namespace"] = self._namespace
        try:
            answer = await self._outbound.request(
                "POST",
                f"{self._base}/{path}",
                headers=headers,
                content=json.dumps(dict(fields)).encode(),
                timeout_s=5.0,
                max_bytes=100_000,
                accept=_REFUSED,
            )
        except NotPermitted as exc:
            raise KeyAccessDenied(f"AUTOHEAL_VAULT_ADDRESS cannot be used: {exc}") from exc
        except AgentError as exc:
            raise KeyServiceUnreachable(
                f"Vault does not serve ({exc}): start it, unseal it, or correct AUTOHEAL_VAULT_ADDRESS. "
                "Nothing was lost"
            ) from exc
        if answer.status in _REFUSED:
            raise self._refusal(path, answer)
        return answer

    def _refusal(self, path: str, answer: Answer) -> Exception:
        """Vault's own words are matched, never passed on."""
        told = " ".join(str(error) for error in _object(answer).get("errors") or ()).lower()
        if answer.status in (401, 403):
            return KeyAccessDenied(
                f"Vault refused the token: renew AUTOHEAL_VAULT_TOKEN, and allow it `update` on {path} of this mount"
            )
        if answer.status == 404 or "not found" in told or "unsupported path" in told:
            return WrongMasterKey(
                f"Vault has no Transit key {self._key!r} there: check AUTOHEAL_VAULT_MOUNT, AUTOHEAL_VAULT_KEY and "
                "AUTOHEAL_VAULT_NAMESPACE"
            )
        if "associated data" in told or "associated_data" in told:
            return WrongMasterKey(
                f"the Transit key {self._key!r} takes no associated data: make it of type aes256-gcm96"
            )
        return WrongMasterKey(
            f"Vault's key {self._key!r} does not open this keyring: it is another key, or its "
            "min_decryption_version was raised too early"
        )


def _bound(context: Mapping[str, str]) -> dict[str, str]:
    text = base64.b64encode(json.dumps(dict(context), sort_keys=True).encode()).decode()
    return {"context": text, "associated_data": text}


def _version(ciphertext: str) -> int | None:
    """Of `vault:v3:...`."""
    parts = ciphertext.split(":", 2)
    return int(parts[1][1:]) if len(parts) == 3 and parts[1][1:].isdigit() else None


def _object(answer: Answer) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
