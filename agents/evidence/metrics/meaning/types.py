"""The nouns of a metric's meaning."""

from dataclasses import dataclass
from typing import Literal

from agents.evidence.types import Direction, Family

Kind = Literal[
    "requests",
    "errors",
    "availability",
    "latency",
    "cpu",
    "throttling",
    "memory",
    "disk",
    "disk_io",
    "network",
    "pool",
    "queue",
    "threads",
    "files",
    "cache",
    "locks",
    "members",
    "restarts",
    "certificate",
    "clock",
    "quota",
    "runtime",
    "syscalls",
    "limit",
    "identity",
    "other",
]
Shape = Literal["counter", "gauge", "rate", "ratio", "scaled", "growth", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What one metric tells.

    `unit` is one of s, bytes, bytes/s, /s, ratio, cores, count, s/s, or "" where nobody says; `scale` turns samples
    into it. `shape` is `counter` for cumulative samples, `rate` for those already divided by time, `ratio` for a share
    of 0 to 1, `scaled` for a series that somebody brought to 0..1 by its own extremes, `growth` for the rate of change
    of what is a level by its name. `bad` is the direction that hurts, None where either may. `client` is true of calls
    to somebody else. `adds` is true where the sum over services means something. `statistic` is p99, mean, max and the
    like. `known` is false where the name says nothing and the samples had to.
    """

    kind: Kind
    family: Family
    unit: str = ""
    scale: float = 1.0
    shape: Shape = "unknown"
    bad: Direction | None = None
    client: bool = False
    adds: bool = False
    statistic: str | None = None
    known: bool = True
