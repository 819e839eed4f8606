"""Did it heal? The indicator by which the incident was seen is measured by the same code until it holds or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from agents.errors import Unavailable
from agents.evidence.metrics.indicators import RATE_WINDOW_S
from agents.evidence.types import Window
from agents.investigation import analysis
from agents.investigation.telemetry import gather
from agents.remediation import Healing
from agents.runtime import Pace, Runtime
from agents.verdict import Symptom
from store.ids import TenantId

_ERROR_FAMILIES: Final = ("errors", "dependency_errors")
_LEAST_ERROR_RATIO: Final = 0.01
_MOST_ERRORS: Final = 0.05
_CLEARLY_WORSE: Final = 1.5
_LOOKBACK: Final = timedelta(minutes=3)
_LOOKS_BACK: Final = timedelta(seconds=RATE_WINDOW_S)


class Healed(StrEnum):
    """What one check says."""

    WAIT = "wait"
    HEALED = "healed"
    NOT_HEALED = "not_healed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One measurement of the indicator at a time."""

    at: datetime
    value: float


def criteria(symptom: Symptom | None, pace: Pace) -> Healing | None:
    """How healing will be judged: at most a quarter of the way from normal to broken, and never stricter than noise."""
    if symptom is None or symptom.now <= symptom.before:
        return None
    threshold = symptom.before + 0.25 * (symptom.now - symptom.before)
    worse = symptom.now * _CLEARLY_WORSE
    if symptom.family in _ERROR_FAMILIES:
        threshold, worse = max(min(threshold, _MOST_ERRORS), _LEAST_ERROR_RATIO), min(worse, 1.0)
    return Healing(
        service=symptom.service,
        indicator=symptom.indicator,
        unit=symptom.unit,
        before=symptom.now,
        threshold=threshold,
        worse_than=worse,
        hold_s=pace.healing_hold.total_seconds(),
        window_s=pace.healing_window.total_seconds(),
    )


def criteria_of_undo(healing: Healing | None, last: float | None) -> Healing | None:
    """An undo is measured like any remedy, by the same indicator. `last` is how it was measured last. Where it was
    well, the undo must not break it; where it was not, the undo is to heal it.
    """
    if healing is None:
        return None
    before = healing.before if last is None else last
    if before <= healing.threshold:
        return healing.model_copy(
            update={"before": before, "worse_than": healing.threshold, "settle_s": _LOOKS_BACK.total_seconds()}
        )
    worse = before * _CLEARLY_WORSE
    most = min(worse, 1.0) if healing.unit == "ratio" else worse
    return healing.model_copy(update={"before": before, "worse_than": most, "settle_s": 0.0})


async def read_indicator(rt: Runtime, tenant: TenantId, healing: Healing, seconds: float) -> Reading | None:
    """The mean over the last `seconds`, or None when nothing could be measured."""
    now = rt.clock()
    toolbox, window = await rt.toolbox_for(tenant), Window(start=now - _LOOKBACK, end=now)
    asked = (healing.service, healing.indicator, seconds, now.timestamp())
    gathered = await gather(toolbox, window, logs=False, traces=False, services=[healing.service])
    try:
        value = await rt.evidence.of(tenant).run(analysis.measure, gathered.series, *asked)
        if value is None:  # an incident that was seen in an access log heals there
            gathered = await gather(toolbox, window, metrics=False, traces=False, services=[healing.service])
            value = await rt.evidence.of(tenant).run(analysis.measure_logs, gathered, *asked)
    except Unavailable:  # a busy machine is no verdict on the remedy: the next check measures again
        return None
    return None if value is None else Reading(at=now, value=value)


def judge_readings(healing: Healing, readings: Sequence[Reading], applied_at: datetime, now: datetime) -> Healed:
    """Pure. Healed once the readings stayed below the threshold for `hold_s`; otherwise judged at the window's end.

    Readings above `worse_than` for as long end it at once, but for those that still look back at the time before.
    A gap longer than that begins the hold anew. A run of good readings that has begun may finish its hold after the
    window. Without a reading from the window's last part it is unknown: what was seen long before says nothing of now.
    """
    hold = timedelta(seconds=healing.hold_s)
    settles = timedelta(seconds=healing.settle_s)
    since = [reading for reading in readings if reading.at > applied_at + settles]
    good_since = _held_since(since, hold, lambda value: value <= healing.threshold)
    if good_since is not None and since[-1].at - good_since >= hold:
        return Healed.HEALED
    settled = [reading for reading in since if reading.at > applied_at + _LOOKS_BACK]
    worse_since = _held_since(settled, hold, lambda value: value > healing.worse_than)
    if worse_since is not None and since[-1].at - worse_since >= hold:
        return Healed.NOT_HEALED
    over = now - applied_at >= timedelta(seconds=healing.window_s)
    if not over or (good_since is not None and now - good_since < 2 * hold):
        return Healed.WAIT
    return Healed.NOT_HEALED if since and now - since[-1].at <= 2 * hold else Healed.UNKNOWN


def judge_hold(healing: Healing, readings: Sequence[Reading], begun: datetime, now: datetime) -> Healed:
    """Pure. What the second look says: healed when the indicator held for `hold_s`, not healed when it stayed above its
    threshold for as long, or did not settle below it within the window.
    """
    strict = healing.model_copy(
        update={
            "worse_than": healing.threshold,
            "settle_s": 0.0,
            "window_s": healing.window_s + _LOOKS_BACK.total_seconds(),
        }
    )
    return judge_readings(strict, readings, begun - _LOOKS_BACK, now)


async def broken_since(rt: Runtime, tenant: TenantId, healing: Healing, since: datetime) -> datetime | None:
    """When the indicator last went above its threshold, to be well for less than the hold since; None where its series
    does not say.
    """
    now = rt.clock()
    toolbox, window = await rt.toolbox_for(tenant), Window(start=since - _LOOKBACK, end=now)
    limit = ((healing.service, healing.indicator), healing.threshold, healing.hold_s)
    gathered = await gather(toolbox, window, logs=False, traces=False, services=[healing.service])
    try:
        found = await rt.evidence.of(tenant).run(analysis.above_since, gathered.series, *limit, since.timestamp())
        if found is None:
            gathered = await gather(toolbox, window, metrics=False, traces=False, services=[healing.service])
            found = await rt.evidence.of(tenant).run(analysis.above_since_in_logs, gathered, *limit, since.timestamp())
    except Unavailable:
        return None
    return None if found is None else datetime.fromtimestamp(found, tz=now.tzinfo)


def _held_since(readings: Sequence[Reading], hold: timedelta, holds: Callable[[float], bool]) -> datetime | None:
    """Since when it holds without a break, up to the last reading; None where the last one says otherwise."""
    since: datetime | None = None
    before: datetime | None = None
    for reading in readings:
        broken = before is not None and reading.at - before > hold
        since = None if not holds(reading.value) else reading.at if since is None or broken else since
        before = reading.at
    return since
