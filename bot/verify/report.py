"""The signed report: what was found, and of which code, deployment, configuration and time.

A report is a JSON object `{"report", "signature", "key"}`. The signature is Ed25519 over "AHVERIFY1" and the canonical
JSON of `report`; `key` is the fingerprint of the public key, which is also the deployment's id. Whoever holds the
public key can check a report anywhere (`autoheal verify --check FILE --key PUB`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final, get_args

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from bot.verify.finding import Outcome, VerifyFinding
from store.audit.signed_checkpoints import Signer

FORMAT: Final = "autoheal-verification-1"
_TAG: Final = b"AHVERIFY1"


class BadReport(Exception):
    """A report that cannot be trusted; the message says why and what to do."""


def make_report(
    findings: Sequence[VerifyFinding], *, at: datetime, identity: dict[str, Any], cleaned_up: bool
) -> dict[str, Any]:
    """`identity` binds the report to code, deployment and configuration."""
    counts = {outcome: sum(f.outcome == outcome for f in findings) for outcome in get_args(Outcome)}
    report = {
        "format": FORMAT,
        "at": at.isoformat(),
        **identity,
        "counts": counts,
        "findings": [asdict(finding) for finding in findings],
        "cleaned_up": cleaned_up,
    }
    told: dict[str, Any] = json.loads(canonical(report))  # as whoever reads it will see it
    return told


def sign_report(report: dict[str, Any], signer: Signer) -> dict[str, Any]:
    signature = base64.b64encode(signer.sign(_TAG + canonical(report))).decode()
    return {"report": report, "signature": signature, "key": signer.fingerprint}


def check_report(file: Path, key: Path) -> dict[str, Any]:
    """The report, if that key signed it. Raises BadReport."""
    try:
        document = json.loads(file.read_bytes())
        report, signature = document["report"], base64.b64decode(document["signature"], validate=True)
    except OSError as exc:
        raise BadReport(f"{file} cannot be read: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise BadReport(f"{file} is not a report of `autoheal verify --json`, or it was cut off") from exc
    try:
        public = load_pem_public_key(key.read_bytes())
    except OSError as exc:
        raise BadReport(f"{key} cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise BadReport(f"{key} is not a public key in PEM: `autoheal audit key` prints it") from exc
    if not isinstance(public, Ed25519PublicKey):
        raise BadReport(f"{key} is not an Ed25519 public key: `autoheal audit key` prints it")
    try:
        public.verify(signature, _TAG + canonical(report))
    except InvalidSignature as exc:
        raise BadReport(f"{file} was changed, or another deployment signed it") from exc
    if not isinstance(report, dict) or report.get("format") != FORMAT:
        raise BadReport(f"{file} is signed, but is not a report of this format: use the version that wrote it")
    return report


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
