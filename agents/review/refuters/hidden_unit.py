"""An aggregate hides the unit: where one route, shard or instance of many makes up the rise, the cause lies with it.

Asked where a series of the service was read by its parts. A cause that names the part has seen it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from statistics import fmean
from typing import Final

from agents.review.refuter import Refuter, RefuterFinding, Subject, doubtful, held, not_judged
from agents.review.refuters.siblings import UNITS
from agents.rows import Sampled

_PARTS: Final = (*UNITS, "route", "path", "endpoint", "operation", "handler", "shard", "partition", "zone", "region")
_SHARE: Final = 0.8
_LEAST: Final = 3  # parts


class HiddenUnitRefuter(Refuter):
    name = "hidden_unit"
    title = "Does an aggregate hide one part that broke?"

    def judge(self, subject: Subject) -> RefuterFinding:
        began = subject.began
        parts = defaultdict[tuple[str, str, str], dict[str, Sampled]](dict)
        for row in subject.rows(Sampled):
            if row.service != subject.cause.service:
                continue
            for label in (one for one in _PARTS if one in row.labels):
                rest = str(sorted((k, v) for k, v in row.labels.items() if k != label))
                parts[row.name, label, rest][row.labels[label]] = row
        split = {key: found for key, found in parts.items() if len(found) >= _LEAST}
        if began is None or not split:
            return not_judged(f"nothing of {subject.cause.service} was read by its parts")
        said = f"{subject.cause.statement} {subject.cause.kind} {' '.join(claim.text for claim in subject.claims)}"
        for (name, label, _), found in split.items():
            most, share = _most(found, began.at.timestamp())
            if share >= _SHARE and most not in said:
                return doubtful(f"{share:.0%} of the rise of {name} is {label} {most}, which the cause does not name")
        return held("no single part makes up the rise, or the cause names it")


def _most(found: Mapping[str, Sampled], at: float) -> tuple[str, float]:
    """The part that rose most, with its share of all that rose."""
    rises = {part: rise for part, row in found.items() if (rise := _rise(row, at)) > 0}
    if not rises:
        return "", 0.0
    most = max(rises, key=lambda part: rises[part])
    return most, rises[most] / sum(rises.values())


def _rise(row: Sampled, at: float) -> float:
    points = [(moment.timestamp(), value) for moment, value in row.points]
    if row.counted == "total":
        points = [
            (now, (value - earlier) / (now - then)) for (then, earlier), (now, value) in pairwise(points) if now > then
        ]
    before = [value for moment, value in points if moment < at]
    after = [value for moment, value in points if moment >= at]
    return fmean(after) - fmean(before) if before and after else 0.0


REFUTER = HiddenUnitRefuter()
