"""Puts a service back to a version that it ran before, through whichever connected source can roll back.

The plan binds to the running version: another deployment in between makes it stale. Migrations that were added since
the wanted version make a precondition fail, because the older code would meet a newer database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pydantic import Field

from agents.connecting.connector import ActionResult, Actuator, Diff, Service, TargetState
from agents.errors import AgentError
from agents.evidence.types import Window
from agents.remediation import (
    Impossible,
    Plan,
    PlanReason,
    Precondition,
    Remediation,
    RemediationContext,
    describe_interruption,
    rate_risk,
)
from agents.tool import Arguments, Risk

_ACTION = "rollback_deployment"
_FORWARD = "deploy"
_KNOWN_FOR = timedelta(days=90)
_UNDO_FOR = timedelta(hours=24)


class RollBack(Arguments):
    service: str = Field(description="A declared service.")
    to_version: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{7,64}$",
        description="A version that it ran before; the one before the running version when left out.",
    )


@dataclass(frozen=True, kw_only=True)
class _Move:
    """From what runs to what is wanted; `lost` is what the running version has over the wanted one."""

    service: Service
    actuator: Actuator
    action: str
    target: TargetState
    to_version: str
    lost: Diff | None
    forward: bool


class RollbackDeployment(Remediation):
    name = "rollback_deployment"
    title = "Roll back a deployment"
    risk = Risk.MEDIUM
    arguments = RollBack
    when = "when a deployment is the cause; also where a restart would only clear its symptom"
    ready = "Rollback ready."
    needs_change = True

    async def plan(self, arguments: RollBack, reason: PlanReason, context: RemediationContext) -> Plan | Impossible:
        """The preview of a rollback, or why there can be none. Reads the target, the deployments and the diff."""
        service = context.service(arguments.service)
        if service is None:
            return Impossible(reason=f"{arguments.service[:40]!r} is not a declared service, so nothing is done to it.")
        actuator = context.actuator(_ACTION, service.name)
        if actuator is None:
            return Impossible(reason=f"No connected source can roll back {service.name}; an operator may declare one.")
        try:
            target = await actuator.read_target(service.name)
            wanted = await self._wanted(arguments.to_version, target, context)
            if isinstance(wanted, Impossible):
                return wanted
            lost = await _read_diff(service.name, wanted, target.version, context)
            move = _Move(
                service=service,
                actuator=actuator,
                action=_ACTION,
                target=target,
                to_version=wanted,
                lost=lost,
                forward=False,
            )
            return self._as_plan(move, reason, context)
        except AgentError as exc:
            return Impossible(reason=f"A rollback of {service.name} cannot be prepared: {exc}.")

    async def read_target(self, plan: Plan, context: RemediationContext) -> TargetState:
        return await context.require_actuator(plan.action, plan.target).read_target(plan.target)

    def binding(self, target: TargetState) -> str:
        return f"{target.service}@{target.version}"

    def reached(self, plan: Plan, target: TargetState) -> bool:
        return target.service == plan.target and target.version == plan.to_version

    async def apply(self, plan: Plan, context: RemediationContext, *, idempotency_key: str) -> ActionResult:
        actuator = context.require_actuator(plan.action, plan.target)
        return await actuator.act(plan.action, plan.parameters, idempotency_key=idempotency_key)

    async def undo(self, plan: Plan, reason: PlanReason, context: RemediationContext) -> Plan | Impossible:
        """The plan that deploys the version again that ran before; impossible once something else was deployed."""
        service = context.service(plan.target)
        action = next((a for a in (_FORWARD, _ACTION) if context.actuator(a, plan.target)), _ACTION)
        actuator = context.actuator(action, plan.target)
        if service is None or actuator is None:
            return Impossible(reason=f"No connected source can deploy {plan.target} any more.")
        if plan.undo_until is not None and context.now() > plan.undo_until:
            return Impossible(reason=f"The undo was offered until {plan.undo_until:%Y-%m-%d %H:%M} UTC.")
        try:
            target = await actuator.read_target(plan.target)
            if target.version != plan.to_version:
                return Impossible(
                    reason=f"{plan.target} runs {target.version[:7]} now, not {(plan.to_version or '')[:7]}; "
                    "something else was deployed since."
                )
            gained = await _read_diff(service.name, target.version, plan.from_version, context)
            move = _Move(
                service=service,
                actuator=actuator,
                action=action,
                target=target,
                to_version=plan.from_version,
                lost=gained,
                forward=True,
            )
            return self._as_plan(move, reason, context)
        except AgentError as exc:
            return Impossible(reason=f"The undo for {plan.target} cannot be prepared: {exc}.")

    async def _wanted(self, asked: str | None, target: TargetState, context: RemediationContext) -> str | Impossible:
        """The full id of a version that this service ran before. A version that was never deployed is refused."""
        history = await _history(target, context)
        if asked is None:
            if history.before is not None:
                return history.before
            return Impossible(reason=f"No version of {target.service} before {target.version[:7]} is known.")
        if target.version.startswith(asked):
            return Impossible(reason=f"{target.service} runs {asked[:7]} already.")
        matching = [version for version in history.ran if version.startswith(asked)]
        if not matching:
            return Impossible(reason=f"{asked[:7]} was never deployed to {target.service}, as far as is known.")
        return matching[0]

    def _as_plan(self, move: _Move, reason: PlanReason, context: RemediationContext) -> Plan:
        service, target, lost = move.service.name, move.target, move.lost
        now = context.now()
        parameters = {"service": service, "version": move.to_version}
        verb = f"Deploy {service} {move.to_version[:7]} again" if move.forward else None
        label = verb or f"Roll back {service} to {move.to_version[:7]}"
        migrations = lost.migrations if lost and not move.forward else ()
        return Plan(
            remediation=self.name,
            title=label,
            button=label[:75],
            action=move.action,
            parameters=parameters,
            argv=move.actuator.argv(move.action, parameters),
            target=service,
            environment=move.service.environment,
            from_version=target.version,
            to_version=move.to_version,
            target_version=self.binding(target),
            diff_link=lost.link if lost else None,
            diff_paths=lost.paths if lost else (),
            commits_lost=lost.others if lost and not move.forward else (),
            migrations=migrations,
            instances=target.instances,
            interruption=describe_interruption(target),
            risk=rate_risk(self.risk, move.actuator, move.action, service),
            reversible=True,
            undo=f"Deploy {service} {target.version[:7]} again",
            undo_parameters={"service": service, "version": target.version},
            undo_until=now + _UNDO_FOR,
            preconditions=_preconditions(move, migrations),
            healing=reason.healing,
            cause=reason.cause,
            confidence=reason.confidence,
            evidence=reason.evidence,
            requested_by=reason.requested_by,
            read_at=target.read_at,
            fresh_until=now + context.freshness,
        )


def _preconditions(move: _Move, migrations: tuple[str, ...]) -> tuple[Precondition, ...]:
    target, to = move.target, move.to_version[:7]
    runs = Precondition(
        text=f"{target.service} runs {target.version[:7]} and is {target.state}", holds=True, read_at=target.read_at
    )
    if move.forward:
        known = Precondition(text=f"{to} ran before this rollback", holds=True, read_at=target.read_at)
        return (runs, known)
    known = Precondition(text=f"{to} was deployed to {target.service} before", holds=True, read_at=target.read_at)
    if move.lost is None:
        text, holds = f"Whether migrations lie between {to} and {target.version[:7]} could not be read", False
    elif migrations:
        text, holds = f"No migrations would be lost, but {', '.join(migrations[:5])} came after {to}", False
    else:
        text, holds = f"No migrations lie between {to} and {target.version[:7]}", True
    return (runs, known, Precondition(text=text, holds=holds, read_at=target.read_at))


@dataclass(frozen=True, kw_only=True)
class _History:
    """`ran` is every version known to have run, newest first; `before` is the default to go back to."""

    before: str | None
    ran: tuple[str, ...]


async def _history(target: TargetState, context: RemediationContext) -> _History:
    """From the deployments; the target's own word counts for the default only where no deployment of it is known.

    A version that was rolled back to appears twice: what came before its first deployment is older for certain.
    """
    now = context.now()
    ran: list[str] = []
    before = target.previous_version
    for source in context.changes:
        deployed = await source.read_changes(Window(start=now - _KNOWN_FOR, end=now))
        versions = [c.version for c in deployed.changes if c.service == target.service and c.version]
        if target.version in versions:
            older = versions[: versions.index(target.version)]
            before = older[-1] if older else None
        ran += reversed(versions)
    ran += [target.previous_version] if target.previous_version else []
    return _History(before=before, ran=tuple(v for v in dict.fromkeys(ran) if v != target.version))


async def _read_diff(service: str, old: str, new: str, context: RemediationContext) -> Diff | None:
    """What `new` has over `old`, from the first source that knows both; None where no source does."""
    for source in context.changes:
        try:
            return await source.read_diff(service, old, new)
        except AgentError:
            continue  # another repository may know the versions; None becomes a failed precondition
    return None


REMEDIATION = RollbackDeployment()
