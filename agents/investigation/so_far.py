"""What a follow-up has to know: what earlier runs of the incident concluded, and what was done about it."""

from __future__ import annotations

from typing import Final

from agents.verdict import Verdict
from store.database.session import TenantSession
from store.incidents import approvals, investigations
from store.incidents.approvals import Approval
from store.incidents.investigations import Investigation

_MOST_RUNS: Final = 3
_MOST_CLAIMS: Final = 4
_QUESTION: Final = 160


async def so_far(s: TenantSession, run: Investigation) -> str:
    """Plain lines, oldest first; empty for the first run of an incident."""
    lines = []
    for earlier in (await investigations.earlier_investigations(s, run))[-_MOST_RUNS:]:
        lines += _concluded(earlier)
    if lines:
        lines += [_done(approval) for approval in await approvals.approvals_of_incident(s, run.incident_id)]
    return "\n".join(lines)


def _concluded(run: Investigation) -> list[str]:
    asked = " ".join(str(run.question).split())[:_QUESTION]
    at = f"{run.finished_at or run.created_at:%d %b %H:%M} UTC"
    if run.verdict is None:
        return [f"- {at}, asked “{asked}”: the run ended as {run.status}, without a verdict."]
    verdict = Verdict.model_validate(run.verdict)
    lines = [f"- {at}, asked “{asked}”: {verdict.headline} Confidence {verdict.confidence}{_named(verdict)}."]
    claims = [claim for claim in verdict.claims if claim.status in ("observed", "derived")]
    lines += [f"  - {claim.side}: {claim.text}" for claim in claims[:_MOST_CLAIMS]]
    if verdict.proposal_refused:
        lines.append(f"  - not proposed: {verdict.proposal_refused}")
    return lines


def _named(verdict: Verdict) -> str:
    cause = verdict.cause
    if cause is None:
        return ""
    change = f", change {cause.change} ({cause.change_verdict})" if cause.change else ""
    return f"; cause {cause.service}{change}"


def _done(approval: Approval) -> str:
    what = f"{approval.remediation} of {approval.target}{' (an undo)' if approval.undo_of else ''}"
    times = [("decided", approval.decided_at), ("applied", approval.applied_at), ("ended", approval.finished_at)]
    when = ", ".join(f"{word} {at:%H:%M}" for word, at in times if at is not None)
    detail = str((approval.outcome or {}).get("detail") or "").strip()
    return f"- {what}: {approval.state.value}{f', {when} UTC' if when else ''}{f'. {detail}' if detail else ''}"
