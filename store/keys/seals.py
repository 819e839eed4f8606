"""Sealing and opening for one tenant. The place of a ciphertext is its table, column and row in this tenant.

It needs the tenant's keys and redactor, and no transaction.
"""

import json
from typing import Any

from store.ids import TenantId
from store.keys import vault
from store.keys.vault import DataKeys, SealedPlace
from store.secrets.redaction import VERBATIM_KEYS, Redacted, Redactor, Secret


class TenantSeals:
    """Text is redacted before it is sealed; a secret is sealed as it is."""

    def __init__(self, *, tenant_id: TenantId, data_keys: DataKeys | None, redactor: Redactor | None = None) -> None:
        self.tenant_id = tenant_id
        self._data_keys = data_keys
        self._redactor = redactor

    @property
    def redactor(self) -> Redactor:
        """Knows this tenant's stored credentials; in a session those saved earlier in its transaction too."""
        if self._redactor is None:
            raise RuntimeError("the session is not open, or it erases")
        return self._redactor

    def seal(self, table: str, column: str, row_id: str, text: Redacted) -> bytes:
        if not isinstance(text, Redacted):
            raise TypeError("text must pass a Redactor before it is sealed")
        return self._seal(table, column, row_id, text)

    def open(self, table: str, column: str, row_id: str, blob: bytes) -> Redacted:
        return Redacted.ours(self._open(table, column, row_id, blob))

    def seal_json(
        self, table: str, column: str, row_id: str, value: Any, *, verbatim_keys: frozenset[str] = VERBATIM_KEYS
    ) -> bytes:
        """Redacts the leaves, then seals. The shape stays. Raises RedactionFailed."""
        return self._seal(table, column, row_id, _dump(self.redactor.redact_json(value, verbatim_keys)))

    def open_json(self, table: str, column: str, row_id: str, blob: bytes) -> Any:
        return json.loads(self._open(table, column, row_id, blob))

    def seal_secret(self, table: str, column: str, row_id: str, secret: Secret) -> bytes:
        return self._seal(table, column, row_id, secret.reveal())

    def open_secret(self, table: str, column: str, row_id: str, blob: bytes) -> Secret:
        return Secret(self._open(table, column, row_id, blob))

    def _seal(self, table: str, column: str, row_id: str, text: str) -> bytes:
        place = SealedPlace(tenant_id=self.tenant_id, table=table, column=column, row_id=row_id)
        return vault.seal(self._keys().current, place, text.encode("utf-8", "surrogatepass"))

    def _open(self, table: str, column: str, row_id: str, blob: bytes) -> str:
        place = SealedPlace(tenant_id=self.tenant_id, table=table, column=column, row_id=row_id)
        return vault.unseal(self._keys(), place, blob).decode("utf-8", "surrogatepass")

    def _keys(self) -> DataKeys:
        if self._data_keys is None:
            raise RuntimeError("a session that erases holds no keys")
        return self._data_keys


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
