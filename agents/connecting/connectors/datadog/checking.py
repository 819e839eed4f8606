"""Whether the keys have the rights that are used, and which services Datadog knows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any, Final

from agents.connecting.connector import Check, ConnectorContext, Discovered, Discovery
from agents.connecting.connectors.datadog.client import DatadogClient, listed
from agents.connecting.connectors.datadog.reading import LOGS, SPANS, within
from agents.connecting.connectors.datadog.settings import SCOPES, DatadogConfig
from agents.errors import AgentError
from agents.evidence.types import Window

_CHECK_S: Final = 4.0
_DISCOVERED: Final = 100


async def check_scopes(ask: DatadogClient, config: DatadogConfig, now: datetime) -> Check:
    """Asks one small question of each kind, so that a missing scope is told before an incident."""
    last = within(Window(start=now - timedelta(minutes=5), end=now))
    quick: dict[str, Any] = {"timeout_s": _CHECK_S}
    search = {"filter": {**last, "query": "*"}, "page": {"limit": 1}}
    span = {"from": str(int(now.timestamp()) - 300), "to": str(int(now.timestamp()))}
    dora = {"from": last["from"], "to": last["to"], "limit": 1}
    probes: dict[str, Awaitable[Any]] = {
        "monitors_read": ask.get("/api/v1/monitor/search", {"per_page": "1"}, what="monitors", **quick),
        "metrics_read": ask.get("/api/v1/metrics", {"from": span["from"]}, what="the list of metrics", **quick),
        "timeseries_query": ask.get(
            "/api/v1/query", {**span, "query": "avg:datadog.agent.running{*}"}, what="metrics", **quick
        ),
        "logs_read_data": ask.post(LOGS, search, what="logs", **quick),
        "apm_read": ask.post(
            SPANS, {"data": {"type": "search_request", "attributes": search}}, what="recorded requests", **quick
        ),
        "events_read": ask.post("/api/v2/events/search", search, what="events", **quick),
        "dora_metrics_read": ask.post(
            "/api/v2/dora/deployments",
            {"data": {"type": "dora_deployments_list_request", "attributes": dora}},
            what="deployments",
            **quick,
        ),
        "monitors_downtime": ask.get(
            "/api/v2/downtime", {"current_only": "true", "page[limit]": "1"}, what="downtimes", **quick
        ),
    }
    found = await asyncio.gather(*(_failure(one) for one in probes.values()))
    failures = {scope: failure for scope, failure in zip(probes, found, strict=True) if failure}
    if len(failures) == len(probes):
        told = next(iter(failures.values()))
        return Check(ok=False, detail=told, next_action="Correct the site or the keys, and test again.")
    detail = f"Datadog {config.site} answers"
    if not failures:
        return Check(ok=True, detail=detail)
    without = {scope.name: scope.without for scope in SCOPES}
    return Check(
        ok=False,
        answers=True,
        detail=detail,
        lacks=tuple(f"{scope}: {without[scope]} ({told})" for scope, told in failures.items()),
        next_action=f"Give the application key {', '.join(failures)}, where you want that.",
    )


async def discover_services(client: DatadogClient, config: DatadogConfig, context: ConnectorContext) -> Discovery:
    """The services that APM knows, and what is defined in the software catalog."""
    names: dict[str, None] = {}
    gaps: list[str] = []
    failures: list[AgentError] = []
    environment = config.environment or "*"
    try:
        told = await client.get("/api/v2/apm/services", {"filter[env]": environment}, what="services of APM")
        names |= dict.fromkeys(str(one) for one in told["data"]["attributes"]["services"])
    except AgentError as exc:
        failures.append(exc)
        gaps.append(f"services of APM could not be listed: {exc}")
    except (KeyError, TypeError):
        gaps.append("services of APM could not be listed: the answer has a form that is not documented")
    try:
        asked = {"filter[kind]": "service", "page[limit]": str(_DISCOVERED)}
        entities = listed(await client.get("/api/v2/catalog/entity", asked, what="the catalog"), "data", "the catalog")
        names |= dict.fromkeys(str((one.get("attributes") or {}).get("name", "")) for one in entities)
        gaps += (
            [f"only the first {_DISCOVERED} entries of the catalog were read"] if len(entities) >= _DISCOVERED else []
        )
    except AgentError as exc:
        failures.append(exc)
        gaps.append(f"the software catalog could not be listed: {exc}")
    if len(failures) == 2:
        raise failures[0]
    cleaned = await context.clean_words([name for name in names if name])
    services = tuple(Discovered(name=name, environment=config.environment) for name in cleaned)
    return Discovery(services=services, gaps=tuple(gaps))


async def _failure(question: Awaitable[Any]) -> str:
    try:
        await question
    except AgentError as exc:
        return str(exc)
    return ""
