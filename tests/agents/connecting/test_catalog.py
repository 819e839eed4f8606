"""Whose word counts about services, and what becomes a question."""

from datetime import UTC, datetime
from typing import Any

from agents.connecting.catalog import merged_services, service_name, told_by, told_of_names
from agents.connecting.connector import Discovered, Service
from agents.language.service_names import belongs_to, names_in, spellings
from store.ids import ServiceId
from store.incidents.catalog import CatalogEntry

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KNOWN = (Service(name="checkout", aliases=("span:shop.Checkout", "web-fe-*")), Service(name="payments"))


def entry(name: str, **more: Any) -> CatalogEntry:
    told = {"state": "known", "origin": "connection", **more}
    return CatalogEntry(id=ServiceId(name), name=name, created_at=NOW, **told)


def test_a_persons_word_stands_over_the_file_and_over_what_was_found() -> None:
    declared = (Service(name="checkout", owners=("@a",), depends_on=("payments",)), Service(name="payments"))
    merged = merged_services(
        declared,
        [
            entry("checkout", decided_at=NOW, owners=("@b",), aliases=("shop",)),
            entry("payments", owners=("@found",), depends_on=("nobody",)),
            entry("search", aliases=("pod:search-*",)),
            entry("strange", state="proposed"),
            entry("infra", state="dismissed"),
        ],
    )
    by_name = {one.name: one for one in merged}
    assert list(by_name) == ["checkout", "payments", "search"]
    assert (by_name["checkout"].owners, by_name["checkout"].depends_on) == (("@b",), ("payments",))
    assert (by_name["payments"].owners, by_name["payments"].depends_on) == (("@found",), ())


def test_a_name_means_a_service_by_itself_by_an_alias_or_as_its_instance() -> None:
    assert belongs_to("checkout", KNOWN) == "checkout"
    assert belongs_to("shop.Checkout", KNOWN, "span") == "checkout"
    assert belongs_to("shop.Checkout", KNOWN, "job") is None
    assert belongs_to("web-fe-blue", KNOWN) == "checkout"
    assert belongs_to("payments-7d9f8c6b5-x2k4z", KNOWN) == "payments"
    assert belongs_to("payments-0", KNOWN) == "payments"
    assert belongs_to("payments-worker-pool-two", KNOWN) is None


def test_aliases_are_understood_in_what_people_and_alerts_write() -> None:
    aliases = spellings(KNOWN)
    assert aliases == {"shop.Checkout": "checkout", "web-fe": "checkout"}
    assert names_in("the web-fe is slow", ["checkout", "payments"], aliases) == ["checkout"]
    assert names_in("CrashLoop of pod web-fe-7d9f-abcde", ["checkout", "payments"], aliases) == ["checkout"]
    twice = (Service(name="a", aliases=("shop",)), Service(name="b", aliases=("shop",)))
    assert spellings(twice) == {}, "a name of two services names none"


def test_what_a_connection_finds_is_new_or_known_or_a_question() -> None:
    found = [Discovered(name=name) for name in ("Search API", "payments", "paymets", "shop.Checkout")]
    told = {one.name: one for one in told_by(found, KNOWN, connection="c1", kind="span")}
    assert (told["search-api"].question, told["search-api"].aliases) == (False, ("span:Search API",))
    assert not told["payments"].question
    assert (told["paymets"].question, told["paymets"].same_as) == (True, "payments")
    assert "shop.checkout" not in told, "somebody said what it is"


def test_names_that_an_investigation_came_across_are_asked_about() -> None:
    names = ["checkout-7d9f8c6b5-x2k4z", "redis", "payments", "shop.Checkout"]
    told = told_of_names(names, KNOWN, origin="traces", evidence="i1", kind="span")
    assert [(one.name, one.same_as, one.question) for one in told] == [
        ("checkout-7d9f8c6b5-x2k4z", "checkout", True),
        ("redis", None, True),
    ]


def test_names_of_sources_become_names_of_services() -> None:
    assert service_name("Shop/Checkout Service") == "shop-checkout-service"
    assert service_name("!!!") == ""
    assert len(service_name("x" * 100)) == 40
