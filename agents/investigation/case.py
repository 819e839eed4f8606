"""One run as it stands in the store: everything a turn needs, read in one short transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agents.gate.evidence import Evidence
from agents.gate.older import Older, read_older
from agents.models.budget import BudgetSpent
from agents.models.model import Briefing, Note
from agents.rows.stored import KEY, rows_of
from store import incidents
from store.database.session import Database, TenantSession
from store.ids import InvestigationId, TenantId
from store.incidents import Incident, artifacts, investigations
from store.incidents.artifacts import Artifact
from store.incidents.investigations import Investigation, ModelMessage


@dataclass(frozen=True, kw_only=True)
class InvestigationCase:
    """A snapshot; the store stays the truth."""

    investigation: Investigation
    incident: Incident
    messages: tuple[ModelMessage, ...]
    artifacts: tuple[Artifact, ...]

    def turn_message(self, role: str, turn: int) -> ModelMessage | None:
        """The assistant's content or the tool results of turn `turn`, if they are committed."""
        return next((m for m in self.messages if m.role == role and (m.meta or {}).get("turn") == turn), None)

    def message_of(self, kind: str) -> ModelMessage | None:
        """The first message of a kind."""
        return next((m for m in self.messages if (m.meta or {}).get("kind") == kind), None)

    def calls(self) -> list[dict[str, Any]]:
        """All tool_use blocks so far, in order."""
        return [block for m in self.messages if m.role == "assistant" for block in tool_uses(m.content)]

    def results(self) -> list[dict[str, Any]]:
        """All tool_result blocks so far, in order."""
        return [
            block
            for m in self.messages
            if m.role == "user" and not isinstance(m.content, str)
            for block in m.content
            if block.get("type") == "tool_result"
        ]

    def evidence(self) -> list[Evidence]:
        return [as_evidence(artifact) for artifact in self.artifacts]

    def briefing(self, otherwise: Mapping[str, Any]) -> Briefing:
        """The conversation as data, for an investigator that is code.

        Runs that an earlier version began have no opening as data; `otherwise` stands for it.
        """
        told = {**otherwise, **((self.messages[0].meta if self.messages else {}).get("briefing") or {})}
        sent = [m for m in self.messages if m.content]
        notes = [
            Note(text=str(m.meta["text"]), place=n) for n, m in enumerate(sent) if m.meta.get("kind") == "steering"
        ]
        hurried = any(m.meta.get("kind") == "budget" for m in sent)
        return Briefing(
            question=str(self.investigation.question),
            said=tuple(told.get("said", ())),
            services={name: tuple(callees) for name, callees in told.get("services", {}).items()},
            aliases=dict(told.get("aliases", {})),
            remedies={name: tuple(names) for name, names in told.get("remedies", {}).items()},
            connected=tuple(told.get("connected", ())),
            missing=tuple(told.get("missing", ())),
            notes=tuple(notes),
            hurried=hurried,
            reads={artifact.tool_use_id: as_evidence(artifact) for artifact in self.artifacts},
        )

    def spent(self, now: datetime) -> BudgetSpent:
        """What the budget judges, from the stored counters and calls.

        After a takeover only what came since: the offline investigator does not inherit a used-up budget.
        """
        run = self.investigation
        takeover = next((m for m in self.messages if m.meta.get("kind") == "offline"), None)
        if takeover is not None:
            answers = [m for m in self.messages if m.role == "assistant" and m.seq > takeover.seq]
            since = BudgetSpent(turns=len(answers))
            for call in (block for m in answers for block in tool_uses(m.content)):
                since = since.after_call(str(call["name"]), call["input"])
            return since.at(now - takeover.created_at)
        spent = BudgetSpent(
            input_tokens=run.input_tokens, output_tokens=run.output_tokens, usd=run.cost_usd, turns=run.turns
        )
        for call in self.calls():
            spent = spent.after_call(str(call["name"]), call["input"])
        return spent.at(now - (run.started_at or now))


async def load_case(db: Database, tenant: TenantId, investigation: InvestigationId) -> InvestigationCase:
    async with db.tenant(tenant, readonly=True) as s:
        return await read_case(s, investigation)


async def read_case(s: TenantSession, investigation_id: InvestigationId) -> InvestigationCase:
    """As `load_case`, inside a transaction that is already open."""
    investigation = await investigations.investigation(s, investigation_id)
    incident = await incidents.incident(s, investigation.incident_id) if investigation else None
    if investigation is None or incident is None:
        raise LookupError(f"no investigation {investigation_id} in this tenant")
    return InvestigationCase(
        investigation=investigation,
        incident=incident,
        messages=tuple(await investigations.messages(s, investigation_id)),
        artifacts=tuple(await artifacts.artifacts(s, investigation_id)),
    )


def tool_uses(content: Sequence[dict[str, Any]] | str) -> list[dict[str, Any]]:
    """The tool_use blocks of one message."""
    return [block for block in content if block.get("type") == "tool_use"] if not isinstance(content, str) else []


def as_evidence(artifact: Artifact) -> Evidence:
    """The stored result as gate and investigators see it; one of an earlier version gets its rows from its text."""
    older = Older(
        tool=artifact.tool,
        arguments=artifact.arguments,
        text=artifact.text,
        facts=artifact.facts,
        taken_at=artifact.taken_at,
        is_error=artifact.is_error,
    )
    return Evidence(
        id=f"A{artifact.number}",
        tool=artifact.tool,
        source=artifact.source,
        text=artifact.text,
        facts=artifact.facts,
        taken_at=artifact.taken_at,
        is_error=artifact.is_error,
        rows=rows_of(artifact.facts) if KEY in artifact.facts else read_older(older),
        arguments=artifact.arguments,
    )
