"""What people say reaches the engine."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from agents.evidence.types import Edge, LogLine, RawSeries, Window
from agents.investigation.analysis import Told, measure_logs, rank
from agents.investigation.telemetry import Gathered

END = datetime(2026, 3, 1, 12, tzinfo=UTC)
EDGES = (Edge(caller="web", callee="orders"), Edge(caller="orders", callee="stock"), Edge(caller="web", callee="mail"))
LATENCY = {"web": (0.10, 0.50), "orders": (0.05, 0.45), "stock": (0.01, 0.41), "mail": (0.02, 0.02)}
PER_SAMPLE = 50.0


def slow_stock(*, minutes: int, began: int) -> Gathered:
    """Four services without client metrics; one has been slow, with all that wait for it, since `began` minutes ago."""
    window = Window(start=END - timedelta(minutes=minutes), end=END)
    times = np.arange(window.start.timestamp(), END.timestamp(), 5.0)
    slow = times >= (END - timedelta(minutes=began)).timestamp()
    series = []
    for n, (service, (before, after)) in enumerate(LATENCY.items()):
        noise = np.random.default_rng(n).normal(1, 0.03, times.size)
        seconds = np.cumsum(np.where(slow, after, before) * noise * PER_SAMPLE)
        for ending, values in (("sum", seconds), ("count", np.arange(times.size) * PER_SAMPLE)):
            name = f"http_request_duration_seconds_{ending}"
            labels = {"service": service}
            series.append(RawSeries(name=name, labels=labels, kind="counter", times=times, values=values))
    return Gathered(window=window, series=tuple(series), logs=(), changes=(), gaps=())


@pytest.mark.parametrize(("minutes", "began"), [(10, 2), (10, 4), (30, 8)])
def test_the_excess_of_the_alarm_is_followed_to_who_answers_for_it(minutes: int, began: int) -> None:
    found = rank(slow_stock(minutes=minutes, began=began), EDGES, Told(service="web", symptom="latency"))
    first = found.facts["causes"][0]
    assert (first["service"], first["family"], first["confidence"]) == ("stock", "latency", "high")
    assert "of what web suffers" in found.text


def test_what_began_long_ago_is_found_whether_or_not_somebody_says_so() -> None:
    gathered = slow_stock(minutes=90, began=45)
    told = Told(service="web", symptom="latency", since=END - timedelta(minutes=44))
    for said in (told, Told()):
        found = rank(gathered, EDGES, said).facts
        assert (found["causes"][0]["service"], found["causes"][0]["confidence"]) == ("stock", "high")
    assert "onset 11:1" in rank(gathered, EDGES, Told()).text


def test_an_access_log_alone_shows_who_fails_since_when() -> None:
    lines = tuple(
        LogLine(
            time=END - timedelta(seconds=s),
            service="web",
            level="error" if s < 300 and s % 3 == 0 else "",
            text=f'10.0.0.1 - - "GET /pay HTTP/1.1" {502 if s < 300 and s % 3 == 0 else 200} 12',
            fields={"status": "502" if s < 300 and s % 3 == 0 else "200", "path": "/pay", "method": "GET"},
        )
        for s in range(1200, 0, -1)
    )
    window = Window(start=END - timedelta(minutes=20), end=END)
    gathered = Gathered(window=window, series=(), logs=(lines,), changes=(), gaps=())
    found = rank(gathered, (), Told(service="web", symptom="errors", since=END - timedelta(minutes=5)))
    assert not found.facts["quiet"]
    assert found.facts["symptom"]["service"] == "web"
    assert found.facts["symptom"]["family"] == "errors"
    assert abs((datetime.fromisoformat(found.facts["onset"]) - (END - timedelta(minutes=5))).total_seconds()) < 30
    value = measure_logs(gathered, "web", found.facts["symptom"]["indicator"], 60, END.timestamp())
    assert value is not None
    assert 0.2 < value < 0.5
