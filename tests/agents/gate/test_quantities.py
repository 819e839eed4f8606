"""Numbers of any script and in words, with units, hedges and rounding; times, dates and ids are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.gate.quantities import parse


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("almost three quarters of the calls", [(0.75, "ratio", "almost")]),
        ("nearly half of them", [(0.5, "ratio", "almost")]),
        ("one in four requests", [(0.25, "ratio", "")]),
        ("two and a half seconds", [(2.5, "time", "")]),
        ("half a second, a quarter of an hour", [(0.5, "time", ""), (900.0, "time", "")]),
        ("about 90-fold, more than eighteen-fold", [(90.0, "factor", "about"), (18.0, "factor", "over")]),
        ("it doubled", [(2.0, "factor", "")]),
        ("1,248 answers and 12k requests", [(1248.0, "count", ""), (12000.0, "count", "")]),
        ("⁷⁷ % and ９２ % and ①② %", [(0.77, "ratio", ""), (0.92, "ratio", ""), (0.12, "ratio", "")]),
        ("ten thousand of them", [(10_000.0, "count", "")]),
        ("6.5 GB, 444 ms, 0.18s", [(6.5e9, "bytes", ""), (0.444, "time", ""), (0.18, "time", "")]),
        ("a minute before it", [(60.0, "time", "")]),
        ("at 20:45:32 on 2026-03-01 it ran 4f2a91c0 and v2.14.1", []),
        ("p95, s3, k8s, 5xx and the 2nd of /v2/pay", []),
        ("it answers with 503", []),
    ],
)
def test_a_sentence_is_read_into_typed_parts(text: str, values: list[tuple[float, str, str]]) -> None:
    found = sorted(parse(text).quantities, key=lambda q: q.span)
    assert [(pytest.approx(q.value), q.dimension, q.hedge) for q in found] == values


def test_times_ids_paths_and_codes_are_types_of_their_own() -> None:
    parsed = parse("At 20:45 /checkout of 4f2a91c failed with 503 in services/pay/app.py.")
    assert parsed.clocks[0][0] == "20:45"
    assert parsed.ids[0][0] == "4f2a91c"
    assert parsed.codes == ("503",)
    assert set(parsed.paths) == {"/checkout", "services/pay/app.py"}
    assert parsed.quantities == ()


@given(st.text(max_size=120))
def test_any_text_can_be_read(text: str) -> None:
    parse(text)
