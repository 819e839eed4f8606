"""A downtime for one group of one monitor, and its end.

https://docs.datadoghq.com/api/latest/downtimes/ -- a downtime is a thing of its own: cancelling it leaves others alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from agents.connecting.active_alerts import ActiveAlert, Silence
from agents.connecting.connector import ActionResult, ConnectorContext
from agents.connecting.connectors.datadog.client import DatadogClient
from agents.connecting.connectors.datadog.monitors import TRIGGERED, MonitorReader, scope_of
from agents.errors import NotPermitted, Unavailable

MUTE: Final = "mute_monitor"
CANCEL: Final = "cancel_downtime"
_PATH: Final = "/api/v2/downtime"


class MonitorMuting:
    """Of one connection."""

    def __init__(self, client: DatadogClient, monitors: MonitorReader, context: ConnectorContext, *, base: str) -> None:
        self._client, self._monitors, self._context, self._base = client, monitors, context, base

    def can(self, action: str, service: str) -> bool:
        return action in (MUTE, CANCEL) and service in self._context.names

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
        """The request, with the end as it will be reckoned when it is sent."""
        if action == CANCEL:
            return ("DELETE", f"{self._base}{_PATH}/{parameters['silence']}")
        return ("POST", f"{self._base}{_PATH}", json.dumps(_body(parameters, f"{parameters['minutes']} min later")))

    def parameters(self, alert: ActiveAlert, *, minutes: int, comment: str) -> Mapping[str, str]:
        return {
            "service": alert.service,
            "alert": alert.key,
            "name": alert.name,
            "labels": json.dumps({key: alert.labels[key] for key in ("monitor", "group")}, sort_keys=True),
            "minutes": str(minutes),
            "comment": comment,
        }

    async def own(self, labels: Mapping[str, str]) -> Silence | None:
        return await self._monitors.own_downtime(int(labels["monitor"]), labels["group"])

    async def act(self, action: str, parameters: Mapping[str, str]) -> ActionResult:
        if not self.can(action, parameters["service"]):
            raise NotPermitted(f"Datadog cannot do {action[:40]!r} to {parameters['service'][:40]!r}")
        labels = json.loads(parameters["labels"])
        own = await self.own(labels)
        if action == CANCEL:
            return await self._cancel(own, parameters["silence"])
        if own is not None:
            return ActionResult(ok=True, detail=f"downtime {own.key} is there already, until {own.ends_at:%H:%M} UTC")
        monitor = await self._monitors.one(int(labels["monitor"]))
        state = monitor.state.groups.get(labels["group"])
        told = state.status if state is not None else monitor.overall_state if labels["group"] == "*" else ""
        if told not in TRIGGERED:
            return ActionResult(ok=False, detail="the monitor is not triggered any more; nothing was muted")
        ends_at = self._context.now() + timedelta(minutes=int(parameters["minutes"]))
        answer = await self._client.post(_PATH, _body(parameters, ends_at.isoformat()), what="a downtime")
        made = (answer.get("data") or {}).get("id") if isinstance(answer, dict) else None
        if not made:
            raise Unavailable("Datadog did not say which downtime it made")
        return ActionResult(ok=True, detail=f"downtime {made} until {ends_at:%H:%M} UTC")

    async def _cancel(self, own: Silence | None, downtime: str) -> ActionResult:
        if own is None:
            return ActionResult(ok=True, detail="the downtime has ended already")
        if own.key != downtime:
            return ActionResult(ok=False, detail=f"downtime {own.key} took its place; nothing was cancelled")
        was_there = await self._client.delete(f"{_PATH}/{downtime}", what="the downtime")
        return ActionResult(
            ok=True, detail="the downtime is cancelled" if was_there else "the downtime has ended already"
        )


def _body(parameters: Mapping[str, str], ends_at: str) -> dict[str, Any]:
    labels = json.loads(parameters["labels"])
    attributes = {
        "monitor_identifier": {"monitor_id": int(labels["monitor"])},
        "scope": scope_of(labels["group"]),
        "schedule": {"start": None, "end": ends_at},
        "message": parameters["comment"],
    }
    return {"data": {"type": "downtime", "attributes": attributes}}
