"""Shapes of failure that need more than one indicator: a leak with restarts, a surge of traffic."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from agents.evidence.grid import clean
from agents.evidence.metrics.indicators import RESTART_WINDOW_S
from agents.evidence.ranking.symptom import entry_services
from agents.evidence.types import Anomaly, Change, Edge, FloatArray, Onset, Series

PLANNED_S = 20.0  # a restart this soon after a change on the service is the change being applied
GROWTH = 1.25  # memory at the end of a life over that at its beginning
STEADY = 0.8  # correlation of memory with time within one life
SURGE_RATIO = 1.35


def unplanned_restarts(
    series: Sequence[Series], service: str, changes: Sequence[Change], since_s: float
) -> list[float]:
    """Epoch seconds at which the service restarted after `since_s` without a change that would explain it."""
    planned = [c.at.timestamp() for c in changes if c.service == service]
    found = []
    for row in series:
        if row.service != service or row.family != "restarts" or row.unit != "restarts":
            continue
        times, values = clean(row.times, row.values)
        moments = times[1:][np.diff(values) > 0.5]
        found += [t for t in moments.tolist() if t >= since_s and not any(-5 <= t - p <= PLANNED_S for p in planned)]
        break
    return found


def without_planned(series: Series, changes: Sequence[Change]) -> Series:
    """The same count of restarts within the last minute, without those that a change explains."""
    moments = np.sort(np.array(unplanned_restarts([series], series.service, changes, 0.0)))
    until, since = (np.searchsorted(moments, series.times - back, side="right") for back in (0.0, RESTART_WINDOW_S))
    counted = np.where(np.isfinite(series.values), (until - since).astype(np.float64), np.nan)
    return replace(series, values=counted)


def leaks_before_restart(series: Sequence[Series], service: str, restarts: Sequence[float]) -> bool:
    """Whether memory grew steadily in the lives of the process that the restarts ended."""
    if not restarts:
        return False
    for row in series:
        if row.service != service or row.family != "memory":
            continue
        times, values = clean(row.times, row.values)
        bounds = [float("-inf"), *restarts]
        lives = [_grew(times, values, a, b) for a, b in pairwise(bounds)]
        known = [life for life in lives if life is not None]
        if known and sum(known) >= max(1, len(known) / 2):
            return True
    return False


def _grew(times: FloatArray, values: FloatArray, start: float, end: float) -> bool | None:
    inside = (times > start) & (times < end)
    t, v = times[inside][-120:], values[inside][-120:]
    if t.size < 5:
        return None
    tenth = max(1, t.size // 10)
    first, last = float(np.median(v[:tenth])), float(np.median(v[-tenth:]))
    if first <= 0 or last < GROWTH * first:
        return False
    return bool(np.corrcoef(t, v)[0, 1] >= STEADY)


def traffic_surge(
    anomalies: Sequence[Anomaly], services: Sequence[str], edges: Sequence[Edge], onset: Onset
) -> Anomaly | None:
    """The rise in requests at an entry service if it came no later than the symptom, else None.

    Retries of a failing callee raise traffic further in, not at the entry; retrying users come after the symptom.
    """
    entries = set(entry_services(services, edges)) or set(services)
    rises = [a for a in anomalies if _rise(a) and a.service in entries]
    if not edges and len({a.service for a in rises}) < len(services):
        return None
    limit = onset.at.timestamp() + onset.guard_s + 15.0
    # A rise that is too fresh to be dated by itself began about when the symptom did.
    early = [a for a in rises if a.onset is None or a.onset.at.timestamp() <= limit]
    return max(early, key=lambda a: (a.score, a.service), default=None)


def loaded_services(anomalies: Sequence[Anomaly]) -> set[str]:
    """Services whose own traffic rose."""
    return {a.service for a in anomalies if _rise(a)}


def _rise(anomaly: Anomaly) -> bool:
    return (
        anomaly.family == "traffic"
        and anomaly.peer is None
        and anomaly.direction == "up"
        and anomaly.ratio is not None
        and anomaly.ratio >= SURGE_RATIO
    )
