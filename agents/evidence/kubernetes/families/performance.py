"""Everything runs, but slowly: which service or node makes the others wait.

Callers of a slow service are slow too, so the deepest slow one counts; several at the same depth on one node point to
the node. Some CPU pressure is normal beside any incident: what matters is its size beside the latency's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from agents.evidence.kubernetes.family import fault
from agents.evidence.kubernetes.labels import Label
from agents.evidence.kubernetes.objects import AlertLine
from agents.evidence.kubernetes.snapshot import Snapshot
from agents.evidence.kubernetes.types import ClusterHypothesis, Read, What

_SLOWER: Final = 1.5  # times: below it is noise
_SOME_CPU: Final = 1.5  # times the usual
_MUCH_CPU: Final = 3.0
_BEYOND: Final = 30.0  # times that size
_MUCH_THROTTLED_S: Final = 5.0
_SEVERAL: Final = 2
_MOST: Final = 5


def hypotheses(seen: Snapshot) -> Iterator[ClusterHypothesis]:
    slow = slow_services(seen)
    deepest = _deepest(seen, slow)
    lost = any("retrans" in a.category.lower() for a in seen.anomalies)
    shared = None if lost else _shared_node(seen, slow, deepest)
    known = all(name in seen.calls or seen.has(Read(what=What.DEPENDENCIES, name=name)) for name in _worst(slow))
    if shared is not None:
        node, names = shared
        yield fault(Label.NODE_NETWORK_DELAY, node, 0.9, *[slow[n].quote for n in names if n in slow], kind="node")
    for place, name in enumerate(deepest):
        score = 0.88 - 0.08 * place - (0.2 if lost else 0.0)
        yield fault(Label.POD_NETWORK_DELAY, name, max(score, 0.3), slow[name].quote)
    for name, (size, anomaly) in _hot(seen).items():
        score = _cpu_score(name, size, slow, deepest)
        yield fault(Label.POD_CPU_OVERLOAD, name, score if known else min(score, 0.85), anomaly.quote)


def reads(seen: Snapshot) -> Iterator[Read]:
    slow = slow_services(seen)
    for name in _worst(slow):
        yield Read(what=What.DEPENDENCIES, name=name)
    if len(slow) > 1:
        yield Read(what=What.LIST, kind="pods", detail="wide")


def _worst(slow: dict[str, AlertLine]) -> list[str]:
    return sorted(slow, key=lambda name: -(slow[name].ratio or 0))[:_MOST]


def slow_services(seen: Snapshot) -> dict[str, AlertLine]:
    found: dict[str, AlertLine] = {}
    for anomaly in seen.anomalies:
        if anomaly.kind == "Service" and "LATENCY" in anomaly.category.upper() and (anomaly.ratio or 0) >= _SLOWER:
            before = found.get(anomaly.about)
            if before is None or (before.ratio or 0) < (anomaly.ratio or 0):
                found[anomaly.about] = anomaly
    return found


def _hot(seen: Snapshot) -> dict[str, tuple[float, AlertLine]]:
    """Services whose CPU rose or was throttled, with a size that can be compared: times the usual."""
    found: dict[str, tuple[float, AlertLine]] = {}
    for anomaly in seen.anomalies:
        if anomaly.kind != "Service" or "cpu" not in anomaly.category.lower():
            continue
        size = anomaly.ratio if anomaly.ratio is not None else (anomaly.current or 0) / _MUCH_THROTTLED_S * _MUCH_CPU
        if anomaly.about not in found or size > found[anomaly.about][0]:
            found[anomaly.about] = (size, anomaly)
    return found


def _deepest(seen: Snapshot, slow: dict[str, AlertLine]) -> list[str]:
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


def _shared_node(seen: Snapshot, slow: dict[str, AlertLine], deepest: list[str]) -> tuple[str, list[str]] | None:
    """The node on which the delay arises rather than in one pod, with the services that show it.

    Several of the deepest slow services share it; or all whose usual (median) answer is slow sit on it, while what they
    call answers as usual in the median, or no single one of them would explain the others.
    """
    where = {name: node for name in slow if (node := seen.node_of(name))}
    together = Counter(where[name] for name in deepest if name in where)
    for node, count in together.most_common(1):
        if count >= _SEVERAL and count > sum(together.values()) / 2:
            return node, [name for name in deepest if where.get(name) == node]
    usual = list(dict.fromkeys(a.about for a in seen.anomalies if _is_usual_answer(a)))
    nodes = {seen.node_of(name) for name in usual}
    if len(usual) < _SEVERAL or len(nodes) != 1 or "" in nodes:
        return None
    culprit = any(all(one == name or one in _below(seen, name) for name in usual) for one in usual)
    return None if culprit and set(deepest) & set(usual) else (nodes.pop(), usual)


def _is_usual_answer(anomaly: AlertLine) -> bool:
    """Whether the median is slow, or latency cannot be measured any more."""
    return "p50latency" in anomaly.quote.line or "LATENCY_MISSING" in anomaly.category


def _cpu_score(name: str, size: float, slow: dict[str, AlertLine], deepest: list[str]) -> float:
    """CPU explains a slowness of its own size; a latency that grew by orders more is not explained by it."""
    latency = slow[name].ratio if name in slow else None
    if latency is not None:
        within = size >= _SOME_CPU and latency < _BEYOND * size
        return (0.92 if within else 0.4) if name in deepest else 0.4
    if size < _MUCH_CPU:
        return 0.35
    return 0.8 if not deepest else 0.5
