"""What a tenant wants done about its alerts: look into them, offer a button, or leave them; pure.

The first rule that fits decides; without one the severity does. A budget bounds how many are looked into by themselves
within an hour: what is over it is offered, never lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args
from zoneinfo import ZoneInfo

from agents.webhooks import Severity
from agents.webhooks.contract import SEVERITIES

Action = Literal["investigate", "offer", "ignore"]
BY_SEVERITY: Final[Mapping[Severity, Action]] = {
    "critical": "investigate",
    "high": "investigate",
    "unknown": "investigate",
    "warning": "offer",
    "info": "ignore",
}
"""`unknown`: some sources, such as CloudWatch, know no severity; a missed alert costs more than a needless look."""
BUDGET: Final = 10
MOST_RULES: Final = 50
MOST_LABELS: Final = 6
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIELDS: Final = ("severity", "service", "environment", "provider", "name", "hours", "days", "zone")


class BadRule(ValueError):
    """The rule cannot be read; the message says what is accepted."""


@dataclass(frozen=True, kw_only=True)
class AlertRule:
    """Empty fields fit everything. `hours` are from and until, in `zone`; a rule from 22 to 6 goes over midnight."""

    action: Action
    severity: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    provider: tuple[str, ...] = ()
    name: tuple[str, ...] = ()
    hours: tuple[int, int] | None = None
    days: tuple[str, ...] = ()
    zone: str = "UTC"

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"action": self.action}
        for name in ("severity", "service", "environment", "provider", "name", "days"):
            if values := getattr(self, name):
                found[name] = list(values)
        if self.hours is not None:
            found["hours"] = list(self.hours)
        return found | ({"zone": self.zone} if self.zone != "UTC" else {})

    def words(self) -> str:
        """As it is written."""
        parts: list[str] = [self.action]
        for name, value in self.as_json().items():
            if name == "hours":
                parts.append(f"hours={value[0]:02}-{value[1]:02}")
            elif name != "action":
                parts.append(f"{name}={','.join(value) if isinstance(value, list) else value}")
        return " ".join(parts)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """`channel`: where groups are told; "" for the first channel in which alerts are heard. `labels`: those shown."""

    rules: tuple[AlertRule, ...] = ()
    budget: int = BUDGET
    channel: str = ""
    labels: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        rules = [rule.as_json() for rule in self.rules]
        return {"rules": rules, "budget": self.budget, "channel": self.channel, "labels": list(self.labels)}


@dataclass(frozen=True, kw_only=True)
class About:
    """A group, as far as rules ask."""

    severity: Severity
    services: frozenset[str]
    environment: str | None
    providers: frozenset[str]
    names: frozenset[str]


def read_policy(stored: Mapping[str, Any]) -> Policy:
    """What was stored; what cannot be read of it is left out."""
    rules = []
    for one in stored.get("rules") or []:
        try:
            rules.append(_rule(one))
        except (TypeError, ValueError, KeyError, AttributeError):
            continue
    budget = stored.get("budget", BUDGET)
    return Policy(
        rules=tuple(rules),
        budget=budget if isinstance(budget, int) else BUDGET,
        channel=str(stored.get("channel") or ""),
        labels=tuple(str(one) for one in stored.get("labels") or ())[:MOST_LABELS],
    )


def parse_rule(words: Sequence[str]) -> AlertRule:
    """`ignore severity=info,warning service=cart hours=22-06 days=sat,sun zone=Europe/Berlin`. Raises BadRule."""
    if not words or words[0] not in get_args(Action):
        raise BadRule(f"a rule begins with one of: {', '.join(get_args(Action))}")
    given: dict[str, Any] = {"action": words[0]}
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if not equals or name not in _FIELDS or not value:
            raise BadRule(f"a condition is name=value with one of: {', '.join(_FIELDS)}")
        given[name] = value.split(",") if name not in ("hours", "zone") else value
    if "hours" in given:
        first, dash, last = given["hours"].partition("-")
        if not dash or not (first.isdecimal() and last.isdecimal()):
            raise BadRule("hours are two whole hours, such as hours=22-06")
        given["hours"] = [int(first), int(last)]
    return _rule(given)


def _rule(given: Mapping[str, Any]) -> AlertRule:
    lists = {name: tuple(given[name]) for name in ("service", "environment", "provider", "name") if name in given}
    severity, days = tuple(given.get("severity", ())), tuple(given.get("days", ()))
    if wrong := [one for one in severity if one not in SEVERITIES]:
        raise BadRule(f"{wrong[0]} is no severity; there are: {', '.join(SEVERITIES)}")
    if wrong := [one for one in days if one not in _DAYS]:
        raise BadRule(f"{wrong[0]} is no day; there are: {', '.join(_DAYS)}")
    hours = given.get("hours")
    if hours is not None and not all(0 <= hour <= 24 for hour in hours):
        raise BadRule("hours are from 0 to 24")
    zone = str(given.get("zone", "UTC"))
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, LookupError) as exc:
        raise BadRule("the zone is a name such as Europe/Berlin") from exc
    return AlertRule(
        action=given["action"],
        severity=severity,
        days=days,
        hours=None if hours is None else (int(hours[0]), int(hours[1])),
        zone=zone,
        **lists,
    )


def decide(policy: Policy, about: About, now: datetime, *, spent: int) -> Action:
    """`spent`: how many groups were looked into by themselves within the last hour."""
    action = next((rule.action for rule in policy.rules if _fits(rule, about, now)), BY_SEVERITY[about.severity])
    if action == "investigate" and about.providers == {"github"} and not policy.rules:
        action = "offer"  # what GitHub finds in code is no incident of a running system
    return "offer" if action == "investigate" and spent >= policy.budget else action


def _fits(rule: AlertRule, about: About, now: datetime) -> bool:
    asked = (
        (rule.severity, frozenset({about.severity})),
        (rule.service, about.services),
        (rule.environment, frozenset({about.environment or ""})),
        (rule.provider, about.providers),
    )
    if any(wanted and not found & set(wanted) for wanted, found in asked):
        return False
    if rule.name and not any(part.lower() in name.lower() for part in rule.name for name in about.names):
        return False
    there = now.astimezone(ZoneInfo(rule.zone))
    if rule.days and _DAYS[there.weekday()] not in rule.days:
        return False
    if rule.hours is None:
        return True
    begin, end = rule.hours
    return begin <= there.hour < end if begin <= end else there.hour >= begin or there.hour < end
