"""A file that is encrypted in pieces: as large as it must be, read and written with little memory.

    AHBACKUP1 | length of header (4) | header, JSON | pieces | 0 (4) | SHA-256 of all before (32)
    piece: length (4) | AES-256-GCM ciphertext and tag

Each file has a key of its own, wrapped in the header. A piece's nonce is its number and whether it is the last, and its
associated data the hash of the header: none can be changed, moved, left out or taken from another file. The checksum
tells damage from a wrong key, and needs no key.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from store.errors import BadBackup
from store.whole_file import sync_folder

_MAGIC: Final = b"AHBACKUP1\n"
_PIECE: Final = 1 << 20
_LONGEST_HEADER: Final = 1 << 20
_TAG: Final = 16
_CHECKSUM: Final = 32
Header = dict[str, Any]


class SealedWriter:
    """Writes under a temporary name; the file appears, whole and on the disk, when the block ends without an error."""

    def __init__(self, path: Path, header: Header, key: bytes) -> None:
        self._path = path
        self._draft = path.with_name(f".{path.name}.draft")
        encoded = json.dumps(header, sort_keys=True).encode()
        self._associated = hashlib.sha256(encoded).digest()
        self._cipher = AESGCM(key)
        self._hash = hashlib.sha256()
        self._waiting = bytearray()
        self._number = 0
        self._file = os.fdopen(os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self._put(_MAGIC + len(encoded).to_bytes(4, "big") + encoded)

    def write(self, data: bytes) -> int:
        self._waiting += data
        while len(self._waiting) > _PIECE:
            self._seal(bytes(self._waiting[:_PIECE]), last=False)
            del self._waiting[:_PIECE]
        return len(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        with self._file:
            if kind is None:
                self._seal(bytes(self._waiting), last=True)
                self._put(bytes(4))
                self._file.write(self._hash.digest())
                self._file.flush()
                os.fsync(self._file.fileno())
        if kind is None:
            self._draft.replace(self._path)
            sync_folder(self._path.parent)
        else:
            self._draft.unlink()

    def _seal(self, plain: bytes, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._number, last=last), plain, self._associated)
        self._number += 1
        self._put(len(sealed).to_bytes(4, "big") + sealed)

    def _put(self, data: bytes) -> None:
        self._hash.update(data)
        self._file.write(data)


def read_header(path: Path) -> Header:
    """What the file says of itself; not yet proved. Raises BadBackup."""
    with path.open("rb") as file:
        return _header(path, file)[0]


def require_undamaged(path: Path) -> None:
    """Compares the checksum. Raises BadBackup."""
    digest = hashlib.sha256()
    left = path.stat().st_size - _CHECKSUM
    with path.open("rb") as file:
        while left > 0 and (data := file.read(min(_PIECE, left))):
            digest.update(data)
            left -= len(data)
        if left != 0 or file.read() != digest.digest():
            raise BadBackup(f"{path} is damaged or was cut off: use another backup, or another copy of this one")


class SealedReader:
    """Its plain text, piece by piece: `read` as of a file. Raises BadBackup for anything that was not written so."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._pieces = _pieces(path, key)
        self._waiting = b""

    def read(self, size: int) -> bytes:
        parts = []
        while size > 0:
            if not self._waiting:
                self._waiting = next(self._pieces, b"")
                if not self._waiting:
                    break
            parts.append(self._waiting[:size])
            self._waiting = self._waiting[size:]
            size -= len(parts[-1])
        return b"".join(parts)

    def drain(self) -> None:
        """To the end, which proves that nothing is missing."""
        while self.read(_PIECE):
            pass


def _pieces(path: Path, key: bytes) -> Iterator[bytes]:
    cipher = AESGCM(key)
    changed = BadBackup(f"{path} was changed, or its header belongs to another backup: use another copy of it")
    with path.open("rb") as file:
        _, associated = _header(path, file)
        number = 0
        length = _length(file)
        while length:
            sealed = file.read(length)
            following = _length(file)
            if len(sealed) != length or following is None:
                raise BadBackup(f"{path} was cut off: use another backup, or another copy of this one")
            try:
                plain = cipher.decrypt(_nonce(number, last=following == 0), sealed, associated)
            except InvalidTag as exc:
                raise changed from exc
            number += 1
            length = following
            if plain:
                yield plain
        if number == 0:
            raise changed


def _length(file: BinaryIO) -> int | None:
    raw = file.read(4)
    length = int.from_bytes(raw, "big")
    return length if len(raw) == 4 and (length == 0 or _TAG <= length <= _PIECE + _TAG) else None


def _header(path: Path, file: BinaryIO) -> tuple[Header, bytes]:
    foreign = BadBackup(f"{path} is no backup of Autoheal, or its beginning is damaged: use another copy of it")
    if file.read(len(_MAGIC)) != _MAGIC:
        raise foreign
    length = int.from_bytes(file.read(4), "big")
    encoded = file.read(min(length, _LONGEST_HEADER))
    try:
        header = json.loads(encoded)
    except ValueError as exc:
        raise foreign from exc
    if len(encoded) != length or not isinstance(header, dict):
        raise foreign
    return header, hashlib.sha256(encoded).digest()


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\1" if last else b"\0")
