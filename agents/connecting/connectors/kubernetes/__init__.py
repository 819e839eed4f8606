"""Reads a Kubernetes cluster: what runs and why it does not, rollouts as changes, logs of pods.

https://kubernetes.io/docs/reference/using-api/ -- by the token of a service account whose Role stands in `role.yaml`
beside this file; inside the cluster or by kubeconfig only from the operator's file. What the server refuses is a gap.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import Field, HttpUrl, field_validator

from agents.connecting.clean_lines import LONGEST
from agents.connecting.cluster import ClusterTools
from agents.connecting.connector import (
    ChangesRead,
    Check,
    Connector,
    ConnectorConfig,
    ConnectorContext,
    Diff,
    Discovered,
    Discovery,
    LogsRead,
)
from agents.connecting.connectors.kubernetes import answers, rollouts
from agents.connecting.connectors.kubernetes.access import Access, in_cluster, of_kubeconfig, typed_in
from agents.connecting.connectors.kubernetes.answers import Event, Pod, Workload
from agents.connecting.connectors.kubernetes.client import KubernetesClient
from agents.connecting.connectors.kubernetes.kinds import KINDS, RIGHTS, WORKLOADS, Right
from agents.connecting.connectors.kubernetes.pod_logs import PodLogs
from agents.connecting.connectors.kubernetes.reading import OFFERED, ClusterReader, app_names, service_of
from agents.connecting.connectors.kubernetes.rollouts import Blamed, Revision
from agents.connecting.fields import Field as Asked
from agents.connecting.fields import Form, Scope, Way
from agents.english import counted
from agents.errors import AgentError, BadArguments
from agents.evidence.types import Change, Window
from agents.rows import Changed, Searched
from agents.tool import Arguments, Tool, ToolOutput, tool, tools_of

_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MOST_NAMESPACES: Final = 20
_CHECKED: Final = 3  # namespaces whose rights are asked for one by one
_AT_ONCE: Final = 6
_MAX_TEXT: Final = 60_000
_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class KubernetesConfig(ConnectorConfig):
    """`api` and a token, or `in_cluster`, or `kubeconfig` with its `context`: the latter two in the operator's file
    only. `namespaces` limits what is read.
    """

    api: HttpUrl | None = None
    namespaces: tuple[str, ...] = Field(default=(), max_length=_MOST_NAMESPACES)
    certificate_authority: str = ""
    in_cluster: bool = False
    kubeconfig: Path | None = None
    context: str = ""

    @field_validator("api")
    @classmethod
    def _private(cls, api: HttpUrl | None) -> HttpUrl | None:
        if api is not None and api.scheme != "https" and api.host not in ("127.0.0.1", "localhost"):
            raise ValueError("begins with https://, since a token is sent there")
        return api

    @field_validator("namespaces")
    @classmethod
    def _named(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _NAMESPACE.fullmatch(name):
                raise ValueError(f"{name[:63]!r} is no name of a namespace")
        return tuple(dict.fromkeys(names))


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
    form = Form(
        fields=(
            Asked(
                name="api",
                label="Address of the API server",
                help="As `kubectl cluster-info` shows it.",
                example="https://k8s.example.com:6443",
                required=True,
                pattern=r"https://\S+",
            ),
            Asked(
                name="namespaces",
                label="Namespaces",
                help="Which ones to read, one a line. The account needs the Role in each of them.",
                example="shop",
                required=True,
                kind="lines",
                long=True,
            ),
            Asked(
                name="token",
                label="Token",
                help="Of the service account that role.yaml makes: kubectl -n autoheal get secret autoheal-token -o "
                "jsonpath='{.data.token}' | base64 -d (the value only).",
                secret=True,
                pattern=r"[A-Za-z0-9_.~+/=-]{8,4096}",
            ),
            Asked(
                name="certificate_authority",
                label="CA certificate",
                help="Whole, from BEGIN CERTIFICATE to END CERTIFICATE, where an authority of the cluster's own signed "
                "its certificate: kubectl -n autoheal get secret autoheal-token -o jsonpath='{.data.ca\\.crt}' | "
                "base64 -d (all lines).",
                long=True,
                pattern=r".*-----BEGIN CERTIFICATE-----.+-----END CERTIFICATE-----.*",
            ),
        ),
        ways=(Way(title="Token", fields=("token",)),),
    )
    scopes = tuple(Scope(name=right.name, without=right.without) for right in RIGHTS)
    instructions = (
        "Begin with cluster_list of pods and of deployments, then cluster_describe the unwell one: its events say what "
        "the cluster could not do. cluster_rollouts tells which image went to which, and when. A crashed container "
        "says why in the logs before its last restart, which cluster_logs shows first. A 403 says that I may not look, "
        "not that nothing is there; the cluster keeps events for about an hour only."
    )
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
        """Asks the server for each right, and whether anything runs there."""
        try:
            missing = await self._missing()
            hidden = {namespace for right, namespace in missing if right.name == "pods:list"}
            empty = await self._empty([name for name in self.namespaces[:_CHECKED] if name not in hidden])
        except AgentError as exc:
            return Check(ok=False, detail=str(exc), next_action="Correct that, and test again.")
        where = f"namespace {self.namespaces[0]}" if len(self.namespaces) == 1 else f"{len(self.namespaces)} namespaces"
        lost: dict[Right, list[str]] = {}
        for right, namespace in missing:
            lost.setdefault(right, []).append(namespace)
        everywhere = {right.name for right, names in lost.items() if len(names) == len(self.namespaces[:_CHECKED])}
        if {"pods:list", "deployments:list"} <= everywhere:
            return Check(
                ok=False,
                detail=f"Kubernetes answers, but this account may read neither pods nor deployments in {where}",
                next_action="Apply role.yaml and bind its Role in each namespace.",
            )
        lacks = [
            f"{right.name}{' in ' if names[0] else ''}{', '.join(names)}: {right.without}"
            for right, names in lost.items()
        ]
        lacks += [f"namespace {name}: nothing runs there, or there is no such namespace" for name in empty]
        seen = f"Kubernetes answers, {where} can be read"
        advice = "Correct the names of the namespaces, if they are wrong." if empty else ""
        if lost:
            advice = f"Permit {', '.join(right.name for right in lost)} as in role.yaml, where you want that."
        has_data = len(empty) < len(self.namespaces)
        return Check(ok=not lacks, answers=True, detail=seen, lacks=tuple(lacks), next_action=advice, has_data=has_data)

    async def _missing(self) -> list[tuple[Right, str]]:
        """Each right that the account lacks, with the namespace; "" for those of the whole cluster."""
        asked = [(right, "") for right in RIGHTS if right.cluster]
        asked += [(right, name) for name in self.namespaces[:_CHECKED] for right in RIGHTS if not right.cluster]
        turns = asyncio.Semaphore(_AT_ONCE)

        async def permitted(right: Right, namespace: str) -> bool:
            attributes = {
                "verb": right.verb,
                "group": right.group,
                "resource": right.resource,
                **({"subresource": right.subresource} if right.subresource else {}),
                **({"namespace": namespace} if namespace else {}),
            }
            question = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": attributes},
            }
            async with turns:
                answer = await self._client.post(_REVIEWS, question, what="what this account may do")
            return bool(isinstance(answer, dict) and (answer.get("status") or {}).get("allowed") is True)

        found = await asyncio.gather(*(permitted(*one) for one in asked))
        return [one for one, allowed in zip(asked, found, strict=True) if not allowed]

    async def _empty(self, namespaces: Sequence[str]) -> list[str]:
        """Those without a pod: the server answers an empty list for a namespace that is not there."""
        found = []
        for name in namespaces:
            document = await self._client.get(
                KINDS["pods"].path(name), what=f"pods in namespace {name}", params={"limit": "1"}
            )
            if not (isinstance(document, dict) and document.get("items")):
                found.append(name)
        return found

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
        wanted = set(services if services is not None else self.context.names)
        found, gaps, failures = list[Change](), list[str](), list[AgentError]()
        for namespace in self.namespaces:
            try:
                found += await self._changes(namespace, wanted, window, gaps)
            except AgentError as exc:
                failures.append(exc)
                gaps.append(f"Kubernetes: rollouts of namespace {namespace} could not be read: {exc}")
        if failures and len(failures) == len(self.namespaces):
            raise failures[0]
        return ChangesRead(changes=tuple(sorted(found, key=lambda c: c.at)), gaps=tuple(dict.fromkeys(gaps)))

    async def read_diff(self, service: str, from_version: str, to_version: str) -> Diff:
        """What of the pod template changed. Raises BadArguments for revisions that the cluster no longer keeps."""
        self.context.require_declared([service], key="service")
        for namespace in self.namespaces:
            for _, of in await self._histories(namespace, {service}, []):
                by_version = {one.version: one for one in of}
                if from_version in by_version and to_version in by_version:
                    return await self._diff(service, namespace, by_version[from_version], by_version[to_version])
        raise BadArguments(f"the cluster keeps no rollout of {service} from {from_version[:12]} to {to_version[:12]}")

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
        blamed, gaps = await self._blamed(arguments.service)
        rows = [_rollout_row(one, blamed) for one in reversed(read.changes)]
        told = f"{counted(len(rows), 'rollout')} of {arguments.service} in {arguments.hours} h"
        searched = Searched(
            service=arguments.service, what="rollouts", found=len(rows), start=window.start, end=window.end, line=told
        )
        text = "\n".join([told, *(row.line for row in rows)])
        gap = "; ".join(dict.fromkeys((*read.gaps, *gaps))) or None
        return ToolOutput(text=text, summary=told, rows=(searched, *rows), gap=gap)

    async def _blamed(self, service: str) -> tuple[dict[str, Blamed], list[str]]:
        """By version, the rollouts whose own pods fail."""
        found, gaps = dict[str, Blamed](), list[str]()
        for namespace in self.namespaces:
            try:
                pods, _ = await self._cluster.listed(KINDS["pods"], namespace)
                histories = await self._histories(namespace, {service}, gaps)
            except AgentError as exc:
                gaps.append(f"Kubernetes: {exc}")
                continue
            for _, of in histories:
                if one := rollouts.blamed(of, answers.several(Pod, pods, "pods")):
                    found[one.revision.version] = one
        return found, gaps

    async def _changes(self, namespace: str, wanted: set[str], window: Window, gaps: list[str]) -> list[Change]:
        found = []
        for service, of in await self._histories(namespace, wanted, gaps):
            for before, one in zip([None, *of], of, strict=False):
                if one.at is None:
                    gaps.append(f"Kubernetes: when revision {one.number} of {service} came back is not kept")
                elif window.start <= one.at <= window.end:
                    found.append(await self._change(service, before, one, one.at))
        return found

    async def _change(self, service: str, before: Revision | None, one: Revision, at: datetime) -> Change:
        words = f"{rollouts.what_changed(before, one)} (revision {one.number})"
        summary = (await self.context.clean_words([words]))[0]
        return Change(
            id=f"{service}@{one.version}",
            service=service,
            at=at,
            kind="deployment",
            version=one.version,
            previous_version=before.version if before else None,
            summary=summary[:LONGEST],
        )

    async def _histories(self, namespace: str, wanted: set[str], gaps: list[str]) -> list[tuple[str, list[Revision]]]:
        """The revisions of each Deployment that is one of these services."""
        deployments, cut = await self._cluster.listed(KINDS["deployments"], namespace)
        sets, more = await self._cluster.listed(KINDS["replicasets"], namespace)
        if cut or more:
            gaps.append(f"Kubernetes: not all Deployments and ReplicaSets of namespace {namespace} were read")
        events: list[Event] = []
        if any("deployment.kubernetes.io/revision-history" in (o["metadata"].get("annotations") or {}) for o in sets):
            try:
                selector = "involvedObject.kind=Deployment,reason=ScalingReplicaSet"
                items, _ = await self._cluster.listed(KINDS["events"], namespace, fieldSelector=selector)
                events = answers.several(Event, items, "events")
            except AgentError as exc:
                gaps.append(f"Kubernetes: {exc}")
        found = []
        for one in answers.several(Workload, deployments, "deployments"):
            service = service_of(one.metadata, self.context.services, one.spec.template.metadata.labels)
            if service in wanted:
                found.append((service, rollouts.revisions(one, sets, events)))
        return found

    async def _diff(self, service: str, namespace: str, before: Revision, after: Revision) -> Diff:
        text = await self.context.clean(rollouts.template_diff(before, after))
        return Diff(
            change_id=f"{service}@{after.version}",
            service=service,
            from_version=before.version,
            to_version=after.version,
            text=text[:_MAX_TEXT],
            paths=(f"{namespace}/deployments/{after.replica_set.rpartition('-')[0]}",),
            whole=len(text) <= _MAX_TEXT,
        )


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
