"""Whether the role has the rights of the policy: each is asked for in the smallest way. A question that AWS refuses for
its contents was permitted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import timedelta
from typing import Any, Final

from agents.connecting.connector import Check, ConnectorContext
from agents.connecting.connectors.aws.ecs import EcsReader
from agents.connecting.connectors.aws.session import AwsSession
from agents.connecting.connectors.aws.settings import READS, AwsConfig
from agents.english import counted
from agents.errors import AgentError, BadArguments, NeedsReauthorisation

_NOWHERE: Final = "autoheal-asks-whether-it-may"


async def check_rights(session: AwsSession, config: AwsConfig, context: ConnectorContext, ecs: EcsReader) -> Check:
    probes = _probes(session, config, context)
    told = dict(zip(probes, await asyncio.gather(*(_refusal(one) for one in probes.values())), strict=True))
    failures = {name: why for name, why in told.items() if why}
    if len(failures) == len(probes):
        return Check(
            ok=False,
            detail=next(iter(failures.values())),
            next_action="Correct the role's trust policy, its policy, or the region, and test again.",
        )
    seen = await _seen(ecs, context)
    detail = f"AWS answers in {config.region}, {seen}"
    by_key = (
        "" if config.role_arn else " A role with an external id is better than a key, which does not end by itself."
    )
    if not failures:
        return Check(ok=True, detail=detail + by_key)
    without = {name: lost for lost, names in READS.items() for name in names}
    return Check(
        ok=False,
        answers=True,
        detail=detail + by_key,
        lacks=tuple(f"{name}: {without.get(name, 'it cannot be done')} ({why})" for name, why in failures.items()),
        next_action=f"Allow the role {', '.join(failures)}, where you want that; the whole policy is in the documents.",
    )


def _probes(session: AwsSession, config: AwsConfig, context: ConnectorContext) -> Mapping[str, Awaitable[Any]]:
    now = context.now()
    ms = int(now.timestamp() * 1000)
    cluster = config.clusters[0] if config.clusters else "default"
    metric = {"Metric": {"Namespace": "AWS/ECS", "MetricName": "CPUUtilization"}, "Period": 60, "Stat": "Average"}
    data = {
        "MetricDataQueries": [{"Id": "m0", "MetricStat": metric}],
        "StartTime": now - timedelta(minutes=5),
        "EndTime": now,
    }
    asked: dict[str, tuple[str, str, dict[str, Any]]] = {
        "cloudwatch:ListMetrics": ("cloudwatch", "list_metrics", {"Namespace": "AWS/ECS"}),
        "cloudwatch:GetMetricData": ("cloudwatch", "get_metric_data", data),
        "cloudwatch:DescribeAlarms": ("cloudwatch", "describe_alarms", {"MaxRecords": 1}),
        "logs:DescribeLogGroups": ("logs", "describe_log_groups", {"limit": 1}),
        "logs:FilterLogEvents": (
            "logs",
            "filter_log_events",
            {"logGroupName": _NOWHERE, "startTime": ms - 1000, "endTime": ms, "limit": 1},
        ),
        "logs:StartQuery": (
            "logs",
            "start_query",
            {
                "logGroupNames": [_NOWHERE],
                "startTime": ms // 1000 - 60,
                "endTime": ms // 1000,
                "queryString": "fields @message | limit 1",
            },
        ),
        "logs:GetQueryResults": ("logs", "get_query_results", {"queryId": _NOWHERE}),
        "logs:StopQuery": ("logs", "stop_query", {"queryId": _NOWHERE}),
        "ecs:ListClusters": ("ecs", "list_clusters", {"maxResults": 1}),
        "ecs:ListServices": ("ecs", "list_services", {"cluster": cluster, "maxResults": 1}),
        "ecs:DescribeServices": ("ecs", "describe_services", {"cluster": cluster, "services": [_NOWHERE]}),
        "ecs:ListTasks": ("ecs", "list_tasks", {"cluster": cluster, "maxResults": 1}),
        "ecs:DescribeTasks": ("ecs", "describe_tasks", {"cluster": cluster, "tasks": [_NOWHERE]}),
        "ecs:DescribeTaskDefinition": ("ecs", "describe_task_definition", {"taskDefinition": _NOWHERE}),
        "cloudtrail:LookupEvents": ("cloudtrail", "lookup_events", {"MaxResults": 1}),
    }
    if "ecs_update_service" in config.actions:  # of a service that is not there, so nothing can change
        asked["ecs:UpdateService"] = ("ecs", "update_service", {"cluster": cluster, "service": _NOWHERE})
    return {
        name: session.call(service, operation, what=name, **arguments)
        for name, (service, operation, arguments) in asked.items()
    }


async def _refusal(question: Awaitable[Any]) -> str:
    try:
        await question
    except BadArguments:
        return ""
    except NeedsReauthorisation as exc:
        return str(exc)
    except AgentError as exc:
        return str(exc)
    return ""


async def _seen(ecs: EcsReader, context: ConnectorContext) -> str:
    gaps: list[str] = []
    try:
        found = {one.service for one in await ecs.services(gaps)}
    except AgentError:
        return "services of ECS could not be listed"
    return f"{len(found)} of {counted(len(context.names), 'declared service')} seen in ECS"
