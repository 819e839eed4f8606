"""A large fleet is read in rings around the symptom; a small one whole."""

from agents.evidence.types import Edge
from agents.investigation.scope import ALL_AT_ONCE, MOST, rings, unread

FLEET = [f"s{n:03d}" for n in range(500)]
CHAIN = [Edge(caller=FLEET[n], callee=FLEET[n + 1]) for n in range(99)]


def test_a_small_fleet_is_read_whole_and_leaves_no_gap() -> None:
    assert rings(FLEET[:ALL_AT_ONCE], CHAIN, "s001") == [None]
    assert unread(FLEET[:ALL_AT_ONCE], None, None) is None


def test_a_large_one_is_read_from_the_symptom_outwards_along_the_calls() -> None:
    first, *further = [ring for ring in rings(FLEET, CHAIN, "s050") if ring is not None]
    assert all(abs(int(name[1:]) - 50) <= 8 for name in first)
    assert first[0] == "s050"
    assert {"s049", "s051"} == set(first[1:3])
    for inner, outer in zip([first, *further], further, strict=False):
        assert outer[: len(inner)] == inner
    assert len(further[-1]) == MOST
    assert unread(FLEET, first, "s050") == (
        "484 of 500 services were not read, only the 16 nearest to s050: name another service to look there"
    )


def test_without_a_symptom_it_begins_where_people_notice() -> None:
    first = rings(FLEET, CHAIN, None)[0]
    assert first is not None
    assert first[:3] == ("s000", "s001", "s002")
    assert "only 16 of them" in str(unread(FLEET, first, None))


def test_services_that_nothing_is_known_of_come_last_and_once() -> None:
    last = rings(FLEET, [], "s400")[-1]
    assert last is not None
    assert last[0] == "s400"
    assert len(set(last)) == len(last)
