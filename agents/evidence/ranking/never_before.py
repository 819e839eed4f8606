"""Where nothing broke plainly: what the last hours hold that the days before never did, as a ranking.

It is a look that asks less: not whether something left its level within minutes, but whether anything is as it never
was. What it finds is told with its likelihood and blames nobody: unlike the days before is no fault by itself.
"""

from collections.abc import Sequence
from math import log, sqrt

from agents.evidence.levels import Matrix
from agents.evidence.metrics.history import Unprecedented, compared, unprecedented
from agents.evidence.types import Anomaly, CauseCandidate, Onset, Ranking, as_utc

MOST = 8
UNLIKE = "found by comparison with the days before only: unlike them, which is no proof that it is broken"


def rank_unprecedented(matrices: Sequence[Matrix], end_s: float) -> Ranking | None:
    """Services with what never was before, the least likely first, none named; None where there is nothing such."""
    found = unprecedented(matrices, end_s)
    if not found:
        return None
    by_service: dict[str, list[Unprecedented]] = {}
    for one in found:
        by_service.setdefault(one.service, []).append(one)
    causes = [_cause(service, mine) for service, mine in by_service.items()]
    first = found[0]
    onset = Onset(
        at=as_utc(first.at), guard_s=0.0, score=_score(first), direction=first.direction, late_s=first.piece_s
    )
    looked, whole = compared(matrices, end_s)
    left = (f"only {looked} of {whole} series were compared with the days before",) if looked < whole else ()
    symptom = causes[0].anomalies[0]
    return Ranking(onset=onset, symptom=symptom, causes=tuple(causes[:MOST]), quiet=False, gaps=(UNLIKE, *left))


def _cause(service: str, found: Sequence[Unprecedented]) -> CauseCandidate:
    return CauseCandidate(
        service=service,
        family=found[0].series.family,
        external=None,
        score=_score(found[0]),
        confidence="low",
        change=None,
        anomalies=tuple(_anomaly(one) for one in found[:4]),
        templates=(),
        explained_away=(),
    )


def _score(one: Unprecedented) -> float:
    """The likelihood as noise units: how far a normal variable is that seldom."""
    return round(sqrt(2 * log(1 / one.likelihood)), 2)


def _anomaly(one: Unprecedented) -> Anomaly:
    onset = Onset(at=as_utc(one.at), guard_s=0.0, score=_score(one), direction=one.direction, late_s=one.piece_s)
    return Anomaly(
        service=one.service,
        indicator=one.series.indicator,
        family=one.series.family,
        peer=one.series.peer,
        baseline=one.usual,
        current=one.now,
        ratio=one.now / one.usual if abs(one.usual) > 1e-9 else None,
        score=_score(one),
        onset=onset,
        unit=one.series.unit,
        direction=one.direction,
        exemplar="as it never was on the days before",
    )
