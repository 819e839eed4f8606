"""Four one-line rankings that any engine must beat: they know no names, no graph, no units.

`nsigma` and `robust` (as BARO: median and interquartile range) rank services by their most unusual indicator, `amount`
by the largest absolute rise of CPU use (of latency where none is measured), and `naive` blames the alerting service or,
where nothing alarmed, the largest relative rise. What never wavered is divided by one, as the usual scalers do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from agents.evidence.types import Series, Telemetry

TINY = 1e-9


def simple_rankings(telemetry: Telemetry, incident_s: float) -> dict[str, str | None]:
    """The service that each ranks first when the incident is said to begin at `incident_s` (epoch seconds)."""
    series = [s for s in telemetry.series if _sides(s, incident_s)[1].size]
    cpu = [s for s in series if s.family == "cpu"] or [s for s in series if s.family == "latency"] or series
    return {
        "nsigma": _best(series, incident_s, _nsigma),
        "robust": _best(series, incident_s, _robust),
        "amount": _best(cpu, incident_s, lambda b, a: _mean(a) - _mean(b)),
        "naive": telemetry.symptom_service
        or _best(series, incident_s, lambda b, a: (_mean(a) - _mean(b)) / (abs(_mean(b)) + TINY) if b.size else 0.0),
    }


def _sides(series: Series, at: float) -> tuple[np.ndarray, np.ndarray]:
    good = np.isfinite(series.values)
    before, after = series.values[good & (series.times < at)], series.values[good & (series.times >= at)]
    return before, after


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else 0.0


def _nsigma(before: np.ndarray, after: np.ndarray) -> float:
    spread = float(before.std()) if before.size else 0.0
    return float(np.abs(after - _mean(before)).max()) / (spread if spread > TINY else 1.0)


def _robust(before: np.ndarray, after: np.ndarray) -> float:
    if not before.size:
        return 0.0
    q1, middle, q3 = np.quantile(before, (0.25, 0.5, 0.75))
    return float((after - middle).max() / (q3 - q1 if q3 - q1 > TINY else 1.0))


def _best(series: Sequence[Series], at: float, score: Callable[[np.ndarray, np.ndarray], float]) -> str | None:
    best: dict[str, float] = {}
    for row in series:
        found = score(*_sides(row, at))
        best[row.service] = max(found, best.get(row.service, -np.inf))
    return max(best, key=lambda s: (best[s], s), default=None)
