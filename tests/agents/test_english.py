"""Plurals and possessives."""

from agents.english import counted, lasting, possessive


def test_one_is_not_many() -> None:
    assert [counted(n, "change") for n in (0, 1, 2)] == ["0 changes", "1 change", "2 changes"]
    assert [counted(n, "query") for n in (1, 2)] == ["1 query", "2 queries"]
    assert counted(2, "day") == "2 days"


def test_a_name_that_ends_with_s_takes_no_second_one() -> None:
    assert (possessive("checkout"), possessive("payments")) == ("checkout's", "payments'")


def test_lengths_of_time_are_told_by_their_two_greatest_units() -> None:
    told = [lasting(seconds) for seconds in (40, 725, 12_600, 7_200, 86_400, 187_200)]
    assert told == ["40 s", "12 min", "3 h 30 min", "2 h", "1 day", "2 days 4 h"]
