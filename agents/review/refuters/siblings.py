"""Siblings that run the same and are well: a change that all instances got does not break one of them alone.

Asked where a series was read for each instance of the service. Where instances run different versions, the sick ones
must be those that run the blamed one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from statistics import fmean
from typing import Final

from agents.review.refuter import Refuter, RefuterFinding, Subject, doubtful, held, not_judged, refuted
from agents.rows import Sampled

UNITS: Final = ("instance", "pod", "host", "node", "replica", "container", "task")
_VERSIONS: Final = ("version", "revision", "release", "build")
_MOVED: Final = 1.5
_LEAST: Final = 2  # points on either side


class SiblingsRefuter(Refuter):
    name = "siblings"
    title = "Are siblings that run the same well?"

    def judge(self, subject: Subject) -> RefuterFinding:
        began = subject.began
        families = defaultdict[tuple[str, str], dict[str, Sampled]](dict)
        for row in subject.rows(Sampled):
            unit = unit_of(row.labels)
            if row.service == subject.cause.service and unit:
                rest = {k: v for k, v in row.labels.items() if k not in (*UNITS, *_VERSIONS)}
                families[row.name, str(sorted(rest.items()))][unit] = row
        apart = [by_unit for by_unit in families.values() if len(by_unit) > 1]
        if began is None or not apart:
            return not_judged(f"no series was read for each instance of {subject.cause.service}")
        for by_unit in apart:
            steps = {u: step for u, row in by_unit.items() if (step := stepped(row, began.at.timestamp())) is not None}
            sick = {u for u, step in steps.items() if step >= _MOVED}
            well = set(steps) - sick
            if not sick or not well or subject.change is None:
                continue
            told = f"{', '.join(sorted(sick)[:3])} moved and {', '.join(sorted(well)[:3])} did not"
            runs = {u: next((by_unit[u].labels[k] for k in _VERSIONS if k in by_unit[u].labels), "") for u in steps}
            blamed = subject.change.version
            if blamed and all(runs.values()):
                if any(_same(runs[u], blamed) for u in well) or not all(_same(runs[u], blamed) for u in sick):
                    return refuted(f"{told}, whatever version they run")
                return held(f"{told}: those that run {blamed[:12]} alone")
            return doubtful(f"{told}, though {subject.change.change} reached all of them")
        return held("the instances of it moved together")


def unit_of(labels: Mapping[str, str]) -> str:
    return next((labels[key] for key in UNITS if key in labels), "")


def stepped(row: Sampled, at: float) -> float | None:
    """How many times the mean before a moment (epoch s) the mean after it is; None where it was not read on both."""
    before = [value for moment, value in row.points if moment.timestamp() < at]
    after = [value for moment, value in row.points if moment.timestamp() >= at]
    if len(before) < _LEAST or len(after) < _LEAST:
        return None
    if row.counted == "total":
        before, after = (
            [b - a for a, b in pairwise(before)],
            [b - a for a, b in pairwise(after)],
        )
    low, high = fmean(before), fmean(after)
    return high / low if low > 0 else (_MOVED if high > 0 else 1.0)


def _same(one: str, other: str) -> bool:
    return bool(one) and (one.startswith(other) or other.startswith(one))


REFUTER = SiblingsRefuter()
