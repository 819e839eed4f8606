"""Alarms of CloudWatch: those that fire, those without data, and those that never can fire.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html -- an alarm on a metric that has
not exactly its dimensions gets no data for ever, and is quiet for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from agents.connecting.active_alerts import ActiveAlert, AlertsRead
from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.aws.ecs import EcsReader
from agents.connecting.connectors.aws.session import AwsSession
from agents.english import counted
from agents.errors import AgentError
from agents.language.service_names import names_in

NO_DATA: Final = "INSUFFICIENT_DATA"
_MOST_PAGES: Final = 10
_MOST_LOOKED_AT: Final = 30
_LONGEST_WORDS: Final = 300


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One of a declared service, cleaned. `never` says why it cannot fire; "" where it can, or nobody looked."""

    service: str
    name: str
    state: str
    since: datetime
    reason: str
    watches: str
    rings: bool
    link: str
    never: str = ""


class AlarmReader:
    """Of one connection."""

    def __init__(self, session: AwsSession, context: ConnectorContext, ecs: EcsReader, *, region: str) -> None:
        self._session, self._context, self._ecs, self._region = session, context, ecs, region

    async def alerts(self, services: Sequence[str]) -> AlertsRead:
        """Alarms that fire or lack data. Raises an AgentError when it cannot be asked."""
        alarms, gaps = await self.alarms(services, only_active=True)
        alerts = [
            ActiveAlert(
                key=one.name,
                service=one.service,
                name=one.name,
                state="firing" if one.rings else "muted",
                since=one.since,
                severity="no data" if one.state == NO_DATA else "",
                summary=one.never or one.reason,
                labels={"alarm": one.name, "state": one.state, "watches": one.watches},
                link=one.link,
            )
            for one in alarms
        ]
        alerts.sort(key=lambda one: (one.state != "firing", bool(one.severity), one.since, one.key))
        told = [f"the alarm {one.name} of {one.service} never fires: {one.never}" for one in alarms if one.never]
        return AlertsRead(alerts=tuple(alerts), gaps=(*gaps, *told))

    async def alarms(self, services: Sequence[str], *, only_active: bool) -> tuple[list[Alarm], list[str]]:
        """Those of the services, and the gaps."""
        gaps: list[str] = []
        given: list[Mapping[str, Any]] = []
        for state in ("ALARM", NO_DATA) if only_active else ("",):
            read = await self._session.pages(
                "cloudwatch",
                "describe_alarms",
                "MetricAlarms",
                what="alarms",
                most_pages=_MOST_PAGES,
                AlarmTypes=["MetricAlarm"],
                MaxRecords=100,
                **({"StateValue": state} if state else {}),
            )
            given += read.items
            if read.more:
                gaps.append(f"CloudWatch: only the first {counted(len(read.items), 'alarm')} were read")
        ours = [(service, one) for one in given if (service := self.service_of(one)) in services and service]
        looked_at = 0
        found = []
        for service, one in ours:
            never = ""
            if one.get("StateValue") == NO_DATA and looked_at < _MOST_LOOKED_AT:
                looked_at += 1
                try:
                    never = await self._never_fires(one)
                except AgentError as exc:
                    gaps.append(f"CloudWatch: whether {one.get('AlarmName')} can fire is not known: {exc}")
            found.append(await self._alarm(service, one, never))
        return found, gaps

    def service_of(self, one: Mapping[str, Any]) -> str:
        """By the values of its dimensions, else by its name."""
        dimensions = list(one.get("Dimensions") or ())
        for metric in one.get("Metrics") or ():
            dimensions += ((metric.get("MetricStat") or {}).get("Metric") or {}).get("Dimensions") or ()
        for dimension in dimensions:
            if service := self._ecs.service_of(str(dimension.get("Value", ""))):
                return service
        named = names_in(str(one.get("AlarmName", "")), self._context.names)
        return named[0] if len(named) == 1 else ""

    async def _never_fires(self, one: Mapping[str, Any]) -> str:
        """Why it cannot: CloudWatch has no metric with exactly its dimensions. "" where it has, or is computed."""
        if not one.get("MetricName"):
            return ""
        wanted = {str(d["Name"]): str(d["Value"]) for d in one.get("Dimensions") or ()}
        read = await self._session.pages(
            "cloudwatch",
            "list_metrics",
            "Metrics",
            what=f"the metric of {one.get('AlarmName')}",
            most_pages=2,
            Namespace=one["Namespace"],
            MetricName=one["MetricName"],
        )
        known = [{str(d["Name"]): str(d["Value"]) for d in m.get("Dimensions") or ()} for m in read.items]
        if wanted in known or read.more:
            return ""
        name = f"{one['Namespace']} {one['MetricName']}"
        if not known:
            return f"nothing reports {name}"
        names = sorted({", ".join(sorted(one)) or "no dimension" for one in known})
        return f"{name} is reported with other dimensions ({'; '.join(names[:3])}) than {_dimensions(wanted)}"

    async def _alarm(self, service: str, one: Mapping[str, Any], never: str) -> Alarm:
        wanted = {str(d["Name"]): str(d["Value"]) for d in one.get("Dimensions") or ()}
        sign, threshold = one.get("ComparisonOperator", ""), one.get("Threshold", "")
        watches = f"{one.get('Namespace', '')} {one.get('MetricName') or 'expression'} {_dimensions(wanted)}"
        words = {
            "name": str(one.get("AlarmName", "")),
            "reason": " ".join(str(one.get("StateReason") or "").split()),
            "watches": f"{watches} {sign} {threshold}".strip(),
            "never": never,
        }
        cleaned = (await self._context.clean_rows([words]))[0]
        at = one.get("StateTransitionedTimestamp") or one.get("StateUpdatedTimestamp") or self._context.now()
        page = f"https://{self._region}.console.aws.amazon.com/cloudwatch/home?region={self._region}#alarmsV2:alarm/"
        return Alarm(
            service=service,
            name=cleaned["name"],
            state=str(one.get("StateValue", "")),
            since=at.astimezone(UTC),
            reason=cleaned["reason"][:_LONGEST_WORDS],
            watches=cleaned["watches"][:_LONGEST_WORDS],
            rings=bool(one.get("ActionsEnabled", True)),
            link=page + quote(cleaned["name"], safe=""),
            never=cleaned["never"],
        )


def _dimensions(wanted: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in sorted(wanted.items())) + "}"
