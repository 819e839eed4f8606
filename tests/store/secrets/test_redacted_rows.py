"""Pieces that follow each other are redacted as what they are together, and each keeps its place."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.secrets.own import OWN
from store.secrets.redacted_rows import redact_fields, redact_texts
from store.secrets.redaction import Redactor, Secret

PLAIN = Redactor()
TOKEN = "ghp_" + "a1B2" * 9
LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7abcdEFGH1234"
KEY = "[redacted:private_key]"


def test_texts_keep_their_places_and_those_without_a_secret_their_words() -> None:
    texts = ["one", "", f"two {TOKEN}", "three"]
    assert redact_texts(PLAIN, texts) == ["one", "", "two [redacted:github_token]", "three"]


@pytest.mark.parametrize("head", ["", "2026-11-05 02:41:0{n} INFO app[{n}]: "])
def test_a_key_that_runs_through_texts_goes_from_each(head: str) -> None:
    lines = ["-----BEGIN PRIVATE KEY-----", LINE, LINE, "-----END PRIVATE KEY-----"]
    texts = [head.format(n=n) + line for n, line in enumerate(["before", *lines, "after"])]
    expected = [texts[0], *[head.format(n=n) + KEY for n in range(1, 5)], texts[5]]
    assert redact_texts(PLAIN, texts) == expected


def test_a_key_of_which_only_the_end_is_there_goes_too() -> None:
    texts = [
        "I app: started",
        f"I app: {LINE}",
        f"I app: {LINE}",
        "I app: x9Q==",
        "I app: -----END RSA PRIVATE KEY-----",
    ]
    assert redact_texts(PLAIN, texts) == ["I app: started", *[f"I app: {KEY}"] * 4]


def test_what_follows_a_name_in_the_next_text_goes_but_not_that_ones_time() -> None:
    texts = [
        "2026-11-05 02:41:08 I app: password:",
        "2026-11-05 02:41:09 I app:   hunter22x",
        "2026-11-05 02:41:10 I up",
    ]
    assert redact_texts(PLAIN, texts) == [texts[0], "2026-11-05 02:41:09 I app:   [redacted:password]", texts[2]]


def test_of_a_text_that_is_cut_nothing_of_a_secret_at_the_cut_is_kept() -> None:
    assert redact_texts(PLAIN, [f"see {TOKEN} there"], keep=20) == ["see [redacted:github_token]"]
    assert redact_texts(PLAIN, ["0123456789"], keep=4) == ["0123"]


def test_fields_are_judged_by_their_names_and_by_what_stands_beside() -> None:
    rows = [
        {"user": "mia", "password": "correct horse", "n": "1"},
        {"name": "DB_PASSWORD", "value": "hunter22x"},
        {"name": "LOG_LEVEL", "value": "hunter22x"},
    ]
    assert redact_fields(PLAIN, rows) == [
        {"user": "mia", "password": "[redacted:password]", "n": "1"},
        {"name": "DB_PASSWORD", "value": "[redacted:secret]"},
        rows[2],
    ]


def test_a_key_that_runs_through_one_field_goes() -> None:
    lines = ["-----BEGIN PRIVATE KEY-----", LINE, LINE, "-----END PRIVATE KEY-----"]
    rows = [{"stderr": line, "pod": "a"} for line in lines]
    assert redact_fields(PLAIN, rows) == [{"stderr": KEY, "pod": "a"}] * 4


OWN_SECRET = "violet harbour/Q7xk2"


def test_a_portable_redactor_holds_no_secret_and_finds_what_the_other_finds() -> None:
    whole = Redactor([Secret(OWN_SECRET), Secret("first line of a key\nsecond line of a key")])
    with pytest.raises(TypeError):
        pickle.dumps(whole)
    job = pickle.dumps(whole.portable())
    for part in ("violet", "harbour", "Q7xk2", "second line"):
        assert part.encode() not in job
    there: Redactor = pickle.loads(job)  # noqa: S301 -- our own bytes
    text = f"a {OWN_SECRET} b {OWN_SECRET.encode().hex()} c second line of a key"
    assert there.redact(text) == whole.redact(text)
    assert there.redact(text).count(OWN) == 3


def test_without_secrets_of_its_own_a_redactor_is_portable_as_it_is() -> None:
    assert pickle.loads(pickle.dumps(PLAIN.portable())).redact(TOKEN) == "[redacted:github_token]"  # noqa: S301


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), max_size=5),
    st.text(min_size=6, max_size=30),
)
def test_both_kinds_find_an_own_secret_at_the_same_places(texts: list[str], secret: str) -> None:
    secret = secret.encode("utf-8", "replace").decode()
    whole = Redactor([Secret(secret)])
    assert whole.portable().spans(secret.join(texts)) == whole.spans(secret.join(texts))
