"""Work that stopped: amounts of activity that fell to a fraction of what they were.

Requests, bytes, busy cores, members of a pool are never below zero. On a linear scale the largest fall there can be is
a few noise units, while a rise has no end; so a fall is measured as it happens to what is positive, by its ratio: to a
thirtieth is as far as thirty times as much. A rise of work may be mere demand. That work ceases which never ceased
before is a fault of who does it, or of who asks for it.
"""

import numpy as np

from agents.evidence.fleet import Fleet
from agents.evidence.levels import Levels, Matrix
from agents.evidence.types import BoolArray, FloatArray

WORK = 1 / 3  # of what it usually is, from which work has collapsed,
MEMBERS = 0.6  # and from which what is bad when low has: a pool of two that lost one
LEAST_SHARE = 0.02  # noise that is assumed at least, as a share of the level
MOSTLY = 0.6  # of the samples since
WHOLE = 0.01  # from a whole number, as rounding leaves it
ONE = 0.5
LEAST = 0.01  # of the level: below that it is as good as nothing


def may_collapse(fleet: Fleet) -> BoolArray:
    """Rows of which a fall by ratio means something: what does work, and stocks that hurt when they are low."""
    return np.asarray(fleet.works | fleet.keeps, dtype=np.bool_)


def _from_zero(values: FloatArray) -> BoolArray:
    """Which rows have a zero that means nothing left: not those that were brought to 0..1 by their own extremes."""
    return np.asarray(~((np.nanmin(values, axis=1) == 0.0) & (np.nanmax(values, axis=1) == 1.0)), dtype=np.bool_)


@np.errstate(all="ignore")
def chance_allows(matrix: Matrix, levels: Levels, values: FloatArray) -> FloatArray:
    """How far `values` lie below the usual level at most, in noise units, where events are counted: as Poisson's law
    has it, twice the difference of the square roots. Infinite where it is not known that events are counted.

    Whole numbers, or rates that are whole numbers of events an interval, are counts.
    """
    most = np.full(values.shape, np.inf)
    shape = (-1,) + (1,) * (values.ndim - 1)
    for events_a_unit in (1.0, matrix.step_s):
        events, expected = matrix.values * events_a_unit, levels.middle * events_a_unit
        whole = (np.abs(events - np.rint(events)) < WHOLE) | ~np.isfinite(events)
        counted = (whole.all(axis=1) & (expected >= ONE)).reshape(shape)
        z = 2 * (np.sqrt(expected).reshape(shape) - np.sqrt(np.maximum(values * events_a_unit, 0.0)))
        most = np.where(counted, np.minimum(most, z), most)
    return most


def lasting(gone: BoolArray) -> BoolArray:
    """Of samples that are out of their range (rows x columns) those since when most are, to the end."""
    since = np.cumsum(gone[:, ::-1], axis=1)[:, ::-1] / np.arange(gone.shape[1], 0, -1)
    return np.asarray(gone & (since >= MOSTLY))


@np.errstate(all="ignore")
def fallen(matrix: Matrix, levels: Levels, values: FloatArray) -> FloatArray:
    """How far `values` (rows, or rows x columns) lie below the usual level, in noise units by ratio.

    0 where they have not collapsed.
    """
    fleet = matrix.fleet
    judged = may_collapse(fleet) & levels.known & (levels.middle > 0)
    candidates = np.flatnonzero(judged)
    judged[candidates] = _from_zero(matrix.values[candidates])
    share_noise = np.fmax(levels.down_share, LEAST_SHARE)
    shape = (-1,) + (1,) * (values.ndim - 1)
    share = values / levels.middle.reshape(shape)
    limit = np.where(fleet.keeps, MEMBERS, WORK).reshape(shape)
    z = np.log(1 / np.maximum(share, LEAST)) / share_noise.reshape(shape)
    z = np.where(judged.reshape(shape) & (share < limit), z, 0.0)
    counted = np.flatnonzero((z > 0).reshape(z.shape[0], -1).any(axis=1) & fleet.works)
    if counted.size:
        part = Levels(**{name: column[counted] for name, column in vars(levels).items()})
        z[counted] = np.minimum(z[counted], chance_allows(matrix.pick(counted), part, values[counted]))
    return np.asarray(z)
