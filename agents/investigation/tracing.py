"""The decision trace of one run, from what the store holds of it and what the gate and the review said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agents.gate.draft import Checked
from agents.investigation.case import InvestigationCase
from agents.models.claude_history import BY_CODE
from agents.models.offline.transcript import CALL_PREFIX
from agents.trace import AskedBy, Costs, Objection, Steered, Trace, TracedRead, Weighed
from agents.verdict import Claim, Confidence, Hypothesis
from store.incidents.artifacts import Artifact

REVIEW: Final = "review"
"""The kind of message that keeps what a review found; no model reads it."""
REVIEWER: Final = "reviewer"
"""Who objected, where it was a model."""
BY_REVIEWER: Final = "toolu_review_"
"""Begins the ids of the calls that a reviewer asked for."""
_SPEECH: Final = frozenset(("state_hypotheses",))
_LINE: Final = 160


def trace_of(
    case: InvestigationCase, checked: Checked, *, drafted: Confidence, review: Sequence[Objection], seconds: float
) -> Trace:
    """`review` is what was found about the draft that is stored; what an earlier one met stands in the history."""
    run = case.investigation
    return Trace(
        reads=tuple(_read(artifact) for artifact in case.artifacts if artifact.tool not in _SPEECH),
        hypotheses=tuple(_weighed(one, checked.claims) for one in checked.hypotheses),
        review=(*earlier(case), *review),
        steered=tuple(
            Steered(note=str(m.meta.get("note", "")), at=m.created_at.isoformat(), text=str(m.meta["text"]))
            for m in case.messages
            if m.meta.get("kind") == "steering"
        ),
        drafted=drafted,
        drafts=sum(call["name"] == "conclude" for call in case.calls()),
        costs=Costs(
            turns=run.turns,
            tool_calls=run.tool_calls,
            input_tokens=run.input_tokens,
            output_tokens=run.output_tokens,
            cost_usd=run.cost_usd,
            reviewer_usd=sum(float(m.meta.get("cost_usd", 0.0)) for m in case.messages if m.meta.get("kind") == REVIEW),
            seconds=seconds,
        ),
    )


def earlier(case: InvestigationCase) -> tuple[Objection, ...]:
    """What reviews of this run kept: of a draft that was returned, and of the reviewer."""
    kept = [m.meta.get("objections", ()) for m in case.messages if m.meta.get("kind") == REVIEW]
    return tuple(Objection.model_validate(one) for found in kept for one in found)


def _read(artifact: Artifact) -> TracedRead:
    told = " ".join(str(artifact.facts.get("summary") or "").split())
    return TracedRead(
        artifact=f"A{artifact.number}",
        tool=artifact.tool,
        source=artifact.source,
        taken_at=artifact.taken_at.isoformat(),
        told=told if len(told) <= _LINE else f"{told[: _LINE - 1]}…",
        failed=artifact.is_error,
        asked_by=_asked_by(artifact.tool_use_id),
    )


def _asked_by(tool_use_id: str) -> AskedBy:
    prefixes: tuple[tuple[str, AskedBy], ...] = (
        (BY_CODE, "code"),
        (BY_REVIEWER, "reviewer"),
        (CALL_PREFIX, "offline"),
    )
    return next((by for prefix, by in prefixes if tool_use_id.startswith(prefix)), "claude")


def _weighed(one: Hypothesis, claims: Sequence[Claim]) -> Weighed:
    """With the claims that name it; the one that is supported also has those that name none."""
    supporting, opposing = list[int](), list[int]()
    for number, claim in enumerate(claims, start=1):
        if claim.hypothesis not in (one.id, None) or (claim.hypothesis is None and one.state != "supported"):
            continue
        if claim.side == "for":
            supporting.append(number)
        elif claim.side == "against" or (claim.side == "rules_out" and claim.hypothesis == one.id):
            opposing.append(number)
    return Weighed(
        id=one.id,
        text=one.text,
        state=one.state,
        reason=one.reason,
        supporting=tuple(supporting),
        opposing=tuple(opposing),
    )
