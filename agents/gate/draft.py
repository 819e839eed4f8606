"""A whole draft through the gate: claims, cause, change, confidence, proposal, and every sentence that is shown.

Nothing is refused for its form, and nothing goes in silence: what was taken out stands among `dropped`, with where it
stood and why. Pure functions: no store, no model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from agents.gate import changes, sentences
from agents.gate.claims import Proof, Run, judge
from agents.gate.evidence import Evidence
from agents.gate.words import plain
from agents.remediation import discover_remediations
from agents.rows import Row, Searched, Suspect
from agents.verdict import (
    Cause,
    Claim,
    Confidence,
    Draft,
    DraftCause,
    DraftClaim,
    Dropped,
    Hypothesis,
    Proposal,
    StoredProof,
)

_RANK: Final[Mapping[Confidence, int]] = {"none": 0, "low": 1, "medium": 2, "high": 3}
_SURE: Final = re.compile(
    r"\s*[(,;:-]?\s*\b(?:very )?(high|medium|low|no|full|certain)(?: (?:confidence|certainty))?\b\)?(?=[.!;)]|$)\.?",
    re.IGNORECASE,
)
_ALL_WELL: Final = re.compile(
    r"\bno (?:active )?(?:fault|failure|problem|issue|incident|error|anomal)\w*|\ball (?:is )?(?:well|fine|good"
    r"|ok|okay|normal|healthy|green)\b"
    r"|\bfalse alarm\b|\bnothing (?:is )?(?:wrong|broken|abnormal|unusual)\b|\bevery(?:thing|body) (?:is"
    r" )?(?:fine|well|ok|normal)\b|\bis (?:healthy|fine|over)\b"
    r"|\brecovered\b",
    re.IGNORECASE,
)
NO_CAUSE: Final = "No confident cause: see what was checked and what is missing."


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What passed. `problems` are worth another draft: they touch cause, confidence or proposal. `notes` are told
    too. `taken` are the drafted claims that passed, each at the place of its claim.
    """

    headline: str
    cause: Cause | None
    confidence: Confidence
    impact: str
    claims: tuple[Claim, ...]
    dropped: tuple[Dropped, ...]
    hypotheses: tuple[Hypothesis, ...]
    not_known: tuple[str, ...]
    proposal: Proposal | None
    proposal_refused: str | None
    advice: str
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    taken: tuple[DraftClaim, ...] = ()


@dataclass(kw_only=True)
class _Gate:
    run: Run
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    taken: list[DraftClaim] = field(default_factory=list)

    def drop(self, text: str, reason: str, where: str, *, shown: bool = True) -> None:
        self.dropped.append(Dropped(text=text[:400], reason=reason, where=where, shown=shown))
        self.notes.append(f"{where}: left out {text[:200]!r}: {reason}")

    def kept(self, text: str, where: str, *, advises: bool = False) -> str:
        """The sentences of a text that may be shown."""
        good, bad = sentences.sift(text, self.run, advises=advises, gaps=where == "not_known")
        for sentence, fault in bad:
            self.drop(sentence, fault.reason, where, shown=not fault.never)
        return good


def check_draft(
    draft: Draft, evidence: Sequence[Evidence], services: Iterable[str], *, at_most: Confidence = "high"
) -> Checked:
    """Apply every rule of the gate to one draft. `at_most` is the confidence that a review of it left."""
    run = Run(evidence={item.id: item for item in evidence}, services=tuple(services))
    gate = _Gate(run=run)
    claims = tuple(claim for drafted in draft.claims if (claim := _claim(gate, drafted)))
    cause = _cause(gate, draft.cause, claims)
    confidence = _lower(_confidence(gate, draft, cause, claims), at_most)
    cause = None if confidence == "none" else cause
    proposal, refused = _proposal(gate, draft, cause, confidence)
    passed = Checked(
        headline=_headline(gate, draft, cause, confidence),
        cause=cause,
        confidence=confidence,
        impact=gate.kept(draft.impact, "impact"),
        claims=claims,
        dropped=(),
        hypotheses=tuple(h for drafted in draft.hypotheses if (h := _hypothesis(gate, drafted))),
        not_known=tuple(kept for text in draft.not_known if (kept := gate.kept(text, "not_known"))),
        proposal=proposal,
        proposal_refused=refused,
        advice=gate.kept(draft.advice, "advice", advises=True),
        problems=(),
    )
    return replace(
        passed,
        dropped=tuple(gate.dropped),
        problems=tuple(gate.problems),
        notes=tuple(gate.notes),
        taken=tuple(gate.taken),
    )


def _claim(gate: _Gate, drafted: DraftClaim) -> Claim | None:
    proofs = [Proof(artifact=proof.artifact, quote=proof.quote) for proof in drafted.cited]
    wanted = "observed" if drafted.status == "derived" else drafted.status
    judged = judge(drafted.text, wanted, proofs, gate.run)
    if judged.status is None:
        gate.drop(drafted.text, judged.reason, "claims", shown=not judged.never)
        return None
    status = "unknown" if drafted.status == "unknown" and not judged.told else judged.status
    stored = tuple(
        StoredProof(
            artifact=one.evidence.id,
            source=one.evidence.source,
            taken_at=one.evidence.taken_at.isoformat(),
            quote=one.quote,
        )
        for one in judged.cited
    )
    first = stored[0] if stored else None
    if wanted == "observed" and status == "inferred":
        gate.notes.append(f"claims: {drafted.text[:120]!r} is shown as inferred: {judged.reason}")
    if judged.told:
        gate.notes.append(f"claims: {drafted.text[:120]!r} is told as {judged.told[:160]!r}: {judged.reason}")
    gate.taken.append(drafted)
    return Claim(
        text=judged.told or drafted.text,
        status=status,
        side="context" if judged.is_mere_presence else drafted.side,
        artifact=first.artifact if first else None,
        source=first.source if first else None,
        taken_at=first.taken_at if first else None,
        quote=first.quote if first else None,
        proofs=stored,
        because=judged.reason or None,
        hypothesis=drafted.hypothesis,
    )


def _observed_for(claims: Sequence[Claim]) -> list[Claim]:
    return [claim for claim in claims if claim.status in ("observed", "derived") and claim.side == "for"]


def _proofs(claims: Sequence[Claim]) -> set[str]:
    """The results from which something observed speaks for the cause."""
    return {proof.artifact for claim in _observed_for(claims) for proof in claim.proofs}


def _cause(gate: _Gate, cause: DraftCause | None, claims: Sequence[Claim]) -> Cause | None:
    if cause is None:
        return None
    if cause.service not in gate.run.services:
        known = ", ".join(sorted(gate.run.services))
        gate.problems.append(f"{cause.service!r} is not one of the declared services: {known}")
        gate.dropped.append(Dropped(text=cause.service, reason="not a declared service", where="cause"))
        return None
    if cause.external is not None and not sentences.was_read(cause.external, gate.run):
        gate.problems.append(f"the outside dependency {cause.external!r} stands in no result of this run")
        gate.dropped.append(Dropped(text=cause.external, reason="stands in no result of this run", where="cause"))
        return None
    if not _proofs(claims):
        gate.problems.append("no cause without a proof: cite at least one observed claim that speaks for it")
        return None
    judged = changes.judge_change(cause.change, cause.service, gate.run)
    if judged.problem:
        gate.problems.append(judged.problem)
    kind = gate.kept(cause.kind, "cause kind") or "fault"
    statement = gate.kept(cause.statement, "cause statement") or f"{cause.service}: {kind}."
    return Cause(
        service=cause.service,
        external=cause.external,
        change=judged.change,
        change_verdict=judged.verdict,
        kind=kind,
        statement=statement,
    )


def _confidence(gate: _Gate, draft: Draft, cause: Cause | None, claims: Sequence[Claim]) -> Confidence:
    """High needs two observed proofs from two results and agreement with the evidence engine."""
    if cause is None:
        return "none"
    proofs = _proofs(claims)
    cap: Confidence = "high" if len(proofs) >= 2 else "medium"
    why = f"{len(proofs)} result(s) are cited for the cause" if cap == "medium" else ""
    if cause.change_verdict == "coincides":
        cap, why = "low", f"change {cause.change} only coincides"
    elif draft.cause is not None and draft.cause.change and cause.change is None and cap == "high":
        cap, why = "medium", "the change that it names is not the cause"
    if not any(_is_about(cause, claim, gate.run) for claim in _observed_for(claims)):
        cap, why = "low", f"no proof is about {cause.service}"
    top = _engine_top(gate.run)
    if top is not None and top != cause.service and _RANK[cap] > _RANK["medium"]:
        cap, why = "medium", f"the evidence engine ranks {top} first"
    if _RANK[draft.confidence] > _RANK[cap]:
        gate.problems.append(f"confidence lowered to {cap}: {why}")
    return _lower(draft.confidence, cap)


def _is_about(cause: Cause, claim: Claim, run: Run) -> bool:
    """Whether a proof was read from the service of the cause, was asked of it, or names it."""
    names = [name for name in (cause.service, cause.external) if name]
    return any(_proves(proof, claim.text, names, run) for proof in claim.proofs)


def _proves(proof: StoredProof, text: str, names: Sequence[str], run: Run) -> bool:
    evidence = run.result(proof.artifact)
    if evidence is None:
        return False
    asked = " ".join(str(value) for value in evidence.arguments.values())
    if any(_named(name, f"{proof.quote} {text} {asked}") for name in names):
        return True
    quoted = {row.service for row in evidence.rows if row.line and _near(row.line, proof.quote)}
    whole = {row.service for row in evidence.rows if row.service}
    return names[0] in quoted or whole == {names[0]}


def _named(name: str, text: str) -> bool:
    """As a word of its own, or as the beginning of a pod's or task's name."""
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![a-z0-9])", text, re.IGNORECASE) is not None


def _near(line: str, quote: str) -> bool:
    return quote.strip() in line or line.strip() in quote


def _engine_top(run: Run) -> str | None:
    rankings = [[row for row in item.rows if isinstance(row, Suspect)] for item in run.evidence.values()]
    found = [ranking for ranking in rankings if ranking]
    return min(found[-1], key=lambda row: row.place).service if found else None


def _lower(one: Confidence, other: Confidence) -> Confidence:
    return one if _RANK[one] <= _RANK[other] else other


def _proposal(
    gate: _Gate, draft: Draft, cause: Cause | None, confidence: Confidence
) -> tuple[Proposal | None, str | None]:
    """A remediation that exists, for the service that is named as the cause, whose proofs were read; at low confidence
    only where the measurements do not put another service first, for a remedy at the wrong one is an outage more.

    The sentence for people names nothing that the model invented; the one for the model does.
    """
    if draft.proposal is None:
        return None, None
    wanted, target, known = draft.proposal.remediation, draft.proposal.arguments.get("service"), discover_remediations()
    told: str | None = None
    if cause is None:
        told, shown = (
            "no proposal without a cause that passed the gate",
            "There is no cause that a remedy could act on.",
        )
    elif wanted not in known:
        told = f"the proposal {wanted!r} is not a remediation; there are: {', '.join(sorted(known))}"
        shown = "The remedy that was proposed does not exist here."
    elif target != cause.service:
        told = f"the proposal's target {target!r} is not {cause.service}, the service of the cause"
        shown = f"The remedy that was proposed does not act on {cause.service}, the service of the cause."
    elif confidence == "low" and (first := _engine_top(gate.run)) not in (None, cause.service):
        told = f"rank_causes puts {first} first, and at low confidence no remedy is proposed for {cause.service}"
        shown = f"The measurements put {first} first, and confidence is low: no remedy is offered for {cause.service}."
    elif known[wanted].needs_change and cause.change_verdict != "cause":
        rule = "it precedes the onset, reaches the symptom, does not merely coincide, and its diff was read"
        told = f"a rollback needs a change that is the cause: {rule}"
        shown = f"a rollback needs a change that is the cause: {rule}"
    elif lacking := known[wanted].unread(draft.proposal.arguments, _rows_read(gate.run)):
        told, shown = lacking, "The remedy that was proposed rests on something that was not read."
    if told is not None:
        gate.problems.append(told)
        gate.dropped.append(Dropped(text=wanted[:60], reason=told, where="proposal", shown=False))
        return None, shown
    return Proposal(remediation=wanted, arguments=dict(draft.proposal.arguments)), None


def _rows_read(run: Run) -> list[Row]:
    return [row for one in run.evidence.values() if not one.is_error for row in one.rows]


def _hypothesis(gate: _Gate, drafted: object) -> Hypothesis | None:
    text = gate.kept(getattr(drafted, "text", ""), "hypotheses")
    if not text:
        return None
    return Hypothesis(
        id=getattr(drafted, "id", "H1"),
        text=text,
        state=getattr(drafted, "state", "open"),
        reason=gate.kept(getattr(drafted, "reason", ""), "hypotheses"),
    )


def _headline(gate: _Gate, draft: Draft, cause: Cause | None, confidence: Confidence) -> str:
    """The model's words where they pass and fit the verdict; else the code's."""
    own = _own_headline(gate, cause, confidence)
    if draft.cause is not None and cause is None:
        if draft.headline:
            gate.drop(draft.headline, "its cause did not pass", "headline")
        return own
    said = _without_other_confidence(draft.headline, confidence)
    fault = sentences.fault_of(said, gate.run)
    reason = fault.reason if fault else _contradicts(said, cause, gate.run)
    if reason or not said.strip():
        if draft.headline:
            gate.drop(draft.headline, reason or "nothing is left of it", "headline", shown=not (fault and fault.never))
        return own
    return said


def _own_headline(gate: _Gate, cause: Cause | None, confidence: Confidence) -> str:
    if cause is not None:
        return f"{cause.service}: {cause.kind}. {confidence.capitalize()}."[:120]
    return NO_CAUSE if not _is_quiet(gate.run) else "No fault found."


def _without_other_confidence(headline: str, confidence: Confidence) -> str:
    """The one confidence is the gate's: a word for another one goes."""

    def replaced(match: re.Match[str]) -> str:
        return match[0] if match[1].lower() == confidence and "confidence" not in match[0].lower() else "."

    return re.sub(r"\.\s*\.+", ".", _SURE.sub(replaced, headline)).strip()


def _contradicts(headline: str, cause: Cause | None, run: Run) -> str | None:
    """Why a headline does not fit the cause, or the lack of one."""
    text = plain(headline)
    says_well = _ALL_WELL.search(text) is not None
    if cause is None:
        return "no result says that nothing is wrong" if says_well and not _is_quiet(run) else None
    lead = re.match(r"\s*([\w.-]+)\s*:", text)
    named = {s for s in run.services if re.search(rf"(?<![\w./-]){re.escape(s)}(?![\w-])", text, re.IGNORECASE)}
    mine = {name for name in (cause.service, cause.external) if name}
    others = {s.lower() for s in run.services} - {name.lower() for name in mine}
    strange = sentences.strange_words(text, run, f"{cause.statement} {cause.kind}")
    outside = cause.external is not None and cause.external.lower() in text.lower()
    faults = (
        (lead is not None and lead[1].lower() in others, f"the cause is {cause.service}"),
        (bool(named) and not named & mine and not outside, f"it does not name {cause.service}, the cause"),
        (says_well, "it says that nothing is wrong"),
        (len(strange) > 1, f"neither the cause nor any result speaks of {', '.join(strange[:4])}"),
    )
    return next((reason for holds, reason in faults if holds), None)


def _is_quiet(run: Run) -> bool:
    """Whether the newest ranking, or where there is none the sources that tell their state, found nothing abnormal."""
    newest: Literal["quiet", "loud", ""] = ""
    for item in run.evidence.values():
        if item.is_error:
            continue
        if item.tool == "rank_causes":
            newest = "loud" if any(isinstance(row, Suspect) for row in item.rows) else newest
            quiet = [row for row in item.rows if isinstance(row, Searched) and not row.found]
            newest = "quiet" if quiet and not any(isinstance(row, Suspect) for row in item.rows) else newest
        elif not newest and item.tool.startswith(("cluster_", "database_")):
            newest = "quiet"
    return newest == "quiet"
