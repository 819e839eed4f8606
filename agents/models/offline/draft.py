"""An explanation in words: the draft that `conclude` takes, each claim with its quote, and the hypotheses.

Every sentence is held against the results with the gate's own number check before it is handed in; what would not pass
is said without its numbers or left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import ValidationError

from agents.english import possessive
from agents.gate import sentences
from agents.gate.claims import bears
from agents.models.offline.change_evidence import ChangeEvidence, FaultKind
from agents.models.offline.findings import FoundChange, FoundSuspect, Metric, Pattern
from agents.models.offline.judgement import (
    FRESH_S,
    CollectedFindings,
    Explanation,
    load_metric,
    open_suspects,
    usable_changes,
)
from agents.models.offline.transcript import Result
from agents.remediation import discover_remediations
from agents.rows import Spent
from agents.verdict import Confidence, HypothesisState

Claim = dict[str, Any]
_EFFECTS: Final = {FaultKind.SLOW: "slow", FaultKind.POOL: "pool exhausted", FaultKind.LEAK: "memory leak"}
_FAMILIES: Final = {
    "latency": "slow answers",
    "dependency_latency": "slow calls",
    "dependency_errors": "failing calls",
    "traffic": "more requests",
}
_DOES: Final = {
    FaultKind.ROOM: "{service} hits a file or disk limit",
    FaultKind.LEAK: "{service} leaks memory",
    FaultKind.POOL: "A pool or queue of {service} is exhausted",
    FaultKind.EXCEPTION: "{service} raises {exception}",
    FaultKind.TIMEOUT: "Calls of {service} time out",
    FaultKind.CALLS: "Calls of {service} fail",
    FaultKind.SLOW: "{service} is slow",
    FaultKind.RESTARTS: "{service} restarts again and again",
    FaultKind.ERRORS: "{service} answers with errors",
}
"""What a service does, as a sentence, by the kind of its fault."""
_HEADLINE: Final = 120
_QUOTE: Final = 380
_HYPOTHESES: Final = 6


def draft_conclusion(case: CollectedFindings, explanation: Explanation | None) -> dict[str, Any]:
    """The argument of `conclude`."""
    if explanation is None:
        return _abstention(case)
    service = explanation.suspect.service
    claims = [c for c in _claims(case, explanation) if c]
    observed = {c["artifact"] for c in claims if c["status"] == "observed" and c["side"] == "for"}
    confidence: Confidence = (
        explanation.confidence if len(observed) >= 2 or explanation.confidence != "high" else "medium"
    )
    if not observed:
        claims, confidence = _symptom_speaks(case, claims, {service, explanation.external}), "low"
    advice = _borne(case, _clip(_advice(case, explanation), 300), "")
    proposal = (
        {"remediation": explanation.remedy, "arguments": _target(case, explanation)} if explanation.remedy else None
    )
    return {
        "headline": _headline(case, explanation, confidence),
        "cause": {
            "service": service,
            "external": explanation.external or None,
            "change": explanation.change.id if explanation.change else None,
            "kind": _kind(explanation),
            "statement": _borne(case, _clip(f"{_stated(explanation)}.", 200), f"{service}: {_kind(explanation)}."),
        },
        "confidence": confidence,
        "impact": _borne(case, _impact(case), ""),
        "claims": claims[:12],
        "hypotheses": hypotheses(case, explanation),
        "not_known": not_known(case),
        "proposal": proposal,
        "advice": _borne(case, _clip(f"{advice} {explanation.remedy_because}".strip(), 300), advice),
    }


def hypotheses(case: CollectedFindings, explanation: Explanation | None) -> list[dict[str, Any]]:
    """Open before an explanation is chosen, then each supported or refuted with one reason."""
    rows: list[tuple[str, HypothesisState, str]] = []
    decided = explanation is not None
    rows += [_suspect_row(case, suspect, explanation) for suspect in case.ranking.suspects[:3]]
    fresh = [c for c in case.changes if c.possible and c.seconds <= FRESH_S]
    told = explanation.change.id if explanation is not None and explanation.change is not None else ""
    rows += [_change_row(case, change, explanation) for change in fresh[:3] if change.id != told]
    load = load_metric(case.ranking)
    if case.ranking.suspects and case.ranking.suspects[0].family != "traffic":
        state: HypothesisState = "open" if not decided or load else "refuted"
        rows.append(("More load than usual", state, "" if state == "open" else "Traffic did not rise before it."))
    if not rows:
        rows.append(("Nothing is wrong", "supported" if case.ranking.quiet else "open", ""))
    found = []
    for number, (text, state, reason) in enumerate(_unique(rows)[:_HYPOTHESES], start=1):
        kept, why = _borne(case, text, text.partition(":")[0]), _borne(case, reason, "")
        found.append({"id": f"H{number}", "text": _clip(kept, 160), "state": state, "reason": _clip(why, 200)})
    return found


def not_known(case: CollectedFindings) -> list[str]:
    """Kinds that are not connected, tools that failed, what the engine could not read."""
    gaps = [f"{kind} not connected" for kind in case.transcript.missing]
    gaps += [f"{r.tool} failed: {r.failure}" for r in case.transcript.failed()]
    gaps += [gap for gap in case.ranking.gaps if not gap.startswith("(")]
    for tool in ("rank_causes", "log_patterns", "what_changed"):
        if tool not in case.transcript.tools:
            gaps.append(f"{tool} is not available here")
    return [_clip(gap, 200) for gap in dict.fromkeys(gaps)][:8]


def _suspect_row(
    case: CollectedFindings, suspect: FoundSuspect, explanation: Explanation | None
) -> tuple[str, HypothesisState, str]:
    service = suspect.service
    words = _FAMILIES.get(suspect.family, suspect.family.replace("_", " "))
    text = f"{service}: {suspect.external} fails" if suspect.external else f"{service}: {words}"
    if explanation is not None and explanation.suspect.place == suspect.place:
        chosen = explanation
        text = f"{chosen.suspect.service}: {_what(chosen)}" if chosen.change or chosen.external else text
        return (
            text,
            "supported",
            _sentence(chosen.change_evidence.why) if chosen.change_evidence and chosen.change else _reason(chosen),
        )
    if service in case.steering.cleared:
        return text, "refuted", "A person in the thread ruled it out."
    if explanation is None:
        return text, "open", ""
    return text, "refuted", f"{explanation.suspect.service} shows more."


def _change_row(
    case: CollectedFindings, change: FoundChange, explanation: Explanation | None
) -> tuple[str, HypothesisState, str]:
    text = f"{change.short} of {change.service}"
    if change.service in case.steering.rolled_back:
        return text, "refuted", "It was rolled back and that did not heal."
    if explanation is None:
        return text, "open", ""
    if explanation.change is not None and explanation.change.id == change.id:
        return text, "supported", _sentence(explanation.change_evidence.why) if explanation.change_evidence else ""
    change_evidence = next((f for c, f in explanation.beside if c.id == change.id), None)
    if change_evidence is not None and change_evidence.grade:
        return text, "open", "It could do this, but nothing names it."
    return text, "refuted", _sentence(change_evidence.why) if change_evidence else "Nothing of its own is abnormal."


def _claims(case: CollectedFindings, explanation: Explanation) -> Iterator[Claim | None]:
    ranking = _newest(case, "rank_causes")
    if case.ranking.symptom is not None:
        yield _observed(ranking, _moved(case.ranking.symptom), case.ranking.symptom.line, side="context")
    own = [m for m in explanation.suspect.metrics if m.line != getattr(case.ranking.symptom, "line", "")]
    for metric in own[:2]:
        yield _observed(ranking, _moved(metric), metric.line)
    yield _time_claim(case, explanation.suspect.service)
    for pattern in explanation.evidence.patterns[:2]:
        yield _log_claim(case, pattern)
    if explanation.change is not None and explanation.change_evidence is not None:
        yield _diff_claim(case, explanation.change, explanation.change_evidence)
        yield _timing_claim(case, explanation.change)
    yield from _against(case, explanation)
    if (
        explanation.change is not None
        and explanation.change_evidence is not None
        and explanation.change_evidence.grade < 2
    ):
        yield _unproven(
            f"The diff of {explanation.change.short} can cause this, but nothing names it.", "inferred", "context"
        )
    if explanation.change is None and not explanation.external and explanation.evidence.fault is not FaultKind.SURGE:
        yield _unproven("No change that was read explains it.", "inferred", "context")


def _symptom_speaks(case: CollectedFindings, claims: list[Claim], suspects: set[str]) -> list[Claim]:
    """Where nothing else was observed of the suspect, its own symptom is what speaks for it."""
    symptom = case.ranking.symptom
    own = symptom is not None and (symptom.peer or symptom.service) in suspects
    return [{**c, "side": "for"} if own and c["status"] == "observed" and c["side"] == "context" else c for c in claims]


def _against(case: CollectedFindings, explanation: Explanation) -> Iterator[Claim | None]:
    ranking = _newest(case, "rank_causes")
    rival = next((s for s in open_suspects(case) if s.service != explanation.suspect.service), None)
    if rival is not None:
        where = "behind" if rival.place > explanation.suspect.place else "before"
        text = f"{rival.service} is abnormal as well ({rival.family.replace('_', ' ')}) and ranks {where} it."
        yield _observed(ranking, text, rival.line, side="against")
    for change in usable_changes(case):
        if explanation.change is None or change.id != explanation.change.id:
            when = f"{change.seconds} s before the onset" if change.seconds >= 0 else "as it began"
            text = f"{change.service} was changed to {change.short} {when}"
            text += "; nothing ties it to the fault." if change.verdict == "coincides" else "."
            for source in (_newest(case, "what_changed"), ranking):
                if claim := _observed(source, text, change.line, side="against"):
                    yield claim
                    break
            break


def _log_claim(case: CollectedFindings, pattern: Pattern) -> Claim | None:
    example = pattern.example.rstrip("…").strip()
    texts = [f"{pattern.service} logs an error more often than before."]
    if pattern.kind == "new":
        texts = [f"{pattern.service} logs a new error since {pattern.first}.", f"{pattern.service} logs a new error."]
    sources = (_newest(case, "log_patterns"), _newest(case, "rank_causes"))
    return next((c for text in texts for source in sources if (c := _observed(source, text, example))), None)


def _time_claim(case: CollectedFindings, service: str) -> Claim | None:
    """Where the added time of the suspect's requests is, as traces have it: against it if another service takes it."""
    found = [r for r in case.transcript.of("trace_breakdown") if r.arguments.get("service") == service]
    most = next((row for r in found[-1:] for row in r.of(Spent) if row.most), None)
    if most is None:
        return None
    side = "against" if most.callee and most.part.removeprefix("calls to ") in case.transcript.calls else "for"
    text = f"Most of the time that was added to {possessive(service)} requests: {most.part}."
    return _observed(found[-1], text, most.line, side=side)


def _diff_claim(case: CollectedFindings, change: FoundChange, change_evidence: ChangeEvidence) -> Claim | None:
    source = next(
        (r for r in reversed(case.transcript.of("read_diff")) if r.arguments.get("change") == change.id), None
    )
    full = f"{change.short} {change_evidence.did}: {change_evidence.why}."
    return _observed(source, full, change_evidence.line) or _observed(
        source, f"The change {change_evidence.did}.", change_evidence.line
    )


def _timing_claim(case: CollectedFindings, change: FoundChange) -> Claim | None:
    text = f"{change.service} was changed to {change.short} at {change.at}, {change.seconds} s before the onset."
    if change.seconds < 0:
        text = f"{change.service} was changed to {change.short} at {change.at}, as it began."
    for source in (_newest(case, "what_changed"), _newest(case, "rank_causes")):
        if claim := _observed(source, text, change.line):
            return claim
    return None


def _observed(source: Result | None, text: str, quote: str, *, side: str = "for") -> Claim | None:
    """A claim that the gate will pass, or None."""
    quote = _clip_quote(quote)
    text = _clip(text, 400)
    if source is None or source.evidence is None or not quote or not bears(source.evidence, text, quote):
        return None
    return {"text": text, "status": "observed", "artifact": source.id, "quote": quote, "side": side}


def _unproven(text: str, status: str, side: str) -> Claim:
    return {"text": text, "status": status, "side": side}


def _clip_quote(quote: str) -> str:
    return quote.strip()[:_QUOTE].strip()


def _newest(case: CollectedFindings, tool: str) -> Result | None:
    return next(reversed(case.transcript.of(tool)), None)


def _moved(metric: Metric) -> str:
    where = f"{possessive(metric.service)} calls to {metric.peer}" if metric.peer else metric.service
    went = "rose" if metric.rose else "fell"
    return f"{where}: {metric.indicator} {went} from {metric.before} to {metric.now}."


def _what(explanation: Explanation) -> str:
    """What happened, in a few words."""
    if explanation.change is not None and explanation.change_evidence is not None:
        effect = _EFFECTS.get(explanation.evidence.fault, explanation.evidence.fault.value)
        if explanation.evidence.fault is FaultKind.EXCEPTION:
            effect = explanation.evidence.exception or effect
        did = f"{explanation.change.short} {explanation.change_evidence.did}"
        return did if explanation.change_evidence.setting else f"{effect} since {did}"
    if explanation.external:
        silent = explanation.evidence.fault is FaultKind.TIMEOUT
        return f"{explanation.external} {'does not answer' if silent else 'fails'}"
    if explanation.evidence.fault is FaultKind.SURGE:
        rise = next((m for m in explanation.suspect.metrics if m.indicator == "requests rate" and m.rose), None)
        return f"far more requests than usual, {rise.before} -> {rise.now}" if rise else "far more requests than usual"
    return _kind(explanation)


def _stated(explanation: Explanation) -> str:
    """What happened as a sentence, without its full stop."""
    service, fault = explanation.suspect.service, explanation.evidence.fault
    if explanation.change is None and explanation.external:
        silent = fault is FaultKind.TIMEOUT
        return f"{explanation.external} {'does not answer' if silent else 'fails'} when {service} calls it"
    if explanation.change is None and fault is FaultKind.SURGE:
        rise = next((m for m in explanation.suspect.metrics if m.indicator == "requests rate" and m.rose), None)
        return f"{service} gets far more requests than usual{f', {rise.before} -> {rise.now}' if rise else ''}"
    does = _DOES.get(fault, f"{service}: {fault.value}")
    does = does.format(service=service, exception=explanation.evidence.exception or "an exception")
    if explanation.change is None or explanation.change_evidence is None:
        return does
    did = f"{explanation.change.short} {explanation.change_evidence.did}"
    if explanation.change_evidence.setting:
        return f"{did} of {service}" if " in " in did else f"{did} on {service}"
    return f"{does} since {did}"


def _kind(explanation: Explanation) -> str:
    fault = explanation.evidence.fault
    if explanation.external:
        return "outside provider down"
    if fault is FaultKind.EXCEPTION and explanation.evidence.exception:
        return _clip(f"exception {explanation.evidence.exception}", 60)
    if (
        explanation.change is not None
        and explanation.change_evidence is not None
        and "a query" in explanation.change_evidence.did
    ):
        return "slow query"
    return fault.value


def _reason(explanation: Explanation) -> str:
    if explanation.evidence.patterns:
        return f"Its own log says so: {_clip(explanation.evidence.patterns[0].example, 120)}"
    return _moved(explanation.suspect.metrics[0]) if explanation.suspect.metrics else ""


def _headline(case: CollectedFindings, explanation: Explanation, confidence: Confidence) -> str:
    service = explanation.suspect.service
    ready = f" {discover_remediations()[explanation.remedy].ready}" if explanation.remedy else ""
    tail = f" {confidence.capitalize()}.{ready}"
    for what in (_what(explanation), _kind(explanation)):
        line = f"{service}: {what}.{tail}"
        if len(line) <= _HEADLINE and _borne(case, line, ""):
            return line
    return _clip(f"{service}: {explanation.evidence.fault.value}.{tail}", _HEADLINE)


def _impact(case: CollectedFindings) -> str:
    if case.ranking.symptom is None:
        return ""
    since = f" since {case.ranking.onset} UTC" if case.ranking.onset else ""
    return _moved(case.ranking.symptom).rstrip(".") + since + "."


def _advice(case: CollectedFindings, explanation: Explanation) -> str:
    fault, service = explanation.evidence.fault, explanation.suspect.service
    if explanation.external:
        return (
            f"Call the operator of {explanation.external}; nothing here can mend it. "
            f"{service} could fail fast or queue until it is back."
        )
    if fault is FaultKind.SURGE:
        limit = next(
            (
                m
                for s in case.ranking.suspects
                for m in s.metrics
                if "share of limit" in m.indicator or "wait" in m.indicator
            ),
            None,
        )
        first = f" {limit.service} fills up first ({limit.indicator})." if limit else ""
        return f"More instances or workers of {service} would scale it; shedding requests would hold meanwhile.{first}"
    if fault is FaultKind.ROOM:
        return f"A restart begins a new file; the limit is hit again until {service} rotates it or the limit is raised."
    if fault is FaultKind.LEAK and explanation.change is None:
        return f"A restart frees the memory; it will grow again until the owner of {service} finds what is kept."
    if explanation.remedy is None:
        return f"No safe remedy is known here: ask the owner of {service}."
    return ""


def _target(case: CollectedFindings, explanation: Explanation) -> dict[str, str]:
    """A later change on the same service would make "the version before" the wrong one, so then it is named."""
    target = {"service": explanation.suspect.service}
    change = explanation.change
    if change is None or explanation.remedy is None:
        return target
    remediation = discover_remediations()[explanation.remedy]
    later = any(c.service == change.service and c.seconds < change.seconds for c in case.changes)
    if not remediation.needs_change or not later:
        return target
    try:
        remediation.arguments.model_validate(wanted := {**target, "to_version": change.previous})
    except ValidationError:
        return target
    return wanted


def _abstention(case: CollectedFindings) -> dict[str, Any]:
    """No cause. What was read and what was not is said by code, from the stored results."""
    headline = "No fault found." if case.ranking.quiet else "No confident cause."
    striking = next((p for p in case.patterns if p.striking), None)
    if striking is not None:
        calm = " but no metric is abnormal" if case.ranking.quiet else ""
        headline = f"No confident cause: {striking.service} logs a new error{calm}."
    claims: list[Claim] = []
    ranking = _newest(case, "rank_causes")
    if case.ranking.quiet and ranking is not None:
        quiet = _observed(ranking, "No indicator is abnormal.", case.ranking.quiet, side="context")
        claims += [quiet] if quiet else []
    if striking is not None and (logged := _log_claim(case, striking)):
        claims.append({**logged, "side": "context"})
    symptom = case.ranking.symptom
    if symptom is not None and (claim := _observed(ranking, _moved(symptom), symptom.line, side="context")):
        claims.append(claim)
    return {
        "headline": _clip(headline, _HEADLINE),
        "cause": None,
        "confidence": "none",
        "impact": _borne(case, _impact(case), ""),
        "claims": claims,
        "hypotheses": hypotheses(case, None),
        "not_known": not_known(case),
        "nothing_wrong": bool(case.ranking.quiet) and striking is None,
        "proposal": None,
        "advice": "",
    }


def _borne(case: CollectedFindings, text: str, otherwise: str) -> str:
    return text if not sentences.sift(text, case.transcript.run(), advises=True)[1] else otherwise


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _clip(text: str, limit: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def _unique(rows: Sequence[tuple[str, HypothesisState, str]]) -> list[tuple[str, HypothesisState, str]]:
    return list({text: (text, state, reason) for text, state, reason in rows}.values())
