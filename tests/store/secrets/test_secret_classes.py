"""Each class of secret goes, in every syntax that `secret_texts` knows; ordinary lines that look alike stay."""

import pytest

from store.secrets.redaction import Redactor
from tests.store.secrets.secret_texts import CLASSES, ordinary, texts_of

PLAIN = Redactor()


@pytest.mark.parametrize("kind", sorted(CLASSES))
def test_a_class_goes_in_every_syntax(kind: str) -> None:
    missed = []
    for text, spans in texts_of(kind, 3):
        found = PLAIN.spans(text)
        for start, end in spans:
            gone = sum(max(0, min(end, span.end) - max(start, span.start)) for span in found)
            if gone < 0.9 * (end - start):
                missed.append(text)
        once = PLAIN.redact(text)
        assert PLAIN.redact(once) == once
    assert not missed


def test_ordinary_lines_stay() -> None:
    lines = list(ordinary(3))
    assert [str(PLAIN.redact(line)) for line in lines] == lines


@pytest.mark.parametrize("kind", ["name and value", "command line", "one-time code"])
def test_what_stands_around_a_secret_stays(kind: str) -> None:
    for text, spans in texts_of(kind, 1):
        redacted = PLAIN.redact(text)
        at = 0
        for start, _ in spans:
            before = text[at:start]
            assert before[-12:] in redacted, text
            at = _
