"""Pods, instances, hosts of one service beside each other, since siblings do the same work: no time before is needed.

Which of them are unlike the rest by level, and whether those share a node. It tells one bad replica from a bad node and
from a fault of all of them, and it is what is left to compare where nothing was recorded before an incident.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agents.evidence.metrics.indicators import derive_indicators
from agents.evidence.norms import NORMS, absolute_floor, bad_direction
from agents.evidence.types import FloatArray, RawSeries, Series

UNITS = ("pod", "instance", "host", "node", "replica", "container", "task")
NODES = ("node", "host")
MOST = 40  # siblings that are compared
PLAIN = 6.0  # noise units, of how far siblings lie apart or each wavers
TIMES = 1.5  # and times the others' level: a person would see it
FACTORS = 3.0  # times what siblings differ from each other by ratio
IDLE = 1 / 3  # of the others' work: it is asked hardly anything
LEAST = 2  # samples of each


@dataclass(frozen=True, kw_only=True)
class Apart:
    """One sibling whose `level` of an indicator is unlike that of the `others` (their median), both in its unit."""

    name: str
    series: Series
    level: float
    others: float
    score: float
    node: str = ""


@dataclass(frozen=True, kw_only=True)
class Siblings:
    """What the siblings of a service, told apart by a label, are like. `apart` strongest first, one a sibling.

    `shown` are the siblings' series of the strongest indicator, for whoever wants to look at all of them.
    """

    service: str
    label: str
    count: int
    indicators: int
    apart: tuple[Apart, ...]
    shown: tuple[Series, ...] = ()

    @property
    def node(self) -> str:
        """The node on which all lie that are apart, where there are several; else empty."""
        nodes = {one.node for one in self.apart}
        return next(iter(nodes)) if len(self.apart) > 1 and len(nodes) == 1 else ""


def compare_siblings(raw: Iterable[RawSeries], service: str, start_s: float, end_s: float) -> Siblings | None:
    """The siblings of a service between two moments (epoch s); None where fewer than two can be told apart."""
    mine = [r for r in raw if r.labels.get("service") == service]
    label = next((u for u in UNITS if len({r.labels[u] for r in mine if u in r.labels}) > 1), None)
    if label is None:
        return None
    names = sorted({r.labels[label] for r in mine if label in r.labels})[:MOST]
    kept = set(names)
    derived = derive_indicators(mine, lambda r: name if (name := r.labels.get(label, "")) in kept else None)
    groups: dict[tuple[str, str], list[Series]] = defaultdict(list)
    for series in derived:
        if "route" not in series.labels:
            groups[series.indicator, series.peer or ""].append(series)
    nodes = {
        r.labels[label]: next((r.labels[n] for n in NODES if n in r.labels), "") for r in mine if label in r.labels
    }
    best: dict[str, Apart] = {}
    compared, shown = 0, tuple[Series, ...]()
    for rows in groups.values():
        found = _apart(rows, start_s, end_s, nodes)
        if found is None:
            continue
        compared += 1
        for one in found:
            if one.name not in best or one.score > best[one.name].score:
                best[one.name] = one
        strongest = max(best.values(), key=lambda a: a.score, default=None)
        if strongest is not None and any(one is strongest for one in found):
            shown = tuple(rows)
    if not compared:
        return None
    ordered = sorted(best.values(), key=lambda a: (-a.score, a.name))
    return Siblings(
        service=service, label=label, count=len(names), indicators=compared, apart=tuple(ordered), shown=shown
    )


def _apart(rows: Sequence[Series], start_s: float, end_s: float, nodes: Mapping[str, str]) -> list[Apart] | None:
    """Those of the rows that are unlike the rest; None where fewer than two were measured."""
    samples = {row.service: _between(row, start_s, end_s) for row in rows}
    levels = {name: float(np.median(values)) for name, values in samples.items() if values.size >= LEAST}
    if len(levels) < 2:
        return None
    found = []
    for row in rows:
        if row.service not in levels:
            continue
        level, rest = levels[row.service], np.array([v for n, v in levels.items() if n != row.service])
        others = float(np.median(rest))
        apart = level - others
        bad = bad_direction(row)
        idle = row.family == "traffic" and level < IDLE * others
        if not idle and (row.family == "traffic" or (bad == "up" and apart <= 0) or (bad == "down" and apart >= 0)):
            continue  # load is spread unevenly for many reasons, but not to nothing
        wavering = np.median([_spread(samples[n]) for n in levels])
        noise = max(
            float(1.4826 * np.median(np.abs(rest - others))),
            float(wavering),
            NORMS[row.family].relative * abs(others),
            absolute_floor(row.family, row.unit) if row.unit else 0.0,
            1e-12,
        )
        larger, smaller = max(abs(level), abs(others)), min(abs(level), abs(others))
        if abs(apart) >= PLAIN * noise and larger >= TIMES * smaller and _beyond_factors(level, others, rest):
            found.append(
                Apart(
                    name=row.service,
                    series=row,
                    level=level,
                    others=others,
                    score=abs(apart) / noise,
                    node=nodes.get(row.service, ""),
                )
            )
    return found if 2 * len(found) <= len(levels) else []  # where most are apart from the rest nobody is


def _beyond_factors(level: float, others: float, rest: FloatArray) -> bool:
    """Whether a level is further from the others', by its ratio, than these are from each other: queues, caches and
    heaps of siblings that got different work differ by factors.
    """
    if min(level, float(rest.min())) <= 0:
        return True
    usual = 1.4826 * float(np.median(np.abs(np.log(rest / others))))
    return abs(float(np.log(level / others))) >= FACTORS * usual


def _between(row: Series, start_s: float, end_s: float) -> FloatArray:
    values = row.values[(row.times >= start_s) & (row.times <= end_s)]
    return np.asarray(values[np.isfinite(values)])


def _spread(values: FloatArray) -> float:
    q1, q3 = np.quantile(values, (0.25, 0.75))
    return float(q3 - q1) / 1.349
