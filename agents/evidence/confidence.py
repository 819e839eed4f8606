"""How sure a ranking may be: a clear lead, plain evidence, and nothing missing that could tell otherwise.

The thresholds are set by placebo: on quiet windows of several systems, with an incident reported where there was none,
hardly anything reaches "medium".
"""

from collections.abc import Sequence

from agents.evidence.fusion import EXHAUSTED, PLAIN, Suspect
from agents.evidence.metric_signals import Followed
from agents.evidence.norms import Z_ABNORMAL
from agents.evidence.types import Confidence

STRONG = 14.0  # the score that is enough by itself,
FAIR = 9.0  # and where two kinds of signals agree
NAMED = 12.0  # with less than that nothing is named
CLEAR_LEAD = 2.0  # over the next service
LEAD = 1.5
MOSTLY = 0.6  # of the alarm's burden
MORE_THAN_HALF = 0.5


def judge(ranked: Sequence[Suspect], gaps: Sequence[str], followed: Followed | None, symptom: str | None) -> Confidence:
    """The confidence in the first of `ranked`. "low" means that no cause should be named."""
    first = ranked[0]
    lead = first.score / max(ranked[1].score, 1e-9) if len(ranked) > 1 else CLEAR_LEAD
    if followed is not None and first.service in followed.shares:
        return _by_burden(followed, first.service, lead, symptom)
    kinds = {s.source for s in first.found if s.score >= PLAIN}
    told = first.family in EXHAUSTED or not gaps  # a used-up resource speaks for itself
    plain = first.score >= STRONG or (first.score >= FAIR and len(kinds) > 1)
    if plain and lead >= CLEAR_LEAD and told:
        return "high"
    return "medium" if (plain or first.score >= NAMED) and lead >= LEAD else "low"


def _by_burden(followed: Followed, service: str, lead: float, symptom: str | None) -> Confidence:
    """Of a burden that stays where the alarm was raised only this is known: nobody who is measured answers for it."""
    share = followed.shares[service]
    if service == symptom or followed.plain < Z_ABNORMAL or share < MORE_THAN_HALF:
        return "low"
    return "high" if share >= MOSTLY and lead >= CLEAR_LEAD else "medium"
