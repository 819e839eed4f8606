"""Secrets made for one run, and all the shapes in which they could lie somewhere they should not."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

_LETTERS = "abcdefghjkmnpqrstuvwxyz"


def make_canary(kind: str) -> str:
    """Unguessable, of letters and digits, and unlike anything that exists."""
    return f"{kind}{''.join(secrets.choice(_LETTERS) for _ in range(12))}{secrets.token_hex(8)}"


def shapes(text: str) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each spelling: plain, UTF-16, hexadecimal, base64 at each alignment, percent-encoded."""
    raw = text.encode()
    yield "plain", raw
    yield "UTF-16", text.encode("utf-16-le")
    yield "hexadecimal", raw.hex().encode()
    yield "hexadecimal", raw.hex().upper().encode()
    if quote(text, safe="") != text:
        yield "percent-encoded", quote(text, safe="").encode()
    for alignment in range(3):
        encoded = base64.b64encode(b"\0" * alignment + raw)
        inner = encoded[4 * bool(alignment) : len(encoded) - 4]  # what does not depend on the neighbours
        yield "base64", inner
        yield "base64 for URLs", inner.replace(b"+", b"-").replace(b"/", b"_")


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """A canary seen where it must not be. Never holds the canary."""

    canary: str
    where: str
    shape: str


class Lookout:
    """Searches chunks of bytes for all canaries at once. Feed each place in order: it looks across chunk borders."""

    def __init__(self, canaries: dict[str, str]) -> None:
        self._needles = [(name, shape, needle) for name, text in canaries.items() for shape, needle in shapes(text)]
        self._overlap = max((len(needle) for _, _, needle in self._needles), default=1) - 1
        self.sightings: list[Sighting] = []

    def look(self, where: str, chunks: Iterable[bytes]) -> int:
        """Returns how many bytes were looked at."""
        tail, size = b"", 0
        for chunk in chunks:
            size += len(chunk)
            window = tail + chunk
            for name, shape, needle in self._needles:
                if needle in window:
                    sighting = Sighting(canary=name, where=where, shape=shape)
                    if sighting not in self.sightings:
                        self.sightings.append(sighting)
            tail = window[-self._overlap :] if self._overlap else b""
        return size
