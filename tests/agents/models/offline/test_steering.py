"""What people say of an incident, read from their words."""

from datetime import UTC, datetime

import pytest

from agents.models.offline.steering import Steering, read_steering, tried_remedies
from agents.models.offline.transcript import Transcript


def steered(question: str) -> Steering:
    return read_steering(
        Transcript(
            question=question,
            said="",
            calls={"checkout": ("payments",), "payments": ()},
            connected=(),
            missing=(),
            tools={},
            results=(),
            asked=(),
            notes=(),
            hurried=False,
            turn=0,
            own_turns=0,
        ),
        datetime(2026, 3, 1, 15, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("question", "symptom"),
    [
        ("checkout is slow", "latency"),
        ("p99 latency of checkout doubled", "latency"),
        ("checkout hangs", "latency"),
        ("checkout answers 503", "errors"),
        ("nobody can pay on checkout", "errors"),
        ("payments fail with exceptions", "errors"),
        ("checkout is slow and some customers get errors", None),
        ("what is wrong with checkout?", None),
        ("the slowest part of the downtown map", "latency"),
        ("is the breakdown of errorless runs there?", None),
    ],
)
def test_what_people_notice_is_read_from_their_words(question: str, symptom: str | None) -> None:
    assert steered(question).symptom == symptom


@pytest.mark.parametrize(
    ("question", "minutes"),
    [
        ("checkout is slow", None),
        ("checkout is slow since 20 minutes", 20),
        ("checkout has been slow for about 5 min", 5),
        ("errors in the last hour", 60),
        ("errors in the past 2 hours", 120),
        ("it began half an hour ago", 30),
        ("something is wrong since a minute ago, what broke?", 1),
        ("slow for 90m", 90),
        ("slow for 300 hours", 1440),
        ("errors again and again, every few seconds", None),
        ("slow since 14:05", 55),
        ("slow since 14:05 UTC", 55),
        ("slow\n\nThat is since 2026-03-01 13:00 UTC.", 120),
        ("slow for 2h30m", 150),
        ("waits for 3 hosts", None),
        ("0 minutes ago", 1),
    ],
)
def test_so_is_how_long_ago_it_began(question: str, minutes: int | None) -> None:
    assert steered(question).since_minutes == minutes


def test_what_was_tried_since_is_no_part_of_what_they_notice() -> None:
    again = steered("checkout is slow for 20 minutes\n(Already tried: Restart the broken payments. It did not heal.)")
    assert (again.focus, again.symptom, again.since_minutes) == ("checkout", "latency", None)


@pytest.mark.parametrize(
    ("title", "again", "open_still"),
    [
        ("Put payments back to revision 3", {"undo_rollout", "rollback_deployment"}, "restart_workload"),
        ("Roll back payments", {"undo_rollout", "rollback_deployment"}, "restart_service"),
        ("Restart payments", {"restart_service", "restart_workload"}, "undo_rollout"),
    ],
)
def test_what_was_tried_by_one_way_is_not_proposed_again_by_another(
    title: str, again: set[str], open_still: str
) -> None:
    tried = tried_remedies(steered(f"checkout is slow\n(Already tried: {title}. It did not heal.)"))
    assert again <= {name for name, services in tried.items() if "payments" in services}
    assert "payments" not in tried[open_still]
