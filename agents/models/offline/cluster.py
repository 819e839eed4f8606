"""The routine over a Kubernetes cluster: listings first, then what the rules ask for, then the conclusion.

Used wherever the tools of `agents.connecting.cluster` are among those of the run, of each connected cluster and each
of its namespaces by itself. What explains the service that the question is about becomes the conclusion, with the
rollout whose pods alone fail as its cause; when the clusters' state explains nothing, the usual routine goes on with
metrics, logs and changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from agents.connecting.cluster import ROLLOUTS, call_of, connections_of, named, own_name, read_of, tool_name
from agents.evidence.kubernetes.labels import Label
from agents.evidence.kubernetes.plan import next_reads
from agents.evidence.kubernetes.rank import DECIDED, rank_snapshot
from agents.evidence.kubernetes.snapshot import Snapshot
from agents.evidence.kubernetes.types import ClusterHypothesis, ClusterReading, Quote, Read, What
from agents.gate import sentences
from agents.gate.claims import bears
from agents.models.offline.steering import read_steering, tried_remedies
from agents.models.offline.transcript import Transcript
from agents.remediation import discover_remediations
from agents.remediation.workloads import WorkloadRemediation
from agents.rows import Changed, Printed
from agents.verdict import Confidence

MOST_TURNS: Final = 8
_LIKELY: Final = 0.6
_WORTH_A_NAME: Final = 0.3
_SHORTEST_QUOTE: Final = 6
_HYPOTHESES: Final = 5
_HEADLINE: Final = 120
_LONGEST_CLAIM: Final = 300
_MOST_ENDINGS: Final = 4
_MOST_CALLS: Final = 24
_ROLLED_OUT: Final = frozenset(
    {
        Label.INCORRECT_IMAGE_REFERENCE, Label.CRASH_LOOP, Label.OOM_KILLED, Label.NOT_READY, Label.ROLLOUT_STUCK,
        Label.MISSING_SECRET_BINDING, Label.MISSING_IMAGE_PULL_SECRET, Label.MISSING_SERVICE_ACCOUNT,
        Label.CPU_CAPACITY_MISMATCH, Label.MEMORY_CAPACITY_MISMATCH, Label.RESOURCE_CAPACITY_MISMATCH,
        Label.NODE_AFFINITY_MISMATCH, Label.NODE_SELECTOR_MISMATCH, Label.LIVENESS_PROBE_INCORRECT_PORT,
        Label.LIVENESS_PROBE_INCORRECT_PROTOCOL, Label.LIVENESS_PROBE_INCORRECT_TIMING,
        Label.READINESS_PROBE_INCORRECT_PORT, Label.READINESS_PROBE_INCORRECT_PROTOCOL,
        Label.SERVICE_DNS_RESOLUTION_FAILURE, Label.SERVICE_ENV_VAR_ADDRESS_MISMATCH, Label.MYSQL_INVALID_CREDENTIALS,
        Label.MYSQL_INVALID_PORT, Label.VOLUME_MOUNT_PERMISSION_DENIED, Label.SERVICE_SIDECAR_PORT_CONFLICT,
    }
)  # fmt: skip
"""Faults that a changed pod template brings."""
_SEEN_ONLY: Final = frozenset({Label.CRASH_LOOP, Label.NOT_READY})
"""What is seen of a fault whose reason the cluster does not tell: metrics, logs and changes may."""
_OTHERS: Final = frozenset({"metrics", "logs", "changes"})
_ENDED: Final = re.compile(
    r"rolled back|rollback successful|restored|recovered|rollout completed|back to normal|returned to ready|resolved"
    r"|autoscaling completed",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class _Place:
    """One namespace of one connected cluster, with what was read of it. Both names are empty where there is one."""

    connection: str
    namespace: str
    readings: tuple[ClusterReading, ...]

    @cached_property
    def seen(self) -> Snapshot:
        return Snapshot(readings=self.readings)


@dataclass(frozen=True, kw_only=True)
class _Found:
    """One explanation, with the declared service that it is of."""

    place: _Place
    service: str
    fault: ClusterHypothesis


def is_there(transcript: Transcript) -> bool:
    return any(
        transcript.takes(named(tool_name(What.LIST), one), "kind")
        and transcript.takes(named(tool_name(What.DESCRIBE), one), "name")
        for one in connections_of(transcript.tools)
    )


def reads(transcript: Transcript) -> list[tuple[str, dict[str, str]]]:
    """The tool calls of the next round; empty when the clusters were looked at enough."""
    if transcript.hurried or transcript.own_turns >= MOST_TURNS:
        return []
    places = _places(transcript)
    wanted = [_call(place, read) for place in places for read in next_reads(place.readings)]
    calls = [(tool, arguments) for tool, arguments in wanted if transcript.takes(tool, *arguments)][:_MOST_CALLS]
    return calls or _rollout_reads(transcript, places)


def _rollout_reads(transcript: Transcript, places: Sequence[_Place]) -> list[tuple[str, dict[str, str]]]:
    """Whether a rollout brought the first suspect's fault, and what it altered."""
    found = _found(transcript, places)
    if not found or found[0].fault.label not in _ROLLED_OUT:
        return []
    rollouts = (named(ROLLOUTS, found[0].place.connection), {"service": found[0].service})
    change = _change(transcript, found[0].service)
    calls = [rollouts] if change is None else [("read_diff", {"change": change.change})]
    return [(t, a) for t, a in calls if transcript.takes(t, *a) and not transcript.was_asked(t, a)]


def _places(transcript: Transcript) -> list[_Place]:
    """All that can be read, with what was; a read that failed is there as such, so that it is not asked again."""
    found = []
    for connection in connections_of(transcript.tools):
        for namespace in transcript.namespaces.get(named(tool_name(What.LIST), connection), ("",)):
            readings = tuple(_readings(transcript, connection, namespace))
            found.append(_Place(connection=connection, namespace=namespace, readings=readings))
    return found


def _call(place: _Place, read: Read) -> tuple[str, dict[str, str]]:
    tool, arguments = call_of(replace(read, namespace=place.namespace))
    return named(tool, place.connection), arguments


def _found(transcript: Transcript, places: Sequence[_Place], least: float = _LIKELY) -> list[_Found]:
    """Explanations of declared services, best first: where the question is about one, of it and of what it calls, as
    far as anybody declared who calls whom.
    """
    focus = read_steering(transcript).focus
    near = transcript.reach(focus) if focus and any(transcript.calls.values()) else set(transcript.calls)
    found = [
        _Found(place=place, service=_service(transcript, place.seen, fault), fault=fault)
        for place in places
        for fault in rank_snapshot(place.seen)
        if fault.score >= least
    ]
    return sorted((one for one in found if one.service in near), key=lambda one: -one.fault.score)


def _service(transcript: Transcript, seen: Snapshot, fault: ClusterHypothesis) -> str:
    """The declared service of a fault; of a namespace's or a node's, the first one that suffers from it."""
    if fault.name in transcript.calls or fault.kind == "app":
        return _declared(transcript, fault.name)
    sick = [p.app for p in seen.pods if p.is_sick and (fault.kind == "namespace" or p.node == fault.name)]
    short = [w.name for w in seen.workloads if w.ready < w.wanted]
    return next((name for app in (*short, *sick) if (name := _declared(transcript, app)) in transcript.calls), "")


def _declared(transcript: Transcript, workload: str) -> str:
    return workload if workload in transcript.calls else transcript.aliases.get(workload, workload)


def _change(transcript: Transcript, service: str) -> Changed | None:
    """The rollout whose pods alone fail."""
    rows = [r for result in transcript.results if own_name(result.tool) == ROLLOUTS for r in result.of(Changed)]
    return next((row for row in rows if row.service == service and row.precedes_onset), None)


def conclusion(transcript: Transcript) -> dict[str, Any] | None:
    """The argument of `conclude`, or None when the clusters' state explains nothing."""
    places = _places(transcript)
    is_alone = set(transcript.missing) >= _OTHERS  # else a mere suspicion waits for what the other sources say
    found = _found(transcript, places, _WORTH_A_NAME if is_alone else _LIKELY)
    if not found:
        if not is_alone:
            return None
        all_well = bool(places) and all(place.seen.is_well for place in places)
        return _all_well([place.seen for place in places]) if all_well else _nothing_to_go_on()
    best = found[0]
    change = _change(transcript, best.service) if best.fault.label in _ROLLED_OUT else None
    if change is None and best.fault.label in _SEEN_ONLY and not is_alone:
        return None
    claims = list(_claims(transcript, best.place.seen, best.fault))
    claims += _rolled_out(transcript, change) if change is not None else []
    proofs = {claim["artifact"] for claim in claims}
    confidence: Confidence = "high" if best.fault.score >= DECIDED and len(proofs) > 1 else "medium"
    confidence = confidence if best.fault.score >= _LIKELY else "low"
    because = best.fault.because
    statement = f"{because}, since its rollout at {change.at:%H:%M:%S}" if change is not None else because
    return {
        "headline": f"{because}. {confidence.capitalize()}."[:_HEADLINE],
        "cause": {
            "service": best.service,
            "kind": best.fault.label.replace("_", " "),
            "statement": f"{statement}."[:200],
            "change": change.change if change is not None else None,
        },
        "confidence": confidence,
        "claims": claims,
        "hypotheses": _hypotheses(transcript, [one.fault for one in found]),
        "proposal": _proposal(transcript, best.service, change),
    }


def _proposal(transcript: Transcript, service: str, change: Changed | None) -> dict[str, Any] | None:
    """What takes a rollout back: in the cluster where that is permitted, else another way."""
    tried = tried_remedies(read_steering(transcript))
    able = [name for name in transcript.remedies.get(service, ()) if service not in tried[name]]
    every = discover_remediations().values()
    fitting = [one for one in every if one.needs_change and one.is_cure and one.name in able]
    if change is None or not fitting:
        return None
    best = next((one for one in fitting if isinstance(one, WorkloadRemediation)), fitting[0])
    wanted = {"to_version": change.previous_version} if isinstance(best, WorkloadRemediation) else {}
    return {"remediation": best.name, "arguments": {"service": service, **wanted}}


def _rolled_out(transcript: Transcript, change: Changed) -> Iterator[dict[str, Any]]:
    for result in transcript.results:
        if result.evidence is not None and change in result.rows and bears(result.evidence, change.line, change.line):
            yield {"text": change.line, "status": "observed", "artifact": result.id, "quote": change.line}
            return


def _all_well(seen: Sequence[Snapshot]) -> dict[str, Any]:
    """Nothing is wrong now; where something was, the lines that tell how it ended."""
    past = [q for one in seen for q in one.lines(_ENDED) if len(q.line) >= _SHORTEST_QUOTE][:_MOST_ENDINGS]
    claims = [
        {
            "text": "What was reported is over.",
            "status": "observed",
            "side": "against",
            "artifact": q.source,
            "quote": q.line,
        }
        for q in past
    ]
    what = "what was reported has recovered" if past else "all workloads have their replicas and nothing alarms"
    return {
        "headline": f"No active failure: {what}.",
        "cause": None,
        "confidence": "none",
        "claims": claims,
        "nothing_wrong": True,
        "impact": f"No active failure: {what}.",
    }


def _nothing_to_go_on() -> dict[str, Any]:
    """The cluster explains nothing and there is nothing else to read."""
    return {
        "headline": "No confident cause: what the cluster told shows nothing unusual.",
        "cause": None,
        "confidence": "none",
        "not_known": ["Metrics, logs and changes are not connected, so what the listings do not show stays unknown."],
    }


def _readings(transcript: Transcript, connection: str, namespace: str) -> Iterator[ClusterReading]:
    """What was read of one namespace; the first one is meant where a call names none."""
    for result in transcript.results:
        read = read_of(result.tool, result.arguments)
        if read is None or result.tool != named(own_name(result.tool), connection):
            continue
        several = transcript.namespaces.get(result.tool, ("",))
        if (read.namespace or several[0]) == namespace:
            text = "" if result.is_error else "\n".join(row.text for row in result.of(Printed))
            plain = replace(read, namespace="")
            yield ClusterReading(read=plain, text=text, source=result.id, failed=result.is_error)


def _claims(transcript: Transcript, seen: Snapshot, best: ClusterHypothesis) -> Iterator[dict[str, Any]]:
    read = {item.id: item for item in transcript.evidence()}
    for quote in dict.fromkeys((*best.quotes, *_symptoms(seen, best))):
        cited = read.get(quote.source)
        if cited is None or len(quote.line) < _SHORTEST_QUOTE:
            continue
        text = " ".join(quote.line.split())[:_LONGEST_CLAIM]  # the line speaks for itself
        if bears(cited, text, quote.line):
            yield {"text": text, "status": "observed", "artifact": quote.source, "quote": quote.line}


def _symptoms(seen: Snapshot, best: ClusterHypothesis) -> list[Quote]:
    """Rows of the listings that show the object unwell."""
    pods = [p.quote for p in seen.pods if p.app == best.name and p.is_sick]
    return [*pods[:1], *(w.quote for w in seen.workloads if w.name == best.name and w.ready < w.wanted)]


def _hypotheses(transcript: Transcript, found: Sequence[ClusterHypothesis]) -> list[dict[str, Any]]:
    rows = []
    for number, one in enumerate(found[:_HYPOTHESES], start=1):
        state = "supported" if one is found[0] else "refuted" if one.score < found[0].score - 0.1 else "open"
        reason = "" if one is found[0] else f"What {found[0].name} shows is stronger."
        if not sentences.sift(one.because, transcript.run())[1]:
            rows.append({"id": f"H{number}", "text": one.because[:160], "state": state, "reason": reason})
    return rows
