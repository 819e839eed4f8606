"""A metric's name, with the unit and type that its source declares, to what it means.

The first rule of the vocabulary that fits gives the kind; the rest of the words tell unit, shape, statistic and whether
the free part of something is meant.
"""

import re
from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache

from agents.evidence.metrics.meaning.types import Kind, Meaning, Shape
from agents.evidence.metrics.meaning.units import Unit, named_unit, written_unit
from agents.evidence.metrics.meaning.vocabulary import CLIENT, FREE, LIMIT, RULES, TRAITS, USE
from agents.evidence.metrics.meaning.words import bracketed_unit, split_words
from agents.evidence.types import Direction, Family, RawKind

_QUANTILE = re.compile(r"p\d{2,4}")
_CORES = re.compile(r"(?<![a-z])cores(?![a-z])")
_COUNTED: frozenset[Kind] = frozenset(("requests", "errors", "latency", "restarts", "cache", "other", "runtime"))
_LEVELS = frozenset(("50", "75", "90", "95", "98", "99", "999"))
_STATISTICS = ("mean", "max", "min", "sum", "count")
_LIMITED: frozenset[Kind] = frozenset(
    ("cpu", "memory", "disk", "pool", "queue", "threads", "files", "quota", "members")
)
_WAITED = frozenset(("wait", "pending", "acquire", "timeout", "blocked"))
_CALLS: frozenset[Kind] = frozenset(("requests", "errors", "availability", "latency"))
_CLIENT_FAMILY: dict[Family, Family] = {"errors": "dependency_errors", "latency": "dependency_latency"}
_RATES: frozenset[Kind] = frozenset(("requests", "network", "disk_io"))
_ADDING = frozenset(("/s", "bytes", "bytes/s", "cores", "s/s", "count"))
_ADDED: frozenset[Kind] = frozenset(("requests", "errors", "cpu", "memory", "network", "disk_io", "queue", "restarts"))


@lru_cache(maxsize=16384)
def read_name(name: str, unit: str = "", declared: RawKind = "unknown") -> Meaning:
    """What the name alone tells. `unit` and `declared` are what the source says beside it, if anything."""
    ordered = split_words(name)
    words = frozenset(ordered)
    kind = _kind(words)
    measure = _unit(name, unit, words)
    statistic = _statistic(ordered, kind)
    if kind == "latency" and statistic == "count":
        kind = "requests"
    if kind in _LIMITED and _is_limit(words, statistic, kind):
        kind = "limit"
    shape = _shape(ordered, kind, measure, declared)
    measure = _measure(kind, measure, shape, words)
    client = kind in _CALLS and bool(words & CLIENT) and "server" not in words
    traits = TRAITS[kind]
    family = _CLIENT_FAMILY.get(traits.family, traits.family) if client else traits.family
    if kind == "latency" and statistic == "sum":
        family = "other"
    return Meaning(
        kind=kind,
        family=family,
        unit=measure.name,
        scale=measure.factor,
        shape=shape,
        bad=_bad(kind, words),
        client=client,
        adds=kind in _ADDED and measure.name in (*_ADDING, "") and shape != "ratio" and not _is_extreme(statistic),
        statistic=statistic,
        known=kind != "other",
    )


def inexact_share(name: str, unit: str = "") -> bool:
    """Whether a share is meant of which nobody says whether all is 1 or 100."""
    words = frozenset(split_words(name))
    found = _unit(name, unit, words)
    return (found.name == "ratio" and not found.exact) or (not found.name and "rate" in words)


def with_unit(meaning: Meaning, unit: str, scale: float) -> Meaning:
    """The same in a unit that the samples told."""
    shape: Shape = "ratio" if unit == "ratio" else meaning.shape
    return replace(meaning, unit=unit, scale=scale, shape=shape, adds=meaning.adds and unit != "ratio")


def _kind(words: frozenset[str]) -> Kind:
    return next((rule.kind for rule in RULES if rule.fits(words)), "other")


def _unit(name: str, unit: str, words: frozenset[str]) -> Unit:
    text = unit or bracketed_unit(name) or ""
    told = written_unit(text, frozenset(split_words(text))) if text else Unit()
    if told.name:
        return told
    found = named_unit(words)
    return Unit(name="cores") if not found.name and _CORES.search(name.lower()) else found


def _statistic(words: tuple[str, ...], kind: Kind) -> str | None:
    for word in words:
        if _QUANTILE.fullmatch(word) or word == "quantile":
            return word
        if kind == "latency" and word in _LEVELS:
            return f"p{word}"
    return next((s for s in _STATISTICS if s in words), None)


def _is_whole(kind: Kind, words: Collection[str]) -> bool:
    """The total of a stock, as in `memory total`, and not a running total."""
    return kind in ("memory", "disk") and not {"second", "use", "fault", "failure"}.intersection(words)


def _is_limit(words: frozenset[str], statistic: str | None, kind: Kind) -> bool:
    if _is_whole(kind, words) and "total" in words and not words & FREE:
        return True
    if not words & LIMIT or words & (USE | FREE | _WAITED):
        return False
    return not (statistic in ("max", "min") and not words & (LIMIT - {"max"}) and {"time", "latency"} & words)


def _shape(words: tuple[str, ...], kind: Kind, unit: Unit, declared: RawKind) -> Shape:
    shape: Shape = "unknown" if declared != "gauge" else "gauge"
    if unit.name == "ratio":
        shape = "ratio"
    elif unit.name in ("/s", "bytes/s") or "/s" in words or "/m" in words:
        shape = "rate"
    elif declared == "counter" or (declared == "unknown" and _is_running(words, kind)):
        shape = "counter"
    elif shape == "unknown" and "rate" in words and kind in _RATES:
        shape = "rate"
    return shape


def _is_running(words: tuple[str, ...], kind: Kind) -> bool:
    """Whether the last word says that all since the beginning is counted."""
    last = words[-1] if words else ""
    return (last == "total" and not _is_whole(kind, words)) or (last in ("sum", "count") and kind in _COUNTED)


def _measure(kind: Kind, unit: Unit, shape: Shape, words: frozenset[str]) -> Unit:
    """The unit of a rate for what is cumulative, and a plain number where a kind is always one."""
    if shape == "counter":
        per = {"s": "s/s", "bytes": "bytes/s", "": "/s", "count": "/s"}
        return Unit(
            name="cores" if kind == "cpu" and unit.name == "s" else per.get(unit.name, unit.name), factor=unit.factor
        )
    if not unit.name and shape == "rate":
        return Unit(name="/s")
    if kind in ("requests", "errors") and unit.name == "s":
        return Unit()
    if kind == "network" and unit.name == "bytes":
        return Unit(name="bytes/s", factor=unit.factor)  # what passed in an interval, never a stock
    if (
        not unit.name
        and "age" not in words
        and kind in ("pool", "queue", "threads", "files", "members", "restarts")
        and "rate" not in words
    ):
        return Unit(name="count")
    return unit


def _bad(kind: Kind, words: frozenset[str]) -> Direction | None:
    traits = TRAITS[kind]
    if kind == "restarts" and "uptime" in words:
        return "down"
    if kind == "cache":
        return "up" if words & {"miss", "eviction"} else "down"
    if kind == "runtime":
        return "up" if words & {"pause", "lag", "delay", "latency", "time", "duration"} else None
    if traits.capacity and words & FREE and not (words & _WAITED):
        return None if kind == "pool" and "idle" in words else "down"
    return traits.bad


def _is_extreme(statistic: str | None) -> bool:
    return statistic is not None and statistic not in ("mean", "sum", "count")
