"""Arbitrary telemetry of an incident, told roughly when it began, to ranked suspects.

Any indicators, spans and log lines will do. The onset is estimated, each analyser hands over its suspicions, and they
are fused.
"""

from collections.abc import Iterable

import numpy as np

from agents.evidence.awaited import accuse_awaited, measures_waiting
from agents.evidence.changes import call_distances, correlate_changes
from agents.evidence.confidence import Known, judge
from agents.evidence.dating import CLEAR, Search, date_incident
from agents.evidence.event_dating import PLAIN_Z, call_events, date_events
from agents.evidence.fusion import Suspect, fuse, weigh_changes
from agents.evidence.levels import group_series
from agents.evidence.log_signals import LogColumns, as_columns, line_events, log_suspicions
from agents.evidence.metric_signals import FELT, fills_memory, follow_burden, metric_suspicions
from agents.evidence.suspicion import as_anomaly
from agents.evidence.traces import trace_suspicions
from agents.evidence.traces.calls import Calls, read_calls
from agents.evidence.types import Anomaly, Cause, Confidence, Family, Onset, Ranking, Series, Spans, Telemetry

MAX_CAUSES = 8
SHOWN = 4
FAINT = 8.0  # a weaker suspicion is taken for noise where nobody says that anything is wrong
ENOUGH_SPANS = 200  # on both sides of the onset: then spans tell latencies better than quantiles of few requests
WAITED: tuple[Family, ...] = ("latency", "dependency_latency")


def rank_suspects(telemetry: Telemetry) -> Ranking:
    """Suspects, best first."""
    search = _search(telemetry)
    matrices = group_series(_telling(telemetry, search))
    symptom = None
    if telemetry.symptom_service is not None and telemetry.symptom_family is not None:
        symptom = (telemetry.symptom_service, telemetry.symptom_family)
    window, spliced, edges, coverage = telemetry.window, telemetry.spliced, telemetry.edges, telemetry.coverage
    lines = as_columns(telemetry.logs) if telemetry.logs else None
    calls = None if telemetry.spans is None else read_calls(telemetry.spans)
    onset = _date_events(telemetry, calls, lines, search)
    if onset is None or onset.score < PLAIN_Z:
        measured = date_incident(matrices, search, symptom)
        onset = onset if onset is not None and measured.score < CLEAR else measured
    followed = follow_burden(matrices, edges, onset, window, symptom=symptom, spliced=spliced) if symptom else None
    found = list(followed.suspicions) if followed else []
    found += metric_suspicions(matrices, onset, window, spliced=spliced, skipped=FELT if followed else ())
    found += accuse_awaited(found, measures_waiting(matrices), edges)
    if calls is not None:
        found += trace_suspicions(calls, edges, onset, window, coverage=coverage, spliced=spliced)
    if lines is not None:
        found += log_suspicions(lines, onset, window, coverage=coverage, spliced=spliced)
    memory = fills_memory(matrices, found, onset, window, spliced)
    reach = call_distances(telemetry.symptom_service, edges) if telemetry.symptom_service and edges else None
    suspects = fuse(found, edges, fills_memory=memory, reach=reach)
    own = [as_anomaly(s) for suspect in suspects for s in suspect.found]
    changes = correlate_changes(telemetry.changes, onset, telemetry.symptom_service if edges else None, edges, own)
    suspects = weigh_changes(suspects, changes)
    gaps = (*telemetry.gaps, *_gaps(telemetry, onset))
    known = Known(
        onset=onset,
        gaps=gaps,
        blind=_blind(telemetry),
        edges=edges,
        symptom=telemetry.symptom_service,
        followed=followed,
    )
    sure = judge(suspects, known) if suspects else "low"
    if not suspects or (not _is_told(telemetry) and sure == "low" and suspects[0].score < FAINT):
        return Ranking(onset=None, symptom=None, causes=(), quiet=True, gaps=gaps)
    causes = [_cause(s, sure if s is suspects[0] else "low") for s in suspects[:MAX_CAUSES]]
    return Ranking(
        onset=onset,
        symptom=_symptom(suspects, telemetry.symptom_service),
        causes=tuple(causes),
        quiet=False,
        gaps=gaps,
        changes=tuple(changes),
    )


def _symptom(suspects: Iterable[Suspect], service: str | None) -> Anomaly | None:
    """What users feel most: where the alarm was raised if that is known, else anywhere; errors or latency if any."""
    found = [s for suspect in suspects for s in suspect.found if service in (None, s.service)]
    best = max(found, key=lambda s: (s.family in FELT, s.score), default=None)
    return as_anomaly(best) if best is not None else None


def _gaps(telemetry: Telemetry, onset: Onset) -> Iterable[str]:
    """What was not recorded although other signals of the same system were."""
    at = onset.at.timestamp()
    if telemetry.spans is not None and not (telemetry.spans.ts >= at).any():
        yield "no spans were recorded after the onset"
    if not telemetry.series and (telemetry.spans is not None or telemetry.logs):
        yield "no metrics"


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


def _date_events(telemetry: Telemetry, calls: Calls | None, lines: LogColumns | None, search: Search) -> Onset | None:
    """The onset as spans and log lines tell it."""
    coverage, spliced = telemetry.coverage, telemetry.spliced
    events = [] if calls is None else call_events(calls, search.earliest, coverage, spliced)
    events += [] if lines is None else line_events(lines, search.earliest, coverage, spliced)
    reported = telemetry.reported_at.timestamp() if telemetry.reported_at is not None else None
    return date_events(events, search.earliest, search.latest, coverage, spliced, reported=reported)


def _is_told(telemetry: Telemetry) -> bool:
    """Whether somebody says that there is an incident, and roughly since when; else the question is whether."""
    return telemetry.reported_at is not None and telemetry.reported_at < telemetry.window.end


def _search(telemetry: Telemetry) -> Search:
    window, reported = telemetry.window, telemetry.reported_at
    if reported is None or not _is_told(telemetry):
        third = (window.end - window.start).total_seconds() / 3
        return Search(earliest=window.start.timestamp() + third, latest=window.end.timestamp())
    return Search.around(reported.timestamp())


def _telling(telemetry: Telemetry, search: Search) -> Iterable[Series]:
    """All series but latencies where spans were recorded before and after the onset."""
    if telemetry.spans is None or not _on_both_sides(telemetry.spans, search):
        return telemetry.series
    return [s for s in telemetry.series if s.family not in WAITED]


def _on_both_sides(spans: Spans, search: Search) -> bool:
    sides = (spans.ts < search.earliest, spans.ts > search.earliest)
    return all(int(np.count_nonzero(side)) >= ENOUGH_SPANS for side in sides)


def _cause(suspect: Suspect, confidence: Confidence) -> Cause:
    return Cause(
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
