"""The adversarial review of a draft that names a cause, before anybody sees it: code tries to refute it.

What it finds lowers the confidence; a refutation returns the draft to the model once. What a returned draft met is kept
in the run's history, where the trace finds it and no model reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.gate.claims import Run
from agents.gate.draft import Checked
from agents.gate.evidence import Evidence
from agents.investigation.case import InvestigationCase
from agents.investigation.tracing import REVIEW
from agents.review.refuter import Subject, at_most, discover_refuters, review
from agents.trace import Objection
from agents.verdict import Confidence
from store.database.session import TenantSession
from store.incidents import investigations


@dataclass(frozen=True, kw_only=True)
class Reviewed:
    """What was found, and the confidence that it leaves. Nothing without a cause."""

    objections: tuple[Objection, ...] = ()
    second: Objection | None = None
    left: Confidence = "none"

    @property
    def _all(self) -> tuple[Objection, ...]:
        return (*self.objections, self.second) if self.second is not None else self.objections

    @property
    def refutations(self) -> tuple[Objection, ...]:
        return tuple(one for one in self._all if one.outcome == "refuted")

    @property
    def told(self) -> tuple[str, ...]:
        """For a draft that is returned."""
        return tuple(
            f"a review speaks against the cause ({title(one.by)}) {one.reason}. Look again, or conclude without it"
            for one in self.refutations
        )

    @property
    def doubts(self) -> tuple[str, ...]:
        """For a draft that is stored."""
        weighty = (one for one in self._all if one.outcome in ("refuted", "doubtful"))
        return tuple(f"review: confidence is at most {self.left}: {one.reason}" for one in weighty)


def review_draft(
    checked: Checked,
    evidence: Sequence[Evidence],
    calls: Mapping[str, tuple[str, ...]],
    *,
    second: Objection | None = None,
) -> Reviewed:
    """What all refuters say about a checked draft. `calls` go from each declared service to those that it calls;
    `second` is what a reviewer said of this cause, and is kept already.
    """
    if checked.cause is None:
        return Reviewed(left=checked.confidence)
    found = review(
        Subject(
            cause=checked.cause,
            confidence=checked.confidence,
            claims=checked.claims,
            hypotheses=checked.hypotheses,
            run=Run(evidence={item.id: item for item in evidence}, services=tuple(calls)),
            calls=calls,
        )
    )
    weighty = (*found, second) if second is not None else found
    return Reviewed(objections=found, second=second, left=at_most(checked.confidence, weighty))


async def keep_review(s: TenantSession, case: InvestigationCase, objections: Sequence[Objection]) -> None:
    """What a returned draft met; once for each draft."""
    draft = sum(call["name"] == "conclude" for call in case.calls())
    if not objections or any(m.meta.get("draft") == draft for m in case.messages if m.meta.get("kind") == REVIEW):
        return
    returned = [one.model_copy(update={"returned": one.outcome == "refuted"}) for one in objections]
    await investigations.append_message(
        s,
        case.investigation.id,
        seq=await investigations.count_messages(s, case.investigation.id),
        role="system",
        content="",
        meta={"kind": REVIEW, "draft": draft, "objections": [one.model_dump(mode="json") for one in returned]},
    )


def title(by: str) -> str:
    """What a refuter asks, for people."""
    known = discover_refuters().get(by)
    return known.title if known is not None else by
