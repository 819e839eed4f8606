"""An API of one's own: declared fields with their units, of one service, and never a zero for what is not there."""

import ipaddress
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.http_json import CONNECTOR, HttpJson, OfEndpoint
from agents.connecting.connectors.http_json.settings import HttpJsonConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, TooLarge, Unavailable
from agents.rows import Searched, State, Unread
from store.secrets.redaction import Secret
from tests.fakes.openapi import Asked
from tests.fakes.vendor import FakeVendor, Told, serving

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TOKEN = "a-token-of-the-teams-own"
SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
SERVICES = (Service(name="checkout"), Service(name="payments", aliases=("http_json:money/eu",)))
QUEUE = "/queues/{service}; depth /stats/depth count; oldest /stats/oldest_at time; state /state text"
SHARDS = "/shards?of={service}; lag /shards/*/lag seconds; name /shards/*/name text"
Connect = Callable[..., HttpJson]


@dataclass(kw_only=True)
class OwnApi(FakeVendor):
    """Strict: it answers what it documents, to those with the right token, and nothing else."""

    documents: dict[str, Any] = field(default_factory=dict)

    def answered(self, asked: Asked) -> Told:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}" or asked.method != "GET":
            return 401, {}
        key = f"{asked.path}?of={asked.query['of']}" if "of" in asked.query else asked.path
        return (200, self.documents[key]) if key in self.documents else (404, {})


@pytest.fixture
async def server() -> AsyncIterator[OwnApi]:
    async with serving(OwnApi()) as fake:
        fake.documents = {
            "/api/queues/checkout": {
                "stats": {"depth": 1_200, "oldest_at": "2026-03-01T11:58:00Z", "password": "not declared"},
                "state": f"paused by key {SECRET}",
            },
            "/api/shards?of=checkout": {"shards": [{"lag": 0.5, "name": "a"}, {"lag": 12, "name": "b"}]},
        }
        yield fake


async def _no_pause(_seconds: float) -> None:
    return


@pytest.fixture
async def connect(server: OwnApi) -> AsyncIterator[Connect]:
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)), sleep=_no_pause)

    def make(*, token: str = TOKEN, services: tuple[Service, ...] = SERVICES, **endpoints: str) -> HttpJson:
        context = ConnectorContext(
            services=services, outbound=outbound, now=lambda: NOW, credentials={"token": Secret(token)}
        )
        given = {"url": f"{server.url}/api", "endpoints": endpoints or {"queue": QUEUE, "shards": SHARDS}}
        return CONNECTOR(HttpJsonConfig.model_validate(given), context)

    yield make
    await outbound.close()


async def test_declared_fields_with_their_units_and_nothing_else(server: OwnApi, connect: Connect) -> None:
    found = await connect().http_json_read(OfEndpoint(service="checkout", endpoint="queue"))
    searched, depth, oldest, state = found.rows
    assert isinstance(searched, Searched)
    assert isinstance(depth, State)
    assert (depth.service, depth.name, depth.value, depth.at) == ("checkout", "queue depth", "1200", NOW)
    assert oldest.line == "oldest: 2026-03-01 11:58:00 UTC"
    assert state.line.startswith("state: paused by key ")
    assert SECRET not in repr(found)
    assert "not declared" not in repr(found)
    assert found.gap is None
    assert [one.method for one in server.asked] == ["GET"]


async def test_a_star_stands_for_each_item_and_an_empty_list_is_an_answer(server: OwnApi, connect: Connect) -> None:
    found = await connect().http_json_read(OfEndpoint(service="checkout", endpoint="shards"))
    assert found.text.split("\n") == ["0 lag: 0.5 s", "1 lag: 12 s", "0 name: a", "1 name: b"]
    server.documents["/api/shards?of=checkout"] = {"shards": []}
    nothing = await connect().http_json_read(OfEndpoint(service="checkout", endpoint="shards"))
    assert nothing.text == "nothing found: the lists of shards are empty for checkout"
    assert nothing.gap is None
    server.documents["/api/shards?of=checkout"] = {"shards": [{"lag": n, "name": str(n)} for n in range(50)]}
    many = await connect().http_json_read(OfEndpoint(service="checkout", endpoint="shards"))
    assert many.gap == "40 further values are not shown"


async def test_what_is_not_there_or_of_another_kind_is_a_gap_and_never_a_zero(server: OwnApi, connect: Connect) -> None:
    server.documents["/api/queues/checkout"] = {"stats": {"depth": "many", "oldest_at": "yesterday"}, "state": None}
    found = await connect().http_json_read(OfEndpoint(service="checkout", endpoint="queue"))
    assert [type(row) for row in found.rows] == [Searched, Unread, Unread, Unread]
    assert found.gap == (
        "depth is not a number (1 value); oldest is not a time (1 value); state is not a text (1 value)"
    )
    server.documents["/api/queues/checkout"] = {"statistics": {}}
    moved = await connect().http_json_read(OfEndpoint(service="checkout", endpoint="queue"))
    assert moved.gap == "the answer has no /stats; the answer has no /stats; the answer has no /state"
    assert moved.rows[0].whole is False  # type: ignore[attr-defined] # what was looked for


async def test_a_service_is_called_what_the_api_calls_it_and_only_declared_ones_are_asked(
    server: OwnApi, connect: Connect
) -> None:
    server.documents["/api/queues/money/eu"] = {"stats": {"depth": 3, "oldest_at": 0}, "state": "on"}
    found = await connect().http_json_read(OfEndpoint(service="payments", endpoint="queue"))
    assert found.text == "depth: 3\noldest: 1970-01-01 00:00:00 UTC\nstate: on"
    with pytest.raises(BadArguments, match="not a declared service"):
        await connect().http_json_read(OfEndpoint(service="nobody", endpoint="queue"))
    with pytest.raises(BadArguments, match="there are queue, shards"):
        await connect().http_json_read(OfEndpoint(service="checkout", endpoint="dream"))


async def test_the_model_is_told_what_can_be_read(connect: Connect) -> None:
    (offered,) = connect().tools()
    assert "- queue: depth (count), oldest (time), state (text)" in offered.description


REFUSALS: list[tuple[Any, type[AgentError], str]] = [
    ((401, {}, {}), NeedsReauthorisation, "refused the credential"),
    ((403, {}, {}), NeedsReauthorisation, "refused the credential"),
    ((404, {}, {}), BadArguments, "has no queue of checkout"),
    ((302, {"location": "https://elsewhere.example"}, b""), Unavailable, "redirects are not followed"),
    ((429, {"retry-after": "1"}, {}), Unavailable, "answered 429"),
    ((503, {}, b"down"), Unavailable, "answered 503"),
    ((200, {}, b"<html>sign in</html>"), Unavailable, "is not JSON"),
    ((200, {}, b"[" + b" " * 2_000_001 + b"]"), TooLarge, "more than 2000000 bytes"),
]


@pytest.mark.parametrize(("refusal", "error", "told"), REFUSALS, ids=[one[2] + str(one[0][0]) for one in REFUSALS])
async def test_what_it_refuses_is_said_and_never_nothing_found(
    refusal: Any, error: type[AgentError], told: str, server: OwnApi, connect: Connect
) -> None:
    server.refuse["*"] = refusal
    with pytest.raises(error, match=told) as caught:
        await connect().http_json_read(OfEndpoint(service="checkout", endpoint="queue"))
    assert TOKEN not in str(caught.value)


async def test_one_that_does_not_answer_is_given_up(server: OwnApi, connect: Connect) -> None:
    server.refuse["*"] = "hang"
    source = connect()
    with pytest.raises(Unavailable, match=r"did not answer within 0\.05 s"):
        await source._asked(source._endpoints["queue"], "checkout", timeout_s=0.05, retries=0)


async def test_a_check_tries_each_endpoint(server: OwnApi, connect: Connect) -> None:
    good = await connect().check()
    assert (good.ok, good.detail) == (True, "2 endpoints tried")
    assert (await connect(services=()).check()).ok
    partly = await connect(queue=QUEUE, dream="/dreams/{service}; a /a text").check()
    assert (partly.ok, partly.usable) == (False, True)
    assert partly.lacks == ("dream: HTTP with JSON has no dream of payments (404)",)
    moved = await connect(queue="/queues/{service}; depth /elsewhere count").check()
    assert moved.lacks == ("queue: the answer has no /elsewhere",)
    assert not (await connect(token="another").check()).usable


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("queues/{service}; a /a text", "is no path"),
        ("//elsewhere.example/{service}; a /a text", "is no path"),
        ("/../{service}; a /a text", "is no path"),
        ("/x/{other}; a /a text", "is no path"),
        ("/queues; a /a text", "holds no {service}"),
        ("/queues/{service}", "name one to 20 fields"),
        ("/queues/{service}; a /a", "is no field"),
        ("/queues/{service}; a a text", "is no field"),
        ("/queues/{service}; a /a parsecs", "is no unit"),
    ],
)
def test_an_endpoint_that_cannot_be_meant_is_refused_in_words(written: str, told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        HttpJsonConfig.model_validate({"url": "https://ops.example.com", "endpoints": {"queue": written}})
    assert told in str(caught.value)


@pytest.mark.parametrize("name", ["..", "."])
async def test_a_service_by_the_name_of_a_folder_leads_nowhere_else(
    server: OwnApi, connect: Connect, name: str
) -> None:
    server.documents["/api/users"] = {"state": "of everybody"}
    connector = connect(
        services=(Service(name="checkout", aliases=(f"http_json:{name}",)),),
        users="/queues/{service}/users; a /state text",
    )
    with pytest.raises(AgentError, match="upwards"):
        await connector.http_json_read(OfEndpoint(service="checkout", endpoint="users"))


async def test_numbers_and_places_that_nobody_can_count_are_gaps(server: OwnApi, connect: Connect) -> None:
    server.documents["/api/queues/checkout"] = {"stats": {"depth": 10**400}, "list": [1, 2, 3]}
    connector = connect(queue="/queues/{service}; depth /stats/depth count; odd /list/\u00b2 count")
    found = await connector.http_json_read(OfEndpoint(service="checkout", endpoint="queue"))
    assert "depth is not a number" in (found.gap or "")
    assert "the answer has no /list/\u00b2" in (found.gap or "")
