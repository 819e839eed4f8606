"""Which change could have caused it: recency before the onset x distance in the call graph x match with what broke.

A change after the onset cannot be a cause, nor can one that was taken back, for it no longer runs. A change before it,
on a service where nothing of its own is abnormal, merely coincides; so does one that an earlier incident and a good
time after it lie behind.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from agents.evidence.changes.change_evidence import cannot_have_done_it, weigh_changes
from agents.evidence.types import Anomaly, Change, ChangeFinding, Edge, Family, Onset, Verdict

FRESH_S = 180.0  # a fault shows within minutes of the change that brought it; then the score halves every HALF_LIFE_S
HALF_LIFE_S = 1800.0
CANDIDATE_MATCH = 0.4
PROVEN_GOOD_SHARE = 0.2  # of its score is left to a change with which all was well in between
LEAST_EVIDENCE = 0.5
LONG_S = 600.0  # what a change breaks mostly shows sooner
NO_EVIDENCE_SHARE = 0.4  # of its score is left to a change that shares no word with what broke
STRONG_SCORE = 10.0  # an anomaly this strong is a full match

# What a code or configuration change is known to break, as opposed to what merely flows through a service.
_BREAKABLE: frozenset[Family] = frozenset(
    (
        "errors",
        "latency",
        "saturation",
        "memory",
        "cpu",
        "restarts",
        "dependency_errors",
        "dependency_latency",
        "log",
        "structure",
    )
)


def correlate_changes(
    changes: Sequence[Change],
    onset: Onset,
    symptom_service: str | None,
    edges: Sequence[Edge],
    anomalies: Sequence[Anomaly],
    *,
    good_since: float | None = None,
    failed_in: Collection[str] = (),
) -> list[ChangeFinding]:
    """Each change with its verdict, best first. `good_since` (epoch seconds): when an earlier incident had healed.
    `failed_in` as for `weigh_changes`.

    Pass only the anomalies that are a service's *own*: those it merely inherits from a callee would make an innocent
    change look guilty. Without a symptom service, a change reaches the symptom where its service has own anomalies.
    """
    distances = call_distances(symptom_service, edges) if symptom_service else {}
    strongest = _strongest(anomalies)
    findings = [_find(change, onset, symptom_service, distances, strongest) for change in changes]
    findings = _by_evidence(
        findings, weigh_changes(changes, anomalies, failed_in), cannot_have_done_it(changes, anomalies)
    )
    undone = {id(change) for change in changes if is_undone(change, changes)}
    findings = [_later_thought(f, undone=id(f.change) in undone, good_since=good_since) for f in findings]
    return sorted(findings, key=lambda f: (-f.score, -f.change.at.timestamp(), f.change.id))


def _by_evidence(
    findings: Sequence[ChangeFinding], weights: Sequence[float | None], contradicted: Sequence[bool]
) -> list[ChangeFinding]:
    """Of several that may be to blame those that fit what broke: nearness alone chooses a decoy as often.

    One of which too little is known to tell yields to one that fits. The only fresh change before an onset needs no
    shared word; what worked for long needs a reason, and without one is no rival to a fresh one either.
    """
    rivals = [
        f
        for f, evidence in zip(findings, weights, strict=True)
        if f.verdict == "cause_candidate" and (evidence != 0.0 or f.seconds_before_onset <= LONG_S)
    ]
    several = len(rivals) > 1
    fitting = any(
        (evidence or 0.0) >= LEAST_EVIDENCE and f.precedes_onset for f, evidence in zip(findings, weights, strict=True)
    )
    return [
        _weighed(finding, 0.0 if evidence is None and fitting else evidence, several=several or out)
        for finding, evidence, out in zip(findings, weights, contradicted, strict=True)
    ]


def _weighed(finding: ChangeFinding, evidence: float | None, *, several: bool) -> ChangeFinding:
    if evidence is None or not finding.precedes_onset:
        return finding
    score = round(finding.score * (NO_EVIDENCE_SHARE + (1 - NO_EVIDENCE_SHARE) * evidence), 3)
    late = finding.seconds_before_onset > LONG_S
    innocent = evidence == 0.0 and (several or late) and finding.verdict == "cause_candidate"
    return replace(finding, score=score, verdict="coincides" if innocent else finding.verdict)


def is_undone(change: Change, changes: Iterable[Change]) -> bool:
    """Whether a later change brought back a version from before this one, or says that it reverts it."""
    mine = [c for c in changes if c.service == change.service]
    before = {change.previous_version, *(c.version for c in mine if c.at < change.at)} - {None, change.version}
    later = [c for c in mine if c.at > change.at]
    reverts = {f'Revert "{change.summary}"'} if change.summary else set()
    return any(c.version in before or c.summary in reverts for c in later)


def _later_thought(finding: ChangeFinding, *, undone: bool, good_since: float | None) -> ChangeFinding:
    if not finding.precedes_onset:
        return finding
    if undone:
        return replace(finding, verdict="undone", reaches_symptom=False, score=0.0)
    if good_since is not None and finding.change.at.timestamp() < good_since:
        verdict: Verdict = "coincides" if finding.verdict == "cause_candidate" else finding.verdict
        return replace(finding, verdict=verdict, score=round(finding.score * PROVEN_GOOD_SHARE, 3))
    return finding


def call_distances(start: str, edges: Iterable[Edge]) -> dict[str, int]:
    """How many calls each service is away from `start`, downstream; `start` itself is 0."""
    callees: dict[str, list[str]] = {}
    for edge in edges:
        callees.setdefault(edge.caller, []).append(edge.callee)
    found = {start: 0}
    queue = deque([start])
    while queue:
        service = queue.popleft()
        for callee in callees.get(service, ()):
            if callee not in found:
                found[callee] = found[service] + 1
                queue.append(callee)
    return found


def _strongest(anomalies: Iterable[Anomaly]) -> dict[str, float]:
    best: dict[str, float] = {}
    for anomaly in anomalies:
        if anomaly.family in _BREAKABLE:
            best[anomaly.service] = max(anomaly.score, best.get(anomaly.service, 0.0))
    return best


def _find(
    change: Change,
    onset: Onset,
    symptom_service: str | None,
    distances: Mapping[str, int],
    strongest: Mapping[str, float],
) -> ChangeFinding:
    before_s = (onset.at - change.at).total_seconds()
    precedes = before_s >= -onset.guard_s
    match = min(1.0, strongest.get(change.service, 0.0) / STRONG_SCORE)
    distance = distances.get(change.service)
    reaches = distance is not None if symptom_service else match > 0
    recency = 0.5 ** (max(0.0, before_s - FRESH_S) / HALF_LIFE_S)
    nearness = 1.0 if symptom_service is None else 1 / (1 + 0.15 * distance) if distance is not None else 0.2
    verdict: Verdict
    if not precedes:
        verdict = "after_onset"
    elif not reaches:
        verdict = "unrelated"
    else:
        verdict = "cause_candidate" if match >= CANDIDATE_MATCH else "coincides"
    score = recency * nearness * (0.1 + 0.9 * match) if precedes else 0.0
    return ChangeFinding(
        change=change,
        precedes_onset=precedes,
        seconds_before_onset=round(before_s, 1),
        reaches_symptom=reaches,
        distance=distance,
        family_match=round(match, 2),
        score=round(score, 3),
        verdict=verdict,
    )
