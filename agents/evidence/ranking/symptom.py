"""The symptom: which indicator shows best that users suffer, and since when.

Looked for where the report points, then at the entry services, then anywhere; errors and latency first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agents.evidence.logs.templates import is_error_like
from agents.evidence.metrics.anomalies import rank_anomalies
from agents.evidence.metrics.onset import NOW_S, abnormal_times, earlier_incidents, find_onset, known_good
from agents.evidence.types import Anomaly, Edge, Family, LogLine, Onset, Series, Stretch, Telemetry, Window

FELT: tuple[Family, ...] = ("errors", "latency", "dependency_errors")
INTERNAL: tuple[Family, ...] = ("dependency_latency", "saturation", "restarts", "memory", "cpu")
FELT_SCORE = 4.5
INTERNAL_SCORE = 9.0  # nobody complained about it, so it must be plain;
RESTARTS_SCORE = 6.0  # two unplanned restarts within a minute are
VERIFIED_SCORE = 4.0  # against the protected baseline and its placebo stretches
AFTERMATH_S = 15.0  # after the beginning of an incident
EARLY_SHARE = 0.5  # of several symptoms the earliest counts, if it is at least half as strong as the strongest


@dataclass(frozen=True, kw_only=True)
class MeasuredSymptom:
    """`good` is the baseline; `good_since` (epoch seconds) is set where an earlier incident had healed by then.

    `failing` is when calls failed plainly, now or earlier.
    """

    series: Series
    onset: Onset
    anomaly: Anomaly
    good: tuple[Stretch, ...]
    good_since: float | None
    failing: tuple[Stretch, ...]


def find_symptom(telemetry: Telemetry, crashes: Sequence[float] = ()) -> MeasuredSymptom | None:
    """The earliest of the strong symptoms of the first group of services that has any.

    `crashes` as for `find_onset`.
    """
    services = sorted({s.service for s in telemetry.series})
    failing = failing_times(telemetry.series)
    felt = [s for s in telemetry.series if s.family in FELT and _dates(s) and "route" not in s.labels]
    asked = [telemetry.symptom_service] if telemetry.symptom_service in services else []
    groups = [asked, entry_services(services, telemetry.edges), services]
    window = telemetry.window
    for families, least in ((FELT, FELT_SCORE), (INTERNAL, INTERNAL_SCORE)):
        for group in groups:
            pool = [s for s in telemetry.series if s.service in group and s.family in families and _dates(s)]
            found = _abnormal(pool, least, window, felt, failing=failing, crashes=crashes)
            if families is INTERNAL:
                found = [s for s in found if not _aftermath(s, window)]
            if found:
                return _earliest_strong(found)
    measured = {s.service for s in felt}
    logged = [s for s in error_log_series(telemetry.logs) if s.service not in measured]
    return _earliest_strong(_abnormal(logged, FELT_SCORE, window, [*felt, *logged], failing=failing, crashes=crashes))


def entry_services(services: Iterable[str], edges: Sequence[Edge]) -> list[str]:
    """Services that call others and that no observed service calls. Empty if the call graph is unknown."""
    known = set(services)
    callees = {e.callee for e in edges if e.caller in known and e.caller != e.callee}
    return sorted({e.caller for e in edges if e.caller in known} - callees)


def _dates(series: Series) -> bool:
    """Whether a series may date an incident. Own time is a difference of noisy means, and a 95th percentile jumps where
    it lies on the bound of a histogram's bucket; the mean beside each tells the same with less noise. The mean latency
    of a route with few requests is that of its slowest one.
    """
    return not is_rarely_called(series) and not series.labels.get("own") and series.labels.get("statistic") != "p95"


def failing_times(series: Iterable[Series]) -> tuple[Stretch, ...]:
    """When a plain share of a service's requests or calls failed."""
    ratios = [s for s in series if s.family in ("errors", "dependency_errors") and s.unit == "ratio"]
    return tuple(abnormal_times(s for s in ratios if "route" not in s.labels))


def _abnormal(
    pool: Iterable[Series],
    least: float,
    window: Window,
    felt: Sequence[Series],
    *,
    failing: tuple[Stretch, ...],
    crashes: Sequence[float] = (),
) -> list[MeasuredSymptom]:
    """Series that left their range by their own low side *and* against the baseline's placebo stretches.

    The baseline leaves earlier incidents out, as `felt` shows them.
    """
    found = []
    for series in pool:
        onset = find_onset(_until(series, window.end.timestamp()), failing, crashes)
        if onset is None or onset.score < (RESTARTS_SCORE if series.family == "restarts" else least):
            continue
        earlier = earlier_incidents([*felt, series], onset, failing)
        good = tuple(known_good(earlier, onset, window.start.timestamp()))
        verified = rank_anomalies([series], onset, window, good=good)
        if verified and verified[0].score >= VERIFIED_SCORE:
            since = earlier[-1][1] if earlier else None
            symptom = MeasuredSymptom(
                series=series, onset=onset, anomaly=verified[0], good=good, good_since=since, failing=failing
            )
            found.append(symptom)
    return found


def is_rarely_called(series: Series) -> bool:
    """Whether its mean is that of a handful of requests."""
    return series.family == "latency" and bool(series.labels.get("rare"))


def _aftermath(symptom: MeasuredSymptom, window: Window) -> bool:
    """Whether it began while calls failed that are well again: queues and restarts trail behind."""
    at, healed_by = symptom.onset.at.timestamp(), window.end.timestamp() - NOW_S
    led_s = max(AFTERMATH_S, 3 * symptom.onset.guard_s)
    return any(start + led_s <= at <= end <= healed_by for start, end in symptom.failing)


def _until(series: Series, end_s: float) -> Series:
    if series.times.size == 0 or series.times[-1] <= end_s:
        return series
    kept = series.times <= end_s
    return replace(series, times=series.times[kept], values=series.values[kept])


def _earliest_strong(found: Sequence[MeasuredSymptom]) -> MeasuredSymptom | None:
    if not found:
        return None
    strongest = max(s.onset.score for s in found)
    strong = [s for s in found if s.onset.score >= EARLY_SHARE * strongest]
    return min(strong, key=lambda s: (s.onset.at, -s.onset.score, s.series.service, s.series.indicator))


def error_log_series(lines: Sequence[LogLine]) -> list[Series]:
    """Error lines per second of each service: the symptom where there are no metrics at all."""
    if not lines:
        return []
    stamps = np.array([line.time.timestamp() for line in lines])
    start, end = float(stamps.min()), float(stamps.max())
    step = max(5.0, (end - start) / 500)
    cells = int((end - start) / step) + 1
    counts: dict[str, list[float]] = {}
    for line, stamp in zip(lines, stamps.tolist(), strict=True):
        row = counts.setdefault(line.service, [0.0] * cells)
        if is_error_like(line.level, ""):
            row[int((stamp - start) / step)] += 1 / step
    times = start + step * np.arange(cells, dtype=np.float64)
    return [
        Series(
            service=service,
            indicator="error log lines",
            family="errors",
            unit="/s",
            labels={},
            times=times,
            values=np.array(counts[service]),
        )
        for service in sorted(counts)
    ]
