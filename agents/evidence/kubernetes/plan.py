"""What to read next: the listings, then what the rules ask for, until one of them is sure or nothing is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agents.evidence.kubernetes.family import all_families
from agents.evidence.kubernetes.rank import DECIDED, rank_snapshot
from agents.evidence.kubernetes.snapshot import Snapshot
from agents.evidence.kubernetes.types import ClusterReading, Read, What

FIRST: Final = (
    *(Read(what=What.LIST, kind=kind) for kind in ("pods", "deployments", "statefulsets", "nodes", "resourcequota")),
    Read(what=What.ALERTS),
)
_MOST_AT_ONCE: Final = 24
_MOST: Final = 44  # below the run's budget of calls


def next_reads(readings: Sequence[ClusterReading]) -> list[Read]:
    """The reads of the next round, empty when it is time to conclude."""
    if not readings:
        return list(FIRST)
    seen = Snapshot(readings=tuple(readings))
    found = rank_snapshot(seen)
    if (found and found[0].score >= DECIDED) or len(readings) >= _MOST:
        return []
    wanted = dict.fromkeys(read for family in all_families() for read in family.reads(seen))
    return [read for read in wanted if not seen.has(read)][:_MOST_AT_ONCE]
