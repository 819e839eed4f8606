"""Suspects where callers measure their calls, or where what is abnormal goes on now; or "nothing abnormal".

Per service the best unexplained anomaly counts in full and the next two a quarter each; own error patterns in the logs
and a fitting change add to it; what only came with more load counts little. A suspect must be reachable from the
symptom. Confidence is earned: a clear lead, a path to the symptom, and two independent kinds of evidence.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import chain

from agents.evidence.changes import call_distances, correlate_changes
from agents.evidence.logs.templates import is_error_like, shift_templates
from agents.evidence.metrics.anomalies import rank_anomalies
from agents.evidence.metrics.indicators import QUANTILE_WINDOWS, RATE_WINDOW_S
from agents.evidence.norms import NORMS, Z_CAP
from agents.evidence.ranking.blame import Blame, assign_blame, measured_edges
from agents.evidence.ranking.patterns import (
    leaks_before_restart,
    loaded_services,
    traffic_surge,
    unplanned_restarts,
    without_planned,
)
from agents.evidence.ranking.short_record import failing_unexplained
from agents.evidence.ranking.symptom import MeasuredSymptom, find_symptom, is_rarely_called
from agents.evidence.types import (
    Anomaly,
    CauseCandidate,
    ChangeFinding,
    Confidence,
    Family,
    Onset,
    Ranking,
    Series,
    Telemetry,
    TemplateShift,
)

NEXT_SHARE = 0.25
MAX_CAUSES = 5
SHOWN = 4
LOG_WEIGHT = 0.4
CHANGE_WEIGHT = 0.5
EXPLAINS_BONUS = 0.1
LEAK_BONUS = 0.6
LOAD_SHARE = 0.35  # what an anomaly counts that came with more load
UNREACHED_SHARE = 0.3
RECENT_RESTART_S = 30.0
LEAK_LOOKBACK_S = 60.0
LEAST_BASELINE_S = 15.0
REQUESTS = "requests rate"
STRONG_LOG = 6.0
SEVERAL = 3  # lines that make a log pattern more than an accident
CLEAR_LEAD = 1.4
LEAST_SCORE = 0.25
AGREED_SCORE = 10.0
PLAIN_SYMPTOM = 8.0  # a weaker symptom without any suspect is taken for noise


_ANSWERED = re.compile(r"refused|unavailable|unreachable|reset by peer|\b50[0-9]\b|name or service not known")

_FULL = re.compile(r"no free|busy|exhaust|pool|queue|capacity|overload|too many|backlog|in flight")


@dataclass(kw_only=True)
class _Suspect:
    service: str
    family: Family
    external: str | None = None
    score: float
    own: list[Anomaly]
    templates: list[TemplateShift] = field(default_factory=list)
    change: ChangeFinding | None = None
    explains: set[str] = field(default_factory=set)
    reached: bool = True
    doubtful: bool = False  # something else would look the same
    pattern: bool = False  # a shape over several indicators was recognised, which is a measurement too


def rank_by_calls(telemetry: Telemetry) -> Ranking:
    """Rank suspects, best first. `quiet` when no symptom stands out of the data's own noise."""
    edges = sorted({*telemetry.edges, *measured_edges(telemetry.series)}, key=lambda e: (e.caller, e.callee))
    series = (without_planned(s, telemetry.changes) if _counted(s) else s for s in telemetry.series)
    telemetry = replace(telemetry, edges=tuple(edges), series=tuple(series))
    crashes = [c for s in telemetry.series if _counted(s) for c in _crashes(s, telemetry)]
    symptom = find_symptom(replace(telemetry, series=tuple(_without_old_restarts(telemetry))), crashes)
    if symptom is None:
        return _quiet(telemetry)
    window, good = telemetry.window, symptom.good
    pool = telemetry.series if symptom.series in telemetry.series else (*telemetry.series, symptom.series)
    pool = _telling(pool, symptom)
    found = rank_anomalies(pool, symptom.onset, window, good=good, failing=symptom.failing)
    onset, anomalies = _agreed_onset(symptom.onset, found)
    if onset is not symptom.onset:
        anomalies = rank_anomalies(pool, onset, window, good=good, failing=symptom.failing)
        symptom = replace(symptom, onset=onset)
    templates = shift_templates(telemetry.logs, onset, window, good=good)
    return _Case(telemetry, symptom, anomalies, templates, pool).ranking()


def _counted(series: Series) -> bool:
    return series.family == "restarts" and series.unit == "restarts"


def _crashes(series: Series, telemetry: Telemetry) -> list[float]:
    return unplanned_restarts([series], series.service, telemetry.changes, telemetry.window.start.timestamp())


def _without_old_restarts(telemetry: Telemetry) -> Iterable[Series]:
    """All series but the restarts of services that have not restarted for a while: that is over."""
    recent = telemetry.window.end.timestamp() - RECENT_RESTART_S
    for series in telemetry.series:
        if not _counted(series) or unplanned_restarts([series], series.service, telemetry.changes, recent):
            yield series


def _telling(series: Iterable[Series], symptom: MeasuredSymptom) -> tuple[Series, ...]:
    """All but latencies of a handful of requests, and quantiles that still look back at an earlier incident."""
    series = [s for s in series if s is symptom.series or not is_rarely_called(s)]
    since = symptom.good_since
    if since is None or symptom.onset.at.timestamp() - since > QUANTILE_WINDOWS * RATE_WINDOW_S:
        return tuple(series)
    return tuple(s for s in series if s.labels.get("statistic") != "p95")


def _agreed_onset(onset: Onset, anomalies: list[Anomaly]) -> tuple[Onset, list[Anomaly]]:
    """The onset, moved later if noise in the symptom put it well before nearly all strong anomalies."""
    dated = [a for a in anomalies if a.onset is not None and a.family not in ("traffic", "other")]
    least = max(AGREED_SCORE, 0.6 * max((a.score for a in dated), default=0.0))
    moments = sorted(a.onset.at for a in dated if a.onset is not None and a.score >= least)
    if len(moments) < 2:
        return onset, anomalies
    agreed = moments[len(moments) // 4]
    if agreed <= onset.at + timedelta(seconds=2 * onset.guard_s):
        return onset, anomalies
    return replace(onset, at=agreed), anomalies


def _quiet(telemetry: Telemetry) -> Ranking:
    first = min((float(s.times[0]) for s in telemetry.series if s.times.size), default=0.0)
    known_s = telemetry.window.end.timestamp() - first
    short = (f"metrics reach back only {known_s:.0f} s",) if known_s < 2 * LEAST_BASELINE_S else ()
    failing = failing_unexplained(telemetry)
    return Ranking(onset=None, symptom=None, causes=(), quiet=not failing, gaps=(*failing, *telemetry.gaps, *short))


def strength(score: float) -> float:
    """An anomaly's or template's score to 0..1."""
    return min(score, Z_CAP) / Z_CAP


class _Case:
    def __init__(
        self,
        telemetry: Telemetry,
        symptom: MeasuredSymptom,
        anomalies: list[Anomaly],
        templates: list[TemplateShift],
        series: Sequence[Series],
    ) -> None:
        self.telemetry = telemetry
        self.symptom = symptom
        self.onset = symptom.onset
        self.templates = templates
        self.series = series
        self.services = sorted({s.service for s in series} | {line.service for line in telemetry.logs})
        self.anomalies = anomalies
        self.blame = assign_blame(self.anomalies, series, telemetry.edges, self._faulty())
        self.surge = traffic_surge(self.anomalies, self.services, telemetry.edges, self.onset)
        self.loaded = loaded_services(self.anomalies) if self.surge else set()
        self.start_at = telemetry.symptom_service or symptom.series.service
        self.called = {e.callee for e in telemetry.edges if e.caller != e.callee}
        self.reach = call_distances(self.start_at, telemetry.edges)

    def _faulty(self) -> set[str]:
        """Services with new errors in their logs that are neither about a call nor about being full."""
        peers = {s.peer for s in self.series if s.peer}
        return {
            t.service
            for t in self.templates
            if _bad(t)
            and t.current_count >= SEVERAL
            and not _FULL.search(_text(t))
            and not _reports_call(t)
            and _own_fault(t, [n for n in (*self.services, *peers) if n != t.service])
        }

    def ranking(self) -> Ranking:
        own = list(chain.from_iterable(b.own for b in self.blame.values()))
        changes = correlate_changes(
            self.telemetry.changes,
            self.onset,
            self.start_at if self.telemetry.edges else None,
            self.telemetry.edges,
            own,
            good_since=self.symptom.good_since,
        )
        suspects = self._suspects(changes)
        if not suspects:
            return _quiet(self.telemetry)
        suspects.sort(key=lambda s: (-s.score, s.service, s.external or ""))
        return Ranking(
            onset=self.onset,
            symptom=self.symptom.anomaly,
            causes=tuple(self._cause(s, suspects) for s in suspects[:MAX_CAUSES]),
            quiet=False,
            gaps=(*self.telemetry.gaps, *self._short_baseline()),
            changes=tuple(changes),
            good=self.symptom.good,
        )

    def _short_baseline(self) -> Iterable[str]:
        """A gap where little is known of how it was before."""
        first = min((float(s.times[0]) for s in self.series if s.times.size), default=0.0)
        known_s = sum(max(0.0, end - max(start, first)) for start, end in self.symptom.good)
        if known_s < LEAST_BASELINE_S:
            yield f"normal times are known for only {known_s:.0f} s before the onset"

    def _suspects(self, changes: Sequence[ChangeFinding]) -> list[_Suspect]:
        found = []
        for service in sorted({*self.blame, *(t.service for t in self.templates)}):
            blame = self.blame.get(service, Blame(service=service))
            change = next((c for c in changes if c.change.service == service and c.verdict == "cause_candidate"), None)
            found += [self._outside(blame, peer, change) for peer in sorted(blame.external)]
            if own := self._inside(blame, change):
                found.append(own)
        if self.surge is not None:
            found.append(self._surging(self.surge))
        found = [s for s in found if s.score >= LEAST_SCORE]
        return found or ([self._deepest()] if self.symptom.anomaly.score >= PLAIN_SYMPTOM else [])

    def _inside(self, blame: Blame, change: ChangeFinding | None) -> _Suspect | None:
        """The service itself as the cause, from what nothing else explains."""
        service = blame.service
        weighed = sorted(((self._weigh(a), a) for a in blame.own), key=lambda p: (-p[0], p[1].indicator))
        logs = self._own_logs(blame)
        calm = LOAD_SHARE if service in self.loaded else 1.0
        since = max(self.onset.at.timestamp() - LEAK_LOOKBACK_S, self.symptom.good_since or 0.0)
        restarts = unplanned_restarts(self.series, service, self.telemetry.changes, since)
        leak = leaks_before_restart(self.series, service, restarts)
        score = _fuse([w for w, _ in weighed])
        family: Family = weighed[0][1].family if weighed else "errors"
        if leak:
            score, family = score + LEAK_BONUS, "memory"
            weighed.sort(key=lambda p: p[1].family not in ("memory", "restarts"))
        if logs:
            score += LOG_WEIGHT * min(1.0, logs[0].score / STRONG_LOG) * calm
        if change is not None and score > 0:
            score += CHANGE_WEIGHT * change.score * calm
        explains = {b.service for b in self.blame.values() if service in b.blamed}
        if score > 0:
            score += EXPLAINS_BONUS * min(3, len(explains))
        suspect = _Suspect(service=service, family=family, score=score, own=[a for _, a in weighed])
        suspect.templates, suspect.change, suspect.explains = logs, change, explains
        suspect.pattern = leak
        return self._reached(suspect) if score > 0 else None

    def _outside(self, blame: Blame, peer: str, change: ChangeFinding | None) -> _Suspect:
        """A dependency nobody here observes, accused by the caller's own client-side metrics."""
        accusing = blame.external[peer]
        slower = any(a.family == "dependency_latency" for a in accusing)
        failing = any(a.family == "dependency_errors" for a in accusing)
        weighed = sorted(((strength(a.score), a) for a in [*accusing, *blame.own]), key=lambda p: -p[0])
        family: Family = "dependency_errors" if failing else "dependency_latency"
        suspect = _Suspect(
            service=blame.service,
            family=family,
            external=peer,
            score=_fuse([w for w, _ in weighed]),
            own=[*accusing, *blame.own],
            templates=[t for t in self.templates if t.service == blame.service and _bad(t)],
            explains={b.service for b in self.blame.values() if blame.service in b.blamed},
        )
        suspect.score += LOG_WEIGHT * min(1.0, suspect.templates[0].score / STRONG_LOG) if suspect.templates else 0.0
        fresh = self._changed_just_before(blame.service)
        if failing and not slower and fresh is not None:
            # Calls began to fail without taking longer right after this side was changed: its time-out or address.
            suspect.external, suspect.change = None, fresh
            suspect.score += CHANGE_WEIGHT * fresh.score
        elif change is not None:
            suspect.change = change
        # Without a longer wait or a word from the other side, a time-out cut on this side would look the same.
        suspect.doubtful = (
            suspect.external is not None
            and not slower
            and not any(_ANSWERED.search(_text(t)) for t in suspect.templates)
        )
        return self._reached(suspect)

    def _changed_just_before(self, service: str) -> ChangeFinding | None:
        accusing = [a for a in self.anomalies if a.service == service]
        changes = [c for c in self.telemetry.changes if c.service == service]
        since = self.symptom.good_since
        found = correlate_changes(changes, self.onset, None, (), accusing, good_since=since)
        return next((f for f in found if f.verdict == "cause_candidate" and f.seconds_before_onset <= 120), None)

    def _surging(self, surge: Anomaly) -> _Suspect:
        rest = [a for a in self.anomalies if a.service == surge.service and a is not surge]
        broken = any(_bad(t) and t.kind == "new" and _own_fault(t, self.services) for t in self.templates)
        score = (0.7 if broken else 1.0) * (0.5 + strength(surge.score))
        explains = self.loaded - {surge.service}
        return _Suspect(
            service=surge.service, family="traffic", score=score, own=[surge, *rest], explains=set(explains)
        )

    def _deepest(self) -> _Suspect:
        """All suspects were explained by one another: the one furthest from the symptom, as a weak guess."""
        sick = [b for b in self.blame.values() if b.inherited or b.own] or [Blame(service=self.symptom.series.service)]
        last = max(sick, key=lambda b: (self.reach.get(b.service, -1), b.service))
        found = [*last.own, *last.inherited]
        best = max((strength(a.score) for a in found), default=0.0)
        family = found[0].family if found else self.symptom.series.family
        return _Suspect(service=last.service, family=family, score=0.3 * best, own=found)

    def _weigh(self, anomaly: Anomaly) -> float:
        if anomaly.indicator == REQUESTS and anomaly.direction == "up" and anomaly.service in self.called:
            return 0.0  # its callers send it more; a surge at the entry is a suspect of its own
        value = strength(anomaly.score) * NORMS[anomaly.family].weight
        if anomaly.direction == "down" and anomaly.family == "traffic":
            value *= 0.5
        load_driven = anomaly.family in (
            "latency",
            "saturation",
            "cpu",
            "memory",
            "errors",
            "dependency_latency",
            "other",
        )
        return value * LOAD_SHARE if anomaly.service in self.loaded and load_driven else value

    def _own_logs(self, blame: Blame) -> list[TemplateShift]:
        """New or grown error patterns that do not merely report a callee's failure."""
        others = {*blame.blamed, *blame.external, *(s for s in self.services if s != blame.service)}
        mine = [t for t in self.templates if t.service == blame.service and _bad(t)]
        passed_on = bool(blame.blamed or blame.external)
        waits = any(a.family == "latency" for a in blame.inherited)
        mine = [t for t in mine if not (waits and _FULL.search(_text(t)))]
        return [t for t in mine if _own_fault(t, others) and not (passed_on and _reports_call(t))]

    def _reached(self, suspect: _Suspect) -> _Suspect:
        if self.telemetry.edges and suspect.service not in self.reach:
            suspect.reached = False
            suspect.score *= UNREACHED_SHARE
        return suspect

    def _cause(self, suspect: _Suspect, ranked: Sequence[_Suspect]) -> CauseCandidate:
        return CauseCandidate(
            service=suspect.service,
            family=suspect.family,
            external=suspect.external,
            score=round(suspect.score, 3),
            confidence=self._confidence(suspect, ranked),
            change=suspect.change,
            anomalies=tuple(suspect.own[:SHOWN]),
            templates=tuple(suspect.templates[:SHOWN]),
            explained_away=tuple(sorted(suspect.explains)),
        )

    def _confidence(self, suspect: _Suspect, ranked: Sequence[_Suspect]) -> Confidence:
        if suspect is not ranked[0]:
            return "low"
        others = [s.score for s in ranked if s.service != suspect.service]
        clear = not others or suspect.score >= CLEAR_LEAD * max(others)
        measured = suspect.pattern or any(a.score >= PLAIN_SYMPTOM for a in suspect.own)
        logged = any(t.score >= STRONG_LOG for t in suspect.templates)
        kinds = measured + logged + (suspect.change is not None)
        plain = self.symptom.anomaly.score >= PLAIN_SYMPTOM or any(a.score >= 2 * PLAIN_SYMPTOM for a in suspect.own)
        if not suspect.reached or kinds == 0 or not plain:
            return "low"
        return "high" if clear and kinds >= 2 and not suspect.doubtful and not self.telemetry.gaps else "medium"


def _fuse(weights: Sequence[float]) -> float:
    best = sorted(weights, reverse=True)[:3]
    return best[0] + NEXT_SHARE * sum(best[1:]) if best else 0.0


def _bad(template: TemplateShift) -> bool:
    return template.kind != "vanished" and is_error_like(template.level, template.template)


def _own_fault(template: TemplateShift, others: Iterable[str]) -> bool:
    """Whether a pattern speaks of the service itself: it names no other service."""
    text = _text(template)
    return not any(name.lower() in text for name in others if len(name) > 2)


def _text(template: TemplateShift) -> str:
    return f"{template.template} {template.exemplar}".lower()


def _reports_call(template: TemplateShift) -> bool:
    text = _text(template)
    return any(word in text for word in ("upstream", "refused", "timed out", "timeout", "unavailable", "unreachable"))
