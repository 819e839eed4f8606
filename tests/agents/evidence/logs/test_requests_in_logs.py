import pytest

from agents.evidence.logs.requests_in_logs import request_in, request_series, route_of
from agents.evidence.metrics.indicators import derive_indicators
from agents.evidence.types import LogLine, as_utc

T0 = 1_772_366_400.0


def answer(second: float, status: int, seconds: float | None = None, path: str = "/pay/7") -> LogLine:
    fields = {"status": str(status), "method": "GET", "path": path}
    if seconds is not None:
        fields["duration_s"] = str(seconds)
    return LogLine(time=as_utc(T0 + second), service="web", level="", text="x", fields=fields)


def test_an_access_log_gives_rates_errors_and_latencies() -> None:
    lines = [answer(s / 2, 502 if s > 1000 and s % 3 == 0 else 200, 0.2 if s > 1000 else 0.1) for s in range(1200)]
    found = {s.indicator: s for s in derive_indicators(request_series(lines), lambda raw: raw.labels["service"])}
    rate, errors, latency = (found[name].values[-4] for name in ("requests rate", "error ratio", "latency mean"))
    assert rate == pytest.approx(2.0, rel=0.05)
    assert errors == pytest.approx(1 / 3, abs=0.05)
    assert latency == pytest.approx(0.2, rel=0.05)
    assert found["error ratio"].values[20] == 0
    assert found["latency mean"].values[20] == pytest.approx(0.1, rel=0.05)


def test_few_requests_make_no_series() -> None:
    assert request_series([answer(s, 500) for s in range(10)]) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"response_code": "503", "path": "/a", "duration": "12", "response_flags": "UF"}, (503, 0.012)),
        ({"DownstreamStatus": "502", "RequestPath": "/a", "Duration": "1200000"}, (502, 0.0012)),
        ({"status": "200", "request_uri": "/a", "request_time": "0.5"}, (200, 0.5)),
        ({"status": "200", "uri": "/a", "latency": "1.5ms"}, (200, 0.0015)),
        ({"status": "200", "uri": "/a", "duration": "12"}, (200, None)),
        ({"sc-status": "404", "cs-uri-stem": "/a", "time-taken": "15"}, (404, 0.015)),
        ({"status": "200"}, None),
        ({"status": "active", "path": "/a"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_a_request_is_read_from_the_fields_of_many_programs(
    fields: dict[str, str], expected: tuple[int, float | None] | None
) -> None:
    request = request_in(fields)
    if expected is None:
        assert request is None
    else:
        assert request is not None
        status, seconds = expected
        assert (request.status, request.path) == (status, "/a")
        assert request.seconds == (None if seconds is None else pytest.approx(seconds))


def test_ids_and_queries_are_no_routes() -> None:
    assert route_of("/orders/123/items?x=1") == "/orders/:id/items"
    assert route_of("https://shop.example:443/u/9b2c1d4e-1111-2222-3333-444455556666") == "/u/:id"
    many = [answer(s / 10, 200, path=f"/p{'abcdefgh'[s % 8]}{'xyzuvw'[s % 6]}{'kl'[s % 2]}") for s in range(1000)]
    routes = {raw.labels["route"] for raw in request_series(many)}
    assert len(routes) <= 25
