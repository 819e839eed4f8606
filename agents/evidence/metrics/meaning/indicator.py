"""A metric's series to indicators that the engine can judge: cumulative ones divided by time, shares that went well
turned into shares that failed, all in the engine's units.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from agents.evidence.metrics.meaning.samples import read_group
from agents.evidence.metrics.meaning.types import Meaning
from agents.evidence.metrics.meaning.words import split_words
from agents.evidence.types import FloatArray, RawKind, Series

_EPOCH_S = 1e9
Column = tuple[str, str, FloatArray, FloatArray]  # service, metric, times (epoch seconds), values


def as_indicators(
    columns: Iterable[Column], *, units: Mapping[str, str] | None = None, declared: Mapping[str, RawKind] | None = None
) -> list[Series]:
    """Indicators of many services' metrics; what a metric means is read from all services that have it.

    `units` and `declared` are what the source says of a metric, where it says anything. What identifies something or
    is a limit is left out.
    """
    columns = list(columns)
    groups: dict[str, list[FloatArray]] = defaultdict(list)
    for _service, metric, _times, values in columns:
        groups[metric].append(values)
    meanings = {
        metric: read_group(
            metric, rows, unit=(units or {}).get(metric, ""), declared=(declared or {}).get(metric, "unknown")
        )
        for metric, rows in groups.items()
    }
    of_own = {service for service, metric, _times, _values in columns if not is_of_machine(metric)}
    return [
        as_indicator(service, metric, _borrowed(metric, meanings[metric], service in of_own), times, values)
        for service, metric, times, values in columns
        if meanings[metric].kind not in ("identity", "limit")
    ]


def is_of_machine(metric: str) -> bool:
    """Whether the name says that the machine is measured and not what runs on it."""
    return split_words(metric)[:1] in (("node",), ("host",), ("machine",))


def _borrowed(metric: str, meaning: Meaning, has_own: bool) -> Meaning:  # noqa: FBT001 -- says so itself
    """What a service with metrics of its own reports of its machine is shared with others there, and not its doing."""
    if has_own and is_of_machine(metric):
        return replace(meaning, family="other", bad=None, adds=False)
    return meaning


def as_indicator(service: str, metric: str, meaning: Meaning, times: FloatArray, values: FloatArray) -> Series:
    """One service's series of a metric with this meaning."""
    values = np.asarray(values, dtype=np.float64) * meaning.scale
    bad = meaning.bad
    if meaning.shape == "counter":
        values = _per_second(times, values)
    if meaning.kind == "availability" and meaning.unit == "ratio":
        values, bad = 1.0 - values, "up"
    if meaning.kind == "certificate" and values.size and np.nanmedian(values) > _EPOCH_S:
        values = values - times  # exporters tell when it ends; what is left runs out
    statistic = {"statistic": meaning.statistic} if meaning.statistic and meaning.statistic[0] == "p" else {}
    return Series(
        service=service,
        indicator=metric,
        family=meaning.family,
        unit=meaning.unit,
        labels=statistic,
        times=times,
        values=np.ascontiguousarray(values),
        bad=bad if bad is not None else "both",
        adds=meaning.adds,
    )


def _per_second(times: FloatArray, values: FloatArray) -> FloatArray:
    """Increase since the sample before, per second; a fall is a new beginning. The first has none before it."""
    known = np.flatnonzero(np.isfinite(values) & np.isfinite(times))
    out = np.full(values.shape, np.nan)
    if known.size < 2:
        return out
    seen, at = values[known], times[known]
    step, apart = np.diff(seen), np.diff(at)
    step = np.where(step < 0, seen[1:], step)
    out[known[1:]] = np.where(apart > 0, step / np.where(apart > 0, apart, 1.0), np.nan)
    return out
