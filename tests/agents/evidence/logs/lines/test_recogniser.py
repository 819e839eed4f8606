"""The forms of lines that common programs print by default; `recorded/log_lines.jsonl` holds one of each.

Each tells of 14:05:07 UTC on the 7th of April 2026, a Tuesday.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agents.evidence.logs.lines import Recogniser, parse_line

AT = datetime(2026, 4, 7, 14, 5, 7, tzinfo=UTC)
WRITTEN = AT + timedelta(hours=1)
_ROWS = [json.loads(row) for row in (Path(__file__).parents[4] / "recorded/log_lines.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row["program"])
def test_a_usual_form_is_understood(row: dict[str, str]) -> None:
    parsed = parse_line(row["line"].encode(), UTC, written=WRITTEN)
    assert parsed.time is not None
    assert parsed.time.replace(microsecond=0) == AT
    assert parsed.level == row["level"]
    assert row["message"] in parsed.text
    assert parsed.form


def test_there_are_many_of_them() -> None:
    assert len({row["program"] for row in _ROWS}) > 160


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("2026-04-07 14:05:07 payments: error budget is fine", ""),
        ("2026-04-07 14:05:07 INFO no error, no warning", "info"),
        ("2026-04-07T14:05:07Z GET /ERROR/page took 3 ms", ""),
        ("2026-04-07 14:05:07,250 DEBUG retry: last ERROR was long ago", "debug"),
        ('{"time":"2026-04-07T14:05:07Z","level":"info","msg":"ERROR rate is 0"}', "info"),
        ('ts=2026-04-07T14:05:07Z level=debug msg="fatal error averted"', "debug"),
    ],
)
def test_a_word_in_a_sentence_is_no_level(line: str, level: str) -> None:
    assert parse_line(line.encode(), UTC, written=WRITTEN).level == level


@pytest.mark.parametrize(
    "line",
    [
        "    at com.acme.Pay.charge(Pay.java:41)",
        "Traceback (most recent call last):",
        "[12345.678901] usb 1-1: new device",  # seconds since boot are no time of day
        "12 items of 2026 in stock",
        "version 10.20.30 started",
        "",
        "9999-99-99 99:99:99 x",
        "Feb 31 14:05:07 web1 shop: no such day",
        '{"time": Infinity}',
        '{"time": 1e300}',
        '{"time": NaN}',
        '{"time": {"$date": {"$date": {"$date": {"$date": {"$date": "2026-04-07"}}}}}}',
        "| " * 200_000,
        "[" * 200_000,
        "a=" + "b" * 200_000,
        'a="' + "\\" * 100_001,
    ],
)
def test_what_is_no_time_is_not_taken_for_one(line: str) -> None:
    assert parse_line(line.encode(), UTC, written=WRITTEN).time is None


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["03/04/2026 14:05:07 one", "13/04/2026 14:05:07 two"], datetime(2026, 4, 3, 14, 5, 7, tzinfo=UTC)),
        (["03/04/2026 2:05:07 PM one", "03/14/2026 2:05:07 PM two"], datetime(2026, 3, 4, 14, 5, 7, tzinfo=UTC)),
        (["26/04/06 14:05:07 ERROR a", "26/04/07 14:05:07 ERROR b"], datetime(2026, 4, 6, 14, 5, 7, tzinfo=UTC)),
        (
            ["04/05/2026 10:00:00 a", "04/06/2026 10:00:00 b", "04/07/2026 10:00:00 c"],
            datetime(2026, 4, 5, 10, tzinfo=UTC),
        ),
    ],
    ids=["day first", "month first", "year first", "by the file's age"],
)
def test_the_order_of_day_and_month_is_learned_from_the_file(lines: list[str], expected: datetime) -> None:
    raw = [line.encode() for line in lines]
    written = datetime(2026, 4, 14 if "13/04" in lines[-1] else 7, 23, tzinfo=UTC)
    learned = Recogniser.learned(raw, UTC, written=written)
    assert learned.read(raw[0]).time == expected


def test_an_order_that_nothing_tells_is_not_guessed() -> None:
    raw = [b"03/04/2026 14:05:07 one", b"05/06/2026 14:05:07 two"]
    learned = Recogniser.learned(raw, UTC, written=datetime(2026, 12, 1, tzinfo=UTC))
    assert [learned.read(line).time for line in raw] == [None, None]
    assert learned.understood(raw).share == 0


@pytest.mark.parametrize(
    ("line", "zone", "zoned"),
    [
        ("2026-04-07 14:05:07 x", "UTC", False),
        ("2026-04-07 16:05:07 x", "Europe/Berlin", False),
        ("2026-04-07 16:05:07 CEST [7] LOG:  x", "UTC", True),
        ("2026-04-07 10:05:07 EDT [7] LOG:  x", "UTC", True),
        ("2026-04-07 19:35:07 IST [7] LOG:  x", "Asia/Kolkata", True),
        ("2026-04-07 14:05:07 IST [7] LOG:  x", "UTC", False),  # Israel, India or Ireland: nothing tells
        ("2026-04-07T16:05:07+02:00 x", "America/New_York", True),
        ("[07-Apr-2026 10:05:07 America/New_York] PHP Notice:  x", "UTC", True),
        ("1775570707.250 x", "Europe/Berlin", True),
    ],
)
def test_a_zone_is_taken_from_the_line_or_said_to_be_assumed(line: str, zone: str, *, zoned: bool) -> None:
    parsed = parse_line(line.encode(), ZoneInfo(zone), written=WRITTEN)
    assert parsed.time is not None
    assert (parsed.time.replace(microsecond=0), parsed.zoned) == (AT, zoned)


def test_a_year_that_is_left_out_is_the_last_one_before_the_file_was_written() -> None:
    new_year = datetime(2026, 1, 2, tzinfo=UTC)
    told = [
        parse_line(line, UTC, written=new_year).time for line in (b"Dec 31 23:59:59 a b: x", b"Jan  1 00:00:01 a b: x")
    ]
    assert told == [datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)]
    leap = parse_line(b"Feb 29 12:00:00 a b: x", UTC, written=datetime(2026, 4, 1, tzinfo=UTC)).time
    assert leap == datetime(2024, 2, 29, 12, tzinfo=UTC)


def test_columns_are_named_by_the_file_itself() -> None:
    head = b"#Fields: date time s-ip cs-method cs-uri-stem s-port c-ip sc-status time-taken"
    line = b"2026-04-07 14:05:07 10.0.0.9 GET /pay 443 10.0.0.1 502 1250"
    learned = Recogniser.learned([head, line], ZoneInfo("Europe/Berlin"), written=WRITTEN)
    parsed = learned.read(line)
    assert (parsed.time, parsed.level, parsed.zoned) == (AT, "error", True)
    assert (parsed.fields["sc-status"], parsed.fields["time-taken"]) == ("502", "1250")


def test_a_batch_of_records_in_one_line_is_all_read() -> None:
    records = [{"timeUnixNano": str(1775570707 * 10**9 + n), "body": {"stringValue": f"r{n}"}} for n in range(3)]
    line = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})
    entries = Recogniser(UTC, written=WRITTEN).entries(line.encode())
    assert [entry.text for entry in entries] == ["r0", "r1", "r2"]


def test_the_share_that_is_understood_counts_the_lines_that_begin_an_entry() -> None:
    raw = [b"2026-04-07 14:05:07 ERROR x", b"Traceback (most recent call last):", b'  File "a.py"', b"", b"odd line"]
    understood = Recogniser.learned(raw, UTC, written=WRITTEN).understood(raw)
    assert (understood.lines, understood.timed, understood.forms) == (2, 1, ("ISO 8601",))
    assert understood.zoneless == 1
