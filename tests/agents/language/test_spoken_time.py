from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agents.language.spoken_time import clock_since, since

NOW = datetime(2026, 4, 8, 15, 0, tzinfo=UTC)  # a Wednesday, 17:00 in Berlin
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("slow for 20 minutes", 20),
        ("slow since about 5 min", 5),
        ("for the last 2 h", 120),
        ("in the past 90 seconds", 1.5),
        ("1.5 hours ago", 90),
        ("1h30m ago", 90),
        ("for 2 hours and 10 minutes", 130),
        ("an hour and a half ago", 90),
        ("half an hour ago", 30),
        ("a quarter of an hour ago", 15),
        ("two days ago", 2880),
        ("for a couple of hours", 120),
        ("for the last few minutes", 3),
        ("over the last 3 weeks", 30240),
        ("10m ago it began", 10),
        ("in the last hour", 60),
        ("past day", 1440),
    ],
)
def test_lengths_of_time_in_numbers_and_words(text: str, minutes: float) -> None:
    assert since(text, NOW) == NOW - timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("slow since 14:05", UTC, "08 14:05"),
        ("slow since 14:05", BERLIN, "08 12:05"),
        ("slow since 14:05 UTC", BERLIN, "08 14:05"),
        ("slow since 14:05Z", BERLIN, "08 14:05"),
        ("slow since 16:05+02:00", UTC, "08 14:05"),
        ("since 2:30pm", UTC, "08 14:30"),
        ("since 2 p.m.", UTC, "08 14:00"),
        ("since yesterday 3pm", BERLIN, "07 13:00"),
        ("since 3pm yesterday", BERLIN, "07 13:00"),
        ("yesterday at 15:00 it began", UTC, "07 15:00"),
        ("since 23:50", UTC, "07 23:50"),
        ("since monday 10:00", UTC, "06 10:00"),
        ("since last friday", UTC, "03 00:00"),
        ("since April 7th at 10:00", UTC, "07 10:00"),
        ("on 7 April at 10:00", UTC, "07 10:00"),
        ("since 2026-04-07 10:00", UTC, "07 10:00"),
        ("Started\n2026-04-08T14:05:00Z", BERLIN, "08 14:05"),
        ("between 13:00 and 13:30", UTC, "08 13:00"),
        ("errors 13:05-13:30", UTC, "08 13:05"),
        ("errors from 13:05 to 13:30", UTC, "08 13:05"),
        ("since noon", UTC, "08 12:00"),
        ("since midnight", BERLIN, "07 22:00"),
        ("since this morning", UTC, "08 06:00"),
        ("from 14h05 on", UTC, "08 14:05"),
    ],
)
def test_clock_times_dates_and_ranges_in_the_persons_zone(text: str, zone: ZoneInfo, expected: str) -> None:
    found = since(text, NOW, zone)
    assert found is not None
    assert f"{found:%d %H:%M}" == expected
    assert clock_since(text, NOW, zone) == found


@pytest.mark.parametrize(
    "text",
    [
        "checkout is slow",
        "502 for 3 customers",
        "the last 5 deployments",
        "cpu at 99%",
        "timeouts after 30s",
        "it takes 5 s",
        "since 25:99",
        "ratio 3:2",
        "p99 > 2s",
        "since the deployment",
        "since 2026-13-45 10:00",
    ],
)
def test_what_tells_no_time_is_not_taken_for_one(text: str) -> None:
    assert since(text, NOW) is None
    assert clock_since(text, NOW) is None
