"""What metrics, events and waits say together. A symptom that another rule explains is no cause of its own.

CPU rises in nearly every database incident: it is the cause only where the heaviest statement spends its time there.
What passed and healed by itself is told as over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agents.evidence.database.digest import read_statements
from agents.evidence.database.types import DatabaseFault, DatabaseFinding, Shape, Statement

_FAILOVER: Final = re.compile(r"failover", re.IGNORECASE)
_AVAILABLE: Final = re.compile(r"is available|available again|accepting connections", re.IGNORECASE)
_DONE: Final = re.compile(
    r"(?:autoscaling|failover|modification|expansion) completed|has been increased", re.IGNORECASE
)
_STORAGE: Final = re.compile(r"storage|disk (?:is )?full|no space left", re.IGNORECASE)
_OUT_OF_STORAGE: Final = re.compile(
    r"ran out of storage|storage-full|no space left|critically low|insufficient storage", re.IGNORECASE
)
_CONNECTIONS: Final = re.compile(
    r"max_connections|connection slots|too many (?:clients|connections)|connection limit", re.IGNORECASE
)
_MAINTENANCE: Final = re.compile(r"vacuum|analyze|checkpoint|reindex|freeze", re.IGNORECASE)
_STORM: Final = re.compile(r"checkpoints? (?:are occurring too|storm|completed in)|checkpoint storm", re.IGNORECASE)
_LAG: Final = re.compile(r"replica(?:tion)? ?lag|replica .*(?:behind|lag)|replication slot", re.IGNORECASE)
_WRITES: Final = re.compile(r"\b(?:INSERT|UPDATE|DELETE|COPY|MERGE)\b", re.IGNORECASE)
_BUSY_PERCENT: Final = 80.0
_HEAVY: Final = 2.0  # average active sessions
_LAGS_S: Final = 10.0
_NEARLY: Final = 0.95
_CLIENT_WAITS: Final = ("Client:ClientRead", "idle in transaction")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One instance as it was read. `events` are verbatim lines in time order."""

    instance: str
    metrics: tuple[Shape, ...]
    statements: tuple[Statement, ...]
    events: tuple[str, ...]

    def metric(self, *names: str) -> Shape | None:
        """The named metric that moved furthest."""
        found = [m for m in self.metrics if m.name in names]
        return max(found, key=lambda m: m.highest - m.lowest, default=None)

    def lines(self, pattern: re.Pattern[str], most: int = 4) -> tuple[str, ...]:
        return tuple(line for line in self.events if pattern.search(line))[:most]

    def top(self, *kinds: str) -> Statement | None:
        """The heaviest statement whose first wait is of one of the kinds (any when none is given)."""
        fitting = [s for s in self.statements if not kinds or (s.waits and s.waits[0].startswith(kinds))]
        return fitting[0] if fitting else None


def see(instance: str, metrics: Iterable[Shape], events: Iterable[str]) -> Seen:
    """From the shapes and lines of both digests."""
    lines = [line.strip() for line in events]
    plain = tuple(line for line in lines if line and "top statement:" not in line and "top wait event:" not in line)
    return Seen(instance=instance, metrics=tuple(metrics), statements=read_statements(lines), events=plain)


def explain(seen: Seen) -> list[DatabaseFinding]:
    """Findings that are going on, strongest first; then what is over."""
    found = [finding for rule in _RULES for finding in rule(seen)]
    causes = {f.fault for f in found if not f.over}
    kept = [f for f in found if not (f.fault in _SYMPTOMS and causes & _SYMPTOMS[f.fault])]
    return sorted(kept, key=lambda f: (f.over, -f.score))


def _failover(seen: Seen) -> Iterator[DatabaseFinding]:
    lines = seen.lines(_FAILOVER, 6)
    if lines:
        available = seen.lines(_AVAILABLE, 1)
        dropped = seen.metric("DatabaseConnections")
        completed = any("completed" in line.lower() for line in lines) and bool(available)
        after = "failover completed, instance available, workload resumed normally" if completed else "not completed"
        reason = next((line.partition("Reason:")[2].strip(" .") for line in lines if "Reason:" in line), "")
        because = (
            f"Multi-AZ failover of {seen.instance}{f' after a {reason}' if reason else ''}: failover initiated, "
            f"failover in progress, {after} (primary evidence source: the event timeline)"
        )
        shown = (*lines, *available, *((dropped.line,) if dropped else ()))
        yield DatabaseFinding(
            fault=DatabaseFault.FAILOVER, score=0.95, because=because, lines=tuple(dict.fromkeys(shown))
        )


def _storage(seen: Seen) -> Iterator[DatabaseFinding]:
    free = seen.metric("FreeStorageSpace", "FreeLocalStorage")
    lines = seen.lines(_STORAGE)
    grown = bool(seen.lines(_DONE)) and bool(lines)
    fell = free is not None and free.last <= 0.35 * free.first
    writer = next((s for s in seen.statements if _WRITES.search(s.text)), None)
    shown = [*((free.line,) if free else ()), *lines, *((writer.line,) if writer else ())]
    if grown and not fell:
        because = (
            f"free storage of {seen.instance} was short, storage autoscaling enlarged the volume, "
            "and FreeStorageSpace recovered"
        )
        yield DatabaseFinding(
            fault=DatabaseFault.STORAGE_EXHAUSTED, score=0.9, because=because, lines=tuple(shown), over=True
        )
    elif fell or seen.lines(_OUT_OF_STORAGE):
        by = " while a heavy write workload (WriteIOPS) fills it" if writer or seen.metric("WriteIOPS") else ""
        because = f"storage of {seen.instance} is running out: FreeStorageSpace falls{by}"
        if free is None:
            because += "; the metric FreeStorageSpace itself is missing, the events tell it"
        score = 0.95 if seen.lines(_OUT_OF_STORAGE) or (free is not None and free.last <= 0.1 * free.first) else 0.85
        yield DatabaseFinding(fault=DatabaseFault.STORAGE_EXHAUSTED, score=score, because=because, lines=tuple(shown))


def _connections(seen: Seen) -> Iterator[DatabaseFinding]:
    count = seen.metric("DatabaseConnections")
    lines = seen.lines(_CONNECTIONS)
    idle = next((s for s in seen.statements if s.waits and s.waits[0] in _CLIENT_WAITS), None)
    if lines or (idle is not None and count is not None and count.last >= _NEARLY * count.highest):
        why = ": idle client sessions are not given back" if idle else ""
        because = f"connection exhaustion of {seen.instance}: client sessions hold nearly all of max_connections{why}"
        shown = [*((count.line,) if count else ()), *lines, *((idle.line,) if idle else ())]
        yield DatabaseFinding(
            fault=DatabaseFault.CONNECTIONS_EXHAUSTED, score=0.94 if lines else 0.6, because=because, lines=tuple(shown)
        )


def _maintenance(seen: Seen) -> Iterator[DatabaseFinding]:
    worker = next((s for s in seen.statements[:1] if _MAINTENANCE.search(s.text) and s.load >= _HEAVY), None)
    storm = seen.lines(_STORM)
    if worker or len(storm) > 1:
        because = (
            f"a maintenance run on {seen.instance} (vacuum) drives a checkpoint storm that floods WAL and disk; "
            "LWLock waits and high CPU follow from it and are not its cause"
        )
        queue = seen.metric("DiskQueueDepth", "WriteIOPS", "TransactionLogsGeneration")
        shown = [*((worker.line,) if worker else ()), *storm[:2], *((queue.line,) if queue else ())]
        yield DatabaseFinding(fault=DatabaseFault.MAINTENANCE_STORM, score=0.96, because=because, lines=tuple(shown))


def _cpu(seen: Seen) -> Iterator[DatabaseFinding]:
    cpu = seen.metric("CPUUtilization")
    query = seen.top("CPU")
    busy = cpu is not None and cpu.last >= _BUSY_PERCENT
    if cpu is not None and busy:
        heavy = query is not None and query.load >= _HEAVY
        of = f": Performance Insights shows one query that keeps it busy ({query.text[:80]})" if heavy and query else ""
        because = f"CPU saturation of {seen.instance}{of}"
        shown = [cpu.line, *((query.line,) if query and heavy else ())]
        yield DatabaseFinding(
            fault=DatabaseFault.CPU_SATURATED, score=0.93 if heavy else 0.6, because=because, lines=tuple(shown)
        )


def _lag(seen: Seen) -> Iterator[DatabaseFinding]:
    lag = seen.metric("ReplicaLag", "AuroraReplicaLag", "OldestReplicationSlotLag")
    lines = seen.lines(_LAG)
    grows = lag is not None and lag.last >= _LAGS_S and not lag.recovered
    if grows or (lag is None and lines):
        writer = next((s for s in seen.statements if _WRITES.search(s.text)), None)
        because = (
            f"replication lag of {seen.instance}'s read replica: a write-heavy workload generates WAL faster than the "
            "replica replays it"
        )
        if lag is None:
            because += "; the metric ReplicaLag is missing, the events tell it"
        more = seen.metric("TransactionLogsGeneration", "WriteIOPS")
        pieces = (lag.line if lag else "", *lines, writer.line if writer else "", more.line if more else "")
        score = 0.92 if writer or more else 0.8
        yield DatabaseFinding(
            fault=DatabaseFault.REPLICATION_LAG, score=score, because=because, lines=tuple(p for p in pieces if p)
        )


def _locks(seen: Seen) -> Iterator[DatabaseFinding]:
    waiting = seen.top("Lock:")
    if waiting is not None and waiting.load >= _HEAVY:
        because = f"sessions of {seen.instance} wait for locks held by others"
        yield DatabaseFinding(fault=DatabaseFault.LOCKED, score=0.85, because=because, lines=(waiting.line,))


def _io(seen: Seen) -> Iterator[DatabaseFinding]:
    queue = seen.metric("DiskQueueDepth")
    if queue is not None and queue.last >= 10 and queue.last >= 10 * max(queue.first, 0.01):
        because = f"the disk of {seen.instance} is saturated: requests queue"
        yield DatabaseFinding(fault=DatabaseFault.IO_SATURATED, score=0.6, because=because, lines=(queue.line,))


def _memory(seen: Seen) -> Iterator[DatabaseFinding]:
    free = seen.metric("FreeableMemory")
    if free is not None and free.last <= 0.15 * free.first:
        because = f"memory of {seen.instance} is nearly used up"
        yield DatabaseFinding(fault=DatabaseFault.MEMORY_SHORT, score=0.7, because=because, lines=(free.line,))


_RULES: Final = (_failover, _storage, _connections, _maintenance, _cpu, _lag, _locks, _io, _memory)
# What each symptom may follow from.
_SYMPTOMS: Final = {
    DatabaseFault.CPU_SATURATED: {DatabaseFault.MAINTENANCE_STORM},
    DatabaseFault.IO_SATURATED: {
        DatabaseFault.MAINTENANCE_STORM,
        DatabaseFault.CPU_SATURATED,
        DatabaseFault.STORAGE_EXHAUSTED,
        DatabaseFault.REPLICATION_LAG,
    },
    DatabaseFault.REPLICATION_LAG: {
        DatabaseFault.FAILOVER,
        DatabaseFault.STORAGE_EXHAUSTED,
        DatabaseFault.MAINTENANCE_STORM,
    },
    DatabaseFault.MEMORY_SHORT: {DatabaseFault.MAINTENANCE_STORM, DatabaseFault.CONNECTIONS_EXHAUSTED},
    DatabaseFault.STORAGE_EXHAUSTED: {DatabaseFault.FAILOVER},
}


def summary(findings: Sequence[DatabaseFinding], instance: str) -> str:
    """One paragraph: what is wrong, or that nothing is."""
    active = [f for f in findings if not f.over]
    if active:
        return "; also ".join(f.because for f in active)
    past = "; ".join(f.because for f in findings)
    if past:
        return f"No active failure of {instance}: {past}"
    return f"No failure: all metrics of {instance} are within normal bounds"
