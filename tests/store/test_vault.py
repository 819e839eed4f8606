"""The envelope opens in its own place, under its own key, unchanged; and nowhere else."""

from dataclasses import replace

import pytest

from store import vault
from store.errors import CorruptEnvelope, UnknownKey
from store.ids import new_id
from store.vault import DataKey, DataKeys, Place

KEY = DataKey(dek_id=new_id(), secret=bytes(range(32)))
KEYS = DataKeys(current=KEY, by_id={KEY.dek_id: KEY})
PLACE = Place(tenant_id=new_id(), table="notes", column="text", row_id=new_id())


def test_what_was_sealed_opens() -> None:
    assert vault.unseal(KEYS, PLACE, vault.seal(KEY, PLACE, b"")) == b""
    assert vault.unseal(KEYS, PLACE, vault.seal(KEY, PLACE, b"content")) == b"content"


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
