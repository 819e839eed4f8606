"""One reason to suspect one service, whichever signal it comes from: the common currency of the analysers.

Metrics, traces, logs and changes each hand over a list of these; the fusion knows nothing else of where they came from.
"""

from dataclasses import dataclass

from agents.evidence.types import Anomaly, Direction, Family, Onset, Source, as_utc


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """`score` is in noise units, from 3 (hardly) to `norms.Z_CAP` (plain), comparable between sources.

    `baseline` and `current` are in `unit`; for the rate or share of something they may be zero. `peer` is the called
    side where the evidence is about calls. `onset` is epoch seconds where this one evidence can be dated. `exemplar`
    is one verbatim log line or call. `weight` is how much it speaks for its service where its family does not say.
    """

    service: str
    family: Family
    indicator: str
    score: float
    direction: Direction
    baseline: float
    current: float
    unit: str
    source: Source
    peer: str | None = None
    onset: float | None = None
    exemplar: str | None = None
    weight: float | None = None


def as_anomaly(suspicion: Suspicion, guard_s: float = 0.0) -> Anomaly:
    """The same as a finding for digests and charts."""
    s = suspicion
    onset = None
    if s.onset is not None:
        onset = Onset(at=as_utc(s.onset), guard_s=guard_s, score=s.score, direction=s.direction)
    return Anomaly(
        service=s.service,
        indicator=s.indicator,
        family=s.family,
        peer=s.peer,
        baseline=s.baseline,
        current=s.current,
        ratio=s.current / s.baseline if abs(s.baseline) > 1e-9 else None,
        score=round(s.score, 2),
        onset=onset,
        unit=s.unit,
        direction=s.direction,
        source=s.source,
        exemplar=s.exemplar,
    )
