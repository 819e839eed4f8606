"""Statements of the operator on what no program can see: signed, dated, good for 90 days.

`attestations.jsonl` in the data folder is only appended to; the newest statement on a promise counts.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from bot.verify.report import canonical
from store.audit.signed_checkpoints import Signer

GOOD_FOR: Final = timedelta(days=90)
_TAG: Final = b"AHATTEST1"
_NAME: Final = "attestations.jsonl"


@dataclass(frozen=True, kw_only=True)
class Attestation:
    promise: str
    statement: str
    by: str
    at: datetime


def attest(folder: Path, signer: Signer, attestation: Attestation) -> None:
    """On disk when it returns."""
    said = {**asdict(attestation), "at": attestation.at.isoformat()}
    signature = base64.b64encode(signer.sign(_TAG + canonical(said))).decode()
    descriptor = os.open(folder / _NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        file.write(canonical({**said, "signature": signature}) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def attested(folder: Path, signer: Signer, promise: str, now: datetime) -> Attestation | None:
    """The newest statement that this deployment's key signed and that is not too old."""
    path = folder / _NAME
    lines = path.read_bytes().splitlines() if path.exists() else []
    for line in reversed(lines):
        found = _read(line, signer)
        if found is not None and found.promise == promise:
            return found if now - found.at <= GOOD_FOR else None
    return None


def _read(line: bytes, signer: Signer) -> Attestation | None:
    """None for what is not one of ours: a line cut off by a crash, or one that somebody else wrote."""
    try:
        said = json.loads(line)
        signature = base64.b64decode(said.pop("signature"))
        found = Attestation(**{**said, "at": datetime.fromisoformat(said["at"])})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if signer.sign(_TAG + canonical(said)) == signature else None
