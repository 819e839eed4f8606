"""The envelope opens in its own place, under its own key, unchanged; and nowhere else."""

import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from store.errors import CorruptEnvelope, UnknownKey
from store.ids import new_id
from store.keys import vault
from store.keys.vault import DataKey, DataKeys, SealedPlace

KEY = DataKey(dek_id=new_id(), secret=bytes(range(32)))
KEYS = DataKeys(current=KEY, by_id={KEY.dek_id: KEY})
PLACE = SealedPlace(tenant_id=new_id(), table="notes", column="text", row_id=new_id())


def test_what_was_sealed_opens() -> None:
    assert vault.unseal(KEYS, PLACE, vault.seal(KEY, PLACE, b"")) == b""
    assert vault.unseal(KEYS, PLACE, vault.seal(KEY, PLACE, b"content")) == b"content"


def test_the_envelope_is_what_its_description_says() -> None:
    """Put together here by hand: what lies in databases must open for ever."""
    envelope = vault.seal(KEY, PLACE, b"content")
    salt = envelope[19:35]
    derived = hashlib.blake2b(salt, key=KEY.secret, person=b"autoheal AH2", digest_size=64).digest()
    parts = (PLACE.tenant_id, PLACE.table, PLACE.column, PLACE.row_id)
    place = b"".join(len(part).to_bytes(4, "big") + part.encode() for part in parts)
    place += (16).to_bytes(4, "big") + KEY.id_bytes
    body = AESGCM(derived[:32]).encrypt(bytes(12), b"content", place)
    assert envelope == b"AH2" + KEY.id_bytes + salt + derived[32:] + body


OLD_KEY = DataKey(dek_id="01a20861-9f46-715f-bc1a-9fa6a6ae2ff5", secret=bytes(range(32)))
OLD_KEYS = DataKeys(current=OLD_KEY, by_id={OLD_KEY.dek_id: OLD_KEY})
OLD_PLACE = SealedPlace(
    tenant_id="01a20861-9f46-715f-bc1a-000000000001",
    table="notes",
    column="text",
    row_id="01a20861-9f46-715f-bc1a-000000000002",
)
OLD_ENVELOPE = bytes.fromhex(
    "41483101a208619f46715fbc1a9fa6a6ae2ff56465666768696a6b6c6d6e6f707172731b28514412a54c27a15b533e2747bbd6740aa6cffb"
    "57e550a628c2c4ed20db7fd1928a2e21c3a0f8380dc71d368d1cf1f5c32920375ba5efa860db4fe0"
)
"""Sealed by the version that made AH1."""


def test_what_was_sealed_before_still_opens_in_its_place_alone() -> None:
    assert vault.unseal(OLD_KEYS, OLD_PLACE, OLD_ENVELOPE) == b"sealed before"
    with pytest.raises(CorruptEnvelope):
        vault.unseal(OLD_KEYS, replace(OLD_PLACE, row_id=new_id()), OLD_ENVELOPE)
    for index in range(len(OLD_ENVELOPE)):
        changed = bytearray(OLD_ENVELOPE)
        changed[index] ^= 0x01
        with pytest.raises((CorruptEnvelope, UnknownKey)):
            vault.unseal(OLD_KEYS, OLD_PLACE, bytes(changed))


def test_an_envelope_does_not_pass_for_the_other_version() -> None:
    with pytest.raises(CorruptEnvelope, match="commitment"):
        vault.unseal(KEYS, PLACE, b"AH1" + vault.seal(KEY, PLACE, b"content")[3:])
    with pytest.raises(CorruptEnvelope, match="commitment"):
        vault.unseal(OLD_KEYS, OLD_PLACE, b"AH2" + OLD_ENVELOPE[3:])


def test_no_two_values_share_a_key() -> None:
    envelopes = [vault.seal(KEY, PLACE, b"content") for _ in range(100)]
    assert len({KEY.derive(envelope[19:35])[:32] for envelope in envelopes}) == 100


def test_the_same_text_never_looks_the_same() -> None:
    assert vault.seal(KEY, PLACE, b"content") != vault.seal(KEY, PLACE, b"content")


@pytest.mark.parametrize("part", ["tenant_id", "table", "column", "row_id"])
def test_a_moved_envelope_does_not_open(part: str) -> None:
    envelope = vault.seal(KEY, PLACE, b"content")
    with pytest.raises(CorruptEnvelope):
        vault.unseal(KEYS, replace(PLACE, **{part: new_id()}), envelope)


def test_parts_of_a_place_cannot_be_shifted_into_each_other() -> None:
    place = replace(PLACE, table="ab", column="c")
    with pytest.raises(CorruptEnvelope):
        vault.unseal(KEYS, replace(PLACE, table="a", column="bc"), vault.seal(KEY, place, b"content"))


def test_no_byte_can_be_changed() -> None:
    envelope = vault.seal(KEY, PLACE, b"content")
    for index in range(len(envelope)):
        changed = bytearray(envelope)
        changed[index] ^= 0x01
        with pytest.raises((CorruptEnvelope, UnknownKey)):
            vault.unseal(KEYS, PLACE, bytes(changed))


@pytest.mark.parametrize("cut", [0, 1, 3, 66, 82, -1])
def test_a_cut_envelope_does_not_open(cut: int) -> None:
    with pytest.raises(CorruptEnvelope):
        vault.unseal(KEYS, PLACE, vault.seal(KEY, PLACE, b"content")[:cut])


def test_another_key_under_the_same_name_fails_its_commitment() -> None:
    wrong = DataKey(dek_id=KEY.dek_id, secret=bytes(32))
    with pytest.raises(CorruptEnvelope, match="commitment"):
        vault.unseal(DataKeys(current=wrong, by_id={wrong.dek_id: wrong}), PLACE, vault.seal(KEY, PLACE, b"content"))


def test_an_older_key_still_opens() -> None:
    newer = DataKey(dek_id=new_id(), secret=bytes(32))
    keys = DataKeys(current=newer, by_id={newer.dek_id: newer, KEY.dek_id: KEY})
    assert vault.unseal(keys, PLACE, vault.seal(KEY, PLACE, b"content")) == b"content"


def test_keys_do_not_show_in_repr() -> None:
    assert repr(KEY.secret) not in repr(KEYS)
