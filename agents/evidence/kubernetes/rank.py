"""What all rules conclude, best first: one hypothesis for each object and root cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agents.evidence.kubernetes.family import all_families
from agents.evidence.kubernetes.snapshot import Snapshot
from agents.evidence.kubernetes.types import ClusterHypothesis, ClusterReading

DECIDED: Final = 0.9


def rank(readings: Sequence[ClusterReading]) -> list[ClusterHypothesis]:
    """Hypotheses by score; ties keep the order of the families. Raises nothing on odd readings."""
    return rank_snapshot(Snapshot(readings=tuple(readings)))


def rank_snapshot(seen: Snapshot) -> list[ClusterHypothesis]:
    best: dict[tuple[str, str], ClusterHypothesis] = {}
    for family in all_families():
        for one in family.hypotheses(seen):
            key = (one.name, one.label)
            if one.name and (key not in best or one.score > best[key].score):
                best[key] = one
    return sorted(best.values(), key=lambda h: -h.score)
