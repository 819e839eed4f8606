"""Rollouts of declared services as changes, what they altered, and whether their own pods fail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from agents.connecting.clean_lines import LONGEST
from agents.connecting.connector import ChangesRead, ConnectorContext, Diff
from agents.connecting.connectors.kubernetes import answers, rollouts
from agents.connecting.connectors.kubernetes.answers import Event, Pod, Workload
from agents.connecting.connectors.kubernetes.kinds import KINDS
from agents.connecting.connectors.kubernetes.reading import ClusterReader, service_of
from agents.connecting.connectors.kubernetes.rollouts import Blamed, Revision
from agents.errors import AgentError, BadArguments
from agents.evidence.types import Change, Window

_MAX_TEXT: Final = 60_000


class RolloutReader:
    """Of one connection."""

    def __init__(self, cluster: ClusterReader, context: ConnectorContext) -> None:
        self._cluster, self._context, self._namespaces = cluster, context, cluster.namespaces

    async def read_changes(self, window: Window, services: Sequence[str] | None = None) -> ChangesRead:
        """Rollouts of the window, oldest first. Raises an AgentError when no namespace can be read."""
        wanted = set(services if services is not None else self._context.names)
        found, gaps, failures = list[Change](), list[str](), list[AgentError]()
        for namespace in self._namespaces:
            try:
                found += await self._changes(namespace, wanted, window, gaps)
            except AgentError as exc:
                failures.append(exc)
                gaps.append(f"Kubernetes: rollouts of namespace {namespace} could not be read: {exc}")
        if failures and len(failures) == len(self._namespaces):
            raise failures[0]
        return ChangesRead(changes=tuple(sorted(found, key=lambda c: c.at)), gaps=tuple(dict.fromkeys(gaps)))

    async def read_diff(self, service: str, from_version: str, to_version: str) -> Diff:
        """What of the pod template changed. Raises BadArguments for revisions that the cluster no longer keeps."""
        self._context.require_declared([service], key="service")
        for namespace in self._namespaces:
            for _, of in await self._histories(namespace, {service}, []):
                by_version = {one.version: one for one in of}
                if from_version in by_version and to_version in by_version:
                    return await self._diff(service, namespace, by_version[from_version], by_version[to_version])
        raise BadArguments(f"the cluster keeps no rollout of {service} from {from_version[:12]} to {to_version[:12]}")

    async def blamed(self, service: str) -> tuple[dict[str, Blamed], list[str]]:
        """By version, the rollouts whose own pods fail."""
        found, gaps = dict[str, Blamed](), list[str]()
        for namespace in self._namespaces:
            try:
                pods, _ = await self._cluster.listed(KINDS["pods"], namespace)
                histories = await self._histories(namespace, {service}, gaps)
            except AgentError as exc:
                gaps.append(f"Kubernetes: {exc}")
                continue
            for _, of in histories:
                if one := rollouts.blamed(of, answers.several(Pod, pods, "pods"), self._context.now()):
                    found[one.revision.version] = one
        return found, gaps

    async def history(self, namespace: str, deployment: Workload) -> list[Revision]:
        """The revisions of one Deployment that the cluster keeps, oldest first."""
        sets, _ = await self._cluster.listed(KINDS["replicasets"], namespace)
        return rollouts.revisions(deployment, sets, ())

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
        summary = (await self._context.clean_words([words]))[0]
        previous_commit, commit = rollouts.commits(before, one)
        return Change(
            id=f"{service}@{one.version}",
            service=service,
            at=at,
            kind="deployment",
            version=one.version,
            previous_version=before.version if before else None,
            summary=summary[:LONGEST],
            commit=commit,
            previous_commit=previous_commit,
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
            service = service_of(one.metadata, self._context.services, one.spec.template.metadata.labels)
            if service in wanted:
                found.append((service, rollouts.revisions(one, sets, events)))
        return found

    async def _diff(self, service: str, namespace: str, before: Revision, after: Revision) -> Diff:
        text = await self._context.clean(rollouts.template_diff(before, after))
        return Diff(
            change_id=f"{service}@{after.version}",
            service=service,
            from_version=before.version,
            to_version=after.version,
            text=text[:_MAX_TEXT],
            paths=(f"{namespace}/deployments/{after.replica_set.rpartition('-')[0]}",),
            whole=len(text) <= _MAX_TEXT,
        )
