"""What a remediation is: one file under `remediations/`, found by its `REMEDIATION` name.

A remediation never decides that it may run. It reads the target and writes a plan; the plan is stored, shown from the
stored bytes, decided on by a person, re-checked, applied once behind the action fence, verified, and can be undone by
another plan.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from agents import remediations
from agents.connecting.connector import ActionResult, Actuator, ChangeSource, RiskRated, Service, TargetState
from agents.errors import NotPermitted
from agents.rows import Row
from agents.tool import Arguments, Risk


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Precondition(_Frozen):
    """Something that was true when it was read."""

    text: str
    holds: bool
    read_at: datetime


class Healing(_Frozen):
    """How healing will be judged: `indicator` of `service` stays below `threshold` for `hold_s` seconds within
    `window_s`.

    `worse_than` ends the wait early as not healed: the value above which the action made it worse. What was measured in
    the first `settle_s` seconds says nothing: after an undo the indicator looks well for as long as it looks back.
    """

    service: str
    indicator: str
    unit: Literal["ratio", "seconds", "count", "bytes", "per_second"]
    before: float
    threshold: float
    worse_than: float
    hold_s: float
    window_s: float
    settle_s: float = 0.0


class Plan(_Frozen):
    """A proposal as it is stored, hashed and shown. Everything on the card comes from here."""

    remediation: str
    title: str
    button: str
    action: str
    parameters: dict[str, str]
    argv: tuple[str, ...]
    target: str
    environment: str
    from_version: str
    to_version: str | None
    target_version: str
    diff_link: str | None = None
    diff_paths: tuple[str, ...] = ()
    commits_lost: tuple[str, ...] = ()
    migrations: tuple[str, ...] = ()
    instances: int
    interruption: str
    risk: Risk
    reversible: bool
    undo: str
    undo_parameters: dict[str, str] | None = None
    undo_until: datetime | None = None
    preconditions: tuple[Precondition, ...]
    healing: Healing | None
    cause: str
    confidence: Literal["high", "medium", "low", "none"]
    evidence: tuple[str, ...]
    requested_by: str
    read_at: datetime
    fresh_until: datetime


@dataclass(frozen=True, kw_only=True)
class PlanReason:
    """What the investigation hands over: why, how sure, on which artifacts, who asked, how healing is judged, and the
    incident's id.
    """

    cause: str
    confidence: Literal["high", "medium", "low", "none"]
    evidence: tuple[str, ...]
    requested_by: str
    healing: Healing | None
    incident: str = ""


@dataclass(frozen=True, kw_only=True)
class RemediationContext:
    """The connected sources a remediation may use, the declared services, a clock, how long a preview stays fresh, and
    for how long what is measured must stay well (`hold`) within what time (`window`).
    """

    actuators: Sequence[Actuator]
    changes: Sequence[ChangeSource]
    services: Sequence[Service]
    now: Callable[[], datetime]
    freshness: timedelta = timedelta(minutes=15)
    hold: timedelta = timedelta(seconds=60)
    window: timedelta = timedelta(minutes=5)

    def actuator(self, action: str, service: str) -> Actuator | None:
        """The first connected source that can do this to this service, or None."""
        return next((a for a in self.actuators if a.can(action, service)), None)

    def require_actuator(self, action: str, service: str) -> Actuator:
        """As `actuator`. Raises NotPermitted where a stored plan can no longer be carried out."""
        actuator = self.actuator(action, service)
        if actuator is None:
            raise NotPermitted(f"no connected source can do {action} to {service} any more")
        return actuator

    def actuator_of(self, plan: Plan) -> Actuator:
        """Whoever carries a plan out: the connection that it names as its own, else the first that can do it. Raises
        NotPermitted as `require_actuator`.
        """
        named = plan.parameters.get("connection")
        if named is None:
            return self.require_actuator(plan.action, plan.target)
        for one in self.actuators:
            if getattr(one, "key", None) == named and one.can(plan.action, plan.target):
                return one
        raise NotPermitted(f"the connection {named} can do {plan.action} to {plan.target} no more")

    def service(self, name: str) -> Service | None:
        return next((s for s in self.services if s.name == name), None)


def rate_risk(own: Risk, actuator: Actuator, action: str, service: str) -> Risk:
    """The remediation's own class, or the operator's rating of the action where that is higher."""
    rating = actuator.risk(action, service) if isinstance(actuator, RiskRated) else own
    return max(own, rating, key=list(Risk).index)


def describe_interruption(target: TargetState) -> str:
    """What users may notice while a target's instances are replaced, for the card. 0 instances: nobody counts them."""
    if target.instances == 0:
        return "requests in flight may fail while instances restart; how many there are is not known"
    if target.instances <= 1:
        return f"{target.service} has one instance and does not answer while it restarts"
    return f"requests in flight on up to {target.instances} instances may fail while they restart"


@dataclass(frozen=True, kw_only=True)
class Impossible:
    """No plan can be made, and why, in one sentence for the report. An expected answer, not an error."""

    reason: str


class Remediation:
    """Base of all remediations; stateless.

    What a model may propose, the rules of the gate and what the offline investigator chooses are read off these
    variables: nothing names a remediation by hand.

    `when` says to the model when it helps. `needs_change`: only where a change is the cause. `cures` are the kinds of
    fault, in the report's words, that it clears without one. `named_where_impossible`: whether it is named where no
    connected source can carry it out, so that somebody sees what to declare. `is_cure` is false for one that clears no
    fault, as a silence: it is done when its target is in the state that was asked for, and heals nothing. `told_by` is
    what the target itself tells of being unwell, as an indicator that `unwell` reads off it; "" where it tells nothing.
    `is_gradual`: it takes one instance after another, so that less is felt of it than of one that takes all at once.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    risk: ClassVar[Risk]
    arguments: ClassVar[type[Arguments]]
    when: ClassVar[str]
    ready: ClassVar[str]
    needs_change: ClassVar[bool] = False
    cures: ClassVar[frozenset[str]] = frozenset()
    named_where_impossible: ClassVar[bool] = True
    is_cure: ClassVar[bool] = True
    told_by: ClassVar[str] = ""
    is_gradual: ClassVar[bool] = False

    @property
    def action(self) -> str:
        """What an actuator must be able to do."""
        return self.name

    async def plan(self, arguments: Any, reason: PlanReason, context: RemediationContext) -> Plan | Impossible:
        """Read the target and write the preview. Reads only."""
        raise NotImplementedError

    async def read_target(self, plan: Plan, context: RemediationContext) -> TargetState:
        """The target as it is now; its binding string is compared with `plan.target_version`."""
        raise NotImplementedError

    def binding(self, target: TargetState) -> str:
        """What of the target the plan depends on, as one string. A changed binding makes a plan stale."""
        raise NotImplementedError

    def reached(self, plan: Plan, target: TargetState) -> bool:
        """Whether the target is in the state that the plan wanted. Used after an interrupted effect."""
        raise NotImplementedError

    def unread(self, _arguments: Mapping[str, str], _rows: Iterable[Row]) -> str | None:
        """What of the run's findings it would need and does not have, or None: a model proposes on what it has read."""
        return None

    def unwell(self, _target: TargetState) -> float | None:
        """How much of the target is not as it should be, 0 for none of it; None where it does not tell."""
        return None

    async def apply(self, plan: Plan, context: RemediationContext, *, idempotency_key: str) -> ActionResult:
        """Do it. Called at most once per plan, behind the fence."""
        raise NotImplementedError

    async def undo(
        self,
        plan: Plan,
        reason: PlanReason,  # noqa: ARG002 -- part of the contract
        context: RemediationContext,  # noqa: ARG002 -- part of the contract
    ) -> Plan | Impossible:
        """The plan that takes an applied plan back; here of one that nothing takes back."""
        return Impossible(reason=f"{plan.title} cannot be undone; there is nothing to take back.")


def remedies_of(actuators: Sequence[Actuator], services: Sequence[Service]) -> dict[str, tuple[str, ...]]:
    """The remediations that a connected source can carry out, by service."""
    return {
        service.name: tuple(
            one.name
            for one in discover_remediations().values()
            if any(a.can(one.action, service.name) for a in actuators)
        )
        for service in services
    }


def describe_remedies(remedies: Mapping[str, Sequence[str]]) -> str:
    """A line for each remediation that can be carried out somewhere: arguments, when it helps, for which services."""
    lines = []
    for name, one in sorted(discover_remediations().items()):
        services = [service for service, names in remedies.items() if name in names]
        if services:
            fields = ", ".join(
                f"{field}{'' if known.is_required() else ' (optional)'}"
                for field, known in one.arguments.model_fields.items()
            )
            lines.append(f"- {name}({fields}): {one.when}. Of {', '.join(services)}.")
    return "\n".join(lines) or "- none is connected"


@cache
def discover_remediations() -> dict[str, Remediation]:
    """All remediations by name. Raises TypeError for a module without `REMEDIATION` or with a foreign name."""
    found: dict[str, Remediation] = {}
    for module_info in pkgutil.iter_modules(remediations.__path__):
        module = importlib.import_module(f"{remediations.__name__}.{module_info.name}")
        remediation: Remediation | None = getattr(module, "REMEDIATION", None)
        if remediation is None or remediation.name != module_info.name:
            raise TypeError(f"{module.__name__} must set REMEDIATION to a Remediation named {module_info.name!r}")
        found[remediation.name] = remediation
    return found
