"""People's addresses and numbers go where the tenant wants it; what only looks like one stays."""

import pickle

import pytest

from store.database.session import Database
from store.ids import TenantId
from store.secrets.redacted_rows import redact_texts
from store.secrets.redaction import Redactor
from store.tenancy.tenants import settings, update_settings

HIDING = Redactor(contacts="hide_everywhere")
MAIL, PHONE = "[redacted:email_address]", "[redacted:phone_number]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail to mia@acme.io failed", f"mail to {MAIL} failed"),
        ('{"user":"o.smith+ops@mail.example.co.uk"}', f'{{"user":"{MAIL}"}}'),
        ("GET /reset?email=mia%40acme.io 404", f"GET /reset?email={MAIL} 404"),
        ("<mia@acme.io>: mailbox full", f"<{MAIL}>: mailbox full"),
        ("sms to +49 30 90182 000 failed", f"sms to {PHONE} failed"),
        ("call +1 (415) 555-0132 back", f"call {PHONE} back"),
        ("call (415) 555-0132 or 415-555-0133", f"call {PHONE} or {PHONE}"),
        ("phone=030 90182000", f"phone={PHONE}"),
        ('"msisdn": "4915112345679"', f'"msisdn": "{PHONE}"'),
    ],
)
def test_what_is_a_persons_goes(text: str, expected: str) -> None:
    assert HIDING.redact(text) == expected
    assert HIDING.redact(expected) == expected
    assert Redactor().redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "getty@tty1.service started",
        "root@ip-10-0-0-1.ec2.internal logged in",
        "cloned git@github.com:acme/shop.git",
        "npm i left-pad@1.3.0 and @types/node@20.1.0",
        "image registry/pay@sha256:95465be43d51",
        "2026-11-05 02:41:08 +0200 took +12345 ms",
        "offset +1234567890123456789",
        "10.0.0.1:8080 10-24-2026 555-0132",
        "delta +12.5 -3.1 +1e9",
        "phone service answered 503 in 12 ms",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert HIDING.redact(text) == text


def test_for_a_model_they_go_unless_the_tenant_keeps_them() -> None:
    text = "mail to mia@acme.io failed"
    told = {choice: Redactor(contacts=choice) for choice in ("hide_from_model", "hide_everywhere", "keep")}
    assert [str(r.redact(text)) == text for r in told.values()] == [True, False, True]
    assert [str(r.for_model().redact(text)) == text for r in told.values()] == [False, False, True]
    there = pickle.loads(pickle.dumps(told["hide_from_model"].for_model().portable()))  # noqa: S301 -- our own bytes
    assert redact_texts(there, [text]) == [f"mail to {MAIL} failed"]


async def test_the_tenants_setting_counts_at_once(
    sqlite_database: Database, two_tenants: tuple[TenantId, TenantId]
) -> None:
    tenant, other = two_tenants
    text = "mia@acme.io"
    assert (await sqlite_database.redactor(tenant)).redact(text) == MAIL
    async with sqlite_database.tenant(tenant) as s:
        assert s.redactor.redact(text) == text, "the thread keeps it"
        assert (await update_settings(s, contact_details="hide_everywhere")).contact_details == "hide_everywhere"
        assert s.redactor.redact(text) == MAIL
        await update_settings(s, contact_details="keep")
    assert (await sqlite_database.redactor(tenant)).redact(text) == text
    assert (await sqlite_database.redactor(other)).redact(text) == MAIL
    async with sqlite_database.tenant(tenant) as s:
        with pytest.raises(ValueError, match="hide_from_model"):
            await update_settings(s, contact_details="sometimes")  # type: ignore[typeddict-item]
        assert (await settings(s)).contact_details == "keep"
