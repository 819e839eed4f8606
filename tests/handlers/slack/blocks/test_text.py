import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.slack.blocks import text as t


def test_mentions_and_links_of_foreign_text_are_escaped() -> None:
    assert t.escape("<!channel> <https://evil.example|ok> & `x`") == (
        "&lt;!channel&gt; &lt;https://evil.example|ok&gt; &amp; 'x'"
    )


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("*APPROVED* by security", "∗APPROVED∗ by security"),
        ("_observed_: the disk is fine", "ˍobservedˍ: the disk is fine"),
        ("~checkout~ is innocent", "∼checkout∼ is innocent"),
        ("*_~all~_*", "∗ˍ∼all∼ˍ∗"),
        ("so it begins* and ends", "so it begins∗ and ends"),
        ("> quoted\n>> twice", "› quoted\n› twice"),
        ("DB_POOL_SIZE 50 -> 5", "DB_POOL_SIZE 50 -&gt; 5"),
        ("SELECT * FROM a WHERE b > 2 * 3", "SELECT * FROM a WHERE b &gt; 2 * 3"),
        ("about 5 ~ 6", "about 5 ~ 6"),
    ],
)
def test_marks_of_foreign_text_are_shown_and_format_nothing(foreign: str, shown: str) -> None:
    assert t.escape(foreign) == shown
    assert t.escape(t.clean(shown)).count("∗") == shown.count("∗")


@given(st.text(alphabet="*_~ab &<>`\n.", max_size=30))
def test_no_text_formats_whatever_stands_beside_it(text: str) -> None:
    """In bold, in italics and struck through, only our own marks are at the edges of words."""
    for mark in "*_~":
        line = t.prose(text)
        if not line.strip():
            continue
        edges = [
            m.start() for m in re.finditer(r"(?<![A-Za-z0-9\s])[*_~]|[*_~](?![A-Za-z0-9\s])", f"{mark}{line}{mark}")
        ]
        assert set(edges) <= {0, len(line) + 1}


def test_hidden_characters_are_taken_out() -> None:
    assert t.clean("a\u202eb\u200bc\x07d\ufeff\u2066e\U000e0041") == "abcde"
    assert t.clean("a\tb\u2028c\nd\r\n") == "a b\nc\nd\n"


def test_a_command_to_the_letter_spells_hidden_characters() -> None:
    assert t.visible("rm\u202e -rf\n") == "rm\\u202e -rf\n"


def test_clamping_ends_on_a_word() -> None:
    assert t.clamp("one two three", 9) == "one two…"
    assert t.clamp("one two three", 13) == "one two three"
    assert t.clamp("abcdefghij", 5) == "abcd…"


@given(st.text(), st.integers(min_value=1, max_value=60))
def test_clamping_never_passes_the_limit(text: str, limit: int) -> None:
    assert len(t.clamp(text, limit)) <= limit


@given(st.text(min_size=1), st.integers(min_value=1, max_value=60))
def test_splitting_loses_nothing_but_white_space(text: str, limit: int) -> None:
    pieces = t.split(text, limit)
    assert all(len(piece) <= limit for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


@given(st.text())
def test_a_push_is_one_short_line_that_links_nothing(text: str) -> None:
    shown = t.push(text)
    assert 0 < len(shown) <= 120
    assert "\n" not in shown
    assert "://" not in shown
    assert "<" not in shown


def test_a_push_counts_its_escapes() -> None:
    assert len(t.push("<" * 200)) <= 120


def test_addresses_in_plain_places_are_defused() -> None:
    assert t.plain("see https://evil.example/x and [a](b)", 80) == "see https ://evil.example/x and [a] (b)"
    assert t.plain("mailto:a@b.example", 80) == "mailto :a@b.example"


def test_code_stays_verbatim_with_backticks_inside() -> None:
    assert t.code("Table `orders` is gone") == "```Table `orders` is gone```"
    assert t.code("a < b") == "`a &lt; b`"
    assert t.code("") == ""


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "ftp://x/y", "https://", "https://me:pw@host/", "http://[broken", None, "", "//x"],
)
def test_other_than_web_addresses_are_not_linked(url: str | None) -> None:
    assert t.link(url, "A3") == "A3"


def test_a_link_cannot_be_broken_out_of() -> None:
    assert t.link("https://x.example/a|b>c<d e", "A|3>") == "<https://x.example/a%7Cb%3Ec%3Cd%20e|A/3&gt;>"


def test_times_are_each_readers_own_and_utc_where_no_mrkdwn_is_read() -> None:
    summer = datetime.fromisoformat("2026-07-01T04:49:10+02:00")
    seconds = int(summer.timestamp())
    assert t.clock(summer) == f"<!date^{seconds}^{{time_secs}}|02:49:10 UTC>"
    assert t.minute(summer) == f"<!date^{seconds}^{{time}}|02:49 UTC>"
    assert t.day_minute(summer) == f"<!date^{seconds}^{{date_short_pretty}} at {{time}}|1 Jul 02:49 UTC>"
    assert t.unescape(f"*at {t.minute(summer)}*") == "at 02:49 UTC"
    assert (t.utc_minute(summer), t.utc_day_minute(summer)) == ("02:49 UTC", "1 Jul 02:49 UTC")
    assert t.clock(None) == ""
    assert t.moment("2026-07-01T02:49:10") == datetime(2026, 7, 1, 2, 49, 10, tzinfo=UTC)
    assert t.moment("yesterday") is None


@pytest.mark.parametrize(
    ("length", "shown"),
    [(13.2, "13 s"), (180, "3 min"), (150, "2 min 30 s"), (86_400, "24 h"), (5_400, "1 h 30 min"), (float("nan"), "?")],
)
def test_durations(length: float, shown: str) -> None:
    assert t.duration(length) == shown


def test_a_duration_may_be_a_timedelta() -> None:
    assert t.duration(timedelta(minutes=3)) == "3 min"


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.003, "ratio", "0.3%"),
        (0.09, "ratio", "9%"),
        (0.087, "ratio", "8.7%"),
        (0.0, "ratio", "0%"),
        (0.18, "seconds", "180 ms"),
        (2.5, "seconds", "2.5 s"),
        (12.0, "count", "12"),
        (512_000_000.0, "bytes", "512 MB"),
        (30.0, "per_second", "30/s"),
        (float("inf"), "count", "?"),
    ],
)
def test_measures(value: float, unit: t.Unit, shown: str) -> None:
    assert t.measure(value, unit) == shown


@given(st.floats(), st.sampled_from(["ratio", "seconds", "count", "bytes", "per_second"]))
def test_no_number_is_long(value: float, unit: t.Unit) -> None:
    assert len(t.measure(value, unit)) <= 20


def test_money() -> None:
    assert t.dollars(0.19) == "$0.19"
    assert t.dollars(0) == "$0"
    assert t.dollars(0.004) == "under $0.01"


def test_lists_name_how_many_they_leave_out() -> None:
    assert t.listing(["a", "b", "c"], most=2) == "a, b and 1 more"


def test_a_commit_is_named_by_seven_digits_and_other_versions_stay_whole() -> None:
    assert t.version("9d1ce735ef52212cbcbceb85de387d9124caa2ae") == "9d1ce73"
    assert t.version("2026.11.5-rc1") == "2026.11.5-rc1"
    assert t.version("9d1ce735ef") == "9d1ce735ef"
