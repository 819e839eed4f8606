"""A record that begins in the middle of an incident: what fails is said, and not that nothing was found."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from agents.evidence.digest import digest_ranking
from agents.evidence.ranking.causes import rank_causes
from agents.evidence.types import Family, Series, Telemetry, Window

END = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def a_series(
    service: str, level: float, known_s: float, *, family: Family = "errors", peer: str | None = None
) -> Series:
    """A level with some noise, every five seconds, since the record begins."""
    times = END.timestamp() - np.arange(known_s, -1, -5.0)
    noise = 1 + 0.03 * np.random.default_rng(7).standard_normal(times.size)
    name, unit = ("error ratio", "ratio") if family == "errors" else ("latency", "s")
    return Series(
        service=service,
        indicator=name,
        family=family,
        unit=unit,
        labels={},
        times=times,
        values=level * noise,
        peer=peer,
    )


def telemetry(share: float, known_s: float, calls: str) -> Telemetry:
    series = [
        a_series("billing", share, known_s),
        a_series("ledger", 0.0, known_s),
        a_series("billing", 0.21, known_s, family="latency"),
    ]
    if calls == "measured":
        series.append(a_series("billing", 0.08, known_s, family="dependency_latency", peer="ledger"))
    return Telemetry(window=Window(start=END - timedelta(minutes=20), end=END), series=tuple(series))


@pytest.mark.parametrize("calls", ["measured", "unknown"])
def test_what_fails_since_the_record_begins_is_no_quiet_time(calls: str) -> None:
    ranking = rank_causes(telemetry(0.44, 60.0, calls))
    assert not ranking.quiet
    assert ranking.onset is None
    assert ranking.causes == ()
    assert ranking.gaps[0].startswith("billing: 44% of its requests fail; measured for 60 s only")
    assert digest_ranking(ranking).text.startswith("cannot tell: ")


@pytest.mark.parametrize("calls", ["measured", "unknown"])
def test_the_same_share_for_long_is_usual_and_a_small_one_is_no_fault(calls: str) -> None:
    assert rank_causes(telemetry(0.44, 900.0, calls)).quiet
    little = rank_causes(telemetry(0.01, 60.0, calls))
    assert not [gap for gap in little.gaps if "requests fail" in gap]
