"""The envelope: content encrypted and bound to its tenant, table, column and row.

    AH2 | data key id (16) | salt (16) | commitment (32) | AES-256-GCM ciphertext and tag

BLAKE2b, keyed by the tenant's data key, makes of a fresh salt a key that encrypts this one value, and a commitment: a
ciphertext opens under one key only. The commitment is compared first, in constant time. The associated data names the
place: a ciphertext moved to another row, column, table or tenant does not open.

AH1, as it was sealed before, differs in the derivation alone and still opens: docs/decisions/0015.
"""

import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import blake2b
from hmac import compare_digest

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from store.errors import CorruptEnvelope, UnknownKey

MAGICS = (b"AH2", b"AH1")
"""What an envelope begins with; only the first is made."""
_MAGIC, _OLD_MAGIC = MAGICS
_PERSON = b"autoheal AH2"  # keeps this use of a key apart from every other
_OLD_INFO = b"autoheal AH1 key nonce commitment"
_NONCE = bytes(12)  # always the same, because a key encrypts one value only
_ID_LENGTH = (16).to_bytes(4, "big")
_ID_AT, _SALT_AT, _COMMIT_AT, _BODY_AT, _SHORTEST = 3, 19, 35, 67, 67 + 16


@dataclass(frozen=True, kw_only=True)
class DataKey:
    """A tenant's key: 32 random bytes. `dek_id` is the UUID that envelopes name it by."""

    dek_id: str
    secret: bytes = field(repr=False)

    @cached_property
    def id_bytes(self) -> bytes:
        return uuid.UUID(self.dek_id).bytes

    def derive(self, salt: bytes) -> bytes:
        """The key of one value (32 bytes) and its commitment (32 bytes)."""
        state = self._keyed()
        state.update(salt)
        return state.digest()

    @cached_property
    def _keyed(self) -> Callable[[], blake2b]:
        """A copy of the hash that has taken the key in already, which is half of its work."""
        return blake2b(key=self.secret, person=_PERSON).copy


@dataclass(frozen=True, kw_only=True)
class DataKeys:
    """All versions of a tenant's key; the current one seals, every one opens."""

    current: DataKey
    by_id: Mapping[str, DataKey] = field(repr=False)

    @cached_property
    def by_beginning(self) -> Mapping[bytes, DataKey]:
        """By the first bytes of the envelopes that are made."""
        return {_MAGIC + uuid.UUID(dek_id).bytes: key for dek_id, key in self.by_id.items()}


@dataclass(frozen=True, kw_only=True)
class SealedPlace:
    """Where a ciphertext lives."""

    tenant_id: str
    table: str
    column: str
    row_id: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column} of row {self.row_id}"


def seal(key: DataKey, place: SealedPlace, plain: bytes) -> bytes:
    salt = os.urandom(16)
    derived = key.derive(salt)
    body = AESGCM(derived[:32]).encrypt(_NONCE, plain, _associated(place, key.id_bytes))
    return b"".join((_MAGIC, key.id_bytes, salt, derived[32:], body))


def unseal(keys: DataKeys, place: SealedPlace, envelope: bytes) -> bytes:
    """Raises CorruptEnvelope, or UnknownKey when the keyring lacks the key that the envelope names."""
    key, nonce = keys.by_beginning.get(envelope[:_SALT_AT]), _NONCE
    if key is not None:
        derived = key.derive(envelope[_SALT_AT:_COMMIT_AT])
    else:
        key = _key_of_old(keys, place, envelope)
        derived, nonce = _derive_old(key, envelope[_SALT_AT:_COMMIT_AT])
    if not compare_digest(derived[32:], envelope[_COMMIT_AT:_BODY_AT]):
        raise CorruptEnvelope(f"{place}: the key commitment differs")
    try:
        return AESGCM(derived[:32]).decrypt(nonce, envelope[_BODY_AT:], _associated(place, key.id_bytes))
    except InvalidTag as exc:
        raise CorruptEnvelope(f"{place} was changed or moved") from exc


def key_of(envelope: bytes) -> str | None:
    """The id of the data key that an envelope names; None for what is no envelope."""
    if len(envelope) < _SHORTEST or not envelope.startswith(MAGICS):
        return None
    return str(uuid.UUID(bytes=envelope[_ID_AT:_SALT_AT]))


def _key_of_old(keys: DataKeys, place: SealedPlace, envelope: bytes) -> DataKey:
    """For what does not begin as the envelopes that are made now. Raises as `unseal`."""
    named = key_of(envelope)
    if named is None:
        raise CorruptEnvelope(f"{place} is not an envelope")
    if named not in keys.by_id:
        raise UnknownKey(f"{place} was sealed with a key not in the keyring")
    return keys.by_id[named]


def _derive_old(key: DataKey, salt: bytes) -> tuple[bytes, bytes]:
    """What `DataKey.derive` is for an AH1 envelope, and its nonce."""
    stream = HKDF(algorithm=hashes.SHA256(), length=76, salt=salt, info=_OLD_INFO).derive(key.secret)
    return stream[:32] + stream[44:], stream[32:44]


def _associated(place: SealedPlace, dek_id: bytes) -> bytes:
    """Each part behind its length, so that none can be shifted into another."""
    row = place.row_id.encode()
    return _before_row(place.tenant_id, place.table, place.column, len(row)) + row + _ID_LENGTH + dek_id


@lru_cache(maxsize=4096)
def _before_row(tenant_id: str, table: str, column: str, row_length: int) -> bytes:
    """The same few columns come again and again; to write them down anew would cost a microsecond."""
    parts = (tenant_id.encode(), table.encode(), column.encode())
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts) + row_length.to_bytes(4, "big")
