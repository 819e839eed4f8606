"""Writes at a ticket what an investigation found, for those who follow the ticket. It cures nothing.

An incident comments at most once on a ticket: its comment begins with the incident's mark. It stays.
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from agents.connecting.connector import TargetState
from agents.errors import AgentError
from agents.remediation import Impossible, Plan, PlanReason, RemediationContext
from agents.remediation.tickets import TicketRemediation, mark_of, told_of
from agents.tool import Arguments

_NONE, _THERE = "without a comment of this incident", "with a comment of this incident"
_KEY: Final = r"^[A-Z][A-Z0-9_]{1,30}-[0-9]{1,10}$"


class CommentOn(Arguments):
    service: str = Field(description="A declared service.")
    ticket: str = Field(pattern=_KEY, description="The ticket's key, as OPS-12.")


class CommentTicket(TicketRemediation):
    name = "comment_ticket"
    title = "Comment on a ticket"
    arguments = CommentOn
    when = (
        "when somebody asks to tell a ticket what was found, or when an open ticket is about the very incident; it "
        "cures nothing, so it is never the remedy of a cause that another one here can clear"
    )
    ready = "Comment ready."
    stays = "A comment stays once it was written: delete it where it is kept"

    async def plan(self, arguments: CommentOn, reason: PlanReason, context: RemediationContext) -> Plan | Impossible:
        """The preview, with the comment as it would be written; or why there can be none."""
        found = self.writer_for(arguments.service, context)
        if isinstance(found, Impossible):
            return found
        if not reason.incident:
            return Impossible(reason="Which incident a comment would be about is not known.")
        (service, writer), mark = found, mark_of(reason)
        try:
            item = await writer.read_ticket(arguments.ticket)
            there = await writer.is_commented(item, mark)
        except AgentError as exc:
            return Impossible(reason=f"A comment on {arguments.ticket} cannot be prepared: {exc}.")
        if item.service != service.name:
            return Impossible(reason=f"Ticket {item.shown} is of {item.service}, not of {service.name}.")
        if there:
            return Impossible(reason=f"This incident has commented on {item.shown} already ({item.link}).")
        return self.as_plan(
            service,
            writer,
            self._target(service.name, item.key, _NONE, context),
            reason,
            context,
            parameters={
                "service": service.name,
                "item": item.key,
                "mark": mark,
                "text": told_of(reason, service.name),
            },
            state=f"ticket {item.shown} ({item.title[:80]}) is {item.state}, {_NONE}",
            title=f"Comment on ticket {item.shown} of {service.name}",
            from_version=_NONE,
            to_version=_THERE,
        )

    async def read_target(self, plan: Plan, context: RemediationContext) -> TargetState:
        writer = self.writer_of(plan, context)
        item = await writer.read_ticket(plan.parameters["item"])
        there = await writer.is_commented(item, plan.parameters["mark"])
        return self._target(item.service, item.key, _THERE if there else _NONE, context)

    def reached(self, plan: Plan, target: TargetState) -> bool:
        return target.service == plan.target and target.state == _THERE

    def _target(self, service: str, key: str, state: str, context: RemediationContext) -> TargetState:
        return TargetState(
            service=service,
            version=key,
            previous_version=None,
            state=state,
            instances=1,
            started_at=None,
            read_at=context.now(),
        )


REMEDIATION = CommentTicket()
