"""Alerts and groups in memory: what is counted, what changes a state, what belongs together."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from agents.alerting.book import FLAPS_WITHIN, Book, Group
from agents.alerting.topology import Topology
from agents.webhooks import Part

START = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)
EDGES = [("web", "checkout"), ("checkout", "payment"), ("payment", "db"), ("mail", "queue")]


def a_book(edges: Any = EDGES) -> Book:
    numbers = itertools.count(1)
    return Book("t", topology=Topology(edges), new_id=lambda: f"g{next(numbers)}")


def absorb(book: Book, service: str | None, name: str = "Errors", after: float = 0, **more: Any) -> Group:
    at = START + timedelta(seconds=after)
    labels = {"alertname": name, **more.pop("labels", {})}
    given = {"status": "firing", "severity": "critical", "key": f"am:{name}:{service}:{labels.get('node', '')}", **more}
    part = Part(kind="alert", title=f"{name}: {service}", service=service, occurred_at=at, labels=labels, **given)
    group = book.absorb("am", part, at)
    assert group is not None
    return group


def test_the_same_alert_is_counted_and_changes_nothing() -> None:
    book = a_book()
    first = absorb(book, "web")
    version = first.version
    for number in range(100):
        assert absorb(book, "web", after=number) is first
    assert first.version == version, "nobody has to see it again"
    (alert,) = book.alerts.values()
    assert (alert.occurrences, alert.turns, first.alerts, first.sources["am"]) == (101, 1, 1, 101)


def test_callers_follow_the_one_that_fails() -> None:
    book = a_book()
    cause = absorb(book, "payment")
    assert absorb(book, "checkout", after=30) is cause
    assert absorb(book, "web", after=60) is cause
    assert absorb(book, "mail", after=60) is not cause, "it calls nothing that fails"
    assert cause.cluster.root == "payment"
    assert cause.title == "Errors: payment"


def test_a_cause_that_shows_late_becomes_the_root_and_joins_its_symptoms() -> None:
    book = a_book([("web", "db"), ("admin", "db")])
    one, two = absorb(book, "web"), absorb(book, "admin", after=10)
    assert one is not two
    deeper = absorb(book, "db", "ConnectionsExhausted", after=40)
    assert deeper.cluster.root == "db"
    assert {book.alerts[one].group_id for one in book.alerts} == {deeper.id}
    assert deeper.title == "ConnectionsExhausted: db"
    assert deeper.alerts == 3


def test_long_after_it_is_another_thing() -> None:
    book = a_book()
    cause = absorb(book, "payment")
    assert absorb(book, "checkout", after=3_600) is not cause


def test_environments_do_not_mix() -> None:
    book = a_book()
    assert absorb(book, "web", environment="prod") is not absorb(book, "web", "Slow", environment="staging")


def test_a_node_takes_what_is_on_it_and_nothing_else() -> None:
    book = a_book()
    node = absorb(book, None, "NodeDown", labels={"node": "n1"})
    assert absorb(book, "mail", "PodDown", after=30, labels={"node": "n1"}) is node
    assert absorb(book, "mail", "PodDown", after=40, labels={"node": "n2"}) is not node


def test_low_severity_is_quiet_until_a_cause_begins() -> None:
    book = a_book()
    quiet = absorb(book, "payment", "SlowQueries", severity="warning")
    assert quiet.cluster.quiet
    assert absorb(book, "mail", "DiskFills", after=5, severity="info") is quiet
    loud = absorb(book, "payment", after=60)
    homes = {alert.name: alert.group_id for alert in book.alerts.values()}
    assert homes == {"slowqueries": loud.id, "diskfills": quiet.id, "errors": loud.id}


def test_an_alert_ends_returns_and_flaps() -> None:
    book = a_book()
    group = absorb(book, "web")
    assert absorb(book, "web", after=60, status="resolved").status == "resolved"
    assert absorb(book, "web", after=30).status == "resolved", "a late word about the past changes nothing"
    for turn in range(3):
        assert absorb(book, "web", after=100 + turn * 20) is group
        absorb(book, "web", after=110 + turn * 20, status="resolved")
    assert (group.recurrences, group.flapping, group.flaps_from, group.quiet_s) == (3, True, 2, 10.0)
    absorb(book, "web", after=160 + FLAPS_WITHIN.total_seconds())
    assert (group.recurrences, group.flapping, group.flaps_from) == (4, False, None), "it was calm for long"


def test_acknowledged_is_neither_firing_nor_over() -> None:
    book = a_book()
    absorb(book, "web")
    assert absorb(book, "web", after=5, status="acknowledged").status == "acknowledged"
    assert absorb(book, "web", after=6, status="info").status == "acknowledged"
    assert absorb(book, "web", after=9, status="resolved").status == "resolved"


def test_an_end_without_its_beginning_is_kept_and_starts_nothing() -> None:
    book = a_book()
    group = absorb(book, "web", status="resolved")
    assert group.cluster.quiet
    assert len(book.alerts) == 1


def test_a_watchdog_is_no_alert() -> None:
    book = a_book()
    part = Part(kind="alert", status="firing", title="Watchdog", key="am:watchdog")
    assert book.absorb("am", part, START) is None
    assert not book.alerts


def test_a_group_is_the_same_after_it_was_stored() -> None:
    book = a_book()
    group = absorb(book, None, "NodeDown", labels={"node": "n1"})
    again = Group(cluster=type(group.cluster)(id="x", root=None, opened_at=START, last_at=START))
    again.read(group.facts())
    assert again.facts() == group.facts()


def test_a_group_about_a_node_takes_no_other_group_that_is_elsewhere() -> None:
    book = a_book()
    node = absorb(book, None, "NodeDown", labels={"node": "n1"})
    web = absorb(book, "web", after=10, labels={"node": "n2"})
    assert absorb(book, "checkout", "PodDown", after=30, labels={"node": "n1"}) is node
    assert web.merged_into is None, "that one of its callees has a pod there explains nothing elsewhere"


def test_what_a_node_took_down_has_its_own_trouble_later() -> None:
    book = a_book()
    node = absorb(book, None, "NodeDown", labels={"node": "n1"})
    assert absorb(book, "mail", "PodDown", after=30, labels={"node": "n1"}) is node
    assert absorb(book, "mail", after=8 * 60, labels={"node": "n1"}) is not node


def test_low_severity_makes_no_root_and_of_two_groups_one() -> None:
    book = a_book([("web", "db"), ("admin", "db")])
    web, admin = absorb(book, "web"), absorb(book, "admin", after=10)
    assert absorb(book, "db", "CpuThrottled", after=20, severity="info").cluster.quiet
    assert (web.cluster.root, web.merged_into, admin.merged_into) == ("web", None, None)
    assert absorb(book, "db", after=40).cluster.root == "db"


def test_what_calls_the_failing_one_brings_its_own_callers_along() -> None:
    book = a_book()
    cause, web = absorb(book, "payment"), absorb(book, "web", after=20)
    assert web is not cause, "nobody knows yet that they hang together"
    assert absorb(book, "checkout", after=30) is cause
    assert (cause.cluster.root, web.merged_into) == ("payment", cause.id)
