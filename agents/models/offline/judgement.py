"""From findings to the explanation that is put forward, with the confidence that the evidence bears.

The engine's ranking is followed unless a person ruled its first suspect out, a remedy for it was tried in vain, or
another suspect has a mechanism (a diff that fits) where the first has none. Being wrong at high confidence is the worst
outcome, so each doubt lowers it: a tie, an unread diff, a change that only might do this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from agents import rows
from agents.models.offline.change_evidence import (
    ChangeEvidence,
    FaultKind,
    SuspectEvidence,
    judge_change,
    weigh_evidence,
)
from agents.models.offline.findings import (
    FoundChange,
    FoundRanking,
    FoundSuspect,
    Metric,
    Pattern,
    changes_of,
    patterns_of,
    ranking_of,
)
from agents.models.offline.remedy import choose_remedy, fitting_remedies
from agents.models.offline.steering import Steering, tried_remedies
from agents.models.offline.transcript import Transcript
from agents.verdict import Confidence

_ORDER: Final[tuple[Confidence, ...]] = ("none", "low", "medium", "high")
_TIE: Final = 0.75  # of the first suspect's score
_NEAR: Final = 0.4  # of it: a suspect with a mechanism may still overtake one without
FRESH_S: Final = 1_800
_HEAVY: Final = 0.6  # of it: a surge explains what load alone can do
_LOAD_DOES: Final = (FaultKind.POOL, FaultKind.SLOW, FaultKind.ERRORS, FaultKind.RESTARTS)
_LEAK_FRESH_S: Final = 300  # a leak that only coincides with a change is a matter of the process's state
_DIFFS: Final = 3
_OWN_STORE: Final = frozenset(("database", "dependency"))


@dataclass(frozen=True, kw_only=True)
class CollectedFindings:
    """All that was found so far. `diffs` maps the id of a change to the text of its diff."""

    transcript: Transcript
    steering: Steering
    ranking: FoundRanking
    changes: tuple[FoundChange, ...]
    patterns: tuple[Pattern, ...]
    stacks: tuple[str, ...]
    diffs: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """`change` is set only where it is held to be the cause; `beside` are its changes that merely coincide."""

    suspect: FoundSuspect
    evidence: SuspectEvidence
    external: str
    change: FoundChange | None
    change_evidence: ChangeEvidence | None
    beside: tuple[tuple[FoundChange, ChangeEvidence | None], ...]
    confidence: Confidence
    remedy: str | None
    remedy_because: str = ""


def read_case(transcript: Transcript, steering: Steering) -> CollectedFindings:
    ranking = _best_ranking(transcript, steering)
    listed = [change for r in transcript.of("what_changed") for change in changes_of(r.rows)]
    changes = {c.id: c for c in (*listed, *ranking.changes)}
    services = set(transcript.calls)
    return CollectedFindings(
        transcript=transcript,
        steering=steering,
        ranking=replace(ranking, suspects=tuple(s for s in ranking.suspects if s.service in services)),
        changes=tuple(c for c in changes.values() if c.service in services),
        patterns=tuple(p for r in transcript.of("log_patterns") for p in patterns_of(r.rows)),
        stacks=tuple(row.example for r in transcript.of("search_logs") for row in r.of(rows.Logged)),
        diffs={row.change: row.diff for r in transcript.of("read_diff") for row in r.of(rows.Altered)},
    )


def _best_ranking(transcript: Transcript, steering: Steering) -> FoundRanking:
    """The newest one that saw something, of those made after a person named the place to look at."""
    results = transcript.of("rank_causes")
    if steering.note_focus is not None:
        results = [r for r in results if r.place > steering.note_place] or results
    rankings = [ranking_of(r.rows) for r in results]
    seen = [r for r in rankings if r.suspects]
    return (seen or rankings or [ranking_of(())])[-1]


def open_suspects(case: CollectedFindings) -> list[FoundSuspect]:
    """Suspects that no person ruled out, best first."""
    return [s for s in case.ranking.suspects if s.service not in case.steering.cleared]


def usable_changes(case: CollectedFindings) -> list[FoundChange]:
    """Changes that could be a cause: before the onset, in reach of the symptom, not undone in vain; newest first."""
    gone = _rolled_back(case) | case.steering.cleared
    found = [c for c in case.changes if c.possible and c.service not in gone and not _undone(c, case.changes)]
    return sorted(found, key=lambda c: (c.seconds, c.id))


def _undone(change: FoundChange, changes: Iterable[FoundChange]) -> bool:
    """Whether a later change took this one back: what no longer runs does not explain what is wrong now."""
    later = [c for c in changes if c.service == change.service and c.seconds < change.seconds]
    return any(c.version == change.previous or c.summary == f'Revert "{change.summary}"' for c in later)


def diffs_to_read(case: CollectedFindings) -> list[FoundChange]:
    """The changes of the leading suspects first, then what else was changed shortly before the onset."""
    leading = [s.service for s in open_suspects(case)[:2]]
    usable = usable_changes(case)
    newest = [c for c in usable if c.service in leading[:1]][:1]
    fresh = [c for c in usable if c.seconds <= FRESH_S or c in newest]
    fresh.sort(key=lambda c: (leading.index(c.service) if c.service in leading else 2, c.verdict != "cause_candidate"))
    return fresh[:_DIFFS]


def explain(case: CollectedFindings) -> Explanation | None:
    """The best explanation, or None where there is none worth a name."""
    suspects = open_suspects(case)
    options = [_option(case, s) for s in suspects]
    if not options:
        return None
    chosen = options[0]
    if not explains_itself(chosen):
        better = [o for o in options[1:] if explains_itself(o) and o.suspect.score >= _NEAR * chosen.suspect.score]
        chosen = better[0] if better else chosen
    if chosen.evidence.fault in _LOAD_DOES:
        surges = [o for o in options if o.evidence.fault is FaultKind.SURGE]
        heavy = [o for o in surges if o.suspect.score >= _HEAVY * chosen.suspect.score]
        chosen = heavy[0] if heavy else chosen
    chosen = replace(chosen, confidence=_confidence(case, chosen, options))
    return _at_the_entry(case, chosen) if chosen.evidence.fault is FaultKind.SURGE else chosen


def _at_the_entry(case: CollectedFindings, surge: Explanation) -> Explanation:
    """Load comes in where nobody here calls: a surge seen further in, with the symptom at the entry, is the entry's."""
    calls = case.transcript.calls
    inner = {callee for caller, callees in calls.items() for callee in callees if callee != caller}
    entry = case.ranking.symptom.service if case.ranking.symptom else ""
    if surge.suspect.service not in inner or entry not in set(calls) - inner - case.steering.cleared:
        return surge
    if surge.suspect.service not in case.transcript.reach(entry):
        return surge
    return replace(surge, suspect=replace(surge.suspect, service=entry), confidence=lower(surge.confidence, "medium"))


def explains_itself(option: Explanation | None) -> bool:
    """Whether the evidence shows how it broke, not only where: a diff that fits, an outside party, a limit, a leak."""
    if option is None:
        return False
    if option.change is not None and option.change_evidence is not None:
        return option.change_evidence.grade == 2
    return bool(option.external) or option.evidence.fault in (FaultKind.ROOM, FaultKind.SURGE, FaultKind.LEAK)


def _option(case: CollectedFindings, suspect: FoundSuspect) -> Explanation:
    evidence = weigh_evidence(suspect, case.patterns, case.stacks, case.transcript.calls)
    mine = [c for c in usable_changes(case) if c.service == suspect.service]
    judged = [(c, judge_change(case.diffs[c.id], evidence) if c.id in case.diffs else None) for c in mine]
    external = suspect.external or _outside_peer(case, evidence)
    change, change_evidence = _guilty(judged, evidence, external)
    failing = any(m.peer == external and "error" in m.indicator for m in evidence.metrics)
    accused = suspect.external or _calls_out(evidence) or (failing and suspect.service in _rolled_back(case))
    if change is not None or not accused:
        external = ""
    overloaded = evidence.fault is FaultKind.POOL and change is None and load_metric(case.ranking) is not None
    fault = FaultKind.SURGE if overloaded else evidence.fault  # under load a fresh process fills up again
    connected = case.transcript.remedies.get(suspect.service, ())
    fitting = fitting_remedies(connected, fault.value, by_change=change is not None, external=external)
    remedy = choose_remedy(case.transcript, suspect.service, fitting)
    if remedy is not None and suspect.service in tried_remedies(case.steering).get(remedy.name, ()):
        remedy = None
    beside = tuple((c, f) for c, f in judged if change is None or c.id != change.id)
    return Explanation(
        suspect=suspect,
        evidence=evidence,
        external=external,
        change=change,
        change_evidence=change_evidence,
        beside=beside,
        confidence="low",
        remedy=remedy.name if remedy is not None else None,
        remedy_because=remedy.because if remedy is not None else "",
    )


def _guilty(
    judged: Sequence[tuple[FoundChange, ChangeEvidence | None]], evidence: SuspectEvidence, external: str
) -> tuple[FoundChange | None, ChangeEvidence | None]:
    """The change whose diff fits best. Where an outside party may fail by itself, it must set the call's limit."""
    read = [(c, f) for c, f in judged if f is not None]
    if not read or evidence.fault is FaultKind.SURGE:
        return None, None
    change, change_evidence = max(
        read, key=lambda cf: (cf[1].grade if cf[1] else 0, cf[0].verdict == "cause_candidate")
    )
    doubtful = change.verdict == "coincides" or change.seconds > (
        _LEAK_FRESH_S if evidence.fault is FaultKind.LEAK else FRESH_S
    )
    least = 2 if doubtful or (external and evidence.fault is FaultKind.TIMEOUT) else 1
    if (
        external
        and change_evidence.grade < 2
        and any(m.peer == external and "latency" in m.indicator and m.rose for m in evidence.metrics)
    ):
        least = 2
    return (change, change_evidence) if change_evidence.grade >= least else (None, None)


def _outside_peer(case: CollectedFindings, evidence: SuspectEvidence) -> str:
    """A party outside the declared services that the calls of this one go wrong with."""
    known = set(case.transcript.calls)
    return next((p for p in evidence.outside if p not in known and p not in _OWN_STORE), "")


def _calls_out(evidence: SuspectEvidence) -> bool:
    return evidence.fault in (FaultKind.CALLS, FaultKind.TIMEOUT)


def _rolled_back(case: CollectedFindings) -> frozenset[str]:
    """Services whose rollback did not help. "Already rolled back", without a name, means the leading suspect's."""
    first = next((s.service for s in case.ranking.suspects if s.change), None) if case.steering.leading_tried else None
    return case.steering.rolled_back | ({first} if first else frozenset())


def _confidence(case: CollectedFindings, chosen: Explanation, options: Sequence[Explanation]) -> Confidence:
    first = case.ranking.suspects[0]
    bound: Confidence = _as_confidence(first.confidence) if chosen.suspect is first else "medium"
    rivals = [o for o in options if o.suspect.service != chosen.suspect.service]
    if any(o.suspect.score >= _TIE * chosen.suspect.score for o in rivals) and not _settled(chosen, rivals):
        bound = lower(bound, "medium")
    kinds = bool(chosen.suspect.metrics) + bool(chosen.evidence.patterns)
    if chosen.change is not None:
        plain = chosen.change_evidence is not None and chosen.change_evidence.grade == 2
        return lower(bound, "high" if plain and kinds else "medium")
    if any(f is None for _, f in chosen.beside) and not chosen.external:
        bound = lower(bound, "medium")
    if not explains_itself(chosen):
        return lower(bound, "low")
    surge = chosen.evidence.fault is FaultKind.SURGE
    return lower(bound, "high" if kinds == 2 or surge else "medium")


def _settled(chosen: Explanation, rivals: Iterable[Explanation]) -> bool:
    """Whether the chosen one alone has a diff that fits to the letter."""
    return (
        chosen.change_evidence is not None
        and chosen.change_evidence.grade == 2
        and not any(r.change_evidence and r.change_evidence.grade == 2 for r in rivals)
    )


def _as_confidence(word: str) -> Confidence:
    return next((c for c in _ORDER if c == word), "low")


def lower(one: Confidence, other: Confidence) -> Confidence:
    return min(one, other, key=_ORDER.index)


def load_metric(ranking: FoundRanking) -> Metric | None:
    """A rise of traffic among what was ranked."""
    found = (m for s in ranking.suspects for m in s.metrics if "requests rate" in m.indicator and m.rose and not m.peer)
    return next(found, None)
