"""What a hostile or broken vendor can write in JSON."""

import json
import math

import pytest

from agents.connecting.foreign_json import read_json


@pytest.mark.parametrize("document", [b"[" * 100_000, '{"a":' * 5_000 + "1" + "}" * 5_000])
def test_a_document_that_is_too_deep_is_a_value_error_like_any_other(document: bytes | str) -> None:
    with pytest.raises(ValueError, match="too deep"):
        read_json(document)


def test_a_number_that_no_float_holds_is_infinite() -> None:
    assert read_json(b'{"a": ' + b"9" * 5_000 + b', "b": -' + b"9" * 400 + b', "c": 7}') == {
        "a": math.inf,
        "b": -math.inf,
        "c": 7,
    }


def test_half_a_character_is_replaced_and_whole_ones_stay() -> None:
    found = read_json(rb'{"a": "x \ud800 y", "b": "\ud83d\ude00 \u00fc", "\udfff": [1.5, null, true]}')
    assert found == {"a": "x \ufffd y", "b": "\U0001f600 \u00fc", "\ufffd": [1.5, None, True]}
    json.dumps(found, ensure_ascii=False).encode()


def test_ordinary_documents_are_read_as_ever() -> None:
    assert read_json('{"a": [1, 2.5, "ü"]}') == {"a": [1, 2.5, "ü"]}
    with pytest.raises(ValueError, match="Expecting"):
        read_json(b"<html>")
