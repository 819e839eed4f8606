"""Reads a Kubernetes cluster: what runs and why it does not, rollouts as changes, logs of pods.

https://kubernetes.io/docs/reference/using-api/ -- by the token of a service account whose Role stands in `role.yaml`
beside this file; inside the cluster or by kubeconfig only from the operator's file. What the server refuses is a gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field

from agents.connecting.cluster import ClusterTools
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
    TargetState,
)
from agents.connecting.connectors.kubernetes import answers
from agents.connecting.connectors.kubernetes.access import Access, in_cluster, of_kubeconfig, typed_in
from agents.connecting.connectors.kubernetes.actions import WorkloadActions
from agents.connecting.connectors.kubernetes.answers import Workload
from agents.connecting.connectors.kubernetes.changes import RolloutReader
from agents.connecting.connectors.kubernetes.checking import RightsCheck
from agents.connecting.connectors.kubernetes.client import KubernetesClient
from agents.connecting.connectors.kubernetes.kinds import KINDS, RIGHTS, WORKLOADS
from agents.connecting.connectors.kubernetes.pod_logs import PodLogs
from agents.connecting.connectors.kubernetes.reading import OFFERED, ClusterReader, app_names
from agents.connecting.connectors.kubernetes.rollouts import Blamed
from agents.connecting.connectors.kubernetes.settings import FORM, INSTRUCTIONS, KubernetesConfig
from agents.connecting.fields import Scope
from agents.connecting.workloads import WorkloadTarget
from agents.english import counted
from agents.errors import AgentError, BadArguments, NotPermitted
from agents.evidence.types import Change, Window
from agents.rows import Changed, Searched
from agents.tool import Arguments, Tool, ToolOutput, tool, tools_of


class RolloutArguments(Arguments):
    service: str = Field(description="A declared service.")
    hours: int = Field(default=24, ge=1, le=720, description="How far back from now.")


class Kubernetes(Connector):
    name = "kubernetes"
    title = "Kubernetes"
    config_model = KubernetesConfig
    names_are = "workload"
    about = "What runs and why it does not, rollouts and logs of pods."
    docs_url = "https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/"
    form = FORM
    scopes = tuple(Scope(name=right.name, without=right.without) for right in RIGHTS if not right.action)
    instructions = INSTRUCTIONS
    leaves_behind = "The token of the service account stays valid: kubectl -n autoheal delete secret autoheal-token."

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        access = self._access()
        namespaces = config.namespaces or ((access.namespace,) if access.namespace else ())
        if not namespaces:
            raise BadArguments("connectors.kubernetes: name the namespaces to read")
        self.namespaces: tuple[str, ...] = tuple(namespaces)
        self._client = KubernetesClient(access, context)
        self._cluster = ClusterReader(self._client, context, self.namespaces)
        self._rollouts = RolloutReader(self._cluster, context)
        self._actions = WorkloadActions(
            self._client, self._cluster, self._rollouts, context, most=config.most_instances
        )

    def _access(self) -> Access:
        config, secrets = self.config, self.context.credentials
        of_host = config.in_cluster or config.kubeconfig is not None
        if of_host and self.context.label:
            raise BadArguments("connectors.kubernetes: in_cluster and kubeconfig stand in the operator's file only")
        if of_host + (config.api is not None) + (config.in_cluster and config.kubeconfig is not None) != 1:
            raise BadArguments("connectors.kubernetes: give api with a token, or in_cluster, or kubeconfig")
        if config.in_cluster:
            return in_cluster()
        if config.kubeconfig is not None:
            return of_kubeconfig(config.kubeconfig, config.context)
        if "token" not in secrets:
            raise BadArguments("connectors.kubernetes: api needs the token of a service account")
        return typed_in(str(config.api), secrets["token"], config.certificate_authority)

    @classmethod
    def hosts(cls, config: Any) -> tuple[str, ...]:
        return (urlsplit(str(config.api)).hostname or "",) if config.api is not None else ()

    async def close(self) -> None:
        await self._client.close()

    def tools(self) -> list[Tool]:
        cluster = ClusterTools(self._cluster).tools(self.key, OFFERED, self.namespaces)
        return [*cluster, *tools_of(self, source=self.key)]

    async def check(self) -> Check:
        """Asks the server for each right that is used, and whether anything runs there."""
        used = [right for right in RIGHTS if not right.action or right.action in self.config.actions]
        return await RightsCheck(self._client, self.namespaces, used).check()

    async def discover(self) -> Discovery:
        """A service for each workload; its pods and what its labels call it are other names of it."""
        services, gaps, failures = list[Discovered](), list[str](), list[AgentError]()
        for namespace in self.namespaces:
            for plural in WORKLOADS:
                try:
                    items, more = await self._cluster.listed(KINDS[plural], namespace)
                except AgentError as exc:
                    failures.append(exc)
                    gaps.append(str(exc))
                    continue
                if more:
                    gaps.append(f"only the first {len(items)} {plural} of {namespace} were looked at")
                services += [_discovered(one) for one in answers.several(Workload, items, plural)]
        if not services and failures:
            raise failures[0]
        return Discovery(services=tuple(services), gaps=tuple(gaps))

    async def read_changes(self, window: Window, services: Sequence[str] | None = None) -> ChangesRead:
        """Rollouts of the window, oldest first. Raises an AgentError when no namespace can be read."""
        return await self._rollouts.read_changes(window, services)

    async def read_diff(self, service: str, from_version: str, to_version: str) -> Diff:
        """What of the pod template changed. Raises BadArguments for revisions that the cluster no longer keeps."""
        return await self._rollouts.read_diff(service, from_version, to_version)

    async def read_logs(self, window: Window, services: Sequence[str] | None = None) -> LogsRead:
        """Lines of the pods of declared services, those of runs that ended included."""
        wanted = [name for name in self.context.names if services is None or name in services]
        return await PodLogs(self._client, self._cluster, self.context).read(window, wanted)

    @tool()
    async def cluster_rollouts(self, arguments: RolloutArguments) -> ToolOutput:
        """Rollouts of a service: when each began, from which image to which, and whether the pods of the last one are
        those that are not ready.
        """
        self.context.require_declared([arguments.service], key="service")
        now = self.context.now()
        window = Window(start=now - timedelta(hours=arguments.hours), end=now)
        read = await self.read_changes(window, [arguments.service])
        blamed, gaps = await self._rollouts.blamed(arguments.service)
        rows = [_rollout_row(one, blamed) for one in reversed(read.changes)]
        told = f"{counted(len(rows), 'rollout')} of {arguments.service} in {arguments.hours} h"
        searched = Searched(
            service=arguments.service, what="rollouts", found=len(rows), start=window.start, end=window.end, line=told
        )
        text = "\n".join([told, *(row.line for row in rows)])
        gap = "; ".join(dict.fromkeys((*read.gaps, *gaps))) or None
        facts = {
            "changes": [
                {
                    "id": one.id,
                    "service": one.service,
                    "at": one.at.isoformat(),
                    "version": one.version,
                    "previous_version": one.previous_version,
                    "commit": one.commit,
                }
                for one in read.changes
            ]
        }
        return ToolOutput(text=text, summary=told, rows=(searched, *rows), gap=gap, facts=facts)

    def can(self, action: str, service: str) -> bool:
        return action in self.config.actions and service in self.context.names

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
        return self._actions.argv(action, parameters)

    async def read_target(self, service: str) -> TargetState:
        return (await self.read_workload(service)).as_target()

    async def read_workload(self, service: str) -> WorkloadTarget:
        """Raises BadArguments where the service is no workload of this cluster, or several."""
        return await self._actions.read(service)

    async def act(self, action: str, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult:
        """Carries out one action on the workload that the parameters name. Raises NotPermitted and as the server."""
        if not self.can(action, parameters.get("service", "")):
            raise NotPermitted(f"{self.title} may not do {action[:40]!r} here")
        return await self._actions.act(action, parameters, idempotency_key=idempotency_key)


def _rollout_row(one: Change, blamed: Mapping[str, Blamed]) -> Changed:
    """A rollout whose own pods fail began before they did, and it reaches them; of others that is not known."""
    own = blamed.get(one.version or "")
    fails = f"; its pods alone are not ready, since {own.since:%H:%M:%S}" if own else ""
    return Changed(
        service=one.service,
        change=one.id,
        at=one.at,
        version=one.version or "",
        previous_version=one.previous_version or "",
        summary=one.summary,
        line=f"{one.at:%Y-%m-%d %H:%M:%S} UTC {one.version} {one.summary}{fails}",
        verdict="cause_candidate" if own else "",
        before_onset_s=(own.since - one.at).total_seconds() if own else None,
        precedes_onset=True if own else None,
        reaches_symptom=True if own else None,
    )


def _discovered(one: Workload) -> Discovered:
    names = [name for name in app_names(one.metadata, one.spec.template.metadata.labels) if name != one.name]
    return Discovered(name=one.name, aliases=(f"pod:{one.name}-*", *(f"app:{name}" for name in names)))


CONNECTOR = Kubernetes
