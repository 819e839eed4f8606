"""Amount beside growth: of what adds up over a fleet, whose share of the fleet's change is how large.

Cores, bytes, requests and errors are conserved: what a fault uses up is found where the amount went. A service that
went from next to nothing to a little has grown a hundredfold and explains nothing of what the fleet uses more than
before. Services that changed as much as the largest keep all of their score; the less the others changed beside it, the
less of theirs they keep. Where no unit is known the fleet's own change is the yardstick, so none is needed.
"""

import numpy as np

from agents.evidence.fleet import Fleet
from agents.evidence.types import BoolArray, FloatArray

FLEET = 3  # services that measure the same, from which there is a fleet
LEAST_SHARE = 0.05  # of its score is kept at least
POWER = 0.5  # a tenth of the largest change keeps about a third


def amount_weights(fleet: Fleet, before: FloatArray, after: FloatArray, rising: BoolArray) -> FloatArray:
    """Per row how much of its score is kept: 1 for what does not add up, or has no fleet to be compared with.

    `before` and `after` are levels. Rises are compared with rises, falls with falls, within one indicator.
    """
    weights = np.ones(before.size)
    rows = np.flatnonzero(fleet.adds & np.isfinite(before) & np.isfinite(after))
    if not rows.size:
        return weights
    kind, up = fleet.kind[rows], rising[rows]
    pairs = np.unique(kind * (int(fleet.service.max()) + 1) + fleet.service[rows])
    services = np.bincount(pairs // (int(fleet.service.max()) + 1), minlength=int(kind.max()) + 1)
    change = after[rows] - before[rows]
    size = np.clip(np.where(up, change, -change), 0.0, None)
    side = 2 * kind + up
    largest = np.zeros(2 * int(kind.max()) + 2)
    np.maximum.at(largest, side, size)
    compared = (services[kind] >= FLEET) & (largest[side] > 0)
    share = size[compared] / largest[side][compared]
    weights[rows[compared]] = np.clip(share**POWER, LEAST_SHARE, 1.0)
    return weights
