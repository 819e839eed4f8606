"""Reads an AWS account: metrics and alarms of CloudWatch, its logs, services of ECS, and CloudTrail. Puts a service
back to its previous task definition where that is permitted and a person approved it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html -- by a role that is assumed with an external id.
What the role may not read is a gap: a refusal proves nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from agents.connecting.active_alerts import AlertsRead
from agents.connecting.connector import (
    ActionResult,
    ChangesRead,
    Check,
    Connector,
    ConnectorContext,
    Diff,
    Discovered,
    Discovery,
    LogsRead,
    SeriesRead,
    TargetState,
)
from agents.connecting.connectors.aws.alarms import NO_DATA, AlarmReader
from agents.connecting.connectors.aws.asked import AwsHistory, AwsLogs, AwsMetric, OfAwsService
from agents.connecting.connectors.aws.changes import AwsChanges
from agents.connecting.connectors.aws.checking import check_rights
from agents.connecting.connectors.aws.ecs import EcsReader, EcsService, request_of, stopped_because, utc
from agents.connecting.connectors.aws.logs import CloudWatchLogs
from agents.connecting.connectors.aws.metrics import CloudWatchReader, statistic_of
from agents.connecting.connectors.aws.session import AwsSession
from agents.connecting.connectors.aws.settings import FORM, SCOPES, AwsConfig
from agents.connecting.workloads import WorkloadTarget
from agents.english import counted
from agents.errors import AgentError, BadArguments, NotPermitted
from agents.evidence.types import Window, as_utc
from agents.rows import Changed, Logged, Row, Sampled, Searched, State
from agents.tool import ToolOutput, tool

_SHOWN: Final = 50
_POINTS: Final = 20
_EVENTS: Final = 10
_LONGEST: Final = 600


class Aws(Connector):
    name = "aws"
    title = "AWS"
    config_model = AwsConfig
    names_are = "aws"
    about = "CloudWatch metrics, alarms and logs, ECS and CloudTrail of an AWS account."
    docs_url = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-user_externalid.html"
    form = FORM
    scopes = SCOPES
    instructions = (
        "An alarm in INSUFFICIENT_DATA judges nothing; one on a metric with other dimensions than are reported never "
        "fires. CloudTrail is some minutes late. Why tasks of ECS stopped stands in aws_ecs_service; a version is a "
        "task definition such as checkout:42, and aws_changes names the one before."
    )
    leaves_behind = "The role stays: delete it in your account. A key stays valid until it is deleted there."

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        for names, key in ((config.names, "names"), (config.log_groups, "log_groups")):
            context.require_declared(names, key=f"connectors.aws.{key}")
        secrets = context.credentials
        by_role = bool(config.role_arn) and "external_id" in secrets
        if not by_role and not {"access_key_id", "secret_access_key"} <= set(secrets):
            raise BadArguments("connectors.aws: give role_arn with external_id, or an access key")
        self._session = AwsSession(config, context)
        self._ecs = EcsReader(self._session, config, context)
        self._metrics = CloudWatchReader(self._session, config, context, self._ecs)
        self._alarms = AlarmReader(self._session, context, self._ecs, region=config.region)
        self._logs = CloudWatchLogs(self._session, config, context, self._ecs)
        self._changes = AwsChanges(self._session, context, self._ecs, region=config.region)

    @classmethod
    def hosts(cls, config: Any) -> tuple[str, ...]:
        return config.hosts()  # type: ignore[no-any-return] # the base leaves a config's type open

    async def close(self) -> None:
        await self._session.close()

    async def check(self) -> Check:
        """Asks for each right of the policy, so that a missing one is told before an incident."""
        return await check_rights(self._session, self.config, self.context, self._ecs)

    async def discover(self) -> Discovery:
        """A service for each one of ECS."""
        gaps: list[str] = []
        names = [name for _, name in await self._ecs.names(gaps)]
        cleaned = await self.context.clean_words(list(dict.fromkeys(names)))
        return Discovery(services=tuple(Discovered(name=name) for name in cleaned), gaps=tuple(gaps))

    # Sources

    async def read_series(self, window: Window, services: Sequence[str] | None = None) -> SeriesRead:
        """Metrics of the services. Raises an AgentError when none could be read."""
        return await self._metrics.read(window, self._chosen(services))

    async def read_logs(self, window: Window, services: Sequence[str] | None = None) -> LogsRead:
        """Lines of the services' log groups. Raises an AgentError when none could be read."""
        return await self._logs.read(window, self._chosen(services))

    async def read_changes(self, window: Window, services: Sequence[str] | None = None) -> ChangesRead:
        """Deployments of ECS and changes of CloudTrail, oldest first. Raises an AgentError when none could be read."""
        return await self._changes.read(window, self._chosen(services))

    async def read_diff(self, service: str, from_version: str, to_version: str) -> Diff:
        """What of the task definition changed. Raises BadArguments for what is none."""
        return await self._ecs.diff(service, from_version, to_version)

    async def read_alerts(self, services: Sequence[str] | None = None) -> AlertsRead:
        """Alarms that fire or lack data. Raises an AgentError when it cannot be asked."""
        return await self._alarms.alerts(self._chosen(services))

    # Tools

    @tool()
    async def aws_alarms(self, arguments: OfAwsService) -> ToolOutput:
        """CloudWatch alarms about a service in whatever state, what each watches, since when, and whether one never can
        fire because nothing reports its metric with its dimensions.
        """
        self.context.require_declared([arguments.service], key="service")
        found, gaps = await self._alarms.alarms([arguments.service], only_active=False)
        found.sort(key=lambda one: (one.state == "OK", one.state == NO_DATA, one.name))
        rows = [
            State(
                service=one.service,
                name=one.name,
                value=one.state,
                at=one.since,
                line=f"{one.state} since {one.since:%Y-%m-%d %H:%M:%S} UTC: {one.name} watches {one.watches}"
                + (f"; never fires: {one.never}" if one.never else "")
                + ("" if one.rings else "; its actions are off"),
                link=one.link,
            )
            for one in found
        ]
        return _output(rows, "alarms", arguments.service, counted(len(rows), "alarm"), gaps)

    @tool()
    async def aws_metric(self, arguments: AwsMetric) -> ToolOutput:
        """How a CloudWatch metric of a service moved, a series for each set of its dimensions; without a name, which
        metrics there are.
        """
        self.context.require_declared([arguments.service], key="service")
        gaps: list[str] = []
        try:
            of_ecs = [one for one in await self._ecs.services(gaps) if one.service == arguments.service]
        except AgentError as exc:
            of_ecs = []
            gaps.append(f"metrics of its load balancer are not known: {exc}")
        metrics = await self._metrics.metrics(arguments.service, of_ecs)
        if not arguments.metric:
            names = await self.context.clean_words([f"{m['Namespace']} {m['MetricName']}" for m in metrics])
            listed = [
                State(service=arguments.service, name=one, value="reported", line=one) for one in dict.fromkeys(names)
            ]
            return _output(listed, "metrics", arguments.service, counted(len(listed), "metric"), gaps, shown=300)
        wanted = [m for m in metrics if m["MetricName"] == arguments.metric]
        end = self.context.now()
        window = Window(start=end - timedelta(minutes=arguments.minutes), end=end)
        period_s = 60 if arguments.minutes <= 360 else 300 if arguments.minutes <= 1440 else 3600
        how = arguments.statistic or statistic_of(arguments.metric)
        read = (
            await self._metrics.values([(m, how) for m in wanted], window, what=arguments.metric, period_s=period_s)
            if wanted
            else []
        )
        rows = []
        for metric, (times, values) in zip(wanted, read, strict=True):
            told = ", ".join(f"{d['Name']}={d['Value']}" for d in metric.get("Dimensions") or ())
            namespace, dimensions = await self.context.clean_words([str(metric["Namespace"]), told])
            points = [(as_utc(float(at)), float(value)) for at, value in zip(times, values, strict=True)]
            step = max(1, -(-len(points) // _POINTS))
            shown = " ".join(f"{at:%H:%M:%S}={value:.4g}" for at, value in points[::-step][::-1])
            rows.append(
                Sampled(
                    service=arguments.service,
                    name=arguments.metric,
                    labels={"namespace": namespace, "dimensions": dimensions},
                    points=tuple(points),
                    line=f"{how} of {period_s} s, {namespace} {arguments.metric}{{{dimensions}}}: {shown}",
                )
            )
        rows = [row for row in rows if row.points]
        told_rows = f"{len(rows)} series of {arguments.metric}"
        return _output(rows, "samples", arguments.service, told_rows, gaps, window=window)

    @tool(timeout_s=40.0)
    async def aws_logs(self, arguments: AwsLogs) -> ToolOutput:
        """Log lines of a service in CloudWatch, newest first, with words that are looked for to the letter."""
        self.context.require_declared([arguments.service], key="service")
        end = self.context.now()
        window = Window(start=end - timedelta(minutes=arguments.minutes), end=end)
        groups = await self._logs.groups(arguments.service)
        if not groups:
            raise BadArguments(f"CloudWatch has no log group of {arguments.service}; log_groups may name one")
        words = " ".join(arguments.contains.split())
        lines, more = await self._logs.newest(
            arguments.service, groups, window, words=words, most=max(arguments.limit, 100)
        )
        # Once more among what is shown: a search must not tell by what it finds what was taken out.
        lines = [one for one in lines if words.casefold() in " ".join(f"{one.text} {one.fields}".split()).casefold()]
        lines.sort(key=lambda line: line.time, reverse=True)
        rows = [
            Logged(
                service=one.service,
                example=one.text,
                level=one.level,
                first=one.time,
                last=one.time,
                fields=one.fields,
                line=f"{one.time:%Y-%m-%d %H:%M:%S} UTC {one.level} {one.text}"[:_LONGEST],
            )
            for one in lines
        ]
        gaps = ["there may be older lines; narrow the question"] if more else []
        wanted = {"contains": words} if words else {}
        told = f"{counted(len(rows), 'line')} of {arguments.service} in {counted(len(groups), 'log group')}"
        return _output(
            rows, "log lines", arguments.service, told, gaps, shown=arguments.limit, window=window, wanted=wanted
        )

    @tool()
    async def aws_ecs_service(self, arguments: OfAwsService) -> ToolOutput:
        """A service of ECS: how many tasks run of those wanted, its deployments and whether they go well, why tasks
        stopped lately with exit codes, and what ECS says of it.
        """
        one = await self._ecs.one(arguments.service, fresh=True)
        gaps: list[str] = []
        lines: list[tuple[str, str, Any]] = [
            (
                "tasks",
                _counts(one),
                None,
            )
        ]
        for deployment in one.deployments:
            told = " ".join(str(deployment.get(k) or "") for k in ("status", "rolloutState", "rolloutStateReason"))
            version = str(deployment.get("taskDefinition", "")).rpartition("/")[2]
            failed = f", {deployment['failedTasks']} failed tasks" if deployment.get("failedTasks") else ""
            lines.append((f"deployment of {version}", f"{told}{failed}", deployment["createdAt"]))
        try:
            stopped, more = await self._ecs.stopped(one)
            lines += [("stopped task", stopped_because(task), task["stoppedAt"]) for task in stopped]
            gaps += ["there are more stopped tasks"] if more else []
        except AgentError as exc:
            gaps.append(f"why tasks stopped is not known: {exc}")
        events = list(one.told.get("events") or ())[:_EVENTS]
        lines += [("event", str(event.get("message", "")), event.get("createdAt")) for event in events]
        words = await self.context.clean_words([f"{name}: {said}" for name, said, _ in lines])
        link = f"https://{self.config.region}.console.aws.amazon.com/ecs/v2/clusters/{one.cluster}/services/{one.name}/health"
        rows = []
        for (name, _, at), said in zip(lines, words, strict=True):
            when = utc(at) if at is not None else None
            stamp = f"{when:%Y-%m-%d %H:%M:%S} UTC " if when else ""
            value = said.removeprefix(f"{name}: ")
            rows.append(
                State(service=one.service, name=name, value=value, at=when, line=f"{stamp}{said}"[:_LONGEST], link=link)
            )
        return _output(rows, "states", arguments.service, words[0][:120], gaps)

    @tool()
    async def aws_changes(self, arguments: AwsHistory) -> ToolOutput:
        """What changed of a service in AWS, newest first: deployments of ECS with the task definition before, and what
        CloudTrail recorded of it.
        """
        self.context.require_declared([arguments.service], key="service")
        end = self.context.now()
        window = Window(start=end - timedelta(hours=arguments.hours), end=end)
        read = await self._changes.read(window, [arguments.service])
        rows = [
            Changed(
                service=one.service,
                change=one.id,
                at=one.at,
                kind=one.kind,
                version=one.version or "",
                previous_version=one.previous_version or "",
                summary=one.summary,
                author=one.author,
                link=one.link,
                line=f"{one.at:%Y-%m-%d %H:%M:%S} UTC {one.kind}: {one.summary} [{one.id}]",
            )
            for one in reversed(read.changes)
        ]
        told = f"{counted(len(rows), 'change')} of {arguments.service} in {arguments.hours} h"
        return _output(rows, "changes", arguments.service, told, read.gaps, window=window)

    # Acting

    def can(self, action: str, service: str) -> bool:
        return action in self.config.actions and service in self.context.names

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
        """As the AWS command line would be called."""
        if action != "ecs_update_service":
            raise NotPermitted(f"AWS may not do {action[:40]!r} here")
        asked = request_of(parameters)
        words = [
            f"--{key} {shlex.quote(asked[name])}"
            for key, name in (("cluster", "cluster"), ("service", "service"), ("task-definition", "taskDefinition"))
        ]
        return tuple(shlex.split(f"aws ecs update-service --region {self.config.region} {' '.join(words)}"))

    async def read_target(self, service: str) -> TargetState:
        return (await self.read_workload(service)).as_target()

    async def read_workload(self, service: str) -> WorkloadTarget:
        """Raises BadArguments where the service is none of ECS, or several."""
        return await self._ecs.workload(service, connection=self.key)

    async def act(self, action: str, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult:
        """Raises NotPermitted and as AWS refuses."""
        del idempotency_key  # UpdateService knows none: what runs is looked at first
        if not self.can(action, parameters.get("service", "")):
            raise NotPermitted(f"{self.title} may not do {action[:40]!r} here")
        return await self._ecs.update(parameters)

    def _chosen(self, services: Sequence[str] | None) -> list[str]:
        return [name for name in self.context.names if services is None or name in services]


def _counts(one: EcsService) -> str:
    run, wanted, pending = (one.told.get(key) for key in ("runningCount", "desiredCount", "pendingCount"))
    return f"{run} of {wanted} run, {pending} pending, {one.definition}"


def _output(
    rows: Sequence[Row],
    what: str,
    service: str,
    told: str,
    gaps: Sequence[str],
    *,
    shown: int = _SHOWN,
    window: Window | None = None,
    wanted: Mapping[str, str] | None = None,
) -> ToolOutput:
    """The first rows with what was looked for; with none of them, that there is none."""
    left = len(rows) - shown
    gaps = [*gaps, *([f"{left} further ones are not shown"] if left > 0 else [])]
    searched = Searched(
        service=service,
        what=what,
        found=len(rows),
        start=window.start if window else None,
        end=window.end if window else None,
        wanted=wanted or {},
        whole=not gaps,
        line="" if rows else f"nothing found: no {what} of {service}",
    )
    return ToolOutput(
        text="\n".join(row.line for row in rows[:shown]) or searched.line,
        rows=(searched, *rows[:shown]),
        summary=told,
        gap="; ".join(gaps) or None,
    )


CONNECTOR = Aws
