"""Sentry: issues with when and how often they were seen, one event without what it held, deploys, and refusals.

Every request is held against Sentry's own description, where ../shared is there; but for the change of an issue, of
which it says that all fields are required, which the live API does not ask.
"""

import ipaddress
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.connecting.connector import ChangeSource, ConnectorContext, Discovers, Service
from agents.connecting.connectors.sentry import CONNECTOR, IssuesOfService, OneIssue, Sentry
from agents.connecting.connectors.sentry.settings import SentryConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.connecting.trackers import Tracker
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, NotPermitted, TooLarge, Unavailable
from agents.evidence.types import Window
from agents.rows import Changed, Filed, Logged, Printed, Searched
from store.secrets.redaction import Secret
from tests.fakes.sentry import (
    NOW,
    ROOT,
    TOKEN,
    FakeSentry,
    a_deploy,
    a_project,
    a_release,
    an_event,
    an_issue,
    frame,
    stamp,
)
from tests.fakes.vendor import serving, undocumented

SERVICES = (Service(name="checkout"), Service(name="payments", aliases=("sentry:money",)), Service(name="search"))
CHECKOUT, MONEY, OTHERS = a_project(1, "checkout"), a_project(2, "money"), a_project(3, "somebody")
WINDOW = Window(start=NOW - timedelta(hours=1), end=NOW)
SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
Connect = Callable[..., Sentry]


@pytest.fixture
async def server() -> AsyncIterator[FakeSentry]:
    async with serving(FakeSentry()) as fake:
        fake.projects = [CHECKOUT, MONEY, OTHERS]
        fake.issues = [
            an_issue(7, "KeyError: 'SEK'", CHECKOUT),
            an_issue(6, "Old one", CHECKOUT, first=9_000, last=30, count="3", substatus="regressed"),
            an_issue(5, "Over", CHECKOUT, status="resolved", last=20),
            an_issue(4, "Theirs", OTHERS),
        ]
        yield fake


@pytest.fixture(autouse=True)
def documented(server: FakeSentry) -> Iterator[None]:
    """After each test: nothing was asked or answered that Sentry does not document."""
    yield
    found = [one for one in undocumented(server, "sentry.json.gz") if "is a required property" not in one]
    assert found == []


async def _no_pause(_seconds: float) -> None:
    return


@pytest.fixture
async def connect(server: FakeSentry) -> AsyncIterator[Connect]:
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)), sleep=_no_pause)

    def make(*, token: str = TOKEN, **config: Any) -> Sentry:
        context = ConnectorContext(
            services=SERVICES, outbound=outbound, now=lambda: NOW, credentials={"token": Secret(token)}
        )
        given = {"url": server.url, "organization": "acme", "actions": ("resolve_issue",), **config}
        return CONNECTOR(SentryConfig(**given), context)

    yield make
    await outbound.close()


async def test_issues_of_a_window_with_counts_and_what_is_new(connect: Connect) -> None:
    found = await connect().sentry_issues(IssuesOfService(service="checkout"))
    searched, new, old = found.rows
    assert isinstance(searched, Searched)
    assert isinstance(new, Filed)
    assert isinstance(old, Filed)
    assert (new.kind, new.key, new.count, new.first) == ("issue", "7", 58, NOW - timedelta(minutes=5))
    assert new.last == NOW - timedelta(minutes=1)
    assert new.link == "https://acme.sentry.io/issues/7/"
    assert new.line.startswith(
        "SHOP-7 [7] unresolved error, new, 58 events of 12 users, first seen 2026-03-01 11:55:00"
    )
    assert "regressed, 3 events of 12 users, first seen 2026-02-23" in old.line
    every = await connect().sentry_issues(IssuesOfService(service="checkout", state="any"))
    assert [row.key for row in every.rows if isinstance(row, Filed)] == ["7", "5", "6"]
    recent = await connect(environments=("production",)).sentry_issues(IssuesOfService(service="checkout", minutes=10))
    assert [row.key for row in recent.rows if isinstance(row, Filed)] == ["7"]


async def test_nothing_found_is_an_answer_and_a_service_without_a_project_is_not(
    server: FakeSentry, connect: Connect
) -> None:
    server.issues = []
    nothing = await connect().sentry_issues(IssuesOfService(service="payments"))
    assert nothing.text == "nothing found: no unresolved issues of payments had an event in these 60 min"
    assert nothing.gap is None
    with pytest.raises(BadArguments, match="search: no project of Sentry is known to be that"):
        await connect().sentry_issues(IssuesOfService(service="search"))


async def test_further_pages_are_read_and_what_is_left_is_a_gap(server: FakeSentry, connect: Connect) -> None:
    server.issues = [an_issue(n, "again", CHECKOUT) for n in range(1, 151)]
    found = await connect().sentry_issues(IssuesOfService(service="checkout"))
    cursors = [one.query.get("cursor") for one in server.asked if one.path == f"{ROOT}/issues/"]
    assert cursors == [None, "0:50:0"], "the cursor is followed, the address is not"
    assert "issues last seen before the newest 100 were not read" in str(found.gap)
    assert "75 further issues are not shown" in str(found.gap)


async def test_an_event_has_its_stack_and_steps_but_nothing_of_what_it_held(
    server: FakeSentry, connect: Connect
) -> None:
    held = {"vars": {"card": "4111 1111 1111 1111", "order": "very-own-order"}}
    library = frame("send", 9, "self.sock.send()", filename="lib/http.py", inApp=False)
    crumb = {
        "timestamp": stamp(2),
        "category": "query",
        "message": f"token {SECRET}",
        "data": {"who": "mia@example.com"},
    }
    server.events["7"] = {
        **an_event("'SEK'", library, frame("charge", 42, "rate = RATES[currency]", **held), crumbs=[crumb]),
        "user": {"email": "mia@example.com"},
    }
    server.commits["shop@7"] = [
        {
            "id": "b" * 40,
            "message": "Cut the rates\n\nmore",
            "dateCreated": stamp(70),
            "suspectCommitType": "",
            "releases": [],
        }
    ]
    found = await connect().sentry_event(OneIssue(issue="7"))
    issue, event, stack, before, commit = found.rows
    assert isinstance(issue, Filed)
    assert isinstance(event, Logged)
    assert event.fields == {"release": "shop@7"}
    assert isinstance(stack, Printed)
    assert stack.text.split("\n")[:3] == [
        "KeyError: 'SEK'",
        "  at charge (shop/pay.py:42)",
        "     rate = RATES[currency]",
    ]
    assert "1 further frames" in stack.text
    assert isinstance(before, Logged)
    assert isinstance(commit, Changed)
    assert commit.line.startswith("lead, not a cause: bbbbbbb")
    for held_back in (SECRET, "4111", "very-own-order", "mia@example.com"):
        assert held_back not in repr(found)
    server.refuse[f"{ROOT}/releases/shop@7/commits/"] = (403, {}, {"detail": "no"})
    partly = await connect().sentry_event(OneIssue(issue="7"))
    assert "may not do this at Sentry: commits of release shop@7 (403)" in str(partly.gap)
    with pytest.raises(BadArguments, match="is of no declared service"):
        await connect().sentry_event(OneIssue(issue="4"))


async def test_deploys_are_changes_and_a_release_that_nobody_deployed_is_told_as_one(
    server: FakeSentry, connect: Connect
) -> None:
    twice = [a_deploy(12, "staging", 30), a_deploy(11, "production", 20)]
    server.releases = [
        a_release("shop@9", [CHECKOUT], made=10),
        a_release("shop@8", [CHECKOUT, MONEY], *twice),
        a_release("shop@7", [CHECKOUT], a_deploy(10, "production", 3_000), made=4_000),
    ]
    server.deploys["shop@8"] = twice
    source = connect()
    assert isinstance(source, ChangeSource)
    read = await source.read_changes(WINDOW, ["checkout"])
    assert [(c.id, c.kind, c.version, c.previous_version) for c in read] == [
        ("sentry-checkout/12", "deployment", "shop@8", None),
        ("sentry-checkout/11", "deployment", "shop@8", "shop@7"),
        ("sentry-checkout/shop@9", "other", "shop@9", None),
    ]
    assert read[1].at == datetime(2026, 3, 1, 11, 40, tzinfo=UTC)
    assert read[1].link == f"{server.url}/organizations/acme/releases/shop%408/"
    only = await connect(environments=("production",)).read_changes(WINDOW, ["checkout", "payments"])
    assert {c.id for c in only} == {"sentry-checkout/11", "sentry-payments/11", "sentry-checkout/shop@9"}
    server.refuse[f"{ROOT}/releases/shop@8/deploys/"] = (404, {}, {"detail": "no"})
    partly = await source.read_changes(WINDOW, ["checkout"])
    assert "only the last deploy is known" in partly.gaps[0]
    assert (await source.read_changes(WINDOW)).gaps[0].startswith("search: no project of Sentry")
    with pytest.raises(BadArguments, match="has no diff"):
        await source.read_diff("checkout", "shop@7", "shop@8")


async def test_services_are_discovered_from_projects(connect: Connect) -> None:
    source = connect()
    assert isinstance(source, Discovers)
    assert [one.name for one in (await source.discover()).services] == ["checkout", "money", "somebody"]


REFUSALS: list[tuple[Any, type[AgentError], str]] = [
    ((401, {}, {"detail": "Invalid token"}), NeedsReauthorisation, "does not accept the token"),
    ((403, {}, {"detail": "You do not have permission"}), NeedsReauthorisation, "may not do this at Sentry: issues"),
    ((404, {}, {"detail": "no"}), BadArguments, "shows no issues to this token"),
    ((400, {}, {"detail": "Error parsing search query"}), BadArguments, "Error parsing search query"),
    ((429, {"retry-after": "1"}, {}), Unavailable, "answered 429"),
    ((503, {}, b"down"), Unavailable, "answered 503"),
    ((200, {}, b"<html>sign in</html>"), Unavailable, "is not JSON"),
    ((200, {}, {"detail": "x"}), Unavailable, "in a form that it does not document"),
    ((200, {}, [{"id": "7"}]), Unavailable, "in a form that it does not document"),
    ((200, {}, b"[" + b" " * 16_000_001 + b"]"), TooLarge, "more than 16000000 bytes"),
]


@pytest.mark.parametrize(
    ("refusal", "error", "told"), REFUSALS, ids=[f"{n} {one[2]}" for n, one in enumerate(REFUSALS)]
)
async def test_what_it_refuses_is_said_and_never_nothing_found(
    refusal: Any, error: type[AgentError], told: str, server: FakeSentry, connect: Connect
) -> None:
    server.refuse[f"{ROOT}/issues/"] = refusal
    with pytest.raises(error, match=told) as caught:
        await connect().sentry_issues(IssuesOfService(service="checkout"))
    assert TOKEN not in str(caught.value)


async def test_one_that_does_not_answer_is_given_up(server: FakeSentry, connect: Connect) -> None:
    server.refuse["*"] = "hang"
    with pytest.raises(Unavailable, match=r"did not answer within 0\.05 s"):
        await connect()._client.get("/projects/", what="projects", timeout_s=0.05)


async def test_a_check_tells_each_right_that_is_missing(server: FakeSentry, connect: Connect) -> None:
    good = await connect().check()
    assert (good.ok, good.detail) == (True, "Sentry answers, 3 projects can be read")
    server.refuse[f"{ROOT}/releases/"] = (403, {}, {"detail": "no"})
    partly = await connect().check()
    assert (partly.ok, partly.usable) == (False, True)
    assert partly.lacks[0].startswith("project:releases: releases and deploys are not known")
    refused = await connect(token="another-token-of-nobody").check()
    assert not refused.usable
    assert "(401)" in refused.detail
    server.projects = []
    assert "Give the token access" in (await connect().check()).next_action


def test_the_region_or_the_own_server_decides_where_it_is_asked() -> None:
    assert CONNECTOR.hosts(SentryConfig(organization="acme")) == ("us.sentry.io",)
    assert CONNECTOR.hosts(SentryConfig(organization="acme", region="de")) == ("de.sentry.io",)
    own = SentryConfig.model_validate({"organization": "acme", "url": "https://sentry.example.com"})
    assert CONNECTOR.hosts(own) == ("sentry.example.com",)


async def test_a_state_is_changed_once(server: FakeSentry, connect: Connect) -> None:
    source = connect()
    assert isinstance(source, Tracker)
    assert not connect(actions=()).can("resolve_issue", "checkout")
    assert not source.can("resolve_issue", "nobody")
    parameters = {"service": "checkout", "item": "7", "was": "unresolved", "wanted": "resolved"}
    sent = ("PUT", f"{server.url}{ROOT}/issues/7/", '{"status": "resolved"}')
    assert source.argv("resolve_issue", parameters) == sent
    for told in ("issue SHOP-7 is resolved", "issue SHOP-7 is resolved already"):
        done = await source.act("resolve_issue", parameters, idempotency_key="k")
        assert (done.ok, done.detail) == (True, told)
    assert [json.loads(one.body) for one in server.written()] == [{"status": "resolved"}]
    assert (await source.read_target("checkout")).state == "1 unresolved issue"
    server.issues[0]["status"] = "ignored"
    left = await source.act("resolve_issue", parameters, idempotency_key="k")
    assert (left.ok, left.detail) == (False, "issue SHOP-7 is ignored now; nothing was changed")
    server.issues[0]["status"], server.may_write = "unresolved", False
    with pytest.raises(NeedsReauthorisation, match="a change of issue SHOP-7"):
        await source.act("resolve_issue", parameters, idempotency_key="k")
    with pytest.raises(NotPermitted):
        await connect(actions=()).act("resolve_issue", parameters, idempotency_key="k")
