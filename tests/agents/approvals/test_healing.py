"""Whether it healed, from readings alone; and how that is judged for each kind of indicator."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.approvals.healing import Healed, Reading, criteria, judge_readings
from agents.remediation import Healing
from agents.runtime import Pace
from agents.verdict import Symptom

APPLIED = datetime(2026, 11, 5, 2, 49, tzinfo=UTC)
HEALING = Healing(
    service="checkout",
    indicator="errors",
    unit="ratio",
    before=0.09,
    threshold=0.02,
    worse_than=0.5,
    hold_s=20,
    window_s=60,
)
GOOD, BAD = 0.001, 0.08


def judge(*readings: tuple[int, float], now: int) -> Healed:
    """Readings as (seconds after the effect, value)."""
    taken = [Reading(at=APPLIED + timedelta(seconds=at), value=value) for at, value in readings]
    return judge_readings(HEALING, taken, APPLIED, APPLIED + timedelta(seconds=now))


@pytest.mark.parametrize(
    ("readings", "now", "verdict"),
    [
        pytest.param([], 10, Healed.WAIT, id="nothing yet"),
        pytest.param([], 60, Healed.UNKNOWN, id="nothing could be measured"),
        pytest.param([(5, GOOD)], 5, Healed.WAIT, id="good, but only once"),
        pytest.param([(5, GOOD), (24, GOOD)], 24, Healed.WAIT, id="held one second too short"),
        pytest.param([(5, GOOD), (25, GOOD)], 25, Healed.HEALED, id="held"),
        pytest.param([(5, GOOD), (15, BAD), (25, GOOD)], 25, Healed.WAIT, id="a relapse starts the hold again"),
        pytest.param([(5, GOOD), (15, BAD), (25, GOOD), (45, GOOD)], 45, Healed.HEALED, id="held after a relapse"),
        pytest.param([(5, BAD), (30, BAD), (60, BAD)], 60, Healed.NOT_HEALED, id="bad until the window's end"),
        pytest.param([(5, BAD)], 60, Healed.UNKNOWN, id="bad once, and then nothing could be measured"),
        pytest.param([(5, BAD)], 30, Healed.WAIT, id="bad, but there is time"),
        pytest.param([(50, BAD), (55, GOOD), (60, GOOD)], 60, Healed.WAIT, id="a good run may finish its hold"),
        pytest.param([(50, BAD), (55, GOOD), (75, GOOD)], 75, Healed.HEALED, id="and does, after the window"),
        pytest.param([(55, GOOD), (60, GOOD), (65, BAD)], 65, Healed.NOT_HEALED, id="or does not"),
        pytest.param([(-5, GOOD), (-30, GOOD), (45, BAD)], 60, Healed.NOT_HEALED, id="before it counts nothing"),
        pytest.param([(5, GOOD), (50, GOOD)], 50, Healed.WAIT, id="nobody knows what was in the gap"),
        pytest.param([(5, GOOD), (50, GOOD), (70, GOOD)], 70, Healed.HEALED, id="held after the gap"),
        pytest.param([(5, 0.6), (24, 0.6)], 24, Healed.WAIT, id="worse, but it may be the restart itself"),
        pytest.param([(12, 0.6), (32, 0.6)], 32, Healed.NOT_HEALED, id="it made things worse"),
        pytest.param([(5, 0.6), (9, 0.7), (25, 0.6)], 25, Healed.WAIT, id="worse, but a rate looks back before it"),
        pytest.param([(5, 0.6), (15, BAD), (25, 0.6)], 25, Healed.WAIT, id="not worse all the time"),
        pytest.param([(5, 0.02), (25, 0.02)], 25, Healed.HEALED, id="the threshold itself is good"),
    ],
)
def test_readings_are_judged(readings: list[tuple[int, float]], now: int, verdict: Healed) -> None:
    assert judge(*readings, now=now) is verdict


def test_a_gap_that_never_ends_does_not_wait_for_ever() -> None:
    assert judge((55, GOOD), now=200) is Healed.UNKNOWN


def symptom(**changes: Any) -> Symptom:
    parts = {"service": "checkout", "indicator": "errors", "unit": "ratio", "family": "errors", "onset": None}
    return Symptom(**{**parts, "before": 0.003, "now": 0.09, **changes})


@pytest.mark.parametrize(
    ("found", "threshold", "worse"),
    [
        (symptom(), 0.02475, 0.135),
        (symptom(before=0.0, now=0.02), 0.01, 0.03),  # never stricter than one error in a hundred
        (symptom(before=0.0, now=0.9), 0.05, 1.0),  # never laxer than five; a ratio ends at one
        (symptom(unit="seconds", family="latency", before=0.1, now=0.5), 0.2, 0.75),
        (symptom(unit="bytes", family="memory", before=100e6, now=500e6), 200e6, 750e6),
        (symptom(unit="count", family="saturation", before=0.0, now=40.0), 10.0, 60.0),
    ],
)
def test_healing_is_at_most_a_quarter_of_the_way_back(found: Symptom, threshold: float, worse: float) -> None:
    healing = criteria(found, Pace())
    assert healing is not None
    assert healing.threshold == pytest.approx(threshold)
    assert healing.worse_than == pytest.approx(worse)
    assert healing.before == found.now
    assert (healing.hold_s, healing.window_s) == (60, 300)


@pytest.mark.parametrize("found", [None, symptom(before=0.5, now=0.1), symptom(before=0.1, now=0.1)])
def test_what_did_not_rise_cannot_be_judged(found: Symptom | None) -> None:
    assert criteria(found, Pace()) is None
