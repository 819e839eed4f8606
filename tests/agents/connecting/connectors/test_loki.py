"""Loki: which streams are a service's, lines in several answers, what its limits say, the same search as of files."""

import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from agents.connecting.connector import Connector, ConnectorContext, LogSource, Service
from agents.connecting.connectors.logfiles import LogFiles, LogFilesConfig
from agents.connecting.connectors.loki import CONNECTOR, Loki
from agents.connecting.connectors.loki.settings import LogVolume, LokiConfig
from agents.connecting.log_search import LogSearch, SearchLogs
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, TooLarge, Unavailable
from agents.evidence.types import Window
from agents.rows import Logged, Sampled, Searched
from store.secrets.redaction import Secret
from tests.agents.connecting.connectors.conftest import NOW
from tests.fakes.certificate import make_certificate
from tests.fakes.loki import TOKEN, FakeLoki, fake_loki

SERVICES = (Service(name="checkout", aliases=("log:shop-checkout", "log:checkout-*")), Service(name="payments"))
LAST = Window(start=NOW - timedelta(minutes=30), end=NOW)
KEY = [
    "-----BEGIN RSA PRIVATE KEY-----",
    *(f"{n:02d}" + "Ab3" * 20 for n in range(50)),
    "-----END RSA PRIVATE KEY-----",
]
SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
Connect = Callable[..., Loki]


@pytest.fixture
async def server() -> AsyncIterator[FakeLoki]:
    async with fake_loki() as fake:
        yield fake


async def _no_pause(_seconds: float) -> None:
    return


@pytest.fixture
async def connect(server: FakeLoki) -> AsyncIterator[Connect]:
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)), sleep=_no_pause)
    made: list[Connector] = []

    def make(*, url: str = "", token: str = TOKEN, services: tuple[Service, ...] = SERVICES, **config: Any) -> Loki:
        context = ConnectorContext(
            services=services, outbound=outbound, now=lambda: NOW, credentials={"token": Secret(token)}
        )
        made.append(CONNECTOR(LokiConfig(url=url or server.url, **config), context))
        return made[-1]  # type: ignore[return-value]

    yield make
    for one in made:
        await one.close()
    await outbound.close()


def minutes(ago: float) -> Any:
    return NOW - timedelta(minutes=ago)


async def test_lines_of_a_service_under_all_of_its_names_in_time_order(server: FakeLoki, connect: Connect) -> None:
    server.add({"app": "checkout", "pod": "a"}, (minutes(9), "level=error msg=boom order=7"), (minutes(7), "fine"))
    server.add({"app": "shop-checkout"}, (minutes(8), '{"level":"warn","msg":"slow","trace":"ab"}'))
    server.add({"app": "checkout-canary"}, (minutes(6), "hello"), attached={"detected_level": "info", "trace_id": "c1"})
    server.add({"app": "payments"}, (minutes(5), "paid"), (minutes(50), "long ago"))
    server.add({"app": "somebody-elses"}, (minutes(5), "not ours"))
    loki = connect()
    assert isinstance(loki, LogSource)
    read = await loki.read_logs(LAST)
    told = [(line.service, line.level, line.text) for line in sorted(read.lines, key=lambda line: line.time)]
    assert [service for service, *_ in told] == ["checkout", "checkout", "checkout", "checkout", "payments"]
    assert told[1][1:] == ("warn", "slow")
    assert told[3][1:] == ("info", "hello")
    assert dict(next(line for line in read.lines if line.text == "hello").fields) == {"trace_id": "c1"}
    assert read.gaps == ()
    only = await loki.read_logs(LAST, ["payments"])
    assert [line.text for line in only.lines] == ["paid"]
    assert all("somebody" not in str(one.query) for one in server.asked)


async def test_the_label_is_the_usual_one_under_which_the_services_are_and_it_is_told(
    server: FakeLoki, connect: Connect
) -> None:
    server.add({"service_name": "unknown_service", "container": "checkout"}, (minutes(1), "a"))
    server.add({"service_name": "unknown_service", "container": "payments"}, (minutes(1), "b"))
    check = await connect().check()
    assert check.ok
    assert "Loki 3.4.2 answers, and container tells services apart" in check.detail
    assert (await connect().discover()).gaps == ("services are told apart by the label container",)
    silent = await connect(service_label="service_name").check()
    assert (silent.ok, silent.usable, silent.has_data) == (False, True, False)
    assert "no lines of checkout, payments" in silent.detail
    server.streams.clear()
    server.add({"filename": "/var/log/a"}, (minutes(1), "a"))
    with pytest.raises(Unavailable, match=r"no label .* usually names services; they carry filename"):
        await connect().read_logs(LAST)


async def test_what_could_be_of_two_services_is_not_guessed(server: FakeLoki, connect: Connect) -> None:
    server.add({"app": "checkout-api"}, (minutes(1), "whose is it"))
    server.add({"app": "checkout"}, (minutes(1), "mine"))
    services = (SERVICES[0], Service(name="api", aliases=("log:*-api",)))
    read = await connect(services=services).read_logs(LAST)
    assert [line.text for line in read.lines] == ["mine"]
    assert "Loki: 1 value of app could be of several services, so nothing of it is read" in read.gaps
    assert "api: Loki has no stream whose app is a name of it in this time" in read.gaps


async def test_a_window_is_read_in_as_many_answers_as_the_server_wants(server: FakeLoki, connect: Connect) -> None:
    server.most_entries = 700
    times = [minutes(20) + timedelta(milliseconds=250 * (n // 3)) for n in range(2_000)]
    server.add({"app": "checkout"}, *((at, f"line {n}") for n, at in enumerate(times)))
    server.add({"app": "payments"}, (minutes(1), "paid"))
    read = await connect().read_logs(LAST, ["checkout"])
    assert [line.text for line in read.lines] == [f"line {n}" for n in range(2_000)]
    assert read.gaps == ()
    limits = [int(one.query["limit"]) for one in server.asked if "limit" in one.query]
    assert limits[0] == 5_000
    assert set(limits[1:]) == {700}
    newest = await connect(max_lines=100).read_logs(LAST, ["checkout"])
    assert [line.text for line in newest.lines] == [f"line {n}" for n in range(1_900, 2_000)]
    assert "checkout: only the newest 100 of more lines were read" in newest.gaps[0]


async def test_the_same_lines_are_the_same_as_from_a_file(server: FakeLoki, connect: Connect, tmp_path: Path) -> None:
    lines = [
        (minutes(9), {"level": "INFO", "message": "order placed", "order": 7}),
        (minutes(8), {"level": "ERROR", "message": "pool exhausted after 30 s", "trace_id": "ab12"}),
        (minutes(7), {"level": "WARNING", "message": f"retrying with token {SECRET}"}),
    ]
    written = [(at, json.dumps({"time": at.isoformat(), **told})) for at, told in lines]
    (tmp_path / "checkout.log").write_text("".join(f"{text}\n" for _, text in written))
    server.add({"app": "checkout"}, *written)
    loki = connect()
    files = LogFiles(LogFilesConfig(roots=(tmp_path,), files={"checkout": Path("checkout.log")}), loki.context)
    assert list((await loki.read_logs(LAST, ["checkout"])).lines) == list((await files.read_logs(LAST)).lines)
    for asked in (SearchLogs(service="checkout"), SearchLogs(service="checkout", grep="pool|order", level="info")):
        assert (await loki.search_logs(asked)).rows[1:] == (await files.search_logs(asked)).rows[1:]


async def test_a_search_finds_what_the_same_search_finds_in_files(server: FakeLoki, connect: Connect) -> None:
    server.add(
        {"app": "checkout"},
        (minutes(9), "level=error msg=timeout code=504"),
        (minutes(8), "level=info msg=timeout"),
        (minutes(7), "level=error msg=timeout code=500"),
    )
    loki = connect()
    assert isinstance(loki, LogSearch)
    found = await loki.search_logs(SearchLogs(service="checkout", grep="time.?out", level="error", limit=1))
    searched, line = found.rows
    assert isinstance(searched, Searched)
    assert isinstance(line, Logged)
    assert (line.service, line.level, line.first) == ("checkout", "error", minutes(7))
    assert "code=500" in found.text
    assert not searched.whole
    assert found.gap == "checkout: only the newest 1 of 2 lines are shown"
    nothing = await loki.search_logs(SearchLogs(service="checkout", grep="nobody wrote this"))
    assert nothing.text == "no matching lines"
    assert nothing.gap is None
    for bad, words in (
        (SearchLogs(service="checkout", grep="(?=x)"), "RE2"),
        (SearchLogs(service="nobody"), "not a declared service"),
        (SearchLogs(service="payments"), "no stream whose app is a name of it"),
        (SearchLogs(service="checkout", start=NOW, end=NOW), "start must be before end"),
    ):
        with pytest.raises(BadArguments, match=words):
            await loki.search_logs(bad)
    assert not any("timeout" in str(one.query) for one in server.asked), "no filter leaves for the server"


@pytest.mark.parametrize("flag", ["known", "unknown"])
async def test_a_key_over_many_lines_is_hidden_though_levels_or_a_cap_part_it(
    server: FakeLoki, connect: Connect, flag: str
) -> None:
    server.categorizes = flag == "known"
    for n, text in enumerate(KEY):
        level = {"level": "error" if n % 3 else "info"}
        labels = {"app": "checkout", **(level if n % 2 else {})}
        server.add(labels, (minutes(5) + timedelta(milliseconds=n), text), attached={"detected_level": level["level"]})
    server.add({"app": "checkout"}, *((minutes(4) + timedelta(seconds=n), f"after {n}") for n in range(30)))
    inside = Window(start=minutes(5) + timedelta(milliseconds=20), end=NOW)
    for read in (
        await connect().read_logs(LAST, ["checkout"]),
        await connect().read_logs(inside, ["checkout"]),
        await connect(max_lines=50).read_logs(LAST, ["checkout"]),
    ):
        assert len(read.lines) >= 30
        assert "Ab3Ab3" not in repr(list(read.lines))
    found = await connect().search_logs(SearchLogs(service="checkout", grep="Ab3"))
    assert found.text == "no matching lines"


async def test_volume_is_counted_on_a_stated_grid_and_silence_is_a_zero(server: FakeLoki, connect: Connect) -> None:
    server.add({"app": "checkout"}, (minutes(4.5), "a"), (minutes(4.2), "b"), attached={"detected_level": "error"})
    server.add({"app": "checkout"}, (minutes(1.5), "c"))
    found = await connect().log_volume(LogVolume(service="checkout", minutes=5, step_s=60))
    searched, *series = found.rows
    assert isinstance(searched, Searched)
    assert searched.found == 3
    assert searched.line == "lines of each 60 s, each cell told at its end, UTC"
    by_level = {row.labels.get("level", ""): row for row in series if isinstance(row, Sampled)}
    assert [value for _, value in by_level["error"].points] == [2, 0, 0, 0, 0]
    assert [value for _, value in by_level[""].points] == [0, 0, 0, 1, 0]
    assert by_level["error"].points[0][0] == minutes(4)
    rate = await connect().log_volume(LogVolume(service="checkout", minutes=5, step_s=60, shown="rate"))
    assert "11:56:00=0.03333" in rate.text
    with pytest.raises(BadArguments, match="cells"):
        await connect().log_volume(LogVolume(service="checkout", minutes=1440, step_s=10))


async def test_limits_are_told_with_the_narrower_call(server: FakeLoki, connect: Connect) -> None:
    server.add({"app": "checkout"}, (minutes(1), "a"))
    server.longest_s = 2 * 3_600
    with pytest.raises(BadArguments, match="ask for a window of at most 2h"):
        await connect().read_logs(Window(start=NOW - timedelta(hours=5), end=NOW))
    for said, words in (
        ("the query would read too many bytes (query: 3.1 GB, limit: 500 MB); consider adding a matcher", "500 MB"),
        ("maximum of series (500) reached for a single query", "fewer series"),
        ("parse error at line 1, col 2: unexpected }", "Loki refused it: parse error"),
    ):
        server.refuse = (400, {}, said.encode())
        with pytest.raises(BadArguments, match=words):
            await connect().read_logs(LAST)


async def test_who_may_not_look_is_told_so(server: FakeLoki, connect: Connect) -> None:
    server.add({"app": "checkout"}, (minutes(1), "a"))
    server.tenants = frozenset({"acme"})
    with pytest.raises(NeedsReauthorisation, match=r"fill in its tenant \(X-Scope-OrgID\)"):
        await connect().read_logs(LAST)
    assert len((await connect(tenant="acme").read_logs(LAST)).lines) == 1
    check = await connect(token="wrong").check()
    assert not check.usable
    assert "refused the credential (401)" in check.detail
    with pytest.raises(ValidationError):
        LokiConfig(url=server.url, tenant="acme\r\nx: y")


@pytest.mark.parametrize(
    ("refuse", "kind"),
    [
        ((403, {}, b"no"), NeedsReauthorisation),
        ((404, {}, b"404 page not found"), Unavailable),
        ((429, {"retry-after": "1"}, b"too many outstanding requests"), Unavailable),
        ((503, {}, b""), Unavailable),
        ((200, {}, b"<html>"), Unavailable),
        ((200, {}, b'{"status": "success", "data": {"resultType": "streams", "result": 3}}'), AgentError),
    ],
)
async def test_a_fault_is_a_gap_and_never_an_empty_log(
    server: FakeLoki, connect: Connect, refuse: Any, kind: type[AgentError]
) -> None:
    server.refuse = refuse
    with pytest.raises(kind):
        await connect(service_label="app").read_logs(LAST)


async def test_too_large_an_answer_is_asked_for_in_smaller_ones(server: FakeLoki, connect: Connect) -> None:
    server.add({"app": "checkout"}, *((minutes(9) + timedelta(seconds=n), f"{n} {'x' * 1_900}") for n in range(300)))
    read = await connect(max_bytes=300_000).read_logs(LAST, ["checkout"])
    assert 50 < len(read.lines) < 300
    assert read.lines[-1].text.startswith("299 ")
    assert any("max_bytes is 300000" in gap for gap in read.gaps)
    server.add({"app": "payments"}, *((minutes(9) + timedelta(seconds=n), "y" * 3_000) for n in range(100)))
    nothing = await connect(max_bytes=100_000).read_logs(LAST, ["payments"])
    assert any("max_bytes" in gap for gap in nothing.gaps)
    assert issubclass(TooLarge, Unavailable)


async def test_a_service_of_very_many_names_is_asked_for_in_several_questions(
    server: FakeLoki, connect: Connect
) -> None:
    for n in range(70):
        server.add({"app": f"checkout-{n:02d}"}, (minutes(1) + timedelta(seconds=n / 2), f"line {n}"))
    read = await connect().read_logs(LAST, ["checkout"])
    assert [line.text for line in read.lines] == [f"line {n}" for n in range(70)]
    volume = await connect().log_volume(LogVolume(service="checkout", minutes=2, step_s=60))
    assert volume.summary == "70 log lines of checkout counted"
    assert max(len(str(one.query.get("query", ""))) for one in server.asked) < 800


async def test_one_service_that_cannot_be_read_costs_only_itself(server: FakeLoki, connect: Connect) -> None:
    server.add({"app": "checkout"}, (minutes(1), "a"))
    read = await connect().read_logs(LAST)
    assert [line.text for line in read.lines] == ["a"]
    assert read.gaps == ("payments: Loki has no stream whose app is a name of it in this time",)


async def test_a_server_of_an_authority_of_ones_own_is_trusted_by_its_certificate(
    server: FakeLoki, connect: Connect, tmp_path: Path
) -> None:
    server.add({"app": "checkout"}, (minutes(1), "a"))
    chain, private = make_certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, private)
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    url = f"https://localhost:{runner.addresses[0][1]}"
    try:
        refused = await connect(url=url).check()
        assert "certificate is not trusted" in refused.detail
        assert refused.next_action.startswith("Give the CA certificate")
        trusted = connect(url=url, certificate_authority=chain.read_text())
        assert [line.text for line in (await trusted.read_logs(LAST)).lines] == ["a"]
    finally:
        await runner.cleanup()
