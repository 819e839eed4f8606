"""The symptom: which indicator shows best that users suffer, and since when.

Looked for where the report points, then at the entry services, then anywhere; errors and latency first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from agents.evidence.onset import find_onset
from agents.evidence.templates import is_error_like
from agents.evidence.types import Edge, Family, LogLine, Onset, Series, Telemetry

FELT: tuple[Family, ...] = ("errors", "latency", "dependency_errors")
INTERNAL: tuple[Family, ...] = ("dependency_latency", "saturation", "restarts", "memory", "cpu")
FELT_SCORE = 4.0
INTERNAL_SCORE = 8.0  # nobody complained about it, so it must be plain
EARLY_SHARE = 0.5  # of several symptoms the earliest counts, if it is at least half as strong as the strongest


@dataclass(frozen=True, kw_only=True)
class Symptom:
    series: Series
    onset: Onset


def find_symptom(telemetry: Telemetry) -> Symptom | None:
    """The earliest of the strong symptoms of the first group of services that has any."""
    services = sorted({s.service for s in telemetry.series})
    asked = [telemetry.symptom_service] if telemetry.symptom_service in services else []
    groups = [asked, entry_services(services, telemetry.edges), services]
    end = telemetry.window.end.timestamp()
    for families, least in ((FELT, FELT_SCORE), (INTERNAL, INTERNAL_SCORE)):
        for group in groups:
            pool = [s for s in telemetry.series if s.service in group and s.family in families]
            found = _abnormal(pool, least, end)
            if found:
                return _earliest_strong(found)
    return _earliest_strong(_abnormal(error_log_series(telemetry.logs), FELT_SCORE, end))


def entry_services(services: Iterable[str], edges: Sequence[Edge]) -> list[str]:
    """Services that call others and that no observed service calls. Empty if the call graph is unknown."""
    known = set(services)
    callees = {e.callee for e in edges if e.caller in known and e.caller != e.callee}
    return sorted({e.caller for e in edges if e.caller in known} - callees)


def _abnormal(pool: Iterable[Series], least: float, end_s: float) -> list[Symptom]:
    found = []
    for series in pool:
        seen = series if series.times.size == 0 or series.times[-1] <= end_s else _until(series, end_s)
        onset = find_onset(seen)
        if onset is not None and onset.score >= least:
            found.append(Symptom(series=series, onset=onset))
    return found


def _until(series: Series, end_s: float) -> Series:
    kept = series.times <= end_s
    return Series(
        service=series.service,
        indicator=series.indicator,
        family=series.family,
        unit=series.unit,
        labels=series.labels,
        times=series.times[kept],
        values=series.values[kept],
        peer=series.peer,
    )


def _earliest_strong(found: Sequence[Symptom]) -> Symptom | None:
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
