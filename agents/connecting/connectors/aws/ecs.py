"""Services of ECS: what runs, how its deployments go, why its tasks stopped, and one put back to an earlier task
definition.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ -- a stopped task is kept for an hour or so.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from agents.connecting.connector import ActionResult, ConnectorContext, Diff
from agents.connecting.connectors.aws.session import AwsSession
from agents.connecting.connectors.aws.settings import AwsConfig
from agents.connecting.workloads import WorkloadRevision, WorkloadTarget
from agents.english import counted
from agents.errors import AgentError, BadArguments, NotPermitted
from agents.language.service_names import belongs_to

_MOST_CLUSTERS: Final = 20
_MOST_SERVICES: Final = 200
_AT_ONCE: Final = 10  # services that DescribeServices takes
_MOST_STOPPED: Final = 50
_MOST_REVISIONS: Final = 5
_MAX_TEXT: Final = 60_000
_KEPT_FOR: Final = timedelta(seconds=30)
_OF_THE_RECORD: Final = frozenset(
    {"taskDefinitionArn", "revision", "registeredAt", "registeredBy", "requiresAttributes", "compatibilities", "status"}
)
"""What of a task definition differs between any two, and tells nothing."""


@dataclass(frozen=True, kw_only=True)
class EcsService:
    """A declared service as ECS has it. `told` is ECS' own description."""

    service: str
    cluster: str
    told: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.told["serviceName"])

    @property
    def definition(self) -> str:
        return revision_of(str(self.told.get("taskDefinition", "")))

    @property
    def deployments(self) -> list[Mapping[str, Any]]:
        """Newest first."""
        found = [one for one in self.told.get("deployments") or () if one.get("createdAt") is not None]
        return sorted(found, key=lambda one: one["createdAt"], reverse=True)

    @property
    def primary(self) -> Mapping[str, Any]:
        return next((one for one in self.deployments if one.get("status") == "PRIMARY"), {})

    def target_groups(self) -> list[str]:
        """As CloudWatch's dimension `TargetGroup` has them."""
        arns = (str(one.get("targetGroupArn") or "") for one in self.told.get("loadBalancers") or ())
        return [arn.rpartition(":")[2] for arn in arns if arn]


@dataclass(kw_only=True)
class _Listed:
    at: datetime | None = None
    services: list[EcsService] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)


class EcsReader:
    """Of one connection."""

    def __init__(self, session: AwsSession, config: AwsConfig, context: ConnectorContext) -> None:
        self._session, self._config, self._context = session, config, context
        self._listed = _Listed()

    async def clusters(self, gaps: list[str]) -> list[str]:
        if self._config.clusters:
            return list(self._config.clusters)
        read = await self._session.pages("ecs", "list_clusters", "clusterArns", what="clusters", most_pages=2)
        names = [str(arn).rpartition("/")[2] for arn in read.items]
        if read.more or len(names) > _MOST_CLUSTERS:
            gaps.append(f"ECS: services of the first {_MOST_CLUSTERS} clusters were read; name the clusters")
        return names[:_MOST_CLUSTERS]

    async def names(self, gaps: list[str]) -> list[tuple[str, str]]:
        """Cluster and name of each service. Raises an AgentError when no cluster could be read."""
        found: list[tuple[str, str]] = []
        failures: list[AgentError] = []
        clusters = await self.clusters(gaps)
        for cluster in clusters:
            try:
                read = await self._session.pages(
                    "ecs",
                    "list_services",
                    "serviceArns",
                    what=f"services of {cluster}",
                    cluster=cluster,
                    maxResults=100,
                )
            except AgentError as exc:
                failures.append(exc)
                gaps.append(f"ECS: services of {cluster} could not be read: {exc}")
                continue
            found += [(cluster, str(arn).rpartition("/")[2]) for arn in read.items]
            if read.more:
                gaps.append(f"ECS: not all services of {cluster} were read")
        if failures and len(failures) == len(clusters):
            raise failures[0]
        return found

    async def services(self, gaps: list[str], *, fresh: bool = False) -> list[EcsService]:
        """Those that are declared; kept for half a minute, since several questions of a reading need them."""
        now, kept = self._context.now(), self._listed
        if fresh or kept.at is None or not timedelta(0) <= now - kept.at < _KEPT_FOR:
            kept = _Listed(at=now)
            kept.services = await self._read(kept.gaps)
            self._listed = kept
        gaps += kept.gaps
        return kept.services

    def service_of(self, name: str) -> str:
        """The declared service that a name of AWS means; "" for none."""
        for service, names in self._config.names.items():
            if name in names:
                return service
        return belongs_to(name, self._context.services, "aws") or ""

    async def one(self, service: str, *, fresh: bool = False) -> EcsService:
        """Raises BadArguments where it is none of ECS, or several."""
        self._context.require_declared([service], key="service")
        gaps: list[str] = []
        found = [one for one in await self.services(gaps, fresh=fresh) if one.service == service]
        if len(found) != 1:
            many = f"{len(found)} services of ECS" if found else "no service of ECS"
            raise BadArguments(f"{service} is {many} in {self._config.region}{'; ' + '; '.join(gaps) if gaps else ''}")
        return found[0]

    async def stopped(self, one: EcsService) -> tuple[list[Mapping[str, Any]], bool]:
        """Tasks that stopped lately, newest first, and whether there were more."""
        read = await self._session.pages(
            "ecs",
            "list_tasks",
            "taskArns",
            what=f"stopped tasks of {one.service}",
            most_pages=1,
            cluster=one.cluster,
            serviceName=one.name,
            desiredStatus="STOPPED",
            maxResults=_MOST_STOPPED,
        )
        if not read.items:
            return [], read.more
        answer = await self._session.call(
            "ecs", "describe_tasks", what=f"stopped tasks of {one.service}", cluster=one.cluster, tasks=read.items
        )
        tasks = [task for task in answer.get("tasks") or () if task.get("stoppedAt") is not None]
        return sorted(tasks, key=lambda task: task["stoppedAt"], reverse=True), read.more

    async def definition(self, name: str) -> dict[str, Any]:
        """A task definition such as `checkout:42`."""
        answer = await self._session.call(
            "ecs", "describe_task_definition", what=f"task definition {name}", taskDefinition=name
        )
        return dict(answer["taskDefinition"])

    async def diff(self, service: str, old: str, new: str) -> Diff:
        """What of the task definition changed. Raises BadArguments for revisions that ECS does not know."""
        self._context.require_declared([service], key="service")
        if not (_is_revision(old) and _is_revision(new)):
            raise BadArguments(f"ECS knows no task definitions {old[:12]} and {new[:12]}")
        before, after = [_as_lines(await self.definition(name)) for name in (old, new)]
        text = await self._context.clean(
            "\n".join(difflib.unified_diff(before, after, f"a/{old}", f"b/{new}", lineterm="", n=4))
        )
        return Diff(
            change_id=f"{service}@{new}",
            service=service,
            from_version=old,
            to_version=new,
            text=text[:_MAX_TEXT],
            paths=(f"task-definitions/{new.partition(':')[0]}",),
            whole=len(text) <= _MAX_TEXT,
        )

    async def log_groups(self, one: EcsService) -> list[str]:
        """Where its containers log to."""
        definition = await self.definition(one.definition)
        groups = (
            ((container.get("logConfiguration") or {}).get("options") or {}).get("awslogs-group")
            for container in definition.get("containerDefinitions") or ()
        )
        return [str(group) for group in dict.fromkeys(groups) if group]

    # Acting

    async def workload(self, service: str, *, connection: str) -> WorkloadTarget:
        """The revisions are those of the deployments that ECS still shows, and those just before the running one."""
        one = await self.one(service, fresh=True)
        primary = one.primary
        known = {revision_of(str(d.get("taskDefinition", ""))): d["createdAt"] for d in reversed(one.deployments)}
        running = one.definition
        family, _, number = running.rpartition(":")
        revisions: list[WorkloadRevision] = []
        for name in _earlier(known, running, family, int(number or 0)):
            try:
                told = await self.definition(name)
            except BadArguments:
                continue  # it was deleted
            if told.get("status") == "ACTIVE":
                revisions.append(_revision(name, told, known.get(name)))
        revisions = revisions[-_MOST_REVISIONS:]
        revisions.append(_revision(running, await self.definition(running), known.get(running)))
        created = primary.get("createdAt")
        return WorkloadTarget(
            service=service,
            connection=connection,
            place=(one.cluster, "services", one.name),
            replicas=int(one.told.get("desiredCount") or 0),
            ready=int(primary.get("runningCount") or 0),
            generation=int(created.timestamp()) if created is not None else 0,
            revisions=tuple(revisions),
            restarted_at="",
            paused=(one.told.get("deploymentController") or {}).get("type", "ECS") != "ECS",
            read_at=self._context.now(),
        )

    async def update(self, parameters: Mapping[str, str]) -> ActionResult:
        """Puts the service to the task definition that the plan names, if it is still as the plan saw it."""
        service, wanted = parameters["service"], parameters["version"]
        one = await self.one(service, fresh=True)
        if (one.cluster, one.name) != (parameters["namespace"], parameters["name"]):
            raise NotPermitted(f"{service} is another service of ECS now than the plan was made for")
        if one.definition == wanted:
            return ActionResult(ok=True, detail=f"{one.name} runs {wanted} already")
        created = one.primary.get("createdAt")
        if created is None or str(int(created.timestamp())) != parameters["generation"]:
            return ActionResult(ok=False, detail="something else was deployed since the plan; nothing was changed")
        answer = await self._session.call(
            "ecs", "update_service", what=f"an update of {service}", **request_of(parameters)
        )
        told = (answer.get("service") or {}).get("taskDefinition", "")
        self._listed = _Listed()
        return ActionResult(ok=True, detail=f"{one.name} is being put to {revision_of(str(told)) or wanted}")

    async def _read(self, gaps: list[str]) -> list[EcsService]:
        named = [(cluster, name) for cluster, name in await self.names(gaps) if self.service_of(name)]
        if len(named) > _MOST_SERVICES:
            gaps.append(f"ECS: {_MOST_SERVICES} of {counted(len(named), 'service')} were read")
        found: list[EcsService] = []
        for cluster in dict.fromkeys(cluster for cluster, _ in named[:_MOST_SERVICES]):
            names = [name for of, name in named[:_MOST_SERVICES] if of == cluster]
            for start in range(0, len(names), _AT_ONCE):
                answer = await self._session.call(
                    "ecs",
                    "describe_services",
                    what=f"services of {cluster}",
                    cluster=cluster,
                    services=names[start : start + _AT_ONCE],
                )
                found += [
                    EcsService(service=self.service_of(str(told["serviceName"])), cluster=cluster, told=told)
                    for told in answer.get("services") or ()
                    if told.get("status") != "INACTIVE"
                ]
        return found


def request_of(parameters: Mapping[str, str]) -> dict[str, str]:
    """UpdateService as it is sent, and as the card shows it."""
    return {
        "cluster": parameters["namespace"],
        "service": parameters["name"],
        "taskDefinition": parameters["version"],
    }


def revision_of(arn: str) -> str:
    """`checkout:42` of a task definition's ARN."""
    return arn.rpartition("/")[2]


def stopped_because(task: Mapping[str, Any]) -> str:
    """ECS' reason, and those of the containers with their exit codes."""
    parts = [str(task.get("stoppedReason") or task.get("stopCode") or "no reason told")]
    for container in task.get("containers") or ():
        code, reason = container.get("exitCode"), container.get("reason")
        if code not in (None, 0) or reason:
            told = ", ".join(filter(None, (f"exit code {code}" if code is not None else "", str(reason or ""))))
            parts.append(f"{container.get('name', 'container')}: {told}")
    return "; ".join(parts)


def utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


def _revision(name: str, told: Mapping[str, Any], at: datetime | None) -> WorkloadRevision:
    images = tuple(str(one.get("image", "")) for one in told.get("containerDefinitions") or ())
    return WorkloadRevision(
        number=int(name.rpartition(":")[2] or 0), version=name, images=images, at=utc(at) if at is not None else None
    )


def _earlier(known: Mapping[str, datetime], running: str, family: str, number: int) -> list[str]:
    """Candidates for the way back, oldest first: the numbers just below, and last what ECS itself still shows."""
    below = [f"{family}:{n}" for n in range(max(1, number - 2), number)]
    shown = [name for name in known if name != running]
    return [*(name for name in below if name not in shown), *shown]


def _is_revision(version: str) -> bool:
    family, _, number = version.rpartition(":")
    return bool(family) and number.isdecimal()


def _as_lines(definition: Mapping[str, Any]) -> Sequence[str]:
    kept = {key: value for key, value in definition.items() if key not in _OF_THE_RECORD}
    return json.dumps(kept, indent=1, sort_keys=True, default=str).splitlines()
