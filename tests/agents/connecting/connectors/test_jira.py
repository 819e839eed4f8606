"""Jira: tickets of a service in Cloud and in a Data Center, documents as text, what is written once, and refusals.

Every request to Cloud is held against Jira's own description, where ../shared is there.
"""

import ipaddress
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from agents.connecting.connector import ChangeSource, ConnectorContext, Discovers, Service
from agents.connecting.connectors.jira import CONNECTOR, Jira, OneTicket, TicketsOfService
from agents.connecting.connectors.jira.adf import document_of, text_of
from agents.connecting.connectors.jira.settings import JiraConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.connecting.ticketing import TicketWriter
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, NotPermitted, TooLarge, Unavailable
from agents.evidence.types import Window
from agents.rows import Filed, Noted, Searched, State
from store.secrets.redaction import Secret
from tests.fakes.jira import DONE, NOW, TOKEN, USER, FakeJira, a_ticket, stamp
from tests.fakes.vendor import serving, undocumented

SERVICES = (Service(name="checkout"), Service(name="payments", aliases=("jira:money",)), Service(name="search"))
CLOUD = {"username": Secret(USER), "password": Secret(TOKEN)}
OWN = {"token": Secret(TOKEN)}
CHECKOUT = [{"id": "501", "name": "Checkout"}]
SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
WINDOW = Window(start=NOW - timedelta(hours=2), end=NOW)
Connect = Callable[..., Jira]


@pytest.fixture
async def server() -> AsyncIterator[FakeJira]:
    async with serving(FakeJira()) as fake:
        fake.tickets = [
            a_ticket(12, "Checkout fails", components=CHECKOUT),
            a_ticket(11, "Slow money", made=90, labels=["money"]),
            a_ticket(10, "Old", made=30, components=CHECKOUT, status=DONE, resolutiondate=stamp(10)),
            a_ticket(9, "Nobody's", made=30),
        ]
        yield fake


@pytest.fixture(autouse=True)
def documented(server: FakeJira) -> Iterator[None]:
    """After each test: nothing was asked of Cloud, or answered by it, that Jira does not document."""
    yield
    server.asked = [one for one in server.asked if one.path.startswith("/rest/api/3/")]
    server.given = [one for one in server.given if one[0].path.startswith("/rest/api/3/")]
    assert list(undocumented(server, "jira-platform-v3.json.gz")) == []


async def _no_pause(_seconds: float) -> None:
    return


@pytest.fixture
async def connect(server: FakeJira) -> AsyncIterator[Connect]:
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)), sleep=_no_pause)

    def make(*, credentials: dict[str, Secret] = CLOUD, **config: Any) -> Jira:
        context = ConnectorContext(services=SERVICES, outbound=outbound, now=lambda: NOW, credentials=credentials)
        given = {"url": server.url, "projects": ("OPS",), "actions": ("create_ticket", "comment_ticket"), **config}
        return CONNECTOR(JiraConfig(**given), context)

    yield make
    await outbound.close()


@pytest.mark.parametrize("credentials", [CLOUD, OWN], ids=["cloud", "data center"])
async def test_open_tickets_of_a_service_by_component_or_label(
    credentials: dict[str, Secret], connect: Connect
) -> None:
    source = connect(credentials=credentials)
    found = await source.jira_tickets(TicketsOfService(service="checkout"))
    searched, row = found.rows
    assert isinstance(searched, Searched)
    assert isinstance(row, Filed)
    assert (row.kind, row.key, row.state, row.service) == ("ticket", "OPS-12", "To Do", "checkout")
    assert row.line == (
        "OPS-12 Incident To Do, High priority, made 2026-03-01 11:00 UTC, changed 2026-03-01 11:30 UTC: Checkout fails"
    )
    assert row.link == f"{source.config.base}/browse/OPS-12"
    labelled = await source.jira_tickets(TicketsOfService(service="payments"))
    assert [row.key for row in labelled.rows if isinstance(row, Filed)] == ["OPS-11"]
    every = await source.jira_tickets(TicketsOfService(service="checkout", hours=1))
    assert [row.key for row in every.rows if isinstance(row, Filed)] == ["OPS-10", "OPS-12"]
    assert (await source.jira_tickets(TicketsOfService(service="search"))).text == (
        "nothing found: no open tickets of search in OPS"
    )
    with pytest.raises(BadArguments, match="not a declared service"):
        await source.jira_tickets(TicketsOfService(service="nobody"))


@pytest.mark.parametrize("credentials", [CLOUD, OWN], ids=["cloud", "data center"])
async def test_further_pages_are_read_and_what_is_left_is_a_gap(
    credentials: dict[str, Secret], server: FakeJira, connect: Connect
) -> None:
    server.tickets = [a_ticket(n, "again", made=n, components=CHECKOUT) for n in range(1, 111)]
    found = await connect(credentials=credentials).jira_tickets(TicketsOfService(service="checkout"))
    assert "tickets older than the newest 100 were not read" in str(found.gap)
    assert "70 further tickets are not shown" in str(found.gap)


async def test_a_ticket_is_read_with_its_description_and_comments(server: FakeJira, connect: Connect) -> None:
    document = {
        "type": "doc",
        "version": 1,
        "content": [
            {"type": "heading", "content": [{"type": "text", "text": "Seen"}]},
            {
                "type": "bulletList",
                "content": [{"type": "listItem", "content": [{"type": "text", "text": f"key {SECRET}"}]}],
            },
        ],
    }
    server.tickets[0]["fields"]["description"] = document
    server.comments["OPS-12"] = [
        {"id": str(n), "body": document_of(f"note {n}"), "created": stamp(n), "author": {"displayName": "Mia Park"}}
        for n in range(25)
    ]
    found = await connect().jira_ticket(OneTicket(ticket="OPS-12"))
    ticket, description, first, *_ = found.rows
    assert isinstance(ticket, Filed)
    assert isinstance(description, State)
    assert description.value.startswith("Seen - key ")
    assert isinstance(first, Noted)
    assert (first.text, first.by, first.about) == ("note 24", "Mia Park", "OPS-12")
    assert "Mia" not in found.text
    assert SECRET not in repr(found)
    assert found.gap == "5 older comments of OPS-12 were not read"
    with pytest.raises(BadArguments, match="is of no declared service"):
        await connect().jira_ticket(OneTicket(ticket="OPS-9"))
    with pytest.raises(BadArguments, match="is in none of the connected projects: OPS"):
        await connect().jira_ticket(OneTicket(ticket="HR-1"))
    server.refuse["/rest/api/3/issue/OPS-12/comment"] = (403, {}, {"errorMessages": ["no"]})
    assert "may not do this at Jira: comments of OPS-12 (403): no" in str(
        (await connect().jira_ticket(OneTicket(ticket="OPS-12"))).gap
    )


def test_documents_are_read_as_people_see_them_and_written_as_paragraphs() -> None:
    link = {"type": "text", "text": "the page", "marks": [{"type": "link", "attrs": {"href": "https://x.example"}}]}
    cells = [{"type": "tableCell", "content": [{"type": "text", "text": one}]} for one in "ab"]
    nodes = [
        {"type": "paragraph", "content": [link, {"type": "hardBreak"}, {"type": "mention", "attrs": {"text": "@Mia"}}]},
        {"type": "codeBlock", "content": [{"type": "text", "text": "x = 1\ny = 2"}]},
        {"type": "table", "content": [{"type": "tableRow", "content": cells}]},
        {"type": "nobody-knows", "content": [{"type": "text", "text": "kept"}]},
    ]
    read = text_of({"type": "doc", "version": 1, "content": nodes})
    assert read == "the page (https://x.example)\n@Mia\nx = 1\ny = 2\na | b |\nkept"
    assert text_of(document_of("one\n\ntwo")) == "one\ntwo"
    deep: Any = {"type": "text", "text": "x"}
    for _ in range(3_000):
        deep = {"type": "panel", "content": [deep]}
    assert text_of(deep) == ""
    for strange in (None, 3, [], {"content": "x"}, {"type": [], "content": [None, {"type": "text"}]}):
        assert text_of(strange) == ""


async def test_tickets_of_the_named_types_are_changes_by_when_they_ended(server: FakeJira, connect: Connect) -> None:
    server.tickets += [
        a_ticket(21, "Resize", made=300, kind="Change", components=CHECKOUT, status=DONE, resolutiondate=stamp(20)),
        a_ticket(20, "Planned", made=50, kind="Change", components=CHECKOUT),
        a_ticket(19, "Long ago", made=900, kind="Change", components=CHECKOUT),
    ]
    source = connect(change_types=("Change",))
    assert isinstance(source, ChangeSource)
    read = await source.read_changes(WINDOW)
    assert [(one.id, one.summary) for one in read] == [
        ("jira-OPS-20", "OPS-20 Change To Do: Planned"),
        ("jira-OPS-21", "OPS-21 Change Done: Resize"),
    ]
    assert read[1].at == NOW - timedelta(minutes=20)
    assert len(await connect().read_changes(WINDOW)) == 0
    with pytest.raises(BadArguments, match="The value 'Dream' does not exist for the field 'issuetype'"):
        await connect(change_types=("Dream",)).read_changes(WINDOW)
    with pytest.raises(BadArguments, match="has no diff"):
        await source.read_diff("checkout", "a", "b")


async def test_services_are_discovered_from_components(connect: Connect) -> None:
    source = connect()
    assert isinstance(source, Discovers)
    assert [one.name for one in (await source.discover()).services] == ["Checkout"]


REFUSALS: list[tuple[Any, type[AgentError], str]] = [
    ((401, {}, {"errorMessages": ["no"]}), NeedsReauthorisation, "does not accept the credential"),
    (
        (200, {"x-seraph-loginreason": "AUTHENTICATED_FAILED"}, {"issues": [], "isLast": True}),
        NeedsReauthorisation,
        "does not accept the credential",
    ),
    ((403, {}, {"errorMessages": ["no"]}), NeedsReauthorisation, "may not do this at Jira"),
    ((404, {}, {}), BadArguments, "shows no tickets to this account"),
    ((410, {}, {"errorMessages": ["removed"]}), BadArguments, "shows no tickets"),
    ((400, {}, {"errorMessages": ["Error in the JQL Query"], "errors": {"x": "y"}}), BadArguments, "JQL Query x: y"),
    ((429, {"retry-after": "1"}, {}), Unavailable, "answered 429"),
    ((503, {}, b"down"), Unavailable, "answered 503"),
    ((200, {}, b"<html>sign in</html>"), Unavailable, "is not JSON"),
    ((200, {}, {"issues": [{"id": "7"}]}), Unavailable, "in a form that it does not document"),
    ((200, {}, b"[" + b" " * 8_000_001 + b"]"), TooLarge, "more than 8000000 bytes"),
]


@pytest.mark.parametrize(
    ("refusal", "error", "told"), REFUSALS, ids=[f"{n} {one[2]}" for n, one in enumerate(REFUSALS)]
)
async def test_what_it_refuses_is_said_and_never_nothing_found(
    refusal: Any, error: type[AgentError], told: str, server: FakeJira, connect: Connect
) -> None:
    server.refuse["/rest/api/3/search/jql"] = refusal
    with pytest.raises(error, match=told) as caught:
        await connect().jira_tickets(TicketsOfService(service="checkout"))
    assert TOKEN not in str(caught.value)


async def test_one_that_does_not_answer_is_given_up(server: FakeJira, connect: Connect) -> None:
    server.refuse["*"] = "hang"
    with pytest.raises(Unavailable, match=r"did not answer within 0\.05 s"):
        await connect()._client.get("/myself", what="the account", timeout_s=0.05)


async def test_a_check_says_what_works(server: FakeJira, connect: Connect) -> None:
    good = await connect().check()
    assert (good.ok, good.detail) == (True, "Jira Cloud answers, 1 project")
    own = await connect(credentials=OWN).check()
    assert (own.ok, own.detail) == (True, "Jira Data Center answers, 1 project")
    wrong = await connect(ticket_type="Story").check()
    assert (wrong.ok, wrong.usable, wrong.lacks) == (False, True, ("no ticket can be made: OPS has no type Story",))
    assert "Task, Incident, Change" in wrong.next_action
    assert (await connect(ticket_type="Story", actions=()).check()).ok
    refused = await connect(credentials={**CLOUD, "password": Secret("another")}).check()
    assert not refused.usable
    server.refuse["/rest/api/3/project/OPS/components"] = (404, {}, {})
    assert "shows no components of project OPS" in (await connect().check()).detail


@pytest.mark.parametrize(
    "wrong", [{"projects": ()}, {"projects": ("ops",)}, {"projects": ('A" OR 1',)}, {"url": "jira"}]
)
def test_settings_that_cannot_be_right_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        JiraConfig.model_validate({"url": "https://acme.atlassian.net", "projects": ("OPS",), **wrong})


def test_only_its_own_host_is_reached_and_a_credential_is_needed(connect: Connect) -> None:
    config = JiraConfig.model_validate({"url": "https://acme.atlassian.net", "projects": ("OPS",)})
    assert CONNECTOR.hosts(config) == ("acme.atlassian.net",)
    with pytest.raises(BadArguments, match="give username and password"):
        connect(credentials={})


@pytest.mark.parametrize("credentials", [CLOUD, OWN], ids=["cloud", "data center"])
async def test_a_ticket_is_made_once_and_commented_on_once(
    credentials: dict[str, Secret], server: FakeJira, connect: Connect
) -> None:
    source = connect(credentials=credentials)
    assert isinstance(source, TicketWriter)
    assert not source.can("create_ticket", "nobody")
    assert not connect(actions=()).can("create_ticket", "checkout")
    server.is_late = credentials is CLOUD  # only Cloud's index is behind
    given = await source.ticket_parameters("checkout", mark="autoheal-i-7", title="checkout: a slow bank", text="a\nb")
    method, url, body = source.argv("create_ticket", given)
    assert (method, url) == ("POST", f"{source._client.url('')}/issue")
    first = await source.act("create_ticket", given, idempotency_key="k")
    assert (first.ok, first.detail) == (True, f"ticket OPS-104 was made: {server.url}/browse/OPS-104")
    again = await source.act("create_ticket", given, idempotency_key="k")
    assert again.detail.startswith("ticket OPS-104 is there already")
    (sent,) = server.written()
    assert json.loads(sent.body) == json.loads(body)
    assert json.loads(body)["fields"]["labels"] == ["autoheal-i-7", "checkout"]
    assert json.loads(body)["fields"]["components"] == [{"id": "501"}]
    comment = {"service": "checkout", "item": "OPS-12", "mark": "autoheal-i-7", "text": "autoheal-i-7: found\nmore"}
    done = await source.act("comment_ticket", comment, idempotency_key="k")
    assert done.detail == f"commented on ticket OPS-12: {server.url}/browse/OPS-12"
    assert "is there already" in (await source.act("comment_ticket", comment, idempotency_key="k")).detail
    assert len(server.written()) == 2
    other = await source.act("comment_ticket", {**comment, "service": "payments"}, idempotency_key="k")
    assert (other.ok, other.detail) == (False, "ticket OPS-12 is of checkout now; nothing was written")
    assert (await source.read_target("payments")).state == "1 open ticket"


async def test_what_may_not_be_written_says_why(server: FakeJira, connect: Connect) -> None:
    given = await connect().ticket_parameters("search", mark="autoheal-i-7", title="t", text="a")
    assert given["components"] == "[]"
    with pytest.raises(BadArguments, match="issuetype: Specify a valid issue type"):
        await connect(ticket_type="Story").act("create_ticket", given, idempotency_key="k")
    server.may_write = False
    with pytest.raises(NeedsReauthorisation, match="a new ticket in OPS"):
        await connect().act("create_ticket", given, idempotency_key="k")
    with pytest.raises(NotPermitted):
        await connect(actions=()).act("create_ticket", given, idempotency_key="k")
