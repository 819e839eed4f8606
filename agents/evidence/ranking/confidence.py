"""How sure a ranking may be: a clear lead, plain evidence, and nothing missing that could tell otherwise.

The thresholds are set by placebo: on quiet windows of several systems, with an incident reported where there was none,
hardly anything reaches "medium".
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from agents.evidence.metrics.metric_signals import Followed
from agents.evidence.norms import Z_ABNORMAL
from agents.evidence.ranking.awaited import AWAITED
from agents.evidence.ranking.fusion import EXHAUSTED, PLAIN, SUPPORTING, FusedSuspect
from agents.evidence.types import Confidence, Edge, Family, Onset

NAMED = 12.0  # with a lower score nothing is named
CLEAR_LEAD = 2.0  # over the next service
LEAD = 1.5
SEVERAL = 2  # services that are compared, or kinds of plain evidence against one that has no rival
DATED = 4.5  # noise units that something changed at the onset; nothing is named for an incident that nothing dates
MOSTLY = 0.6  # of the alarm's excess
WAITING: tuple[Family, ...] = ("dependency_latency", "dependency_errors")
_LOWER: Mapping[Confidence, Confidence] = {"high": "medium", "medium": "low", "low": "low"}
ALARMING = 1.5  # noise units that the alarm's indicator has left its level, beside callees that account for it


@dataclass(frozen=True, kw_only=True)
class RankingBasis:
    """What a ranking rests on. `blind` are services of which a signal is missing that others have.

    `symptom` is the service for which the alarm was raised, and `followed` where its excess leads.
    `measured` is how many services were looked at: where it is one, being the only suspect is no lead. `changed` is
    set where so many series stepped at the onset that a server's state changed then.
    """

    onset: Onset
    gaps: Sequence[str] = ()
    blind: Collection[str] = ()
    edges: Collection[Edge] = ()
    symptom: str | None = None
    followed: Followed | None = None
    measured: int = SEVERAL
    changed: bool = False


def judge(ranked: Sequence[FusedSuspect], known: RankingBasis) -> Confidence:
    """The confidence in the first of `ranked`. "low" means that no cause should be named."""
    first = ranked[0].service
    sure = _by_score(ranked, known)
    alone = len(ranked) == 1 and known.measured < SEVERAL
    if alone and sure == "high" and len({s.family for s in ranked[0].found if s.score >= NAMED}) < SEVERAL:
        sure = "medium"
    if alone and sure == "low" and known.changed and _hurts(ranked[0]):
        sure = "medium"  # where it is needs no proof, and that many gauges move at once by chance is none
    unseen = {first, *(e.callee for e in known.edges if e.caller == first)}.intersection(known.blind)
    if known.followed is not None:
        unseen.difference_update(known.followed.unseen.get(first, ()))  # these have been counted
    return _LOWER[sure] if unseen else sure


def _hurts(suspect: FusedSuspect) -> bool:
    """Whether anything of it is abnormal in a direction that is bad, or has collapsed."""
    return any(s.score >= Z_ABNORMAL and (s.family not in SUPPORTING or s.direction == "down") for s in suspect.found)


def _only_waited_for(suspect: FusedSuspect) -> bool:
    return all(s.indicator == AWAITED or s.family in WAITING for s in suspect.found if s.score >= PLAIN)


def _by_score(ranked: Sequence[FusedSuspect], known: RankingBasis) -> Confidence:
    first = ranked[0]
    lead = first.score / max(ranked[1].score, 1e-9) if len(ranked) > 1 else CLEAR_LEAD
    if known.followed is not None and first.service in known.followed.shares:
        return _by_excess(known.followed, first.service, lead, known.symptom)
    if known.onset.score < DATED or first.score < NAMED or lead < LEAD:
        return "low"
    if first.family in WAITING or _only_waited_for(first):
        return "low"  # it says that the fault is somewhere else, or nobody saw this service slow itself
    if first.family == "memory" and all(s.family == "memory" or s.score < Z_ABNORMAL for s in first.found):
        return "low"  # caches fill: memory is no incident by itself
    plain = lead >= CLEAR_LEAD
    if known.gaps and first.family not in EXHAUSTED:  # while a used-up resource speaks for itself
        return "medium" if plain else "low"
    return "high" if plain else "medium"


def _by_excess(followed: Followed, service: str, lead: float, symptom: str | None) -> Confidence:
    """Of an excess that stays where the alarm was raised only this is known: nobody who is measured answers for it."""
    share = followed.shares[service]
    if service == symptom or followed.plain < ALARMING or lead < LEAD:
        return "low"
    sure = share >= MOSTLY and lead >= CLEAR_LEAD and not followed.unseen.get(service)
    return "high" if sure else "medium"
