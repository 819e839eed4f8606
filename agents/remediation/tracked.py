"""What remediations of incidents and issues have in common: which one is meant, its state as it is, and the way back.

None of them cures anything: it is done when the item is in the state that was asked for, and heals nothing. A plan is
bound to the state that was read: whoever changed it in between makes the plan stale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pydantic import Field

from agents.connecting.connector import ActionResult, Service, TargetState
from agents.connecting.trackers import TrackedItem, Tracker
from agents.errors import AgentError, NotPermitted
from agents.remediation import Impossible, Plan, PlanReason, Precondition, Remediation, RemediationContext, rate_risk
from agents.tool import Arguments

_NAMED: Final = 5


class TrackedArguments(Arguments):
    """Base of what these remediations take; `item` is the tracker's id, or what people call it."""

    service: str = Field(description="A declared service.")
    item: str | None = Field(default=None, max_length=80, description="Which one; the only open one when left out.")


@dataclass(frozen=True, kw_only=True)
class FoundItem:
    """One open item of a declared service, and the connection that tracks it."""

    service: Service
    tracker: Tracker
    item: TrackedItem


class TrackedRemediation(Remediation):
    """Subclasses say what is tracked and what becomes of it.

    `kind` is the tracker's word for it, `verb` what is done, `wanted` the state that it ends in. `way_back` is the
    action that takes it back; "" where nothing does, and then `no_way_back` says why. `interruption` is what ends for
    people meanwhile, `returned` what they notice when it is taken back.
    """

    named_where_impossible = False
    is_cure = False
    kind: ClassVar[str]
    verb: ClassVar[str]
    wanted: ClassVar[str]
    interruption: ClassVar[str]
    way_back: ClassVar[str] = ""
    way_back_verb: ClassVar[str] = ""
    way_back_state: ClassVar[str] = ""
    returned: ClassVar[str] = ""
    no_way_back: ClassVar[str] = ""

    async def plan(self, arguments: Any, reason: PlanReason, context: RemediationContext) -> Plan | Impossible:
        """The preview, with the item as it is now; or why there can be none."""
        found = await self._find(arguments.service, arguments.item, context)
        return found if isinstance(found, Impossible) else self._as_plan(found, reason, context)

    async def read_target(self, plan: Plan, context: RemediationContext) -> TargetState:
        return (await self._read(plan, context)).as_target(context.now())

    def binding(self, target: TargetState) -> str:
        return f"{target.service}: {self.kind} {target.version} {target.state}"

    def reached(self, plan: Plan, target: TargetState) -> bool:
        return target.state == plan.parameters["wanted"]

    async def apply(self, plan: Plan, context: RemediationContext, *, idempotency_key: str) -> ActionResult:
        return await context.actuator_of(plan).act(plan.action, plan.parameters, idempotency_key=idempotency_key)

    async def undo(self, plan: Plan, reason: PlanReason, context: RemediationContext) -> Plan | Impossible:
        """Back to the open state, where the tracker knows a way; impossible once somebody else changed it."""
        if not self.way_back:
            return Impossible(reason=self.no_way_back)
        try:
            item, tracker = await self._read(plan, context), context.actuator_of(plan)
        except AgentError as exc:
            return Impossible(reason=f"The {self.kind} cannot be read any more: {exc}.")
        if item.state != self.wanted:
            return Impossible(reason=f"{_named(item)} is {item.state} now: there is nothing to take back.")
        now, target = context.now(), item.as_target(context.now())
        parameters = {**plan.parameters, "was": item.state, "wanted": self.way_back_state}
        title = f"{self.way_back_verb} {item.kind} {item.shown} of {item.service}"
        return plan.model_copy(
            update={
                "title": title,
                "button": title[:75],
                "action": self.way_back,
                "parameters": parameters,
                "argv": tracker.argv(self.way_back, parameters),
                "from_version": item.state,
                "to_version": self.way_back_state,
                "target_version": self.binding(target),
                "interruption": self.returned,
                "reversible": False,
                "undo": f"It can be {self.wanted} again by asking",
                "undo_until": None,
                "preconditions": (Precondition(text=f"{_named(item)} is {item.state}", holds=True, read_at=now),),
                "cause": reason.cause,
                "confidence": reason.confidence,
                "evidence": reason.evidence,
                "requested_by": reason.requested_by,
                "read_at": now,
                "fresh_until": now + context.freshness,
            }
        )

    async def _read(self, plan: Plan, context: RemediationContext) -> TrackedItem:
        """Raises NotPermitted where the connection is gone."""
        tracker = context.actuator_of(plan)
        if not isinstance(tracker, Tracker):
            raise NotPermitted(f"{plan.parameters['connection']} tracks no {self.kind}s any more")
        return await tracker.read_item(plan.parameters["item"])

    async def _find(self, name: str, wanted: str | None, context: RemediationContext) -> FoundItem | Impossible:
        service = context.service(name)
        if service is None:
            return Impossible(reason=f"{name[:40]!r} is not a declared service, so nothing is done to it.")
        trackers = [one for one in context.actuators if isinstance(one, Tracker) and one.can(self.action, name)]
        if not trackers:
            return Impossible(reason=f"No connected source can {self.verb} {self.kind}s of {name}.")
        found, gaps = list[FoundItem](), list[str]()
        for tracker in trackers:
            try:
                read = await tracker.read_open([name])
            except AgentError as exc:
                return Impossible(reason=f"To {self.verb} a {self.kind} of {name} cannot be prepared: {exc}.")
            items = list(read.items)
            if wanted and read.gaps and not any(wanted in (one.key, one.shown) for one in items):
                items += await _by_key(tracker, wanted, name)
            gaps += read.gaps
            found += [FoundItem(service=service, tracker=tracker, item=item) for item in items]
        return self._chosen(name, found, wanted, gaps)

    def _chosen(
        self, service: str, found: Sequence[FoundItem], wanted: str | None, gaps: Sequence[str]
    ) -> FoundItem | Impossible:
        """The one that is meant. Several at once are never changed."""
        named = [one for one in found if wanted is None or wanted in (one.item.key, one.item.shown)]
        fitting = [one for one in named if one.item.state != self.wanted]
        unread = f" Not all was read: {'; '.join(gaps)}." if gaps else ""
        if named and not fitting:
            return Impossible(reason=f"{_named(named[0].item)} is {self.wanted} already.")
        if not fitting:
            which = f"{self.kind} {wanted!r}" if wanted else self.kind
            return Impossible(reason=f"No {which} of {service} is open now.{unread}")
        if len(fitting) > 1:
            told = ", ".join(f"{one.item.shown} [{one.item.key}]" for one in fitting[:_NAMED])
            return Impossible(
                reason=f"{len(fitting)} {self.kind}s of {service} may be meant; name one by its id: {told}."
            )
        if wanted is None and gaps:
            return Impossible(
                reason=f"Name the {self.kind} by its id: {fitting[0].item.shown} may not be the only one.{unread}"
            )
        return fitting[0]

    def _as_plan(self, found: FoundItem, reason: PlanReason, context: RemediationContext) -> Plan:
        now, item, tracker = context.now(), found.item, found.tracker
        title = f"{self.verb.capitalize()} {item.kind} {item.shown} of {item.service}"
        parameters = {
            "service": item.service,
            "connection": tracker.key,
            "item": item.key,
            "was": item.state,
            "wanted": self.wanted,
        }
        also = f", {item.also}" if item.also else ""
        state = f"{_named(item)} is {item.state} since {item.opened_at:%Y-%m-%d %H:%M:%S} UTC{also}"
        undo = f"{self.way_back_verb} it" if self.way_back else self.no_way_back
        return Plan(
            remediation=self.name,
            title=title,
            button=title[:75],
            action=self.action,
            parameters=parameters,
            argv=tracker.argv(self.action, parameters),
            target=item.service,
            environment=found.service.environment,
            from_version=item.state,
            to_version=self.wanted,
            target_version=self.binding(item.as_target(now)),
            instances=1,
            interruption=self.interruption,
            risk=rate_risk(self.risk, tracker, self.action, item.service),
            reversible=bool(self.way_back),
            undo=undo,
            preconditions=(Precondition(text=state, holds=True, read_at=now),),
            healing=None,
            cause=reason.cause,
            confidence=reason.confidence,
            evidence=reason.evidence,
            requested_by=reason.requested_by,
            read_at=now,
            fresh_until=now + context.freshness,
        )


async def _by_key(tracker: Tracker, key: str, service: str) -> list[TrackedItem]:
    """One that lies beyond what is read of the open ones."""
    try:
        item = await tracker.read_item(key)
    except AgentError:
        return []  # that not all was read is told with what comes of it
    return [item] if item.service == service else []


def _named(item: TrackedItem) -> str:
    return f"{item.kind} {item.shown} ({item.title[:80]})"
