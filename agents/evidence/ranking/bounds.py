"""How much of a large fleet is looked at: a ranking must come within seconds, whatever is handed over.

What is left off is named as a gap, so that nobody takes silence for health.
"""

from dataclasses import replace

from agents.evidence.changes import call_distances
from agents.evidence.norms import NORMS
from agents.evidence.types import Telemetry

MAX_SERIES = 60_000
MAX_SAMPLES = 20_000_000  # of 8 bytes; a handful of copies of them are in memory at once
MAX_LINES = 400_000
FAR = 1_000_000


def bound(telemetry: Telemetry) -> Telemetry:
    """The same telemetry, or the part of it near the alarm and in the families that tell most, and the latest lines."""
    return _bound_lines(_bound_series(telemetry))


def _bound_series(telemetry: Telemetry) -> Telemetry:
    series = telemetry.series
    samples = sum(s.values.size for s in series)
    if len(series) <= MAX_SERIES and samples <= MAX_SAMPLES:
        return telemetry
    start = telemetry.symptom_service
    near = call_distances(start, telemetry.edges) if start is not None else {}
    order = sorted(
        range(len(series)), key=lambda i: (near.get(series[i].service, FAR), -NORMS[series[i].family].weight, i)
    )
    kept, taken = [], 0
    for index in order[:MAX_SERIES]:
        taken += series[index].values.size
        if taken > MAX_SAMPLES:
            break
        kept.append(index)
    gap = f"only {len(kept)} of {len(series)} series were looked at"
    return replace(telemetry, series=tuple(series[i] for i in sorted(kept)), gaps=(*telemetry.gaps, gap))


def _bound_lines(telemetry: Telemetry) -> Telemetry:
    lines = telemetry.logs
    if len(lines) <= MAX_LINES:
        return telemetry
    latest = sorted(range(len(lines)), key=lambda i: lines[i].time)[-MAX_LINES:]
    gap = f"only the latest {MAX_LINES} of {len(lines)} log lines were looked at"
    return replace(telemetry, logs=tuple(lines[i] for i in sorted(latest)), gaps=(*telemetry.gaps, gap))
