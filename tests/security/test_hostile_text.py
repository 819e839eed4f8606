"""Text that an attacker writes into a log line or a message must cost little and stop nothing."""

import multiprocessing
from datetime import UTC
from typing import Any

import pytest

from agents.evidence.logs.lines import parse_line
from store.secrets.redaction import Redactor, Secret

PATIENCE_S = 60.0  # hundreds of times what each text takes; the unguarded ones took minutes to hours

SLOW_ONCE = {
    "underscores under a name": "token=" + "_" * 12_000 + "1!",
    "words joined by underscores": "token=" + "_a" * 6_000 + "!",
    "nothing but names": "key=" * 15_000,
    "names with dots": "x.key:" * 10_000,
    "cookie names": "cookie: " + "sid" * 15_000,
}


def _redact(text: str, answers: Any) -> None:
    answers.put(str(Redactor([Secret("correct-horse-battery")]).redact(text)))


@pytest.mark.slow
@pytest.mark.parametrize("text", SLOW_ONCE.values(), ids=SLOW_ONCE.keys())
def test_no_text_keeps_the_redactor_busy(text: str) -> None:
    """In a process of its own, so that a text without an end fails the test instead of hanging it."""
    spawn = multiprocessing.get_context("spawn")
    answers = spawn.Queue()
    worker = spawn.Process(target=_redact, args=(text, answers), daemon=True)
    worker.start()
    try:
        assert answers.get(timeout=PATIENCE_S)
    finally:
        worker.kill()
        worker.join()


def test_a_secret_longer_than_what_is_judged_goes_whole() -> None:
    secret = "a1B2c3D4" * 200
    assert str(Redactor().redact(f"api_token={secret} next")) == "api_token=[redacted:secret] next"


@pytest.mark.parametrize("separator", ["&", ";", ","])
def test_each_secret_of_one_run_of_pairs_is_found(separator: str) -> None:
    pairs = separator.join(f"{name}=x{name}9f8e7d6c5b4a" for name in ("a_token", "b_secret", "c_token"))
    shown = str(Redactor().redact(f"key=plain{separator}{pairs}"))
    assert "9f8e7d6c5b4a" not in shown
    assert shown.startswith(f"key=plain{separator}a_token=[redacted:")


HOSTILE_LINES = {
    "a time too large for a number": b'{"time": ' + b"9" * 4_000 + b', "message": "x"}',
    "an infinite time": b'{"time": 1e999999, "message": "x"}',
    "a deep document": b'{"a":' * 10_000,
    "a deep field": b'{"message": "x", "a": ' + b"[" * 940 + b"]" * 940 + b"}",
    "a number of too many digits": b'{"time": ' + b"9" * 60_000 + b"}",
    "half a surrogate pair": b'{"time": "2026-01-01T00:00:00Z", "message": "boom \\ud800 x", "k\\udfff": "\\udc00"}',
}


@pytest.mark.parametrize("raw", HOSTILE_LINES.values(), ids=HOSTILE_LINES.keys())
def test_one_hostile_log_line_is_a_line_that_can_be_stored(raw: bytes) -> None:
    line = parse_line(raw, UTC)
    Redactor().redact(" ".join([line.text, line.level, *line.fields, *line.fields.values()]))
