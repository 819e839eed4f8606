"""The tool that asks all connected alert sources which alerts are active around a service, quiet ones included.

It stands beside the other tools of an investigation only where something that knows alerts is connected.
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from agents.connecting.active_alerts import ActiveAlert
from agents.connecting.toolbox import Toolbox
from agents.english import counted
from agents.errors import BadArguments
from agents.investigation.coverage import Look
from agents.investigation.telemetry import ask_all
from agents.rows import Alerted, Row, Searched, Unread
from agents.tool import Arguments, Tool, ToolOutput, tool, tools_of

_SHOWN: Final = 40
_TIMEOUT_S: Final = 40.0


class AroundService(Arguments):
    service: str = Field(description="A declared service.")
    neighbours: bool = Field(default=True, description="Also of the services that it calls and that call it.")


class AlertTools:
    """Bound to one tenant's sources."""

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox

    def tools(self) -> list[Tool]:
        return tools_of(self, source="evidence") if self._toolbox.alerts else []

    @tool(timeout_s=_TIMEOUT_S)
    async def active_alerts(self, arguments: AroundService) -> ToolOutput:
        """Alerts that are active now of a service and of those next to it, each with its key, and with what keeps it
        quiet where it is silenced, inhibited, muted, suppressed or acknowledged. A quiet alert's rule holds all the
        same.
        """
        services = self._around(arguments)
        reads = await ask_all(self._toolbox.alerts, lambda source: source.read_alerts(services))
        found = [alert for one in reads if one.answer is not None for alert in one.answer.alerts]
        found.sort(key=lambda alert: (alert.service != arguments.service, alert.state != "firing", alert.since))
        looks = [Look(source=one.source, why=one.why) for one in reads]
        gaps = [look.gap for look in looks if look.why]
        gaps += [gap for one in reads if one.answer is not None for gap in one.answer.gaps]
        gaps += [f"{len(found) - _SHOWN} further alerts are not shown"] if len(found) > _SHOWN else []
        quiet = sum(1 for alert in found if alert.state != "firing")
        was_read = any(not look.why for look in looks)
        rows: list[Row] = [_row(alert) for alert in found[:_SHOWN]]
        rows += [Unread(reason=gap, part=was_read, line=f"gap: {gap}") for gap in gaps]
        if was_read:
            absent = f"nothing found: no alert of {', '.join(services)} is active"
            searched = Searched(
                service=arguments.service,
                what="active alerts",
                found=len(found),
                wanted={"neighbours": ", ".join(services[1:])} if services[1:] else {},
                whole=not gaps,
                line="" if found else absent,
            )
            rows.insert(0, searched)
        return ToolOutput(
            text="\n".join(row.line for row in rows if row.line),
            rows=tuple(rows),
            summary=f"{counted(len(found), 'active alert')}, {quiet} of them quiet" if was_read else "could not look",
            facts={"looked": [look.as_fact() for look in looks]},
            gap="; ".join(gaps) or None,
        )

    def _around(self, arguments: AroundService) -> list[str]:
        names = self._toolbox.service_names()
        if arguments.service not in names:
            raise BadArguments(f"{arguments.service!r} is not a declared service; known: {', '.join(names) or 'none'}")
        if not arguments.neighbours:
            return [arguments.service]
        edges = self._toolbox.edges
        near = {one.callee for one in edges if one.caller == arguments.service}
        near |= {one.caller for one in edges if one.callee == arguments.service}
        return [arguments.service, *sorted((near & set(names)) - {arguments.service})]


def _row(alert: ActiveAlert) -> Alerted:
    by = alert.silenced_by or alert.inhibited_by
    quietly = " by ".join(filter(None, (alert.state, ", ".join(by))))
    quiet = f"{quietly}, " if alert.state != "firing" else ""
    labels = ",".join(f'{name}="{value}"' for name, value in sorted(alert.labels.items()) if name != "alertname")
    said = f": {' '.join(alert.summary.split())}" if alert.summary else ""
    return Alerted(
        service=alert.service,
        name=alert.name,
        state=alert.state,
        since=alert.since,
        key=alert.key,
        severity=alert.severity,
        summary=alert.summary,
        labels=alert.labels,
        by=by,
        line=f"{quiet}active since {alert.since:%Y-%m-%d %H:%M:%S} UTC: {alert.name}{{{labels}}} [{alert.key}]{said}",
        link=alert.link,
    )
