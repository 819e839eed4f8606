"""Plurals and possessives."""

from agents.english import counted, possessive


def test_one_is_not_many() -> None:
    assert [counted(n, "change") for n in (0, 1, 2)] == ["0 changes", "1 change", "2 changes"]
    assert [counted(n, "query") for n in (1, 2)] == ["1 query", "2 queries"]
    assert counted(2, "day") == "2 days"


def test_a_name_that_ends_with_s_takes_no_second_one() -> None:
    assert (possessive("checkout"), possessive("payments")) == ("checkout's", "payments'")
