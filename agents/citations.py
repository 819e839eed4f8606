"""The truth gate: what the model drafts becomes a verdict only as far as stored results bear it.

Quotes must stand verbatim in the cited result, numbers must stand there too (after rounding and unit conversion),
versions must have been seen, a change is a cause only if it precedes the onset, reaches the symptom and its diff was
read in this run. What fails is dropped and kept in the trace. Pure functions: no store, no model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from agents.gate.evidence import Evidence
from agents.remediation import discover_remediations
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
)

# A number of its own: not part of a word (p95, v2, i18n), a path (/v2), a reference (#12) or a name (us-east-1).
# `10-93` and `5/10` are two numbers each. What follows it at once or after a blank may be its unit.
_NUMBER: Final = re.compile(
    r"(?:(?<![\w.#/-])[-+]?|(?<=\d[/-]))((?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:e[-+]?\d+)?)(?![\d.]*\d)"
    r"\s?(%|[a-zµ]*(?:/s)?)",
    re.IGNORECASE,
)
# What was read may be a column of a table: 31,200 is two numbers, or one. An x before it is a factor.
_READ_NUMBER: Final = re.compile(r"(?<![a-wyz\d.])\d+(?:\.\d+)?(?:e[-+]?\d+)?")
_READ_THOUSANDS: Final = re.compile(r"(?<![a-wyz\d.,])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)")
_TIME: Final = re.compile(r"\b\d{1,2}:\d{2}(?::\d{2})?\b")
_VERSION: Final = re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{6,40}\b")
_DOTTED: Final = re.compile(r"(?<![\w.])v?(\d+(?:\.\d+){2,})\b", re.IGNORECASE)  # v1.2.3, 10.0.0.1
_CLASS_OR_ORDINAL: Final = frozenset({"xx", "st", "nd", "rd", "th"})  # 5xx, 2nd
_SMALL_COUNTS: Final = 3.0  # "two services", "1 path": words of grammar, not measurements
_LEAST_SHA: Final = 7  # digits: a short commit id may have no letter in it
_LEAST_QUOTE: Final = 6  # characters; a shorter one stands in almost any text and proves nothing
_KILO: Final = (1.0, 1e3, 1024.0)
_MEGA: Final = (*_KILO, 1e6, 1024.0**2)
# By what a number that was read is divided to get the written one: "1.2 GB" may have been read as bytes or megabytes.
_SCALES: Final[Mapping[str, tuple[float, ...]]] = {
    "%": (1.0, 0.01),
    "ms": (1.0, 0.001, 1e3),
    "µs": (1.0, 1e-6, 1e-3),
    "s": (1.0, 1e3, 1e6, 1 / 60),
    "min": (1.0, 60.0, 6e4),
    "h": (1.0, 60.0, 3600.0),
    "k": _KILO,
    "kb": (*_KILO, 1e-3, 1 / 1024),
    "mb": (*_MEGA, 1e-3, 1 / 1024),
    "gb": (*_MEGA, 1e9, 1024.0**3),
    **dict.fromkeys(("x", "times", "/s", "rps", "qps"), (1.0,)),
}
_UNIT_NAMES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("m", "mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("hour", "hours"), "h"),
    **dict.fromkeys(("percent", "pct"), "%"),
    **dict.fromkeys(("kib",), "kb"),
    **dict.fromkeys(("mib",), "mb"),
    **dict.fromkeys(("gib",), "gb"),
}
_RANK: Final[Mapping[Confidence, int]] = {"none": 0, "low": 1, "medium": 2, "high": 3}


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What passed. `problems` are sentences for the model, so that it can mend its draft once."""

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


def check_draft(draft: Draft, evidence: Sequence[Evidence], services: Iterable[str]) -> Checked:
    """Apply every rule of the gate to one draft."""
    usable = {item.id: item for item in evidence if not item.is_error}
    corpus = "\n".join(item.text for item in usable.values())
    problems: list[str] = []
    dropped: list[Dropped] = []
    claims = [claim for draft_claim in draft.claims if (claim := _check_claim(draft_claim, usable, corpus, dropped))]
    cause = _check_cause(draft.cause, usable.values(), frozenset(services), corpus, problems)
    if cause is not None and not _proofs(claims):
        problems.append("no cause without a proof: cite at least one observed claim that speaks for it")
        cause = None
    confidence = _cap_confidence(draft.confidence, cause, claims, usable, problems)
    if confidence == "none":
        cause = None
    problems.extend(f"dropped: {drop.text!r}: {drop.reason}" for drop in dropped)
    proposal, refused = _check_proposal(draft, cause)
    if refused:
        problems.append(refused)
    return Checked(
        headline=_headline(draft, cause, confidence, corpus),
        cause=cause,
        confidence=confidence,
        impact=_borne(draft.impact, corpus),
        claims=tuple(claims),
        dropped=tuple(dropped),
        hypotheses=tuple(
            Hypothesis(id=h.id, text=h.text, state=h.state, reason=h.reason)
            for h in draft.hypotheses
            if numbers_borne(f"{h.text} {h.reason}", corpus)
        ),
        not_known=tuple(text for text in draft.not_known if numbers_borne(text, corpus)),
        proposal=proposal,
        proposal_refused=refused,
        advice=_borne(draft.advice, corpus),
        problems=tuple(problems),
    )


def _check_claim(
    claim: DraftClaim, usable: Mapping[str, Evidence], corpus: str, dropped: list[Dropped]
) -> Claim | None:
    reason = _fault(claim, usable, corpus)
    if reason is not None:
        dropped.append(Dropped(text=claim.text, reason=reason))
        return None
    cited = usable.get(claim.artifact or "")
    return Claim(
        text=claim.text,
        status=claim.status,
        side=claim.side,
        artifact=cited.id if cited else None,
        source=cited.source if cited else None,
        taken_at=cited.taken_at.isoformat() if cited else None,
        quote=claim.quote if cited else None,
    )


def _fault(claim: DraftClaim, usable: Mapping[str, Evidence], corpus: str) -> str | None:
    """Why a claim does not pass, or None."""
    if claim.status == "observed":
        return _fault_of_observed(claim, usable)
    if not numbers_borne(claim.text, corpus):
        return "it states a number or version that no result of this run contains"
    if claim.quote is not None and claim.quote not in corpus:
        return "the quote stands in no result of this run"
    return None


def _fault_of_observed(claim: DraftClaim, usable: Mapping[str, Evidence]) -> str | None:
    if claim.artifact is None or not claim.quote:
        return "an observed claim needs an artifact and a quote"
    cited = usable.get(claim.artifact)
    if cited is None:
        return f"{claim.artifact} is not a result of this run"
    if len(claim.quote) < _LEAST_QUOTE:
        return f"the quote is too short to prove anything: at least {_LEAST_QUOTE} characters"
    if claim.quote not in cited.text:
        return f"the quote does not stand in {claim.artifact}"
    if not numbers_borne(claim.text, cited.text):
        return f"it states a number or version that {claim.artifact} does not contain"
    return None


def bears(cited: Evidence, statement: str, quote: str) -> bool:
    """Whether a claim with this statement and quote passes as observed."""
    return quote in cited.text and numbers_borne(statement, cited.text)


def borne_by_any(statement: str, evidence: Iterable[Evidence]) -> bool:
    """Whether the results together hold the numbers, times and versions of a statement."""
    return numbers_borne(statement, "\n".join(item.text for item in evidence if not item.is_error))


def numbers_borne(statement: str, text: str) -> bool:
    """Whether each number, clock time and version in `statement` stands in `text`, up to rounding and units."""
    lowered = text.lower()
    for pattern in (_VERSION, _DOTTED):
        if any(version not in lowered for version in pattern.findall(statement.lower())):
            return False
    if any(moment not in text for moment in _TIME.findall(statement)):
        return False
    bare = statement.lower()
    for pattern in (_VERSION, _DOTTED, _TIME):
        bare = pattern.sub(" ", bare)
    readable = _VERSION.sub(" ", lowered)
    written = (*_READ_NUMBER.findall(readable), *_READ_THOUSANDS.findall(readable))
    known = [float(number.replace(",", "")) for number in written]
    return all(_number_borne(match[1], match[2], known, lowered) for match in _NUMBER.finditer(bare))


def _number_borne(written: str, unit: str, known: Sequence[float], text: str) -> bool:
    """`unit` is what stands behind the number, a unit or any other word."""
    if unit in _CLASS_OR_ORDINAL or (written.isdigit() and len(written) >= _LEAST_SHA and written in text):
        return True
    value = float(written.replace(",", ""))
    name = _UNIT_NAMES.get(unit, unit)
    if name not in _SCALES and value <= _SMALL_COUNTS and value == int(value):
        return True
    decimals = len(written.partition(".")[2]) if "e" not in written else 6
    tolerance = 0.5 * 10.0**-decimals + 1e-9
    scales = _SCALES.get(name, (1.0,))
    return any(abs(number / scale - value) <= tolerance for scale in scales for number in known)


def _check_cause(
    cause: DraftCause | None, evidence: Iterable[Evidence], services: frozenset[str], corpus: str, problems: list[str]
) -> Cause | None:
    if cause is None:
        return None
    if cause.service not in services:
        problems.append(f"{cause.service!r} is not one of the declared services: {', '.join(sorted(services))}")
        return None
    if cause.external is not None and cause.external not in corpus:
        problems.append(f"the outside dependency {cause.external!r} stands in no result of this run")
        return None
    kind = cause.kind if numbers_borne(cause.kind, corpus) else "fault"
    statement = cause.statement if numbers_borne(cause.statement, corpus) else f"{cause.service}: {kind}"
    change_verdict, change = _judge_change(cause.change, list(evidence), problems)
    return Cause(
        service=cause.service,
        external=cause.external,
        change=change,
        change_verdict=change_verdict,
        kind=kind,
        statement=statement,
    )


def _judge_change(
    claimed: str | None, evidence: Sequence[Evidence], problems: list[str]
) -> tuple[Literal["cause", "coincides", "none"], str | None]:
    """`cause` only for a change that precedes the onset, reaches the symptom and whose diff was read in this run."""
    if claimed is None:
        return "none", None
    known = [
        entry
        for item in evidence
        for entry in item.facts.get("changes", ())
        if isinstance(entry, Mapping) and entry.get("id") == claimed
    ]
    if not known:
        problems.append(f"change {claimed!r} was not found by a change tool in this run")
        return "none", None
    latest = known[-1]
    read = any(item.facts.get("diff_of") == claimed for item in evidence)
    missing = [
        words
        for words, holds in (
            ("it does not precede the onset", latest.get("precedes_onset")),
            ("it does not reach the symptom", latest.get("reaches_symptom")),
            ("its diff was not read in this run", read),
        )
        if not holds
    ]
    if missing:
        problems.append(f"change {claimed} only coincides: {'; '.join(missing)}")
        return "coincides", claimed
    return "cause", claimed


def _cap_confidence(
    claimed: Confidence,
    cause: Cause | None,
    claims: Sequence[Claim],
    usable: Mapping[str, Evidence],
    problems: list[str],
) -> Confidence:
    """High needs two observed proofs from two results and agreement with the evidence engine."""
    if cause is None:
        return "none"
    proofs = _proofs(claims)
    cap: Confidence = "high" if len(proofs) >= 2 else "medium"
    if cap != "high" and _RANK[claimed] > _RANK[cap]:
        problems.append(f"confidence lowered to {cap}: {len(proofs)} result(s) are cited for the cause")
    if cause.change_verdict == "coincides":
        cap = _lower(cap, "low")
    if (top := _engine_top(usable.values())) is not None and top != cause.service and _RANK[claimed] > _RANK["medium"]:
        cap = _lower(cap, "medium")
        problems.append(f"confidence lowered: the evidence engine ranks {top} first")
    return _lower(claimed, cap)


def _proofs(claims: Sequence[Claim]) -> set[str | None]:
    """The results from which something observed speaks for the cause."""
    return {claim.artifact for claim in claims if claim.status == "observed" and claim.side == "for"}


def _lower(one: Confidence, other: Confidence) -> Confidence:
    return one if _RANK[one] <= _RANK[other] else other


def _engine_top(evidence: Iterable[Evidence]) -> str | None:
    rankings = [item.facts["causes"] for item in evidence if item.facts.get("causes")]
    return str(rankings[-1][0]["service"]) if rankings else None


def _check_proposal(draft: Draft, cause: Cause | None) -> tuple[Proposal | None, str | None]:
    """A remediation that exists, for the service that is named as the cause, whose proofs were read."""
    if draft.proposal is None:
        return None, None
    wanted, target, known = draft.proposal.remediation, draft.proposal.arguments.get("service"), discover_remediations()
    if cause is None:
        return None, "no proposal without a cause that passed the gate"
    if wanted not in known:
        return None, f"the proposal {wanted!r} is not a remediation; there are: {', '.join(sorted(known))}"
    if target != cause.service:
        return None, f"the proposal's target {target!r} is not {cause.service}, the service of the cause"
    if wanted == "rollback_deployment" and cause.change_verdict != "cause":
        rule = "it precedes the onset, reaches the symptom, its diff was read"
        return None, f"a rollback needs a change that is the cause: {rule}"
    return Proposal(remediation=wanted, arguments=dict(draft.proposal.arguments)), None


def _headline(draft: Draft, cause: Cause | None, confidence: Confidence, corpus: str) -> str:
    if draft.cause is not None and cause is None:
        return "No confident cause: see what was checked and what is missing."
    if numbers_borne(draft.headline, corpus):
        return draft.headline
    if cause is None:
        return "No fault found."
    return f"{cause.service}: {cause.kind}. {confidence.capitalize()}."[:120]


def _borne(text: str, corpus: str) -> str:
    return text if numbers_borne(text, corpus) else ""
