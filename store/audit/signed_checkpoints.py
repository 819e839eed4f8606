"""Signed heads of the audit chains, kept outside the database: without them nobody could see a chain that was cut off
together with its head, or rewritten from the start.

The file is only ever appended to, a JSON object a line: `{"at", "hash", "kind", "sequence", "signature", "tenant_id"}`.
The signature is Ed25519 over "AHANCHOR1" and the canonical JSON of the rest. Keep a copy where those who can write to
the database cannot write. Kind `base` says that retention removed the chain up to and including that entry.
"""

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, get_args

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from store.errors import CorruptCheckpoints
from store.ids import TenantId

_TAG: Final = b"AHANCHOR1"
SEED_LENGTH: Final = 32
Kind = Literal["head", "base"]


@dataclass(frozen=True, kw_only=True)
class SignedCheckpoint:
    """The hash of a tenant's entry `sequence` at that time. `signature` is base64."""

    tenant_id: TenantId
    sequence: int
    hash: str
    at: str
    kind: Kind = "head"
    signature: str = ""

    @property
    def message(self) -> bytes:
        """What is signed."""
        unsigned = {name: value for name, value in asdict(self).items() if name != "signature"}
        return _TAG + _canonical(unsigned)


class Signer:
    """Signs with the deployment's own key. The seed is a secret; it stays wrapped on the disk."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public_pem(self) -> bytes:
        """For those who check elsewhere."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def fingerprint(self) -> str:
        """Of the public key: the deployment's id."""
        return hashlib.sha256(self.public_pem).hexdigest()[:32]

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def checkpoint(
        self, tenant_id: TenantId, sequence: int, digest: bytes, at: datetime, kind: Kind = "head"
    ) -> SignedCheckpoint:
        unsigned = SignedCheckpoint(
            tenant_id=tenant_id, sequence=sequence, hash=digest.hex(), at=at.isoformat(), kind=kind
        )
        return replace(unsigned, signature=base64.b64encode(self.sign(unsigned.message)).decode())


class CheckpointFile:
    """Blocks on the disk for a moment; call it off the loop."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, checkpoints: Iterable[SignedCheckpoint]) -> None:
        """On disk when it returns. A line that a crash cut off is closed first, so that it spoils no other."""
        lines = b"".join(_canonical(asdict(checkpoint)) + b"\n" for checkpoint in checkpoints)
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            os.write(descriptor, (b"\n" if torn else b"") + lines)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def read(self) -> list[SignedCheckpoint]:
        """In the order in which they were made; empty where there is no file. Raises CorruptCheckpoints.

        A line that a crash cut off is passed over: it says nothing, and the next head says more.
        """
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        return [
            checkpoint for number, line in enumerate(lines, 1) if (checkpoint := self._parse(number, line)) is not None
        ]

    def _parse(self, number: int, line: bytes) -> SignedCheckpoint | None:
        if not line.endswith(b"}"):
            return None
        try:
            return _checkpoint(json.loads(line))
        except (ValueError, TypeError) as exc:
            raise CorruptCheckpoints(f"line {number} of {self.path} is not a signed head: it was changed") from exc


def forged(checkpoints: Sequence[SignedCheckpoint], public_pem: bytes) -> list[SignedCheckpoint]:
    """Those that the key did not sign. Raises CorruptCheckpoints for what is not an Ed25519 public key."""
    try:
        key = load_pem_public_key(public_pem)
    except ValueError as exc:
        raise CorruptCheckpoints("this is not a public key in PEM: `autoheal audit key` prints it") from exc
    if not isinstance(key, Ed25519PublicKey):
        raise CorruptCheckpoints("this is not an Ed25519 public key: `autoheal audit key` prints it")
    return [checkpoint for checkpoint in checkpoints if not _signed_by(key, checkpoint)]


def contradictions(checkpoints: Sequence[SignedCheckpoint]) -> list[SignedCheckpoint]:
    """Those that sign another hash than an earlier line, for the same entry. Of one history there are none, whatever
    was lost or copied.
    """
    first: dict[tuple[TenantId, int], str] = {}
    return [
        checkpoint
        for checkpoint in checkpoints
        if first.setdefault((checkpoint.tenant_id, checkpoint.sequence), checkpoint.hash) != checkpoint.hash
    ]


def newest(checkpoints: Sequence[SignedCheckpoint]) -> dict[TenantId, SignedCheckpoint]:
    """Of each tenant the one of the highest sequence, wherever it stands: lines may have been copied to the end."""
    found: dict[TenantId, SignedCheckpoint] = {}
    for checkpoint in checkpoints:
        known = found.get(checkpoint.tenant_id)
        if known is None or checkpoint.sequence > known.sequence:
            found[checkpoint.tenant_id] = checkpoint
    return found


def _signed_by(key: Ed25519PublicKey, checkpoint: SignedCheckpoint) -> bool:
    try:
        key.verify(base64.b64decode(checkpoint.signature), checkpoint.message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _checkpoint(line: dict[str, Any]) -> SignedCheckpoint:
    checkpoint = SignedCheckpoint(**line)
    if not isinstance(checkpoint.tenant_id, str) or not isinstance(checkpoint.signature, str):
        raise TypeError("not a signed head")
    bytes.fromhex(checkpoint.hash)
    datetime.fromisoformat(checkpoint.at)
    if checkpoint.kind not in get_args(Kind) or not isinstance(checkpoint.sequence, int):
        raise ValueError("unknown kind")
    return checkpoint


def _canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
