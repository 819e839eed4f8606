"""One namespace as the cluster tools ask for it: each read is asked of the API server and printed as people know it.

What is shown was redacted, cell by cell or as a whole, before it is laid out or cut. Secrets and ConfigMaps are never
read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import yaml

from agents.connecting.cluster import ClusterText
from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.kubernetes import answers, describing, listing
from agents.connecting.connectors.kubernetes.answers import (
    EndpointSlice,
    Event,
    KubernetesService,
    Labels,
    Meta,
    Node,
    PersistentVolumeClaim,
    Pod,
    Workload,
)
from agents.connecting.connectors.kubernetes.client import KubernetesClient, NoSuchLog
from agents.connecting.connectors.kubernetes.kinds import KINDS, WORKLOADS, Kind, kind_of
from agents.english import counted
from agents.errors import AgentError, BadArguments
from agents.evidence.kubernetes.types import Read, What
from agents.language.service_names import Named, belongs_to

OFFERED: Final = frozenset({What.LIST, What.DESCRIBE, What.MANIFEST, What.LOGS, What.ERRORS})
_APP_LABELS: Final = ("app.kubernetes.io/name", "app")
_MOST_PODS: Final = 3  # of one workload whose logs are read
_AROUND: Final = 60  # lines before those that are shown, by which a secret at the cut is known
_TAIL: Final = {What.LOGS: 200, What.ERRORS: 2_000}
_LOG_BYTES: Final = 1_000_000
_ERRORS_OF_S: Final = 3_600
_HIDDEN: Final = ("managedFields",)


def app_names(meta: Meta, labels: Labels | None = None) -> list[str]:
    """What else a workload is called: by its labels, or by those of its pods."""
    carried = {**(labels or {}), **meta.labels}
    return list(dict.fromkeys(carried[key] for key in _APP_LABELS if carried.get(key)))


def service_of(meta: Meta, services: Sequence[Named], labels: Labels | None = None) -> str:
    """The declared service that a workload is: by its name, else by what its labels call it; "" for none."""
    named = [(meta.name, "workload"), *((name, "app") for name in app_names(meta, labels))]
    return next((found for name, kind in named if (found := belongs_to(name, services, kind))), "")


class ClusterReader:
    """Reads namespaces of one connection; each read names its own, the first where it names none."""

    offers = OFFERED

    def __init__(self, client: KubernetesClient, context: ConnectorContext, namespaces: Sequence[str]) -> None:
        self._client, self._context = client, context
        self.namespaces = tuple(namespaces)

    async def read(self, read: Read) -> ClusterText:
        """As `Cluster.read`. Raises AgentError where it cannot be read."""
        namespace = self._within(read.namespace)
        if read.what is What.LIST:
            return await self._list(kind_of(read.kind), namespace, read.detail)
        if read.what is What.DESCRIBE:
            return await self._describe(kind_of(read.kind), namespace, read.name)
        if read.what is What.MANIFEST:
            return await self._manifest(namespace, read.name)
        if read.what in _TAIL:
            return await self._logs(namespace, read.name, read.what)
        raise BadArguments(f"an API server does not tell {read.what} of a cluster")

    async def listed(self, kind: Kind, namespace: str, **params: str) -> tuple[list[Any], bool]:
        """Objects as they came, and whether more are there."""
        where = f"{kind.plural} in namespace {namespace}" if kind.namespaced else kind.plural
        found = await self._client.pages(kind.path(namespace), what=where, params=params)
        return found.items, found.more

    async def workload(self, namespace: str, name: str) -> tuple[Kind, Any] | None:
        """A Deployment, StatefulSet or DaemonSet of that name, or the one that a declared service's name means."""
        failures: list[AgentError] = []
        for plural in WORKLOADS:
            kind = KINDS[plural]
            try:
                items, _ = await self.listed(kind, namespace)
            except AgentError as exc:
                failures.append(exc)
                continue
            found = answers.several(Workload, items, plural)
            for test in (self._is_called(name), self._is_service(name)):
                for parsed, raw in zip(found, items, strict=True):
                    if test(parsed):
                        return kind, raw
        if len(failures) == len(WORKLOADS):
            raise failures[0]
        return None

    def _is_called(self, name: str) -> Callable[[Workload], bool]:
        return lambda one: one.name == name

    def _is_service(self, name: str) -> Callable[[Workload], bool]:
        services = self._context.services
        return lambda one: service_of(one.metadata, services, one.spec.template.metadata.labels) == name

    def _within(self, namespace: str) -> str:
        if namespace and namespace not in self.namespaces:
            raise BadArguments(
                f"namespace {namespace[:63]!r} is not connected; connected: {', '.join(self.namespaces)}"
            )
        return namespace or self.namespaces[0]

    async def _list(self, kind: Kind, namespace: str, detail: str) -> ClusterText:
        now = self._context.now()
        gap = None
        if kind.plural == "endpointslices":
            (behind, more), (slices, cut) = await asyncio.gather(
                self.listed(KINDS["services"], namespace), self.listed(kind, namespace)
            )
            found = answers.several(KubernetesService, behind, "services")
            rows = listing.endpoints(found, answers.several(EndpointSlice, slices, "endpoints"), now)
            more = more or cut
        else:
            model, print_rows = listing.PRINTERS[kind.plural]
            items, more = await self.listed(kind, namespace)
            rows = print_rows(answers.several(model, items, kind.plural), now, detail)
        where = f"in namespace {namespace}" if kind.namespaced else "in the cluster"
        if more:
            gap = f"Kubernetes: only the first {len(rows)} {kind.plural} {where} were read"
        if not rows:
            empty = f"No resources found in {namespace} namespace." if kind.namespaced else "No resources found"
            gap = f"Kubernetes: no pods {where}: is it the right one?" if kind.plural == "pods" else gap
            return ClusterText(text=empty, gap=gap)
        return ClusterText(text=listing.table(await self._context.clean_rows(rows)), gap=gap)

    async def _describe(self, kind: Kind, namespace: str, name: str) -> ClusterText:
        now, what = self._context.now(), f"{kind.kind} {name[:80]}"
        raw = await self._client.get(kind.path(namespace, safe_name(name)), what=what)
        events, gap = await self._events(kind, namespace, name)
        if kind.plural == "pods":
            pod = answers.one(Pod, raw, what)
            text, service = describing.pod(pod, events, now), self.service_of_pod(pod)
        elif kind.plural in (*WORKLOADS, "replicasets"):
            one = answers.one(Workload, raw, what)
            text = describing.workload(one, events, now)
            service = service_of(one.metadata, self._context.services, one.spec.template.metadata.labels)
        elif kind.plural == "services":
            found = answers.one(KubernetesService, raw, what)
            text = describing.service(found, await self._ready(namespace, found), events, now)
            service = belongs_to(found.name, self._context.services, "workload") or ""
        elif kind.plural == "persistentvolumeclaims":
            text, service = describing.claim(answers.one(PersistentVolumeClaim, raw, what), events, now), ""
        elif kind.plural == "nodes":
            text, service = describing.node(answers.one(Node, raw, what), events, now), ""
        else:
            raise BadArguments(f"kind: {kind.plural} are listed only; list them instead")
        return ClusterText(text=await self._context.clean(text), service=service, gap=gap)

    async def _events(self, kind: Kind, namespace: str, name: str) -> tuple[list[Event], str | None]:
        """Those of one object. That they may not be read costs the rest nothing."""
        selector = f"involvedObject.kind={kind.kind},involvedObject.name={name}"
        try:
            items, _ = await self.listed(KINDS["events"], namespace, fieldSelector=selector)
        except AgentError as exc:
            return [], f"Kubernetes: events of {kind.kind} {name[:80]} could not be read: {exc}"
        return answers.several(Event, items, "events"), None

    async def _ready(self, namespace: str, service: KubernetesService) -> str:
        selector = f"kubernetes.io/service-name={service.name}"
        items, _ = await self.listed(KINDS["endpoints"], namespace, labelSelector=selector)
        rows = listing.endpoints([service], answers.several(EndpointSlice, items, "endpoints"), self._context.now())
        return rows[0]["ENDPOINTS"] if rows else ""

    def service_of_pod(self, pod: Pod) -> str:
        """The declared service that a pod is of; "" for none."""
        services = self._context.services
        return belongs_to(pod.name, services, "pod") or next(
            (found for name in app_names(pod.metadata) if (found := belongs_to(name, services, "app"))), ""
        )

    async def _manifest(self, namespace: str, name: str) -> ClusterText:
        """The workload, the Services that select its pods, and its claims."""
        found = await self.workload(namespace, name)
        if found is None:
            raise BadArguments(f"there is no workload {name[:80]!r} in namespace {namespace}")
        kind, raw = found
        one = answers.one(Workload, raw, name)
        documents, gaps = [{"kind": kind.kind, **raw}], list[str]()
        labels, volumes = one.spec.template.metadata.labels, one.spec.template.spec.volumes
        wanted = {str((volume.persistent_volume_claim or {}).get("claimName", "")) for volume in volumes}

        def belongs(beside: Kind, item: Any) -> bool:
            if beside.plural == "services":
                return _selects(answers.one(KubernetesService, item, "services").spec.selector, labels)
            return answers.one(PersistentVolumeClaim, item, "claims").name in wanted

        for beside in (KINDS["services"], KINDS["persistentvolumeclaims"]):
            try:
                items, _ = await self.listed(beside, namespace)
                documents += [{"kind": beside.kind, **item} for item in items if belongs(beside, item)]
            except AgentError as exc:
                gaps.append(f"Kubernetes: {exc}")
        pieces = [yaml.safe_dump(_plain(one), sort_keys=False, allow_unicode=True, width=1_000) for one in documents]
        service = service_of(one.metadata, self._context.services, labels)
        text = await self._context.clean("---\n".join(pieces))
        return ClusterText(text=text, service=service, gap="; ".join(gaps) or None)

    async def _logs(self, namespace: str, name: str, what: What) -> ClusterText:
        """The newest lines of its sickest pods, those of the run before the last restart first."""
        pods = await self.pods_of(namespace, name)
        if not pods:
            raise BadArguments(f"there is no pod of {name[:80]!r} in namespace {namespace}")
        parts, gaps = list[str](), list[str]()
        for pod in sorted(pods, key=_health)[:_MOST_PODS]:
            for container, previous in runs_of(pod):
                title = f"logs of {pod.name} {container}{' before its last restart' if previous else ''}"
                try:
                    lines = await self.log_of(namespace, pod.name, container, what=what, previous=previous)
                except NoSuchLog as exc:
                    gaps.append(f"Kubernetes: {exc}")
                    continue
                parts.append("\n".join([f"{title}:", *lines]))
        if not parts:
            raise BadArguments("; ".join(gap.removeprefix("Kubernetes: ") for gap in gaps) or f"no logs of {name}")
        if len(pods) > _MOST_PODS:
            gaps.append(f"Kubernetes: logs of {_MOST_PODS} of {counted(len(pods), 'pod')} of {name} were read")
        service = self.service_of_pod(pods[0])
        return ClusterText(text="\n".join(parts), service=service, gap="; ".join(gaps) or None)

    async def pods_of(self, namespace: str, name: str) -> list[Pod]:
        """Pods of a workload, of a declared service, or of that name."""
        found = await self.workload(namespace, name)
        params = {}
        if found is not None:
            params = {"labelSelector": listing.labels(answers.one(Workload, found[1], name).spec.selector.match_labels)}
        items, _ = await self.listed(KINDS["pods"], namespace, **params)
        pods = answers.several(Pod, items, "pods")
        return pods if found is not None else [p for p in pods if p.name == name or self.service_of_pod(p) == name]

    async def log_of(self, namespace: str, pod: str, container: str, *, what: What, previous: bool) -> list[str]:
        """Cleaned lines. Raises NoSuchLog where the container has not started, or has no earlier run."""
        tail = _TAIL[what]
        params = {
            "container": container,
            "tailLines": str(tail + _AROUND),
            "limitBytes": str(_LOG_BYTES),
            **({"previous": "true"} if previous else {}),
            **({"sinceSeconds": str(_ERRORS_OF_S)} if what is What.ERRORS else {}),
        }
        about = f"logs of pod {pod}"
        text = await self._client.log(KINDS["pods"].path(namespace, pod) + "/log", what=about, params=params)
        return (await self._context.clean(text)).splitlines()[-tail:]


def runs_of(pod: Pod) -> list[tuple[str, bool]]:
    """Containers with whether their run before the last restart is meant; those that never ran have no logs."""
    found = []
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        if status.last_state.terminated is not None:
            found.append((status.name, True))
        if status.state.running is not None or status.state.terminated is not None or status.restart_count:
            found.append((status.name, False))
    return found or [(one.name, False) for one in pod.spec.containers]


def _health(pod: Pod) -> tuple[bool, int]:
    """Sorts the sickest first."""
    statuses = pod.status.container_statuses
    return bool(statuses) and all(s.ready for s in statuses), -sum(s.restart_count for s in statuses)


def _selects(selector: Labels, labels: Labels) -> bool:
    return bool(selector) and selector.items() <= labels.items()


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the server writes for itself."""
    meta = {k: v for k, v in document.get("metadata", {}).items() if k not in _HIDDEN}
    return {**{k: v for k, v in document.items() if k != "status"}, "metadata": meta}


def safe_name(name: str) -> str:
    """A name as a part of a path. Raises BadArguments for what no object can be called."""
    if not name or len(name) > 253 or not all(c.isascii() and (c.isalnum() or c in "-.") for c in name):
        raise BadArguments(f"name: {name[:40]!r} is no name of an object")
    return name
