"""Lines survive the way to the evidence worker unchanged, and whoever only carries them does not unpack them."""

import pickle
from datetime import UTC, datetime, timedelta

from agents.evidence.types import LogLine
from agents.packed_lines import PackedLines

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
