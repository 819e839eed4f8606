"""Units as people and vendors write them, each with its factor to the engine's own."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

Scaled = tuple[str, float]

_TIME: dict[str, float] = {
    "nanosecond": 1e-9,
    "microsecond": 1e-6,
    "millisecond": 1e-3,
    "second": 1.0,
    "minute": 60.0,
    "hour": 3600.0,
    "day": 86400.0,
}
_SIZE: dict[str, float] = {
    "byte": 1.0,
    "kilobyte": 1e3,
    "kibibyte": 2.0**10,
    "megabyte": 1e6,
    "mebibyte": 2.0**20,
    "gigabyte": 1e9,
    "gibibyte": 2.0**30,
    "terabyte": 1e12,
    "bit": 0.125,
    "kilobit": 125.0,
    "megabit": 125e3,
    "gigabit": 125e6,
}
_PER: dict[str, float] = {"/s": 1.0, "/m": 1 / 60, "/h": 1 / 3600}
_SHARE: dict[str, float] = {"percent": 0.01, "ratio": 1.0, "fraction": 1.0, "share": 1.0}
# As OpenTelemetry (UCUM), CloudWatch, Datadog and people write them beside a name; case matters where it tells.
_WRITTEN: dict[str, Scaled] = {
    "s": ("s", 1.0),
    "ms": ("s", 1e-3),
    "us": ("s", 1e-6),
    "µs": ("s", 1e-6),
    "ns": ("s", 1e-9),
    "By": ("bytes", 1.0),
    "KiBy": ("bytes", 2.0**10),
    "MiBy": ("bytes", 2.0**20),
    "GiBy": ("bytes", 2.0**30),
    "Ki": ("bytes", 2.0**10),
    "Mi": ("bytes", 2.0**20),
    "Gi": ("bytes", 2.0**30),
    "By/s": ("bytes/s", 1.0),
    "%": ("ratio", 0.01),
    "1": ("ratio", 1.0),
    "m": ("cores", 1e-3),
    "cores": ("cores", 1.0),
    "core": ("cores", 1.0),
    "{cpu}": ("cores", 1.0),
    "Hz": ("/s", 1.0),
    "Ops": ("/s", 1.0),
    "ops": ("/s", 1.0),
    "None": ("", 1.0),
}


@dataclass(frozen=True, kw_only=True)
class Unit:
    """`name` is "" where nothing is said; `exact` is false where it may be a share of 1 or of 100."""

    name: str = ""
    factor: float = 1.0
    exact: bool = True


def written_unit(text: str, words: Collection[str]) -> Unit:
    """The unit that stands beside a name. `words` are its words."""
    if text in _WRITTEN:
        name, factor = _WRITTEN[text]
        return Unit(name=name, factor=factor)
    if text.startswith("{"):
        return Unit(name="/s" if text.endswith("/s") else "count")
    return named_unit(words)


def named_unit(words: Collection[str]) -> Unit:
    """The unit that the words of a name speak of."""
    per = next((factor for word, factor in _PER.items() if word in words), None)
    share, size, time = (_first(table, words) for table in (_SHARE, _SIZE, _TIME))
    if share is not None:
        return Unit(name="ratio", factor=_SHARE[share], exact=share == "percent")
    if size is not None:
        return Unit(name="bytes" if per is None else "bytes/s", factor=_SIZE[size] * (per or 1.0))
    if per is not None and {"latency", "duration"}.isdisjoint(words):
        return Unit(name="/s", factor=per)
    return Unit(name="s", factor=_TIME[time]) if time is not None else _implied_unit(words)


def _first(table: Mapping[str, float], words: Collection[str]) -> str | None:
    return next((word for word in table if word in words), None)


def _implied_unit(words: Collection[str]) -> Unit:
    if "millicore" in words:
        return Unit(name="cores", factor=1e-3)
    if "utilization" in words:
        return Unit(name="ratio", exact=False)
    if "timer" in words:
        return Unit(name="s", factor=1e-3)  # StatsD's protocol times in milliseconds
    return Unit()
