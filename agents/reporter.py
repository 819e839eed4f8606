"""What the agent tells the people, as a protocol: the handlers show it in Slack, tests may collect it.

Only ids cross this seam. Whoever shows something reads it from the store, so a message can be rebuilt at any time and
saying the same thing twice shows it once.
"""

from __future__ import annotations

from typing import Protocol

from store.ids import ApprovalId, IncidentId, InvestigationId, TenantId


class Reporter(Protocol):
    """Every method is idempotent and may be called again after a crash. None raises for a failed delivery."""

    async def opened(self, tenant: TenantId, investigation: InvestigationId) -> None:
        """The first message: what is being checked, on which assumption, what is not connected."""

    async def progressed(self, tenant: TenantId, investigation: InvestigationId) -> None:
        """Tasks, hypotheses or steering changed."""

    async def concluded(self, tenant: TenantId, investigation: InvestigationId) -> None:
        """The verdict is stored, or the run was stopped or failed."""

    async def proposed(self, tenant: TenantId, approval: ApprovalId) -> None:
        """A plan waits for a decision: the card."""

    async def approval_changed(self, tenant: TenantId, approval: ApprovalId) -> None:
        """The plan or its state changed: the card is shown anew."""

    async def outcome(self, tenant: TenantId, approval: ApprovalId) -> None:
        """Healed, not healed, failed or unknown: the last message of the normal path."""

    async def looked_again(self, tenant: TenantId, approval: ApprovalId) -> None:
        """The second look after a remedy healed is over: it held, came back, or could not be measured."""

    async def ended(self, tenant: TenantId, incident: IncidentId) -> None:
        """The incident is over, or open again: its messages say how it ended, and offer an ending while it is open."""
