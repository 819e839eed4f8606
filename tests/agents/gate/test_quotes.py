"""A quote may be copied loosely; what is stored is what stands there, in whole words and numbers."""

import pytest

from agents.gate.quotes import locate

TEXT = (
    "symptom: pay->bank,error ratio,0%->72.7%,new\n"
    "2026-03-01T12:00:00Z error POST /pay: timed out after 0.1 s\n"
    "no matching lines\n-timeout_s = 2.0\n+    timeout_s = 0.1\nrequests_total 1248 (counter)"
)


@pytest.mark.parametrize(
    ("quote", "verbatim"),
    [
        ("pay->bank, error ratio, 0% → 72.7%", "pay->bank,error ratio,0%->72.7%"),
        ("`POST /pay: Timed Out after 0.1 s`", "POST /pay: timed out after 0.1 s"),
        ("error POST … after 0.1 s", "error POST /pay: timed out after 0.1 s"),
        ("-timeout_s = 2.0 +timeout_s = 0.1", "-timeout_s = 2.0\n+    timeout_s = 0.1"),
        ("timeout_s = 2.0\ntimeout_s = 0.1", "-timeout_s = 2.0\n+    timeout_s = 0.1"),
        ("248 (counter)", "1248 (counter"),
        ("2.7%,new", "72.7%,new"),
    ],
)
def test_the_verbatim_text_is_found(quote: str, verbatim: str) -> None:
    found = locate(quote, TEXT)
    assert found is not None
    assert TEXT[found.start : found.end].rstrip(")") == verbatim


@pytest.mark.parametrize("quote", ["", "0.1 s", "a quote that nobody read", "after 0.1 s … POST /pay", "…"])
def test_what_does_not_stand_there_or_is_too_short_is_not_found(quote: str) -> None:
    assert locate(quote, TEXT) is None
