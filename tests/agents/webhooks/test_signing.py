"""Signatures over the bytes as they came."""

import base64
import hashlib
import hmac

import pytest

from agents.webhooks import Refusal, Verified
from agents.webhooks.headers import Headers
from agents.webhooks.signing import is_fresh, sent_secret, verify_hub, verify_standard

KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def standard(raw: bytes, *, at: int, key: bytes = KEY, version: str = "v1") -> Headers:
    signed = hmac.new(key, b"m1." + str(at).encode() + b"." + raw, hashlib.sha256).digest()
    signature = f"{version},{base64.b64encode(signed).decode()}"
    return Headers({"Webhook-Id": "m1", "Webhook-Timestamp": str(at), "Webhook-Signature": f"v1a,AAAA {signature}"})


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (standard(b"{}", at=1000), None),
        (standard(b"{}", at=699), "stale"),
        (standard(b"{}", at=1301), "stale"),
        (standard(b"{} ", at=1000), "wrong_signature"),
        (standard(b"{}", at=1000, key=SECRET.encode()), "wrong_signature"),
        (standard(b"{}", at=1000, version="v2"), "wrong_signature"),
        (Headers({}), "no_signature"),
    ],
)
def test_standard_webhooks(headers: Headers, reason: str | None) -> None:
    judged = verify_standard(b"{}", headers, [SECRET], now=1000)
    assert judged == (Verified(b"m1.1000.{}") if reason is None else Refusal(reason))  # type: ignore[arg-type]


def test_a_key_that_is_no_key_is_none() -> None:
    for secret in ("plain", "whsec_", "whsec_!!", ""):
        assert verify_standard(b"{}", standard(b"{}", at=1000), [secret], now=1000) == Refusal("no_secret")


def test_the_hub_signature_names_its_algorithm() -> None:
    digest = hmac.new(b"s", b"{}\n", hashlib.sha256).hexdigest()
    assert verify_hub(b"{}\n", f"sha256={digest}", ["s"]) == Verified(b"{}\n")
    for wrong in (digest, f"sha1={digest}", f"sha256={digest[:-1]}", "sha256=", f"sha256={digest.upper()}"):
        assert verify_hub(b"{}\n", wrong, ["s"]) == Refusal("wrong_signature")


def test_a_time_that_is_no_number_is_not_fresh() -> None:
    assert is_fresh("1000", 1300)
    for sent in ("", "-1", "1e3", "abc", "٣", "9" * 40, " 1000"):
        assert not is_fresh(sent, 1000)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer s3"},
        {"authorization": "Basic " + base64.b64encode(b"autoheal:s3").decode()},
        {"X-Autoheal-Token": "s3"},
        {"X-Own": "s3"},
    ],
)
def test_where_a_secret_may_be_sent(headers: dict[str, str]) -> None:
    assert sent_secret(Headers(headers), "X-Own") == "s3"
    assert sent_secret(Headers({"authorization": "Basic !!"})) == ""
