"""Amount beside growth: of what adds up over a fleet, whose share of the fleet's change is how large.

Cores, bytes, requests and errors are conserved: what a fault uses up is found where the amount went. A service that
went from next to nothing to a little has grown a hundredfold and explains nothing of what the fleet uses more than
before. Services that changed as much as the largest keep all of their score; the less the others changed beside it, the
less of theirs they keep. Where no unit is known the fleet's own change is the yardstick, so none is needed.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from agents.evidence.types import BoolArray, FloatArray, Series

FLEET = 3  # services that measure the same, from which there is a fleet
LEAST_SHARE = 0.05  # of its score is kept at least
POWER = 0.5  # a tenth of the largest change keeps about a third


def amount_weights(rows: Sequence[Series], before: FloatArray, after: FloatArray, rising: BoolArray) -> FloatArray:
    """Per row how much of its score is kept: 1 for what does not add up, or has no fleet to be compared with.

    `before` and `after` are levels. Rises are compared with rises, falls with falls, within one indicator.
    """
    weights = np.ones(len(rows))
    groups: dict[tuple[str, str, bool], list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        if row.adds and row.peer is None and np.isfinite(before[index]) and np.isfinite(after[index]):
            groups[row.indicator, row.unit, bool(rising[index])].append(index)
    services = defaultdict[tuple[str, str], set[str]](set)
    for (indicator, unit, _), members in groups.items():
        services[indicator, unit].update(rows[i].service for i in members)
    for (indicator, unit, up), members in groups.items():
        if len(services[indicator, unit]) < FLEET:
            continue
        change = after[members] - before[members]
        size = np.clip(change if up else -change, 0.0, None)
        largest = float(size.max(initial=0.0))
        if largest > 0:
            weights[members] = np.clip((size / largest) ** POWER, LEAST_SHARE, 1.0)
    return weights
