"""What remediations at the host of the code have in common: previewed there, bound to what was read, undone there.

The plan binds to the target as the host tells it: an attempt of a run, the newest commit of a branch.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Final

from agents.connecting.code_host import CodeHost, HostPreview
from agents.connecting.connector import ActionResult, Service, TargetState
from agents.errors import AgentError, NotPermitted
from agents.remediation import (
    Impossible,
    Plan,
    PlanReason,
    Precondition,
    Remediation,
    RemediationContext,
    rate_risk,
)

_UNDO_FOR: Final = timedelta(hours=24)


class CodeHostRemediation(Remediation):
    """`undoing` is the action that takes it back, `doing` names it in sentences: "run a workflow again". `takes_effect`
    where it does something to what runs, so that the symptom is measured afterwards; a draft does nothing to it.
    """

    named_where_impossible = False
    is_cure = False  # what a run or a merge does, only its authors know
    takes_effect: ClassVar[bool] = False
    undoing: ClassVar[str]
    doing: ClassVar[str]

    def asked(self, arguments: Any) -> Mapping[str, str]:
        """The arguments as the host takes them."""
        return {name: value for name, value in arguments.model_dump().items() if value and name != "service"}

    async def plan(self, arguments: Any, reason: PlanReason, context: RemediationContext) -> Plan | Impossible:
        """The preview, with the target as it is now; or why there can be none."""
        service = context.service(arguments.service)
        if service is None:
            return Impossible(reason=f"{arguments.service[:40]!r} is not a declared service, so nothing is done to it.")
        host = _host(context, self.action, service.name)
        if host is None:
            return Impossible(reason=f"No connected source may {self.doing} of {service.name}: an admin may permit it.")
        try:
            preview = await host.preview(self.action, service.name, self.asked(arguments))
        except AgentError as exc:
            return Impossible(reason=f"To {self.doing} of {service.name} cannot be prepared: {exc}.")
        return self._as_plan(self.action, service, host, preview, reason, context)

    async def read_target(self, plan: Plan, context: RemediationContext) -> TargetState:
        host = _host(context, plan.action, plan.target)
        if host is None:
            raise NotPermitted(f"no connected source may {self.doing} of {plan.target} any more")
        return await host.read_host_target(plan.action, plan.parameters)

    def binding(self, target: TargetState) -> str:
        return f"{target.service}: {target.version}; {target.state}"

    def reached(self, plan: Plan, target: TargetState) -> bool:
        if plan.action.startswith("cancel_"):
            return target.state.startswith("cancelled")
        return target.version == plan.to_version

    async def apply(self, plan: Plan, context: RemediationContext, *, idempotency_key: str) -> ActionResult:
        actuator = context.require_actuator(plan.action, plan.target)
        return await actuator.act(plan.action, plan.parameters, idempotency_key=idempotency_key)

    async def undo(self, plan: Plan, reason: PlanReason, context: RemediationContext) -> Plan | Impossible:
        """The plan that takes it back at the host, as far as it can be taken back now."""
        service, host = context.service(plan.target), _host(context, self.undoing, plan.target)
        if service is None or host is None:
            return Impossible(reason=f"No connected source can take that back for {plan.target} any more.")
        if plan.undo_until is not None and context.now() > plan.undo_until:
            return Impossible(reason=f"The undo was offered until {plan.undo_until:%Y-%m-%d %H:%M} UTC.")
        try:
            preview = await host.preview(self.undoing, service.name, plan.undo_parameters or {})
        except AgentError as exc:
            return Impossible(reason=f"It cannot be taken back: {exc}.")
        return self._as_plan(self.undoing, service, host, preview, reason, context)

    def _as_plan(  # noqa: PLR0917 - it is called twice, with all of them
        self,
        action: str,
        service: Service,
        host: CodeHost,
        preview: HostPreview,
        reason: PlanReason,
        context: RemediationContext,
    ) -> Plan:
        now, target, parameters = context.now(), preview.target, dict(preview.parameters)
        forward = action == self.action
        known = (f"{service.name}: {target.version}; {target.state}", *preview.known)
        return Plan(
            remediation=self.name,
            title=preview.title,
            button=preview.title[:75],
            action=action,
            parameters=parameters,
            argv=host.argv(action, parameters),
            target=service.name,
            environment=service.environment,
            from_version=target.version,
            to_version=preview.to_version,
            target_version=self.binding(target),
            diff_link=preview.link,
            diff_paths=preview.paths,
            instances=target.instances,
            interruption=preview.interruption,
            risk=rate_risk(self.risk, host, action, service.name),
            reversible=forward and bool(preview.undo),
            undo=preview.undo or "It can be asked for again",
            undo_parameters=dict(preview.undo_parameters) or None,
            undo_until=now + _UNDO_FOR if forward and preview.undo else None,
            preconditions=tuple(Precondition(text=text, holds=True, read_at=target.read_at) for text in known),
            healing=reason.healing if self.takes_effect else None,
            cause=reason.cause,
            confidence=reason.confidence,
            evidence=reason.evidence,
            requested_by=reason.requested_by,
            read_at=target.read_at,
            fresh_until=now + context.freshness,
        )


def _host(context: RemediationContext, action: str, service: str) -> CodeHost | None:
    return next((a for a in context.actuators if isinstance(a, CodeHost) and a.can(action, service)), None)
