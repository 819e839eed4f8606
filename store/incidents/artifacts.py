"""Artifacts: each tool result as it was read, numbered in its investigation (A1, A2) so that claims cite it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from store.database.schema import ArtifactRow, InvestigationRow
from store.database.session import TenantSession
from store.errors import NotFound
from store.ids import ArtifactId, InvestigationId, stable_id
from store.secrets.redaction import Redacted


@dataclass(frozen=True, kw_only=True)
class Artifact:
    id: ArtifactId
    number: int
    investigation_id: InvestigationId
    tool_use_id: str
    tool: str
    arguments: dict[str, Any]
    text: Redacted
    is_error: bool
    taken_at: datetime
    source: str
    facts: dict[str, Any]


async def save_artifact(
    s: TenantSession,
    *,
    investigation_id: InvestigationId,
    tool_use_id: str,
    tool: str,
    arguments: dict[str, Any],
    text: Redacted,
    source: str,
    is_error: bool = False,
    facts: dict[str, Any] | None = None,
) -> Artifact:
    """Safe to repeat with the same tool use: the first result stays. Raises NotFound for an unknown investigation."""
    owner = await s.one(InvestigationRow, InvestigationRow.id == investigation_id, lock=True)
    if owner is None:
        raise NotFound("no such investigation")
    row_id = stable_id("artifact", s.tenant_id, investigation_id, tool_use_id)
    row = await s.one(ArtifactRow, ArtifactRow.id == row_id)
    if row is None:
        taken = await s.value(
            select(func.max(ArtifactRow.number)).where(ArtifactRow.investigation_id == investigation_id)
        )
        row = ArtifactRow(
            id=row_id,
            investigation_id=investigation_id,
            number=(taken or 0) + 1,
            tool_use_id=tool_use_id,
            tool=tool,
            source=s.redactor.redact(source),
            is_error=is_error,
            taken_at=s.now(),
            arguments=s.seal_json("artifacts", "arguments", row_id, arguments),
            text=s.seal("artifacts", "text", row_id, text),
            facts=s.seal_json("artifacts", "facts", row_id, facts or {}),
        )
        await s.insert(row)
    return _artifact(s, row)


async def artifact(s: TenantSession, artifact_id: ArtifactId) -> Artifact | None:
    row = await s.one(ArtifactRow, ArtifactRow.id == artifact_id)
    return None if row is None else _artifact(s, row)


async def artifacts(s: TenantSession, investigation_id: InvestigationId) -> list[Artifact]:
    """In the order of their numbers."""
    rows = await s.all(
        select(ArtifactRow).where(ArtifactRow.investigation_id == investigation_id).order_by(ArtifactRow.number)
    )
    return [_artifact(s, row) for row in rows]


def _artifact(s: TenantSession, row: ArtifactRow) -> Artifact:
    return Artifact(
        id=ArtifactId(row.id),
        number=row.number,
        investigation_id=InvestigationId(row.investigation_id),
        tool_use_id=row.tool_use_id,
        tool=row.tool,
        arguments=s.open_json("artifacts", "arguments", row.id, row.arguments),
        text=s.open("artifacts", "text", row.id, row.text),
        is_error=row.is_error,
        taken_at=row.taken_at,
        source=row.source,
        facts=s.open_json("artifacts", "facts", row.id, row.facts),
    )
