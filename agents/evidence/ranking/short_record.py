"""What fails now while the record is too short to say what is usual.

A source that was connected during an incident knows of no time before it, so nothing leaves its normal range. A share
of failing calls has a natural zero, unlike latency or load: while nobody knows better, it is a fault.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np

from agents.evidence.types import Series, Telemetry

USUAL_S: Final = 300.0
"""After so long what always fails (a crawler's bad links) is known as usual."""
LATELY_S: Final = 30.0
LEAST_SAMPLES: Final = 3
PLAIN_SHARE: Final = 0.05


def failing_unexplained(telemetry: Telemetry) -> tuple[str, ...]:
    """A sentence for each service of which a plain share of requests fails, the worst first; none where the record
    reaches back far enough to compare.
    """
    end = telemetry.window.end.timestamp()
    known_s = end - min((float(s.times[0]) for s in telemetry.series if s.times.size), default=end)
    if known_s >= USUAL_S:
        return ()
    found: dict[str, float] = {}
    for series in telemetry.series:
        if series.family == "errors" and series.unit == "ratio" and "route" not in series.labels:
            share = _lately(series, end)
            if share >= PLAIN_SHARE:
                found[series.service] = max(share, found.get(series.service, 0.0))
    return tuple(_sentences(found, known_s))


def _lately(series: Series, end: float) -> float:
    recent = series.values[(series.times > end - LATELY_S) & (series.times <= end)]
    recent = recent[np.isfinite(recent)]
    return float(np.median(recent)) if recent.size >= LEAST_SAMPLES else 0.0


def _sentences(found: dict[str, float], known_s: float) -> Iterable[str]:
    for service, share in sorted(found.items(), key=lambda one: (-one[1], one[0])):
        yield (
            f"{service}: {share:.0%} of its requests fail; measured for {known_s:.0f} s only, "
            "so whether that is new is not known"
        )
