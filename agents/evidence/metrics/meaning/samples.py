"""What the samples of one metric over a fleet tell where its name does not: cumulative, a share, a rate, a scale.

Each is a matter of arithmetic, not of taste. What is cumulative never falls but to nearly nothing. A share of a whole
does not leave 0 to 1, or 0 to 100. A level that a running process holds is not zero now and large a moment later. And
a fleet whose every series touches exactly 0 and exactly 1 was brought there by its own extremes.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from agents.evidence.metrics.meaning.name import inexact_share, read_name, with_unit
from agents.evidence.metrics.meaning.types import Meaning
from agents.evidence.types import FloatArray, RawKind

LEAST = 8  # samples of a series that say anything of its shape
RISES = 3  # of what is cumulative at least,
RISING_SHARE = 0.9  # in so much of the series of a fleet,
RESET = 0.5  # which it falls below if it begins anew
SCALED_SHARE = 0.7  # of the series that touch exactly 0 and 1
WHOLE = 1.0 + 1e-6
HUNDRED = 100.0 + 1e-3
EMPTY_SHARE = 0.02  # of the samples that are zero or less: no level of a running process
MILLISECONDS = 5.0  # typical latency from which it is not told in seconds
BYTES = 1e5  # and memory in bytes
_LEVELS = ("memory", "disk")
_COUNTABLE = ("requests", "errors", "network", "disk_io", "other", "throttling")
_SHARES = ("errors", "availability", "cache", "cpu", "memory", "disk", "pool", "throttling")


def read_group(name: str, values: Sequence[FloatArray], *, unit: str = "", declared: RawKind = "unknown") -> Meaning:
    """What the metric `name` means, whose series over all services and replicas are `values`."""
    meaning = read_name(name, unit, declared)
    series = [v for v in (np.asarray(v)[np.isfinite(v)] for v in values) if v.size >= LEAST]
    if not series:
        return meaning
    if _is_scaled(series):
        return replace(meaning, shape="scaled", unit="", scale=1.0, adds=False)
    meaning = _cumulative(meaning, series, declared)
    if meaning.shape == "counter":
        return meaning
    if meaning.kind in _LEVELS and meaning.unit != "ratio" and _comes_and_goes(series):
        if meaning.kind == "disk":  # not how full it is but what is read and written
            return replace(meaning, kind="disk_io", family="other", bad=None, shape="rate", adds=True)
        return replace(meaning, shape="growth", unit="", scale=1.0)
    return _measured(meaning, name, unit, series)


def is_cumulative(values: FloatArray) -> bool:
    """Whether a series only rises, but for falls to nearly nothing where its process began anew."""
    steps = np.diff(values)
    falls = np.flatnonzero(steps < 0)
    if (steps > 0).sum() < RISES or falls.size > 0.05 * steps.size:
        return False
    return bool((values[falls + 1] <= RESET * values[falls]).all()) and bool(values.min() >= 0)


def _is_scaled(series: Sequence[FloatArray]) -> bool:
    """By their own extremes. A busy share touches 1 and 0, too, but then not in nearly every series of a fleet."""
    moving = [v for v in series if v.min() < v.max()]
    touching = sum(1 for v in moving if v.min() == 0.0 and v.max() == 1.0 and ((v > 0) & (v < 1)).any())
    return len(moving) >= 3 and touching >= SCALED_SHARE * len(moving)


def _cumulative(meaning: Meaning, series: Sequence[FloatArray], declared: RawKind) -> Meaning:
    """The name's word against the samples': a total that falls now and then was divided by time already."""
    moving = [v for v in series if v.min() < v.max()]
    rising = [v for v in moving if is_cumulative(v)]
    if meaning.shape == "counter" and declared == "unknown" and moving and len(rising) < RISING_SHARE * len(moving):
        unit = meaning.unit if meaning.kind != "latency" else ""
        return replace(meaning, shape="rate", unit="" if unit in ("/s", "s/s") else unit)
    whole = len(rising) >= 2 or (len(rising) == 1 and rising[0].size >= 2 * LEAST)
    if meaning.shape == "unknown" and meaning.kind in (
        "requests",
        "errors",
        "network",
        "disk_io",
        "other",
        "throttling",
    ):
        long = [v for v in rising if (np.diff(v) > 0).sum() >= max(RISES, 0.2 * v.size) or (v == np.rint(v)).all()]
        if whole and len(long) >= RISING_SHARE * len(moving):
            unit = {"bytes": "bytes/s", "s": "s/s", "": "/s", "count": "/s"}.get(meaning.unit, meaning.unit)
            return replace(meaning, shape="counter", unit=unit)
    return meaning


def _comes_and_goes(series: Sequence[FloatArray]) -> bool:
    held = [v for v in series if v.max() > 0 or v.min() < 0]
    empty = [float((v <= 0).mean()) for v in held]
    return bool(empty) and float(np.median(empty)) > EMPTY_SHARE


def _measured(meaning: Meaning, name: str, unit: str, series: Sequence[FloatArray]) -> Meaning:
    largest = max(float(v.max()) for v in series)
    least = min(float(v.min()) for v in series)
    if meaning.kind in _SHARES and least >= 0 and inexact_share(name, unit):
        return _share(meaning, largest)
    if meaning.unit:
        return meaning
    typical = float(np.median([float(np.median(v)) for v in series]))
    if meaning.kind == "availability" and least >= 0 and largest <= HUNDRED:
        meaning = with_unit(meaning, "ratio", 1.0 if largest <= WHOLE else 0.01)
    elif meaning.kind == "latency":
        meaning = with_unit(meaning, "s", 1e-3 if typical >= MILLISECONDS else 1.0)
    elif meaning.kind == "memory" and typical >= BYTES:
        meaning = with_unit(meaning, "bytes", 1.0)
    return meaning


def _share(meaning: Meaning, largest: float) -> Meaning:
    """A share of 1 or of 100; or, beyond both, no share at all."""
    if largest <= WHOLE:
        return with_unit(meaning, "ratio", 1.0)
    if largest <= HUNDRED and (meaning.unit == "ratio" or meaning.kind in ("availability", "cache")):
        return with_unit(meaning, "ratio", 0.01)
    return replace(meaning, shape="rate", unit="") if meaning.unit == "ratio" else meaning
