"""Tempo: spans of a sample spread over the window, a search within one service, a trace as a tree, refusals."""

import ipaddress
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from agents.connecting.connector import Connector, ConnectorContext, Service, TraceSource
from agents.connecting.connectors.tempo import CONNECTOR, Tempo
from agents.connecting.connectors.tempo.settings import ReadTempoTrace, SearchTraces, TempoConfig
from agents.connecting.connectors.tempo.traceql import of_service
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, Unavailable
from agents.evidence.types import Window
from agents.rows import Searched, Traced
from store.secrets.redaction import Secret
from tests.agents.connecting.connectors.conftest import NOW
from tests.fakes.tempo import TOKEN, FakeSpan, FakeTempo, fake_tempo

SERVICES = (Service(name="checkout", aliases=("span:shop.checkout",)), Service(name="payments"))
LAST = Window(start=NOW - timedelta(minutes=30), end=NOW)
Connect = Callable[..., Tempo]


@pytest.fixture
async def server() -> AsyncIterator[FakeTempo]:
    async with fake_tempo() as fake:
        yield fake


async def _no_pause(_seconds: float) -> None:
    return


@pytest.fixture
async def connect(server: FakeTempo) -> AsyncIterator[Connect]:
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)), sleep=_no_pause)
    made: list[Connector] = []

    def make(*, token: str = TOKEN, services: tuple[Service, ...] = SERVICES, **config: Any) -> Tempo:
        context = ConnectorContext(
            services=services, outbound=outbound, now=lambda: NOW, credentials={"token": Secret(token)}
        )
        tempo = CONNECTOR(TempoConfig(url=server.url, **config), context)
        made.append(tempo)
        return tempo

    yield make
    for one in made:
        await one.close()
    await outbound.close()


def request_at(ago_s: float, *, ms: float = 100, failed: bool = False, name: str = "POST /order") -> list[FakeSpan]:
    at = NOW - timedelta(seconds=ago_s)
    return [
        FakeSpan(id=1, service="shop.checkout", name=name, at=at, ms=ms, failed=failed),
        FakeSpan(id=2, parent=1, service="payments", name="charge", at=at, ms=ms / 2, failed=failed),
        FakeSpan(id=3, parent=2, service="bank", name="POST", at=at, ms=ms / 4),
    ]


def trace_id(number: int) -> str:
    return f"{number:032x}"


async def test_spans_of_whole_traces_with_their_parents_and_under_declared_names(
    server: FakeTempo, connect: Connect
) -> None:
    server.traces = {trace_id(n): request_at(60 * n, failed=n == 3) for n in range(1, 29)}
    tempo = connect()
    assert isinstance(tempo, TraceSource)
    read = await tempo.read_spans(LAST)
    assert read.gaps == ()
    spans = read.spans
    assert len(spans.ts) == 84
    assert sorted(spans.services) == ["bank", "checkout", "payments"]
    assert spans.failed is not None
    assert int(spans.failed.sum()) == 2
    child = next(n for n in range(84) if spans.services[spans.service[n]] == "payments")
    parent = list(spans.span).index(spans.parent[child])
    assert spans.services[spans.service[parent]] == "checkout"
    assert set(spans.trace_ids) == set(server.traces)
    asked = [one.path for one in server.asked if "/traces/" in one.path]
    assert len(asked) == len(set(asked)), "each trace is read once, though two services are in it"


async def test_a_sample_is_spread_over_the_window_and_told_as_such(server: FakeTempo, connect: Connect) -> None:
    server.traces = {trace_id(n): request_at(3 * n) for n in range(1, 590)}
    read = await connect(limit=40).read_spans(LAST, ["checkout"])
    assert len(read.spans.trace_ids) == 40
    assert read.gaps == ("Tempo: only a part of the traces was read of checkout",)
    minutes = {int((NOW.timestamp() - at) // 180) for at in read.spans.ts}
    assert minutes == set(range(10))


async def test_an_older_server_and_a_service_without_traces(server: FakeTempo, connect: Connect) -> None:
    server.old = True
    server.traces = {trace_id(1): request_at(60)[:1]}
    read = await connect().read_spans(LAST)
    assert read.gaps == ("payments: Tempo has no traces of it",)
    check = await connect().check()
    assert (check.ok, check.usable, check.has_data) == (False, True, True)
    assert "Tempo 2.8.1 answers and knows 1 service, but not payments" in check.detail
    assert [one.name for one in (await connect().discover()).services] == ["shop.checkout"]


async def test_a_search_by_traceql_is_of_one_service_and_slowest_first(server: FakeTempo, connect: Connect) -> None:
    server.traces = {
        trace_id(1): request_at(60, ms=900, failed=True),
        trace_id(2): request_at(90, ms=100),
        trace_id(3): request_at(120, ms=1500, failed=True),
        trace_id(4): request_at(9_000, ms=5000, failed=True),
    }
    found = await connect().search_traces(SearchTraces(service="checkout", where="status = error"))
    searched, *rows = found.rows
    assert isinstance(searched, Searched)
    assert searched.whole
    assert [row.trace for row in rows if isinstance(row, Traced)] == [trace_id(3), trace_id(1)]
    assert "failed in checkout, payments" in found.text
    query = next(one.query["q"] for one in server.asked if one.path.endswith("/search"))
    assert query == (
        '{ (resource.service.name = "checkout" || resource.service.name = "shop.checkout") && (status = error) }'
    )
    one = await connect().search_traces(SearchTraces(service="checkout", limit=1))
    assert "as many as were asked for" in str(one.gap)
    server.traces.clear()
    nothing = await connect().search_traces(SearchTraces(service="checkout"))
    assert nothing.text == "no such traces"


@pytest.mark.parametrize(
    "where",
    [
        "true } || { true",
        "} | select(span.db.statement) {",
        'span.db.statement = "x"',
        'name =~ "GET.*"',
        'name > "m"',
        "status = error)",
        "(status = error",
        "status",
        "status = error status = ok",
        'resource.service.name = "other"',
        'name = "a\\',
        "{}",
        "duration > other",
    ],
)
def test_what_leads_out_of_the_service_or_feels_for_texts_is_not_asked(where: str) -> None:
    with pytest.raises(BadArguments, match="where:"):
        of_service(["checkout"], where)


def test_plain_conditions_are_written_anew() -> None:
    given = ' ( status=error&&duration>=1.5s )||span.http.route = "/a \\"b\\"" '
    assert of_service(["a"], given) == (
        '{ (resource.service.name = "a") && (( status = error && duration >= 1.5s ) '
        '|| span.http.route = "/a \\"b\\"") }'
    )


async def test_a_trace_is_read_as_a_tree_and_only_where_it_passed_through_our_services(
    server: FakeTempo, connect: Connect
) -> None:
    server.traces = {trace_id(7): request_at(60, failed=True), trace_id(8): request_at(60)[2:]}
    found = await connect().tempo_trace(ReadTempoTrace(trace=trace_id(7)))
    lines = found.text.splitlines()
    assert lines[1].startswith("checkout POST /order: +0ms, 100ms, own 50ms FAILED")
    assert lines[2].startswith("  payments charge")
    with pytest.raises(BadArguments, match="no trace"):
        await connect().tempo_trace(ReadTempoTrace(trace="ab" * 16))
    with pytest.raises(BadArguments, match="no declared service"):
        await connect().tempo_trace(ReadTempoTrace(trace=trace_id(8)))


async def test_who_may_not_look_and_what_is_over_a_limit_is_told(server: FakeTempo, connect: Connect) -> None:
    server.traces = {trace_id(1): request_at(60)}
    server.tenants = frozenset({"acme"})
    with pytest.raises(NeedsReauthorisation, match=r"fill in its tenant"):
        await connect().read_spans(LAST)
    assert len((await connect(tenant="acme").read_spans(LAST)).spans.ts) == 3
    assert "refused the credential (401)" in (await connect(token="wrong").check()).detail
    server.tenants, server.longest_s = frozenset(), 3_600
    with pytest.raises(BadArguments, match="ask for a window of at most 1h0m0s"):
        await connect().search_traces(SearchTraces(service="checkout", minutes=90))


@pytest.mark.parametrize(
    ("refuse", "kind"),
    [
        ((403, {}, b"no"), NeedsReauthorisation),
        ((404, {}, b"404 page not found"), Unavailable),
        ((429, {"retry-after": "1"}, b""), Unavailable),
        ((503, {}, b""), Unavailable),
        ((200, {}, b"<html>"), Unavailable),
        ((200, {}, b'{"tagValues": 3}'), Unavailable),
        ((200, {}, b'{"tagValues": ["' + b"x" * 9_000_000 + b'"]}'), Unavailable),
    ],
)
async def test_a_fault_is_never_no_traces(
    server: FakeTempo, connect: Connect, refuse: Any, kind: type[AgentError]
) -> None:
    server.refuse = refuse
    with pytest.raises(kind):
        await connect().read_spans(LAST)


async def test_traces_that_are_gone_or_odd_do_not_cost_the_others(server: FakeTempo, connect: Connect) -> None:
    server.traces = {trace_id(n): request_at(60 * n) for n in range(1, 5)}
    server.gone = {trace_id(2)}
    server.traces[trace_id(3)].append(FakeSpan(id=9, service="", name="x", at=NOW, ms=1))
    read = await connect().read_spans(LAST, ["checkout"])
    assert len(read.spans.trace_ids) == 3
    assert "Tempo: 1 spans could not be understood" in read.gaps
    server.gone = set(server.traces)
    found = await connect().search_traces(SearchTraces(service="checkout"))
    assert (found.text, found.gap) == (
        "what was found could not be read",
        "4 traces that it found it had forgotten",
    )
