"""One deployment that several sources tell of, as a cluster its rollout and a repository its tag, is one change.

Counted twice it would be its own rival, and what came later on the same service would seem to be something else.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from agents.evidence.types import Change

APART = timedelta(minutes=15)
"""Between a rollout and what a pipeline notes of it, before it or after."""
SHORTEST = 7  # letters of a commit id, by which it is known


def as_one(changes: Iterable[Change]) -> list[Change]:
    """In time order. What runs the code tells when and which version, what holds the code tells who and which files."""
    changes = list(changes)
    noted = {id(c) for c in changes if not c.commit and c.version}
    found = []
    for rollout in (c for c in changes if c.commit):
        same = [c for c in changes if id(c) in noted and _is_of(c, rollout)]
        noted -= {id(c) for c in same}
        found.append(_with(rollout, same))
    found += [c for c in changes if not c.commit and (not c.version or id(c) in noted)]
    return sorted(found, key=lambda change: change.at)


def _is_of(noted: Change, rollout: Change) -> bool:
    if noted.service != rollout.service or abs(noted.at - rollout.at) > APART:
        return False
    one, other = sorted((noted.version or "", rollout.commit), key=len)
    return len(one) >= SHORTEST and other.startswith(one)


def _with(rollout: Change, same: Iterable[Change]) -> Change:
    for one in same:
        rollout = replace(
            rollout,
            author=rollout.author or one.author,
            paths=rollout.paths or one.paths,
            link=rollout.link or one.link,
        )
    return rollout
