"""Signatures over raw bytes. All comparisons take the same time whatever is sent; a list of secrets is tried in full.

No secret, no belief: an empty secret signs nothing, for anybody could have it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from agents.webhooks.contract import Refusal, Verified
from agents.webhooks.headers import Headers

FRESH_S: Final = 300
"""How far a signed time may lie from ours."""
Signed = Literal["hex", "base64"]


def mac(secret: bytes, message: bytes) -> bytes:
    return hmac.new(secret, message, hashlib.sha256).digest()


def same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))


def usable(secrets: Sequence[str]) -> list[str]:
    return [secret for secret in secrets if secret.strip()]


def verify_hex(raw: bytes, sent: Iterable[str], secrets: Sequence[str], *, message: bytes | None = None) -> bool:
    """Whether one of the hexadecimal digests sent is right for one of the secrets."""
    message = raw if message is None else message
    expected = [mac(secret.encode(), message).hex() for secret in usable(secrets)]
    matches = [same(one, digest) for one in sent for digest in expected]
    return any(matches)


def verify_hub(raw: bytes, header: str, secrets: Sequence[str]) -> Verified | Refusal:
    """`sha256=<hex>`, as GitHub and Jira send it."""
    if not usable(secrets):
        return Refusal("no_secret")
    if not header:
        return Refusal("no_signature")
    prefix, _, digest = header.partition("=")
    right = prefix == "sha256" and verify_hex(raw, [digest], secrets)
    return Verified(raw) if right else Refusal("wrong_signature")


def is_fresh(sent: str, now: float, tolerance_s: float = FRESH_S) -> bool:
    if not (sent.isascii() and sent.isdigit() and len(sent) <= 12):
        return False
    return abs(now - int(sent)) <= tolerance_s


def verify_standard(
    raw: bytes, headers: Headers, secrets: Sequence[str], *, now: float, tolerance_s: float = FRESH_S
) -> Verified | Refusal:
    """Standard Webhooks: the id and the time are signed too. https://www.standardwebhooks.com"""
    keys = [key for secret in usable(secrets) if (key := _standard_key(secret)) is not None]
    if not keys:
        return Refusal("no_secret")
    sent_id, sent_at, signatures = (headers[f"webhook-{part}"] for part in ("id", "timestamp", "signature"))
    if not (sent_id and sent_at and signatures):
        return Refusal("no_signature")
    message = b".".join((sent_id.encode(), sent_at.encode(), raw))
    expected = [base64.b64encode(mac(key, message)).decode() for key in keys]
    given = [value for one in signatures.split() for version, _, value in [one.partition(",")] if version == "v1"]
    matches = [same(one, digest) for one in given for digest in expected]
    if not any(matches):
        return Refusal("wrong_signature")
    return Verified(message) if is_fresh(sent_at, now, tolerance_s) else Refusal("stale")


def _standard_key(secret: str) -> bytes | None:
    if not secret.startswith("whsec_"):
        return None
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def verify_token(sent: str, secrets: Sequence[str]) -> Verified | Refusal:
    """A secret that is sent along instead of a signature."""
    known = usable(secrets)
    if not known:
        return Refusal("no_secret")
    if not sent:
        return Refusal("no_signature")
    matches = [same(sent, secret) for secret in known]
    return Verified(None) if any(matches) else Refusal("wrong_signature")


def sent_secret(headers: Headers, header: str = "") -> str:
    """The secret in `Authorization`, as bearer or as the password of basic authentication, or in a header of one's
    own.
    """
    if header and headers[header]:
        return headers[header].removeprefix("Bearer ").strip()
    scheme, _, value = headers["authorization"].partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return headers["x-autoheal-token"].strip()
