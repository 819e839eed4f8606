"""What the remediations have in common that write tickets: what is told of an incident, and by which mark it is found
again. They cure nothing, and what was written stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from agents.connecting.connector import ActionResult, Service, TargetState
from agents.connecting.ticketing import TicketWriter
from agents.english import counted
from agents.errors import NotPermitted
from agents.remediation import Impossible, Plan, PlanReason, Precondition, Remediation, RemediationContext, rate_risk
from agents.tool import Risk

_UNFIT: Final = re.compile(r"[^A-Za-z0-9._-]+")


class TicketRemediation(Remediation):
    """`stays` says why there is no undo."""

    risk = Risk.LOW
    named_where_impossible = False
    is_cure = False
    stays: ClassVar[str]

    def binding(self, target: TargetState) -> str:
        return f"{target.service}: {target.version} {target.state}"

    async def apply(self, plan: Plan, context: RemediationContext, *, idempotency_key: str) -> ActionResult:
        return await context.actuator_of(plan).act(plan.action, plan.parameters, idempotency_key=idempotency_key)

    async def undo(
        self,
        plan: Plan,  # noqa: ARG002 -- part of the contract
        reason: PlanReason,  # noqa: ARG002 -- part of the contract
        context: RemediationContext,  # noqa: ARG002 -- part of the contract
    ) -> Plan | Impossible:
        return Impossible(reason=self.stays)

    def writer_for(self, name: str, context: RemediationContext) -> tuple[Service, TicketWriter] | Impossible:
        service = context.service(name)
        if service is None:
            return Impossible(reason=f"{name[:40]!r} is not a declared service, so nothing is written about it.")
        able = [one for one in context.actuators if isinstance(one, TicketWriter) and one.can(self.action, name)]
        if not able:
            return Impossible(reason=f"No connected source can write tickets of {name}: an admin may permit it there.")
        if len(able) > 1:
            where = ", ".join(one.key for one in able)
            return Impossible(
                reason=f"Tickets of {name} may be written in several places ({where}): which is not known."
            )
        return service, able[0]

    def writer_of(self, plan: Plan, context: RemediationContext) -> TicketWriter:
        """Raises NotPermitted where the connection that the plan was made with is gone."""
        writer = context.actuator_of(plan)
        if not isinstance(writer, TicketWriter):
            raise NotPermitted(f"{plan.parameters['connection']} writes no tickets any more")
        return writer

    def as_plan(
        self,
        service: Service,
        writer: TicketWriter,
        target: TargetState,
        reason: PlanReason,
        context: RemediationContext,
        *,
        parameters: Mapping[str, str],
        state: str,
        **more: Any,
    ) -> Plan:
        """`state` is what was so when it was read; `more` are title, from_version and to_version."""
        now, kept = context.now(), {**parameters, "connection": writer.key}
        return Plan(
            remediation=self.name,
            button=str(more["title"])[:75],
            action=self.action,
            parameters=kept,
            argv=writer.argv(self.action, kept),
            target=service.name,
            environment=service.environment,
            target_version=self.binding(target),
            instances=1,
            interruption="none: whoever watches the project is told by its tracker",
            risk=rate_risk(self.risk, writer, self.action, service.name),
            reversible=False,
            undo=self.stays,
            preconditions=(Precondition(text=state, holds=True, read_at=now),),
            healing=None,
            cause=reason.cause,
            confidence=reason.confidence,
            evidence=reason.evidence,
            requested_by=reason.requested_by,
            read_at=now,
            fresh_until=now + context.freshness,
            **more,
        )


def mark_of(reason: PlanReason) -> str:
    """A word that stands for the incident in another system."""
    return f"autoheal-{_UNFIT.sub('-', reason.incident).strip('-')[:80]}"


def told_of(reason: PlanReason, service: str) -> str:
    """What the verdict says, as it passed the gate, and where to find the rest."""
    sure = "not known" if reason.confidence == "none" else f"{reason.confidence} confidence"
    lines = [
        f"{mark_of(reason)}: told by Autoheal of its incident {reason.incident}.",
        f"Service: {service}",
        f"Cause ({sure}): {reason.cause or 'none was found'}",
    ]
    lines += [f"Evidence: {counted(len(reason.evidence), 'result')} in its report."] if reason.evidence else []
    return "\n".join(lines)
