"""A master key in a file: fit for a laptop and a trial, not for production, where the key belongs in a key service.

The file is made at the first run with mode 0600, holds one key a line (`<key id> <base64 of 32 bytes>`), and the last
line wraps. Earlier lines stay so that keys wrapped before a rotation still open. Back it up apart from the databases.
"""

import asyncio
import base64
import binascii
import fcntl
import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from store.errors import UnsafeKeyFile, WrongMasterKey
from store.whole_file import create_whole, replace_whole

_NONCE = 12


class LocalFileKeys:
    name = "local-file"

    def __init__(self, path: Path) -> None:
        """Reads the file, or creates it. Raises UnsafeKeyFile."""
        self._path = path
        _create_if_missing(path)
        self._load()

    def _load(self) -> None:
        self._keys = _read(self._path)
        self._current = list(self._keys)[-1]

    async def wrap(self, data_key: bytes, *, context: Mapping[str, str]) -> bytes:
        nonce = os.urandom(_NONCE)
        body = AESGCM(self._keys[self._current]).encrypt(nonce, data_key, _associated(context))
        return self._current.encode() + b":" + nonce + body

    async def unwrap(self, wrapped: bytes, *, context: Mapping[str, str]) -> bytes:
        prefix, _, rest = wrapped.partition(b":")
        key_id = prefix.decode("ascii", "replace")
        if key_id not in self._keys:
            self._load()  # another process rotated the key
        key = self._keys.get(key_id)
        if key is None:
            raise WrongMasterKey(f"{self._path} does not hold the master key that this keyring was made with")
        try:
            return AESGCM(key).decrypt(rest[:_NONCE], rest[_NONCE:], _associated(context))
        except (InvalidTag, ValueError) as exc:
            raise WrongMasterKey(f"{self._path} does not open this keyring: put the original key file back") from exc

    async def is_current(self, wrapped: bytes) -> bool:
        """Whether the file's last line wrapped it."""
        self._load()
        return wrapped.partition(b":")[0] == self._current.encode()

    async def rotate(self) -> str:
        """Adds a line, which wraps from now on."""
        await asyncio.to_thread(self._add_line)
        return f"{self._path} has a new last line, {self._current}; earlier lines stay. Back the file up now."

    def _add_line(self) -> None:
        with self._path.open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)  # two rotations at once add two lines
            held_so_far = self._path.read_text("ascii").rstrip("\n")
            replace_whole(self._path, f"{held_so_far}\n{_new_line()}".encode("ascii"))
        self._load()


def _new_line() -> str:
    return f"k{secrets.token_hex(4)} {base64.b64encode(secrets.token_bytes(32)).decode()}\n"


def _create_if_missing(path: Path) -> None:
    """Two first starts end with one key, never half of one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        create_whole(path, _new_line().encode("ascii"))


def _read(path: Path) -> dict[str, bytes]:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise UnsafeKeyFile(f"{path} can be read by others: run chmod 600 on it")
    keys: dict[str, bytes] = {}
    for number, line in enumerate(path.read_text("ascii", errors="replace").splitlines(), start=1):
        key_id, _, encoded = line.partition(" ")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not key_id or len(key) != 32:
            raise UnsafeKeyFile(f"{path}, line {number} is not a master key: restore the file from its backup")
        keys[key_id] = key
    if not keys:
        raise UnsafeKeyFile(f"{path} is empty: restore the file from its backup")
    return keys


def _associated(context: Mapping[str, str]) -> bytes:
    return json.dumps(dict(context), sort_keys=True).encode()
