"""Which services an investigation reads first, and which after that: the symptom's neighbourhood, then wider.

A team of five hundred services is not read whole: the question would take longer than people wait, and what matters
would be lost among what does not. What was not read is a gap, never "nothing found".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from agents.evidence.types import Edge

ALL_AT_ONCE: Final = 40
"""So many services are read whole; more are read in rings."""
_FIRST: Final = 16
_GROWTH: Final = 3
MOST: Final = 144
"""Services read at most in one question."""


def rings(services: Sequence[str], edges: Iterable[Edge], symptom: str | None) -> list[tuple[str, ...] | None]:
    """What to read, ever wider, each with what was before. None stands for all of a fleet that is small enough.

    Nearest to the symptom first, along the calls in both directions. Without a symptom, first those that nobody calls:
    what people notice, they notice there.
    """
    if len(services) <= ALL_AT_ONCE:
        return [None]
    ordered = _by_distance(services, list(edges), symptom)
    found: list[tuple[str, ...] | None] = []
    size = _FIRST
    while not found or size <= MOST:
        found.append(tuple(ordered[:size]))
        if size >= len(ordered):
            break
        size *= _GROWTH
    return found


def unread(services: Sequence[str], ring: Sequence[str] | None, symptom: str | None) -> str | None:
    """The gap of what a ring leaves out; None where it leaves nothing out."""
    left = 0 if ring is None else len(services) - len(ring)
    if not left:
        return None
    near = f"the {len(ring or ())} nearest to {symptom}" if symptom else f"{len(ring or ())} of them"
    return f"{left} of {len(services)} services were not read, only {near}: name another service to look there"


def _by_distance(services: Sequence[str], edges: Sequence[Edge], symptom: str | None) -> list[str]:
    near: dict[str, list[str]] = {name: [] for name in services}
    called = set()
    for edge in edges:
        if edge.caller in near and edge.callee in near:
            near[edge.caller].append(edge.callee)
            near[edge.callee].append(edge.caller)
            called.add(edge.callee)
    starts = [symptom] if symptom in near else [name for name in services if near[name] and name not in called]
    ordered = dict.fromkeys(starts)
    due = list(ordered)
    while due:
        following = [other for name in due for other in near[name] if other not in ordered]
        due = list(dict.fromkeys(following))
        ordered |= dict.fromkeys(due)
    return [*ordered, *(name for name in services if name not in ordered)]
