"""Who calls whom, as far as it is declared or was learned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

MOST_HOPS: Final = 4


class Topology:
    """Edges from caller to callee."""

    def __init__(self, edges: Iterable[tuple[str, str]] = ()) -> None:
        callees: defaultdict[str, set[str]] = defaultdict(set)
        for caller, callee in edges:
            if caller != callee:
                callees[caller].add(callee)
        self._callees = {caller: frozenset(found) for caller, found in callees.items()}
        self._reached: dict[str, dict[str, int]] = {}

    def callees(self, service: str) -> frozenset[str]:
        return self._callees.get(service, frozenset())

    def hops(self, caller: str, callee: str) -> int | None:
        """How many calls lie between the two, 0 for the same one; None where there is no way of at most `MOST_HOPS`."""
        reached = self._reached.get(caller)
        if reached is None:
            reached = self._reached[caller] = self._walk(caller)
        return reached.get(callee)

    def _walk(self, start: str) -> dict[str, int]:
        found, edge = {start: 0}, {start}
        for hop in range(1, MOST_HOPS + 1):
            edge = {one for service in edge for one in self.callees(service)} - found.keys()
            found.update(dict.fromkeys(edge, hop))
        return found
