"""Makes a ticket of what an investigation found, for work that goes on after the incident. It cures nothing.

An incident has at most one: it carries the incident's mark as a label, by which it is found again. It stays.
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from agents.connecting.connector import TargetState
from agents.errors import AgentError
from agents.remediation import Impossible, Plan, PlanReason, RemediationContext
from agents.remediation.tickets import TicketRemediation, mark_of, told_of
from agents.tool import Arguments

_NONE: Final = "no ticket"
_LONGEST: Final = 200


class TicketFor(Arguments):
    service: str = Field(description="A declared service.")


class CreateTicket(TicketRemediation):
    name = "create_ticket"
    title = "Create a ticket"
    arguments = TicketFor
    when = (
        "when somebody asks for a ticket of what was found, or when work remains after the incident and nothing here "
        "can clear its cause; it cures nothing, so it is never the remedy of a cause that another one here can clear"
    )
    ready = "Ticket ready."
    stays = "A ticket stays once it was made: close it where it is kept"

    async def plan(self, arguments: TicketFor, reason: PlanReason, context: RemediationContext) -> Plan | Impossible:
        """The preview, with the ticket as it would be made; or why there can be none."""
        found = self.writer_for(arguments.service, context)
        if isinstance(found, Impossible):
            return found
        if not reason.incident:
            return Impossible(reason="Which incident a ticket would be about is not known.")
        service, writer = found
        mark, title = mark_of(reason), f"{service.name}: {reason.cause or 'incident without a known cause'}"[:_LONGEST]
        try:
            own = await writer.own_ticket(mark)
            parameters = await writer.ticket_parameters(
                service.name, mark=mark, title=" ".join(title.split()), text=told_of(reason, service.name)
            )
        except AgentError as exc:
            return Impossible(reason=f"A ticket of {service.name} cannot be prepared: {exc}.")
        if own is not None:
            return Impossible(reason=f"This incident has a ticket already: {own.shown} ({own.link}).")
        return self.as_plan(
            service,
            writer,
            self._target(service.name, mark, _NONE, context),
            reason,
            context,
            parameters=parameters,
            state="this incident has no ticket yet",
            title=f"Create a ticket of {service.name}",
            from_version=_NONE,
            to_version="a ticket",
        )

    async def read_target(self, plan: Plan, context: RemediationContext) -> TargetState:
        own = await self.writer_of(plan, context).own_ticket(plan.parameters["mark"])
        state = _NONE if own is None else f"ticket {own.shown}"
        return self._target(plan.target, plan.parameters["mark"], state, context)

    def reached(self, plan: Plan, target: TargetState) -> bool:
        return target.service == plan.target and target.state != _NONE

    def _target(self, service: str, mark: str, state: str, context: RemediationContext) -> TargetState:
        return TargetState(
            service=service,
            version=mark,
            previous_version=None,
            state=state,
            instances=1,
            started_at=None,
            read_at=context.now(),
        )


REMEDIATION = CreateTicket()
