"""Arbitrary telemetry of an incident to ranked suspects.

Any indicators, spans and log lines will do. The onset is estimated around the time that somebody told, or wherever it
is plainest; each analyser hands over its suspicions, and they are fused.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from agents.evidence.changes import call_distances, correlate_changes
from agents.evidence.changes.change_evidence import source_files
from agents.evidence.levels import HORIZON_S, Matrix, group_series
from agents.evidence.logs.log_signals import LogColumns, as_columns, line_events, log_suspicions
from agents.evidence.metrics.drifts import drift_suspicions
from agents.evidence.metrics.history import as_on_other_days
from agents.evidence.metrics.metric_signals import (
    FELT,
    Followed,
    fills_memory,
    follow_excess,
    has_baseline,
    metric_suspicions,
)
from agents.evidence.metrics.steps import Stepped, date_by_steps
from agents.evidence.ranking.awaited import accuse_awaited, measures_waiting
from agents.evidence.ranking.confidence import DATED, RankingBasis, judge
from agents.evidence.ranking.dating import CLEAR, EARLY_S, Search, date_incident, noticed_late
from agents.evidence.ranking.fusion import FusedSuspect, believe_alarm, fuse, weigh_changes
from agents.evidence.ranking.never_before import rank_unprecedented
from agents.evidence.ranking.short_record import failing_unexplained
from agents.evidence.suspicion import Suspicion, as_anomaly
from agents.evidence.traces import trace_suspicions
from agents.evidence.traces.calls import SpanTable, read_calls
from agents.evidence.traces.event_dating import PLAIN_Z, call_events, date_events
from agents.evidence.types import Anomaly, CauseCandidate, Confidence, Family, Onset, Ranking, Series, Spans, Telemetry

MAX_CAUSES = 8
KNOWN_SHARE = 1 / 3  # of what was recorded before the report must be left to learn from what is usual
SHOWN = 4
FAINT = 8.0  # a weaker suspicion is taken for noise where nobody says that anything is wrong
ENOUGH_SPANS = 200  # on both sides of the onset: then spans tell latencies better than quantiles of few requests
LOOKS_APART_S = 240.0  # less than what a search around one moment covers
LOOKED_BACK_S = 600.0
FURTHEST_S = 21_600.0
JUST_NOW_S = 120.0  # a search around this long after the last sample sees what began in the last minute
FINE_STEP_S = 10.0  # between samples; fewer in that minute say nothing
STEPS_BACK = 4  # where sampling is coarse
_SURE: Mapping[Confidence, int] = {"low": 0, "medium": 1, "high": 2}
NO_BASELINE = "nothing was measured before it: compared with how the recording begins, not with what is usual"
WAITED: tuple[Family, ...] = ("latency", "dependency_latency")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Read:
    """The telemetry in the shapes in which the analysers take it, and when the incident may have begun."""

    telemetry: Telemetry
    search: Search
    matrices: list[Matrix]
    calls: SpanTable | None
    lines: LogColumns | None
    symptom: tuple[str, Family] | None
    stepped: Stepped | None = None

    @property
    def live(self) -> bool:
        """Whether nobody told a time: then it is asked what is wrong now, not what was."""
        reported = self.telemetry.reported_at
        return reported is None or reported >= self.telemetry.window.end

    @property
    def short(self) -> bool:
        """Whether so little was recorded before the search that its beginning says little of what is usual."""
        return self.search.earliest - self.telemetry.window.start.timestamp() < EARLY_S

    @classmethod
    def of(cls, telemetry: Telemetry, search: Search) -> "_Read":
        service, family = telemetry.symptom_service, telemetry.symptom_family
        return cls(
            telemetry=telemetry,
            search=search,
            matrices=group_series(_telling(telemetry, search)),
            calls=None if telemetry.spans is None else read_calls(telemetry.spans),
            lines=as_columns(telemetry.logs) if telemetry.logs else None,
            symptom=None if service is None or family is None else (service, family),
        )

    def around(self, search: Search) -> "_Read":
        """The same for another search."""
        if self.telemetry.spans is None:  # then all series tell, whatever is searched for
            return replace(self, search=search)
        return replace(self, search=search, matrices=group_series(_telling(self.telemetry, search)))


def rank_suspects(telemetry: Telemetry) -> Ranking:
    """Suspects, best first. Where nobody says since when, the incident is looked for in the last ten minutes."""
    reported, end = telemetry.reported_at, telemetry.window.end
    if reported is not None and reported < end:
        return _rank(_noticed(_Read.of(telemetry, _search(telemetry, reported.timestamp()))))
    first, *others = (*(_search(telemetry, moment) for moment in _moments(telemetry)), *_further_back(telemetry))
    read = _Read.of(telemetry, first)
    recorded = (telemetry.window.end - telemetry.window.start).total_seconds()
    stepped = _stepped(read) if recorded <= LOOKED_BACK_S + EARLY_S else None
    if stepped is not None:
        at = stepped.onset.at.timestamp()
        others.append(Search(earliest=at - stepped.onset.guard_s, latest=at))
        read = replace(read, stepped=stepped)
    looks = [_rank(read), *(_rank(read.around(search)) for search in others)]
    best = max(looks, key=_plainness)
    if not best.causes or (best.causes[0].confidence == "low" and best.causes[0].score < FAINT):
        unlike = rank_unprecedented(read.matrices, end.timestamp())
        if unlike is not None:
            return replace(unlike, gaps=(*unlike.gaps, *telemetry.gaps))
        # What was compared and lay in its range is quiet, although nothing was recorded before the earliest look.
        compared = [look for look in looks if NO_BASELINE not in look.gaps]
        gaps = compared[0].gaps if compared else best.gaps
        return Ranking(onset=None, symptom=None, causes=(), quiet=bool(compared), gaps=gaps)
    return best


def _noticed(read: _Read) -> _Read:
    """The same, or around an earlier moment where the alarm's own indicator tells that it was noticed late."""
    if read.symptom is None:
        return read
    earlier = noticed_late(read.matrices, read.search, read.symptom, read.telemetry.spliced)
    start = read.telemetry.window.start.timestamp()
    return read if earlier is None or earlier.earliest <= start else read.around(earlier)


def _further_back(telemetry: Telemetry) -> list[Search]:
    """Beyond the last minutes: ever longer stretches of the past, and at last all of it but its first third.

    What fills, leaks or wears out has no moment at which it began: there the present is compared with the beginning.
    """
    start, end = telemetry.window.start.timestamp(), telemetry.window.end.timestamp()
    found, near = [], LOOKED_BACK_S
    while end - 2 * near > start + KNOWN_SHARE * (end - start) and 2 * near <= FURTHEST_S:
        found.append(Search(earliest=end - 2 * near, latest=end - near))
        near *= 2
    whole = max(start + KNOWN_SHARE * (end - start), end - FURTHEST_S)
    if end - whole > LOOKED_BACK_S:
        found.append(Search(earliest=whole, latest=end))
    return found


def _moments(telemetry: Telemetry) -> list[float]:
    """When it may have been noticed, latest first, so that each search begins where the one before ends."""
    shared = {id(s.times): s.times for s in telemetry.series if s.times.size > 1}
    steps = [float(np.median(np.diff(times))) for times in shared.values()]
    step = float(np.median(steps)) if steps else 0.0
    apart, reach = max(LOOKS_APART_S, step), max(LOOKED_BACK_S, STEPS_BACK * step)
    start, end = telemetry.window.start.timestamp(), telemetry.window.end.timestamp()
    looks = range(1 + int(min(reach, (end - start) * (1 - KNOWN_SHARE)) / apart))
    just_now = [end + JUST_NOW_S] if step <= FINE_STEP_S else []
    return [*just_now, *(end - apart * look for look in looks)]


def _plainness(ranking: Ranking) -> tuple[int, bool, float]:
    if not ranking.causes or ranking.onset is None:
        return -1, False, 0.0
    first = ranking.causes[0]
    return _SURE[first.confidence], ranking.onset.score >= DATED, first.score


def _rank(read: _Read) -> Ranking:
    telemetry = read.telemetry
    edges, start = telemetry.edges, telemetry.symptom_service
    onset = _date(read)
    followed = _follow(read, onset)
    found = _suspicions(read, onset, followed)
    memory = fills_memory(read.matrices, found, onset, telemetry.window, telemetry.spliced)
    reach = call_distances(start, edges) if start and edges else None
    suspects = fuse(found, edges, fills_memory=memory, reach=reach)
    own = [as_anomaly(s) for suspect in suspects for s in suspect.found]
    failed_in = source_files(telemetry.logs, onset.at) if telemetry.changes else ()
    changes = correlate_changes(telemetry.changes, onset, start if edges else None, edges, own, failed_in=failed_in)
    suspects = weigh_changes(suspects, changes)
    if start is not None and followed is None:
        suspects = believe_alarm(suspects, start, reach)
    gaps = (*telemetry.gaps, *_gaps(read, onset))
    if not suspects:
        failing = failing_unexplained(telemetry)
        quiet = NO_BASELINE not in gaps and not failing
        return Ranking(onset=None, symptom=None, causes=(), quiet=quiet, gaps=(*failing, *gaps))
    first = suspects[0].service
    known = RankingBasis(
        onset=onset,
        gaps=gaps,
        blind=_blind(telemetry),
        edges=edges,
        symptom=start,
        followed=followed,
        measured=_measured(telemetry),
        changed=read.stepped is not None and read.stepped.wide and onset == read.stepped.onset,
    )
    sure = judge(suspects, known)
    hidden = followed.unseen.get(first, ()) if followed else ()
    return Ranking(
        onset=onset,
        symptom=_symptom(suspects, start),
        causes=tuple(_cause(s, sure if s is suspects[0] else "low") for s in suspects[:MAX_CAUSES]),
        quiet=False,
        gaps=(*gaps, *(f"{first} calls {callee}, which was not measured then" for callee in hidden)),
        changes=tuple(changes),
    )


def _date(read: _Read) -> Onset:
    """The onset as events tell it; as metrics do where those tell it plainly and events do not."""
    onset = _date_events(read)
    if onset is not None and onset.score >= PLAIN_Z:
        return onset
    measured = date_incident(read.matrices, read.search, read.symptom)
    if read.short and onset is None:
        stepped = read.stepped or _stepped(read)
        if stepped is not None and read.search.earliest <= stepped.onset.at.timestamp() <= read.search.latest:
            return stepped.onset
    return onset if onset is not None and measured.score < CLEAR else measured


def _stepped(read: _Read) -> Stepped | None:
    """When many series stepped together, soon after the recording begins: what is usual is hardly known then."""
    start, end = read.telemetry.window.start.timestamp(), read.telemetry.window.end.timestamp()
    found = date_by_steps(read.matrices, start, end)
    return found if found is not None and found.onset.at.timestamp() < start + EARLY_S else None


def _follow(read: _Read, onset: Onset) -> Followed | None:
    if read.symptom is None:
        return None
    edges, window, spliced = read.telemetry.edges, read.telemetry.window, read.telemetry.spliced
    return follow_excess(read.matrices, edges, onset, window, symptom=read.symptom, spliced=spliced)


def _suspicions(read: _Read, onset: Onset, followed: Followed | None) -> list[Suspicion]:
    """What each analyser has to say."""
    telemetry = read.telemetry
    window, edges, coverage, spliced = telemetry.window, telemetry.edges, telemetry.coverage, telemetry.spliced
    found = list(followed.suspicions) if followed else []
    found += metric_suspicions(
        read.matrices, onset, window, spliced=spliced, skipped=FELT if followed else (), lasting=read.live
    )
    if followed:  # work that stopped makes nobody wait or fail: that is where the excess leads
        found = [s if s.direction == "up" else replace(s, weight=None) for s in found]
    daily = as_on_other_days(read.matrices, found, onset.at.timestamp())
    found = [s for place, s in enumerate(found) if place not in daily]
    found += drift_suspicions(read.matrices, onset, window, spliced=spliced)
    found += accuse_awaited(found, measures_waiting(read.matrices), edges)
    if read.live and not _recorded_lately(telemetry):
        return found
    if read.calls is not None:
        found += trace_suspicions(read.calls, onset, window, coverage=coverage, spliced=spliced)
    if read.lines is not None:
        found += log_suspicions(read.lines, onset, window, coverage=coverage, spliced=spliced)
    return found


def _recorded_lately(telemetry: Telemetry) -> bool:
    """Whether spans and lines were recorded so late that they tell of now."""
    if telemetry.coverage is None:
        return True
    ends = (until for _, until in telemetry.coverage)
    return max(ends, default=0.0) >= telemetry.window.end.timestamp() - HORIZON_S


def _symptom(suspects: Iterable[FusedSuspect], service: str | None) -> Anomaly | None:
    """What users feel most: where the alarm was raised if that is known, else anywhere; errors or latency if any."""
    found = [s for suspect in suspects for s in suspect.found if service in (None, s.service)]
    best = max(found, key=lambda s: (s.family in FELT, s.score), default=None)
    return as_anomaly(best) if best is not None else None


def _gaps(read: _Read, onset: Onset) -> Iterable[str]:
    """What was not recorded although other signals of the same system were; and that there is nothing to compare."""
    telemetry = read.telemetry
    if not has_baseline(read.matrices, onset, telemetry.window):
        yield NO_BASELINE
    at = onset.at.timestamp()
    if telemetry.spans is not None and not (telemetry.spans.ts >= at).any():
        yield "no spans were recorded after the onset"
    if not telemetry.series and (telemetry.spans is not None or telemetry.logs):
        yield "no metrics"


def _measured(telemetry: Telemetry) -> int:
    """How many services any signal was read of."""
    traced = telemetry.spans.services if telemetry.spans is not None else ()
    return len({*(s.service for s in telemetry.series), *(line.service for line in telemetry.logs), *traced})


def _blind(telemetry: Telemetry) -> frozenset[str]:
    """Services that take part in calls but of which no metrics, or no spans, were recorded while others have them."""
    calling = {name for e in telemetry.edges for name in (e.caller, e.callee)}
    measured = {s.service for s in telemetry.series}
    blind = calling - measured if measured else set[str]()
    if telemetry.spans is not None and telemetry.spans.ts.size:
        spans = telemetry.spans
        traced = {spans.services[code] for code in np.unique(spans.service).tolist()}
        blind |= calling - traced
        blind |= traced - measured if measured else set[str]()
    return frozenset(blind)


def _date_events(read: _Read) -> Onset | None:
    """The onset as spans and log lines tell it."""
    earliest, latest = read.search.earliest, read.search.latest
    coverage, spliced = read.telemetry.coverage, read.telemetry.spliced
    events = [] if read.calls is None else call_events(read.calls, earliest, coverage, spliced)
    events += [] if read.lines is None else line_events(read.lines, earliest, coverage, spliced)
    return date_events(events, earliest, latest, coverage, spliced)


def _search(telemetry: Telemetry, reported_s: float) -> Search:
    found, start = Search.around(reported_s), telemetry.window.start.timestamp()
    return replace(found, earliest=max(found.earliest, start + KNOWN_SHARE * (reported_s - start)))


def _telling(telemetry: Telemetry, search: Search) -> Iterable[Series]:
    """All series but latencies where spans were recorded before and after the onset."""
    if telemetry.spans is None or not _on_both_sides(telemetry.spans, search):
        return telemetry.series
    return [s for s in telemetry.series if s.family not in WAITED]


def _on_both_sides(spans: Spans, search: Search) -> bool:
    sides = (spans.ts < search.earliest, spans.ts > search.earliest)
    return all(int(np.count_nonzero(side)) >= ENOUGH_SPANS for side in sides)


def _cause(suspect: FusedSuspect, confidence: Confidence) -> CauseCandidate:
    return CauseCandidate(
        service=suspect.service,
        family=suspect.family,
        external=None,
        score=round(suspect.score, 3),
        confidence=confidence,
        change=suspect.change,
        anomalies=tuple(as_anomaly(s) for s in suspect.found[:SHOWN]),
        templates=(),
        explained_away=tuple(sorted(suspect.explains)),
    )
