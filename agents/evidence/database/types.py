"""What is known of one database instance, and what is concluded from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class DatabaseFault(StrEnum):
    """The kinds that the rules tell apart."""

    FAILOVER = "failover"
    STORAGE_EXHAUSTED = "storage exhausted"
    CONNECTIONS_EXHAUSTED = "connections exhausted"
    MAINTENANCE_STORM = "vacuum and checkpoint storm"
    CPU_SATURATED = "cpu saturated by a query"
    REPLICATION_LAG = "replication lag"
    IO_SATURATED = "io saturated"
    LOCKED = "sessions wait for locks"
    MEMORY_SHORT = "memory short"


@dataclass(frozen=True, kw_only=True)
class DatabaseSeries:
    """One metric of one instance: (clock time `HH:MM`, value) in time order, gaps left out."""

    name: str
    unit: str
    instance: str
    points: tuple[tuple[str, float], ...]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A metric as the digest tells it. Times are `HH:MM`; `line` is the digest's own line."""

    name: str
    unit: str
    first: float
    lowest: float
    highest: float
    last: float
    line: str

    @property
    def recovered(self) -> bool:
        """Whether it went away and came back: the last value is nearer to the first than to the extreme."""
        away = max(abs(self.highest - self.first), abs(self.lowest - self.first))
        return away > 0 and abs(self.last - self.first) <= 0.25 * away


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement by the load that it causes (average active sessions), and what it waits for, heaviest first."""

    text: str
    load: float
    waits: tuple[str, ...]
    line: str


@dataclass(frozen=True, kw_only=True)
class DatabaseFinding:
    """One explanation. `lines` are verbatim lines of the digest or of the events; `over` where it has passed."""

    fault: DatabaseFault
    score: float
    because: str
    lines: tuple[str, ...] = field(default=())
    over: bool = False
