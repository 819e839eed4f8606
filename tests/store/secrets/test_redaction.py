"""Secrets go, everything else stays."""

import base64
import copy
import gzip
import json
import pickle
import re
import urllib.parse
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from store.secrets import finder
from store.secrets.cue import cue_of
from store.secrets.finder import find_secrets
from store.secrets.formats import FORMATS
from store.secrets.redacted_rows import redact_fields, redact_texts
from store.secrets.redaction import Redacted, RedactionFailed, Redactor, Secret

PLAIN = Redactor()
TOKEN = "ghp_" + "a1B2" * 9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"token {TOKEN} leaked", "token [redacted:github_token] leaked"),
        (f"line\\n{TOKEN}", "line\\n[redacted:github_token]"),
        ("key AKIAABCDEFGHIJKLMNOP.", "key [redacted:aws_access_key_id]."),
        ("xoxb-123456789012-abcdefghijkl", "[redacted:slack_token]"),
        ("sk-ant-api03-" + "x1Y2" * 12, "[redacted:anthropic_key]"),
        ("https://hooks.slack.com/services/T00000000/B00000000/abcDEF123456", "[redacted:webhook_url]"),
        ("postgres://app:s3cr3t@db:5432/shop", "postgres://app:[redacted:url_password]@db:5432/shop"),
        ("Authorization: Bearer abcDEF123456ghiJKL", "Authorization: Bearer [redacted:auth_header]"),
        ("Authorization: Basic YXBwOnNlY3JldA==", "Authorization: Basic [redacted:auth_header]"),
        ('{"password": "hunter22"}', '{"password": "[redacted:password]"}'),
        ("DB_PASSWORD=hunter22 host=db", "DB_PASSWORD=[redacted:password] host=db"),
        ("api_key: abcd1234efgh5678", "api_key: [redacted:secret]"),
        ("--token abcd1234efgh5678 --verbose", "--token [redacted:secret] --verbose"),
        ("card=4111 1111 1111 1111 declined", "card=[redacted:card_number] declined"),
        ("ssn 219-09-9999 on file", "ssn [redacted:ssn] on file"),
        ("Cookie: theme=dark; sessionid=abcDEF123456", "Cookie: theme=dark; sessionid=[redacted:session_cookie]"),
    ],
)
def test_a_secret_becomes_a_typed_placeholder(text: str, expected: str) -> None:
    assert PLAIN.redact(text) == expected


def test_a_key_block_goes_whole_even_when_it_is_cut_off() -> None:
    lines = "\n".join("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7" for _ in range(4))
    whole = f"cat key\n-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\ndone"
    assert PLAIN.redact(whole) == "cat key\n[redacted:private_key]\ndone"
    cut = f"tail: -----BEGIN RSA PRIVATE KEY-----\n{lines}\nnext line of the log"
    assert PLAIN.redact(cut) == "tail: [redacted:private_key]next line of the log"


@pytest.mark.parametrize(
    "text",
    [
        "commit 4f2a91c0de4f2a91c0de4f2a91c0de4f2a91c0de",
        "trace_id=105fa1e2554e50240116330c11a00c3f span_id=7332a4140624f30b",
        "request 0190a8c4-7f3e-7cc0-9b1a-2f4c6d8e0a12 took 209 ms",
        "max_tokens=4096 prompt_tokens=7353 completion_tokens=216",
        "2026-11-05T02:41:08.123456Z ERROR checkout: token expired for session",
        "order_id=4111111111111111 shipped",
        "snowflake id 594959536191702621 partition 24 offset 9548508806",
        "timestamp 1700000000.000100 in channel C0INCIDENT1",
        'password authentication failed for user "app"',
        "export API_KEY=${API_KEY:?must be set}",
        "DB_PASSWORD=******** (redacted)",
        "image registry.example.com/pay@sha256:95465be43d5108573f50632a0795f6b215ac791862dc084ee0078fc140816d9b",
        "cache_key=user:1234:profile hit",
        "phone +49 30 00007049 build 2026.11.1 ticket INC-988424530",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert PLAIN.redact(text) == text


OWN = "p@ss/w\u00f6rd+of=acme & co"


@pytest.mark.parametrize(
    "form",
    [
        OWN,
        json.dumps(OWN)[1:-1],
        json.dumps(json.dumps(OWN))[3:-3],
        urllib.parse.quote(OWN, safe=""),
        urllib.parse.quote_plus(OWN),
        urllib.parse.quote(OWN, safe="").lower(),
        OWN.encode().hex(),
        OWN.encode().hex().upper(),
        *(base64.b64encode(b"x" * shift + OWN.encode() + b"tail").decode() for shift in range(3)),
        *(base64.urlsafe_b64encode(b"x" * shift + OWN.encode() + b"tail").decode() for shift in range(3)),
    ],
)
def test_an_own_secret_goes_in_every_encoding(form: str) -> None:
    redacted = Redactor([Secret(OWN)]).redact(f"before {form} after")
    assert "[redacted:own_secret]" in redacted
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=6, max_size=40), st.binary(max_size=7))
def test_an_own_secret_never_remains(secret: str, noise: bytes) -> None:
    redactor = Redactor([Secret(secret)])
    encoded = base64.b64encode(noise + secret.encode() + noise).decode()
    text = f"<{secret}> <{encoded}> <{secret.encode().hex()}>"
    redacted = redactor.redact(text)
    assert secret.encode().hex() not in redacted
    assert encoded not in redacted
    if not any(secret in piece for piece in ("[redacted:own_secret]", "> <[redacted:own_secret")):
        assert f"<{secret}>" not in redacted


@given(st.text(max_size=200))
def test_redacting_twice_changes_nothing(text: str) -> None:
    once = PLAIN.redact(f"{text} password={text} {TOKEN}")
    assert PLAIN.redact(once) == once


def test_json_keeps_its_shape_and_what_must_stay_verbatim() -> None:
    value = {
        "id": TOKEN,
        "signature": TOKEN,
        "content": [{"text": f"see {TOKEN}", "n": 1, "ok": True, "none": None}],
        "password": "correct horse battery",
        f"x {TOKEN}": 1.5,
    }
    assert PLAIN.redact_json(value) == {
        "id": TOKEN,
        "signature": TOKEN,
        "content": [{"text": "see [redacted:github_token]", "n": 1, "ok": True, "none": None}],
        "password": "[redacted:secret]",
        "x [redacted:github_token]": 1.5,
    }
    assert PLAIN.redact_json({"id": TOKEN}, frozenset()) == {"id": "[redacted:github_token]"}


@pytest.mark.parametrize("value", [object(), {1: "x"}, {"x": b"bytes"}, {"x": {1, 2}}])
def test_what_is_not_json_fails_closed(value: Any) -> None:
    with pytest.raises(RedactionFailed):
        PLAIN.redact_json(value)


def test_a_text_that_cannot_be_read_fails_closed_and_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def Match(self, text: bytes) -> list[int]:  # noqa: N802 -- as re2 calls it
            raise MemoryError(f"{len(text)} bytes")

    monkeypatch.setattr(finder, "_SET", Broken())
    with pytest.raises(RedactionFailed) as caught:
        PLAIN.redact("hunter2 password=hunter2")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("line_length", [90, 100_000])
def test_a_secret_is_found_wherever_it_lies_in_a_long_text(line_length: int) -> None:
    filler = "2026-11-05 02:41:08 INFO checkout: GET /cart 200 in 12 ms "
    key = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n" * 90 + "-----END PRIVATE KEY-----"
    long_token = "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiJhYmMifQ" * 400 + ".c2lnbmF0dXJl"
    for secret in (TOKEN, "password=hunter22x", key, long_token, "card 4111 1111 1111 1111"):
        for before in range(1_900, 2_200, 23):
            text = (filler * 80)[:before].replace(" INFO", "\n" if line_length == 90 else " INFO")
            whole = f"{text} {secret} {filler * 60}"
            redacted = PLAIN.redact(whole)
            assert redacted.startswith(text)
            assert redacted.endswith(filler * 60)
            assert len(redacted) < len(text) + 1 + 50 + 1 + 60 * len(filler)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(FORMATS)), st.data())
def test_every_format_is_noticed_by_its_cue(kind: str, data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(FORMATS[kind]))
    secret = data.draw(st.from_regex(re.compile(form, re.ASCII), fullmatch=True).filter(str.isprintable))
    assert any(span.kind == kind for span in find_secrets(f"x {secret} y")), secret


def test_a_cue_that_is_not_distinctive_is_refused() -> None:
    assert cue_of(r"\bghp_[A-Za-z0-9]{36}\b") == r"\bghp_[A-Za-z0-9]{4}"
    with pytest.raises(ValueError, match="distinctive"):
        cue_of(r"\b[0-9a-f]{32}-us[0-9]")


def test_a_pass_that_failed_lets_nothing_through(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = re2.Set.SearchSet()
    empty.Add("never")
    empty.Compile()
    monkeypatch.setattr(finder, "_SET", empty)
    with pytest.raises(RedactionFailed):
        PLAIN.redact("password=hunter2")


def test_the_data_of_a_kubernetes_secret_goes() -> None:
    manifest = "apiVersion: v1\nkind: Secret\ndata:\n  tls: QWxhZGRpbjpvcGVuc2VzYW1l\nmetadata: x\n"
    assert "QWxhZGRpbjpvcGVuc2VzYW1l" not in PLAIN.redact(manifest)


def test_redacted_text_survives_copies_but_not_a_trip_to_another_process() -> None:
    text = PLAIN.redact("fine")
    assert isinstance(copy.deepcopy(text), Redacted)
    assert type(pickle.loads(pickle.dumps(text))) is str  # noqa: S301 - our own bytes
    with pytest.raises(TypeError):
        Redacted("by hand")


def test_a_secret_shows_only_when_asked() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_the_corpus_is_redacted_and_its_clean_lines_are_left_alone(shared_dir: Path) -> None:
    folder = shared_dir / "data" / "redaction"

    def rows(name: str) -> list[dict[str, Any]]:
        with gzip.open(folder / name, "rt", encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    found: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for row in rows("dev.jsonl.gz"):
        spans = PLAIN.spans(row["text"])
        for start, end, kind in row["spans"]:
            covered = sum(max(0, min(end, span.end) - max(start, span.start)) for span in spans)
            total[kind] += 1
            found[kind] += covered >= 0.9 * (end - start)
        once = PLAIN.redact(row["text"])
        assert PLAIN.redact(once) == once
    tokens = ("api_token", "github_token", "slack_token", "gitlab_token", "jwt", "aws_access_key_id", "private_key")
    assert sum(found[kind] for kind in tokens) / sum(total[kind] for kind in tokens) >= 0.98
    assert found.total() / total.total() >= 0.95
    clean = rows("clean.jsonl.gz")[::4]
    assert sum(bool(PLAIN.spans(row["text"])) for row in clean) / len(clean) <= 0.005


def test_a_numbered_name_of_words_is_no_token_and_a_drawn_one_is() -> None:
    names = ("0001-dbos-behind-a-small-module-and-nothing", "0012-keys-die-first-and-a-ledger-remember")
    for name in names:
        for length in range(38, 46):
            text = f"see docs/decisions/{(name + '-and-more')[:length]}.md"
            assert str(Redactor().redact(text)) == text
    token = "00" + "aB3dE6gH9jK2mN5pQ8sT" * 2
    assert token not in str(Redactor().redact(f"okta answered {token} today"))


def test_half_a_character_hides_neither_the_text_nor_its_secrets() -> None:
    redactor = Redactor()
    found = redactor.redact("agent \ud800 key ghp_0123456789abcdefghijABCDEFGHIJ012345 \udfff \0 end")
    assert found == "agent \ufffd key [redacted:github_token] \ufffd \ufffd end"
    found.encode()
    assert redactor.redact_json({"\ud800": ["\udc00"]}) == {"\ufffd": ["\ufffd"]}
    rows = redact_fields(redactor, [{"line": "x \ud800 password=Hunter2Hunter2"}])
    assert rows[0]["line"].startswith("x \ufffd password=")
    assert "Hunter2" not in rows[0]["line"]
    assert redact_texts(redactor, ["a \ud800", "b"]) == ["a \ufffd", "b"]
