"""People's words that rule a remedy out, and that allow it again, in ways the patterns were not copied from."""

from datetime import UTC, datetime, timedelta

import pytest

from agents.language.prohibition import OTHER, Said, forbidding, standing, stated

SERVICES = ("catalog", "checkout", "payments-api")
START = datetime(2026, 12, 1, 3, 0, tzinfo=UTC)
BACK, START_AGAIN, HUSH, SIZE = "rollback_deployment", "restart_service", "silence_alert", "scale_service"
EACH = (BACK, START_AGAIN, HUSH, SIZE, OTHER)


def after(*words: str) -> set[tuple[str, str | None]]:
    said = [Said(text=text, at=START + timedelta(minutes=n)) for n, text in enumerate(words)]
    return {(p.remediation, p.service) for p in standing(said, SERVICES)}


@pytest.mark.parametrize(
    ("words", "forbidden"),
    [
        ("do not roll back catalog", {(BACK, "catalog")}),
        ("Please don't revert the catalog deploy, it carries a fix", {(BACK, "catalog")}),
        ("We must not restart checkout during the batch", {(START_AGAIN, "checkout")}),
        ("no rollbacks tonight please", {(BACK, None)}),
        ("look at payments first. never bounce payments-api", {(START_AGAIN, "payments-api")}),
        ("a rollback of catalog is off the table", {(BACK, "catalog")}),
        ("hands off checkout", {(kind, "checkout") for kind in EACH}),
        ("whatever you find, don't touch catalog", {(kind, "catalog") for kind in EACH}),
        ("do not scale catalog, the quota is full", {(SIZE, "catalog")}),
        ("please do not silence checkout, we watch it", {(HUSH, "checkout")}),
        ("never mute catalog alerts", {(HUSH, "catalog")}),
        ("why did you not roll back catalog?", set()),
        ("we did not roll back anything yet", set()),
        ("a customer wrote “do not roll back catalog”", set()),
        ("> do not roll back catalog\nwhat about this?", set()),
        ("checkout fails\n\nThe thread begins with: do not roll back catalog", set()),
        ("checkout does not start, roll back?", set()),
        ("catalog restarted by itself and now it does not answer", set()),
    ],
)
def test_what_is_ruled_out(words: str, forbidden: set[tuple[str, str | None]]) -> None:
    assert after(words) == forbidden


@pytest.mark.parametrize(
    "lifts",
    [
        "you may roll back catalog",
        "ok to roll back catalog now",
        "go ahead and revert catalog",
        "rolling back catalog is fine now",
        "we can roll back catalog",
        "you may now roll back",
    ],
)
def test_words_lift_it_again(lifts: str) -> None:
    assert after("don't roll back catalog", lifts) == set()
    assert after("don't roll back catalog", lifts, "no, do not roll back catalog") == {(BACK, "catalog")}


def test_what_is_allowed_for_one_service_stays_forbidden_for_another() -> None:
    assert after("do not restart checkout, and do not restart catalog", "you may restart checkout") == {
        (START_AGAIN, "catalog")
    }


def test_it_stands_against_its_remedy_only_and_says_how_it_is_lifted() -> None:
    found = standing([Said(text="never restart checkout", at=START)], SERVICES)
    assert forbidding(found, BACK, "checkout") is None
    assert forbidding(found, START_AGAIN, "catalog") is None
    assert forbidding(found, "restart_workload", "checkout") is not None
    assert forbidding(found, "undo_rollout", "checkout") is None
    against = forbidding(found, START_AGAIN, "checkout")
    assert against is not None
    assert "03:00 UTC" in against.told()
    assert "you may restart checkout" in against.told()
    assert after("never restart checkout", "you may restart checkout") == set()


@pytest.mark.parametrize(
    ("words", "remedies"),
    [
        ("do not restart checkout", ("restart_service", "restart_workload")),
        ("do not roll back checkout", ("rollback_deployment", "undo_rollout", "revert_pull_request")),
        ("do not mute checkout", ("silence_alert", "mute_monitor")),
        ("do not scale checkout", ("scale_service", "scale_workload")),
        ("hands off checkout", ("restart_workload", "acknowledge_incident", "dispatch_workflow", "mute_monitor")),
    ],
)
def test_a_word_means_every_remedy_that_is_called_so(words: str, remedies: tuple[str, ...]) -> None:
    found = standing([Said(text=words, at=START)], SERVICES)
    for remedy in remedies:
        assert forbidding(found, remedy, "checkout") is not None, remedy
        assert forbidding(found, remedy, "catalog") is None


def test_what_was_lifted_stays_known_with_whose_words_they_were() -> None:
    said = [
        Said(text="do not restart checkout", at=START, by="mia"),
        Said(text="really, do not restart checkout", at=START + timedelta(minutes=1), by="raj"),
        Said(text="you may restart checkout", at=START + timedelta(minutes=2), by="olga"),
    ]
    (found,) = stated(said, SERVICES)
    assert (found.by, found.at, found.lifted_by, found.lifted_at) == ("mia", START, "olga", said[2].at)
    assert standing(said, SERVICES) == []
