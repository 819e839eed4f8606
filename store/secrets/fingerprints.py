"""Finds a tenant's own secrets without knowing them, for the process that reads log files.

What is sent there is a job like any other, and holds keyed digests: whoever sees the job cannot read a secret out of it
(a short one he could find by trying, as with any digest). Each place of a text is hashed over its first six characters;
a bitmap says where it is worth looking closer, and there the digest decides.
"""

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from store.secrets.own import OWN, SHORTEST
from store.secrets.pairs import TextSpan

_BITS: Final = 20  # of the bitmap's index: two thousand forms let one place in five hundred through
_BLOCK: Final = 1 << 16
_MIX: Final = (0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93)


class Fingerprints:
    """Of the forms that `store.secrets.own.Forms` has. Picklable."""

    def __init__(self, forms: Iterable[str]) -> None:
        self._key = secrets.token_bytes(32)
        self._factor = secrets.randbits(64) | 1
        lengths: defaultdict[int, set[int]] = defaultdict(set)
        digests = set()
        for form in forms:
            lengths[int(self._slots(form[:SHORTEST])[0])].add(len(form))
            digests.add(self._digest(form))
        self._lengths = {slot: tuple(sorted(found)) for slot, found in lengths.items()}
        self._digests = frozenset(digests)

    def find(self, text: str) -> list[TextSpan]:
        worth = np.zeros(1 << _BITS, dtype=np.bool_)
        worth[list(self._lengths)] = True
        spans: list[TextSpan] = []
        for begin in range(0, len(text), _BLOCK):
            block = text[begin : begin + _BLOCK + SHORTEST - 1]
            if len(block) < SHORTEST:
                break
            slots = self._slots(block)
            for at in np.flatnonzero(worth[slots]).tolist():
                spans += self._at(text, begin + at, int(slots[at]))
        return spans

    def _at(self, text: str, at: int, slot: int) -> list[TextSpan]:
        return [
            TextSpan(at, at + length, OWN)
            for length in self._lengths[slot]
            if at + length <= len(text) and self._digest(text[at : at + length]) in self._digests
        ]

    def _slots(self, text: str) -> Any:
        """For each place with six characters from there on, its index in the bitmap."""
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
        count = codes.size - SHORTEST + 1
        hashes = np.zeros(count, dtype=np.uint64)
        for place in range(SHORTEST):
            hashes *= np.uint64(self._factor)
            hashes += codes[place : place + count]
        for factor in _MIX:
            hashes ^= hashes >> np.uint64(31)
            hashes *= np.uint64(factor)
        return (hashes >> np.uint64(64 - _BITS)).astype(np.int64)

    def _digest(self, text: str) -> bytes:
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=self._key).digest()
