"""Lines survive the way to the evidence worker unchanged, and whoever only carries them does not unpack them."""

import pickle
from datetime import UTC, datetime, timedelta

from agents.evidence.logs.packed_lines import PackedLines
from agents.evidence.types import LogLine

START = datetime(2026, 11, 5, 2, 41, 0, 123457, tzinfo=UTC)
LINES = [
    LogLine(
        time=START + timedelta(microseconds=n), service="checkout", level="error", text=f"läuft {n}", fields={"n": "1"}
    )
    for n in range(200)
]


def test_lines_come_out_as_they_went_in_to_the_microsecond() -> None:
    packed = PackedLines.of(iter(LINES))
    assert list(packed) == LINES
    assert (len(packed), packed[3], packed[-2:]) == (200, LINES[3], tuple(LINES[-2:]))
    assert list(PackedLines.of([])) == []


def test_they_travel_as_bytes_even_after_a_look() -> None:
    packed = PackedLines.of(LINES)
    before = pickle.dumps(packed)
    assert list(packed) == LINES
    assert pickle.dumps(packed) == before
    assert list(pickle.loads(before)) == LINES  # noqa: S301 -- our own bytes


def test_the_number_of_lines_is_known_without_unpacking_and_several_are_one_in_time_order() -> None:
    even, odd = PackedLines.of(LINES[::2]), PackedLines.of(LINES[1::2])
    joined = PackedLines.joined([even, odd])
    assert len(joined) == 200
    assert "_lines" not in vars(joined)
    assert list(pickle.loads(pickle.dumps(joined))) == LINES  # noqa: S301 -- our own bytes
    assert list(PackedLines.joined([])) == []
