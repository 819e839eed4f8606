"""The AH1 envelope: content encrypted and bound to its tenant, table, column and row.

    AH1 | data key id (16) | salt (16) | commitment (32) | AES-256-GCM ciphertext and tag

HKDF-SHA256 of the tenant's data key and a fresh salt gives key, nonce and a commitment, so that no nonce is ever
reused and a ciphertext opens under one key only. The commitment is compared first, in constant time. The associated
data names the place: a ciphertext moved to another row, column, table or tenant does not open.
"""

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import constant_time, hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from store.errors import CorruptEnvelope, UnknownKey

_MAGIC = b"AH1"
_INFO = b"autoheal AH1 key nonce commitment"
_SHA256 = hashes.SHA256()
_ID_LENGTH = (16).to_bytes(4, "big")
_ID_AT, _SALT_AT, _COMMIT_AT, _BODY_AT, _SHORTEST = 3, 19, 35, 67, 67 + 16


@dataclass(frozen=True, kw_only=True)
class DataKey:
    """A tenant's key. `dek_id` is the UUID that envelopes name it by."""

    dek_id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class DataKeys:
    """All versions of a tenant's key; the current one seals, every one opens."""

    current: DataKey
    by_id: Mapping[str, DataKey] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a ciphertext lives."""

    tenant_id: str
    table: str
    column: str
    row_id: str


def seal(key: DataKey, place: Place, plain: bytes) -> bytes:
    salt = os.urandom(16)
    dek_id = _id_bytes(key.dek_id)
    secret, nonce, commitment = _derive(key, salt)
    body = AESGCM(secret).encrypt(nonce, plain, _associated(place, dek_id))
    return b"".join((_MAGIC, dek_id, salt, commitment, body))


def unseal(keys: DataKeys, place: Place, envelope: bytes) -> bytes:
    """Raises CorruptEnvelope, or UnknownKey when the keyring lacks the key that the envelope names."""
    if len(envelope) < _SHORTEST or not envelope.startswith(_MAGIC):
        raise CorruptEnvelope(f"{place.table}.{place.column} of row {place.row_id} is not an AH1 envelope")
    dek_id = envelope[_ID_AT:_SALT_AT]
    key = keys.by_id.get(_id_text(dek_id))
    if key is None:
        raise UnknownKey(f"{place.table}.{place.column} of row {place.row_id} was sealed with a key not in the keyring")
    secret, nonce, commitment = _derive(key, envelope[_SALT_AT:_COMMIT_AT])
    if not constant_time.bytes_eq(commitment, envelope[_COMMIT_AT:_BODY_AT]):
        raise CorruptEnvelope(f"{place.table}.{place.column} of row {place.row_id}: the key commitment differs")
    try:
        return AESGCM(secret).decrypt(nonce, envelope[_BODY_AT:], _associated(place, dek_id))
    except InvalidTag as exc:
        raise CorruptEnvelope(f"{place.table}.{place.column} of row {place.row_id} was changed or moved") from exc


def key_of(envelope: bytes) -> str | None:
    """The id of the data key that an envelope names; None for what is no envelope."""
    if len(envelope) < _SHORTEST or not envelope.startswith(_MAGIC):
        return None
    return str(uuid.UUID(bytes=envelope[_ID_AT:_SALT_AT]))


def _derive(key: DataKey, salt: bytes) -> tuple[bytes, bytes, bytes]:
    stream = HKDF(algorithm=_SHA256, length=76, salt=salt, info=_INFO).derive(key.secret)
    return stream[:32], stream[32:44], stream[44:]


def _associated(place: Place, dek_id: bytes) -> bytes:
    row = place.row_id.encode()
    before = _column(place.tenant_id, place.table, place.column)
    return b"".join((before, len(row).to_bytes(4, "big"), row, _ID_LENGTH, dek_id))


# The same few keys and columns come again and again; each of these would cost a microsecond of the seven of a seal.


@lru_cache(maxsize=4096)
def _column(tenant_id: str, table: str, column: str) -> bytes:
    parts = (tenant_id.encode(), table.encode(), column.encode())
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@lru_cache(maxsize=4096)
def _id_bytes(dek_id: str) -> bytes:
    return uuid.UUID(dek_id).bytes


@lru_cache(maxsize=4096)
def _id_text(dek_id: bytes) -> str:
    return str(uuid.UUID(bytes=dek_id))
