"""The base of what keeps one alert from ringing for a while, where its cause is known and worked on. It cures nothing,
and undo ends it.

It is made for exactly this alert, with the incident's id, and ends by itself. What is quiet already is left: who keeps
it quiet stands in the answer. The plan binds to the alert's state: one that ended, or that somebody else silenced in
between, makes it stale.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from pydantic import Field

from agents.connecting.active_alerts import ActiveAlert, Silence, Silencer
from agents.connecting.connector import ActionResult, Service, TargetState
from agents.errors import AgentError, NotPermitted
from agents.remediation import Impossible, Plan, PlanReason, Precondition, Remediation, RemediationContext, rate_risk
from agents.tool import Arguments, Risk

_OURS: Final = "silenced by Autoheal"
_GONE: Final = "not active"
_USUAL_MINUTES, _LEAST_MINUTES, _MOST_MINUTES = 60, 5, 240
_NAMED: Final = 5


class AlertToQuiet(Arguments):
    service: str = Field(description="A declared service.")
    alert: str | None = Field(
        default=None,
        max_length=200,
        description="The alert's name, or its key where several have that name; the only active one when left out.",
    )
    minutes: int = Field(
        default=_USUAL_MINUTES, ge=_LEAST_MINUTES, le=_MOST_MINUTES, description="How long it is kept from ringing."
    )


@dataclass(frozen=True, kw_only=True)
class QuietingWords:
    """How a source calls what keeps an alert quiet: the thing, making it, what the alert then is, and ending it."""

    noun: str
    verb: str
    done: str
    over: str


class Quieting(Remediation):
    """Made by the action that it is named after, taken back by `ending`."""

    risk = Risk.LOW
    is_cure = False
    named_where_impossible = False
    ending: ClassVar[str]
    words: ClassVar[QuietingWords]

    async def plan(self, arguments: AlertToQuiet, reason: PlanReason, context: RemediationContext) -> Plan | Impossible:
        """The preview, with the alert as it is now; or why there can be none."""
        service = context.service(arguments.service)
        if service is None:
            return Impossible(reason=f"{arguments.service[:40]!r} is not a declared service, so nothing is done to it.")
        silencer = _silencer(context, self.name, service.name)
        if silencer is None:
            return Impossible(reason=f"No connected source can {self.words.verb} alerts of {service.name}.")
        try:
            read = await silencer.read_alerts([service.name])
            alert = _chosen(service.name, read.alerts, arguments.alert)
            if isinstance(alert, Impossible):
                return alert
            own = await silencer.own_silence(alert.labels)
        except AgentError as exc:
            return Impossible(reason=f"A {self.words.noun} for {service.name} cannot be prepared: {exc}.")
        return self._quiet_already(alert, own) or self._as_plan(
            service, silencer, alert, reason, context, minutes=arguments.minutes
        )

    async def read_target(self, plan: Plan, context: RemediationContext) -> TargetState:
        silencer = _silencer(context, plan.action, plan.target)
        if silencer is None:
            raise NotPermitted(f"no connected source can {self.words.verb} alerts of {plan.target} any more")
        key = plan.parameters["alert"]
        own = await silencer.own_silence(json.loads(plan.parameters["labels"]))
        alerts = (await silencer.read_alerts([plan.target])).alerts
        alert = next((one for one in alerts if one.key == key), None)
        quiet = f"{_OURS} ({own.key})" if own is not None else ""
        return TargetState(
            service=plan.target,
            version=key,
            previous_version=None,
            state=quiet or (alert.state if alert is not None else _GONE),
            instances=1,
            started_at=alert.since if alert is not None else None,
            read_at=context.now(),
        )

    def binding(self, target: TargetState) -> str:
        return f"{target.service}: alert {target.version} {target.state}"

    def reached(self, plan: Plan, target: TargetState) -> bool:
        """Silenced by us, or not any more. An alert that ended rings nobody either, but was not silenced."""
        return target.state.startswith(_OURS) == (plan.action == self.name)

    async def apply(self, plan: Plan, context: RemediationContext, *, idempotency_key: str) -> ActionResult:
        return await context.require_actuator(plan.action, plan.target).act(
            plan.action, plan.parameters, idempotency_key=idempotency_key
        )

    async def undo(self, plan: Plan, reason: PlanReason, context: RemediationContext) -> Plan | Impossible:
        """Ends the silence; impossible once it has ended."""
        silencer, service = _silencer(context, self.ending, plan.target), context.service(plan.target)
        if silencer is None or service is None:
            return Impossible(reason=f"No connected source can {self.words.verb} alerts of {plan.target} any more.")
        own = await silencer.own_silence(json.loads(plan.parameters["labels"]))
        if own is None:
            return Impossible(reason=f"The {self.words.noun} has ended already; there is nothing to take back.")
        name = plan.parameters["name"]
        parameters = {**plan.parameters, "silence": own.key}
        target = TargetState(
            service=plan.target,
            version=plan.parameters["alert"],
            previous_version=None,
            state=f"{_OURS} ({own.key})",
            instances=1,
            started_at=None,
            read_at=context.now(),
        )
        return plan.model_copy(
            update={
                "title": f"{self.words.over} of {name}",
                "button": f"{self.words.over} of {name}"[:75],
                "action": self.ending,
                "parameters": parameters,
                "argv": silencer.argv(self.ending, parameters),
                "from_version": self.words.done,
                "to_version": "rings again",
                "target_version": self.binding(target),
                "interruption": "whoever is on call hears of it again if it is still active",
                "reversible": False,
                "undo": f"It can be {self.words.done} again by asking",
                "undo_until": None,
                "preconditions": (
                    Precondition(
                        text=f"{name} is {self.words.done} until {own.ends_at:%H:%M} UTC",
                        holds=True,
                        read_at=target.read_at,
                    ),
                ),
                "cause": reason.cause,
                "confidence": reason.confidence,
                "evidence": reason.evidence,
                "requested_by": reason.requested_by,
                "read_at": target.read_at,
                "fresh_until": target.read_at + context.freshness,
            }
        )

    def _quiet_already(self, alert: ActiveAlert, own: Silence | None) -> Impossible | None:
        if own is not None:
            until = f"{own.ends_at:%H:%M} UTC ({own.key})"
            return Impossible(reason=f"{alert.name} is {self.words.done} already, until {until}.")
        if alert.state == "firing":
            return None
        by = ", ".join(alert.silenced_by or alert.inhibited_by)
        return Impossible(reason=f"{alert.name} rings nobody now: it is {alert.state}{f' by {by}' if by else ''}.")

    def _as_plan(
        self,
        service: Service,
        silencer: Silencer,
        alert: ActiveAlert,
        reason: PlanReason,
        context: RemediationContext,
        *,
        minutes: int,
    ) -> Plan:
        now = context.now()
        title = f"{self.words.verb.capitalize()} {alert.name} of {service.name} for {minutes} min"
        told = f"Autoheal, incident {reason.incident or 'not known'}"
        parameters = dict(silencer.silence_parameters(alert, minutes=minutes, comment=told))
        target = TargetState(
            service=service.name,
            version=alert.key,
            previous_version=None,
            state=alert.state,
            instances=1,
            started_at=alert.since,
            read_at=now,
        )
        state = f"{alert.name} of {service.name} fires since {alert.since:%Y-%m-%d %H:%M:%S} UTC"
        return Plan(
            remediation=self.name,
            title=title,
            button=title[:75],
            action=self.name,
            parameters=parameters,
            argv=silencer.argv(self.name, parameters),
            target=service.name,
            environment=service.environment,
            from_version="rings",
            to_version=self.words.done,
            target_version=self.binding(target),
            instances=1,
            interruption="nobody is told of this alert meanwhile, nor that it has ended; users notice nothing",
            risk=rate_risk(self.risk, silencer, self.name, service.name),
            reversible=True,
            undo=f"{self.words.over}; it ends by itself after {minutes} min",
            undo_until=now + context.freshness + timedelta(minutes=minutes),
            preconditions=(Precondition(text=state, holds=True, read_at=now),),
            healing=None,
            cause=reason.cause,
            confidence=reason.confidence,
            evidence=reason.evidence,
            requested_by=reason.requested_by,
            read_at=now,
            fresh_until=now + context.freshness,
        )


def _silencer(context: RemediationContext, action: str, service: str) -> Silencer | None:
    return next((a for a in context.actuators if isinstance(a, Silencer) and a.can(action, service)), None)


def _chosen(service: str, alerts: tuple[ActiveAlert, ...], wanted: str | None) -> ActiveAlert | Impossible:
    """The one that is meant. Several at once are never kept quiet."""
    fitting = [one for one in alerts if wanted is None or wanted in (one.name, one.key)]
    if not fitting:
        which = f"alert {wanted[:80]!r}" if wanted else "alert"
        return Impossible(reason=f"No {which} of {service} is active now.")
    if len(fitting) > 1:
        told = ", ".join(f"{one.name} [{one.key}]" for one in fitting[:_NAMED])
        return Impossible(reason=f"{len(fitting)} alerts of {service} may be meant; name one by its key: {told}.")
    if not fitting[0].is_whole:
        return Impossible(
            reason=f"{fitting[0].name} has a label that looks like a secret, so it cannot be named exactly here."
        )
    return fitting[0]
