"""Everything runs, but slowly: which service or node makes the others wait.

Callers of a slow service are slow too, so the deepest slow one counts; several at the same depth on one node point to
the node. Some CPU pressure is normal beside any incident: what matters is its size beside the latency's.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Final

from agents.evidence.kubernetes.family import fault
from agents.evidence.kubernetes.labels import Label
from agents.evidence.kubernetes.objects import Anomaly
from agents.evidence.kubernetes.snapshot import Snapshot
from agents.evidence.kubernetes.types import Hypothesis, Read, What

_SLOWER: Final = 1.5  # times: below it is noise
_MUCH_CPU: Final = 3.0  # times the usual
_MUCH_THROTTLED_S: Final = 5.0
_MOST: Final = 5


def hypotheses(seen: Snapshot) -> Iterator[Hypothesis]:
    slow = slow_services(seen)
    hot = _hot(seen)
    deepest = _deepest(seen, slow)
    lost = any("retrans" in a.category.lower() for a in seen.anomalies)
    shared = None if lost else _shared_node(seen, deepest)
    if shared is not None:
        quotes = [slow[name].quote for name in deepest[:2]]
        yield fault(Label.NODE_NETWORK_DELAY, shared, 0.9, *quotes, kind="node")
    for place, name in enumerate(deepest):
        score = 0.88 - 0.08 * place - (0.2 if lost else 0.0)
        yield fault(Label.POD_NETWORK_DELAY, name, max(score, 0.3), slow[name].quote)
    for name, (size, anomaly) in hot.items():
        yield fault(Label.POD_CPU_OVERLOAD, name, _cpu_score(name, size, slow, deepest), anomaly.quote)


def reads(seen: Snapshot) -> Iterator[Read]:
    slow = slow_services(seen)
    ordered = sorted(slow, key=lambda name: -(slow[name].ratio or 0))
    for name in ordered[:_MOST]:
        yield Read(what=What.DEPENDENCIES, name=name)
    if len(_deepest(seen, slow)) > 1:
        yield Read(what=What.LIST, kind="pods", detail="wide")


def slow_services(seen: Snapshot) -> dict[str, Anomaly]:
    found: dict[str, Anomaly] = {}
    for anomaly in seen.anomalies:
        if anomaly.kind == "Service" and "LATENCY" in anomaly.category.upper() and (anomaly.ratio or 0) >= _SLOWER:
            before = found.get(anomaly.about)
            if before is None or (before.ratio or 0) < (anomaly.ratio or 0):
                found[anomaly.about] = anomaly
    return found


def _hot(seen: Snapshot) -> dict[str, tuple[float, Anomaly]]:
    """Services whose CPU rose or was throttled, with a size that can be compared: times the usual."""
    found: dict[str, tuple[float, Anomaly]] = {}
    for anomaly in seen.anomalies:
        if anomaly.kind != "Service" or "cpu" not in anomaly.category.lower():
            continue
        size = anomaly.ratio if anomaly.ratio is not None else (anomaly.current or 0) / _MUCH_THROTTLED_S * _MUCH_CPU
        if anomaly.about not in found or size > found[anomaly.about][0]:
            found[anomaly.about] = (size, anomaly)
    return found


def _deepest(seen: Snapshot, slow: dict[str, Anomaly]) -> list[str]:
    """Slow services that call no slow one, the most slowed first."""
    leaves = [name for name in slow if not _below(seen, name) & (set(slow) - {name})]
    return sorted(leaves or slow, key=lambda name: -(slow[name].ratio or 0))


def _below(seen: Snapshot, name: str) -> set[str]:
    found: set[str] = set()
    due = [name]
    while due:
        for callee in seen.calls.get(due.pop(), ()):
            if callee not in found:
                found.add(callee)
                due.append(callee)
    return found


def _shared_node(seen: Snapshot, deepest: list[str]) -> str | None:
    """The node that several of the deepest slow services share, while the slow ones elsewhere are few."""
    where = Counter(node for name in deepest if (node := seen.node_of(name)))
    if not where:
        return None
    node, count = where.most_common(1)[0]
    return node if count >= 2 and count > sum(where.values()) / 2 else None


def _cpu_score(name: str, size: float, slow: dict[str, Anomaly], deepest: list[str]) -> float:
    """CPU explains slowness where it grew much; a latency that grew by orders more is not explained by it."""
    if size < _MUCH_CPU:
        return 0.35
    latency = slow[name].ratio if name in slow else None
    if latency is None:
        return 0.8 if not deepest else 0.5
    within = math.log10(max(latency or 1.0, 1.0)) - math.log10(size) < 1.5
    return (0.92 if within else 0.6) if name in deepest else 0.6
