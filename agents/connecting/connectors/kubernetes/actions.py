"""Changes workloads: a restart, a number of pods, an earlier pod template. Each is one patch, sent once.

The patch carries the version of the object that was read a moment before, whose generation must be the plan's: the
server refuses it (409) where anybody changed the object in between. A plan that was carried out already is known by
what it wrote, and nothing is sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from agents.connecting.connector import ActionResult, ConnectorContext
from agents.connecting.connectors.kubernetes import answers, rollouts
from agents.connecting.connectors.kubernetes.answers import Workload
from agents.connecting.connectors.kubernetes.changes import RolloutReader
from agents.connecting.connectors.kubernetes.client import JSON_PATCH, MERGE, STRATEGIC, Conflict, KubernetesClient
from agents.connecting.connectors.kubernetes.kinds import KINDS, WORKLOADS
from agents.connecting.connectors.kubernetes.reading import ClusterReader, safe_name, service_of
from agents.connecting.connectors.kubernetes.rollouts import RESTARTED, Revision
from agents.connecting.workloads import WorkloadRevision, WorkloadTarget
from agents.errors import BadArguments, NotPermitted

_KEY: Final = "autoheal.ai/last-action"
_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "restart_workload": WORKLOADS,
    "scale_workload": ("deployments", "statefulsets"),
    "undo_rollout": ("deployments",),
}


@dataclass(frozen=True, kw_only=True)
class _Patch:
    """What is sent: to the object, or to a part of it. `done`: whether the object is as it should be already."""

    content_type: str
    body: Any
    part: str = ""
    done: bool = False


class WorkloadActions:
    """Of one connection. `most` is to how many pods it may scale."""

    def __init__(
        self,
        client: KubernetesClient,
        cluster: ClusterReader,
        rollout_reader: RolloutReader,
        context: ConnectorContext,
        *,
        most: int,
    ) -> None:
        self._client, self._cluster, self._rollouts = client, cluster, rollout_reader
        self._context, self._most = context, most

    async def read(self, service: str) -> WorkloadTarget:
        """The one workload of these namespaces that a service is. Raises BadArguments for none and for several."""
        found: list[tuple[str, str, Any]] = []
        for namespace in self._cluster.namespaces:
            for plural in WORKLOADS:
                items, _ = await self._cluster.listed(KINDS[plural], namespace)
                found += [(namespace, plural, item) for item in items if self._is_of(item, service)]
        named = [one for one in found if one[2]["metadata"]["name"] == service]
        chosen = named if len(named) == 1 else found
        if not chosen:
            raise BadArguments(f"no workload in {', '.join(self._cluster.namespaces)} is {service}")
        if len(chosen) > 1:
            places = ", ".join(
                f"{namespace}/{plural}/{raw['metadata']['name']}" for namespace, plural, raw in chosen[:5]
            )
            raise BadArguments(f"several workloads are {service}: {places}")
        return await self._as_target(service, *chosen[0])

    def _is_of(self, raw: Any, service: str) -> bool:
        one = answers.one(Workload, raw, "workloads")
        return service_of(one.metadata, self._context.services, one.spec.template.metadata.labels) == service

    async def _as_target(self, service: str, namespace: str, plural: str, raw: Any) -> WorkloadTarget:
        one = answers.one(Workload, raw, plural)
        daemons = plural == "daemonsets"
        of: list[Revision] = []
        if plural == "deployments":
            of = await self._rollouts.history(namespace, one)
        return WorkloadTarget(
            service=service,
            connection=self._context.label or "kubernetes",
            place=(namespace, plural, one.name),
            replicas=one.status.desired_number_scheduled if daemons else one.spec.replicas,
            ready=_ready(one, daemons=daemons),
            generation=one.metadata.generation,
            revisions=tuple(
                WorkloadRevision(number=r.number, version=r.version, images=tuple(r.images.values()), at=r.at)
                for r in of
            ),
            restarted_at=one.spec.template.metadata.annotations.get(RESTARTED, ""),
            paused=one.spec.paused,
            read_at=self._context.now(),
        )

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
        """The request as a card shows it. Raises BadArguments for what is not permitted."""
        path, plural = self._path(action, parameters)
        if action == "restart_workload":
            return ("PATCH", path, f"spec.template.metadata.annotations[{RESTARTED}]={parameters['at']}")
        if action == "scale_workload":
            return ("PATCH", f"{path}/scale", f"spec.replicas={self._wanted(parameters)}")
        return ("PATCH", path, f"spec.template=that of revision {parameters['version']} of {plural}")

    async def act(self, action: str, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult:
        """Raises NeedsReauthorisation where the account may not, Unavailable where nobody knows what became of it."""
        path, plural = self._path(action, parameters)
        what = f"{parameters['namespace']}/{plural}/{parameters['name']}"
        raw = await self._client.get(path, what=what)
        one = answers.one(Workload, raw, what)
        patch = await self._patch(action, parameters, one, raw, idempotency_key)
        if patch.done:
            return ActionResult(ok=True, detail=f"{what} was so already: nothing was sent")
        if str(one.metadata.generation) != parameters["generation"]:
            return ActionResult(
                ok=False,
                detail=f"{what} is at generation {one.metadata.generation}, the plan was made at "
                f"{parameters['generation']}: somebody changed it, so nothing was done",
            )
        try:
            answer = await self._client.patch(path + patch.part, patch.body, what=what, content_type=patch.content_type)
        except Conflict as exc:
            return ActionResult(ok=False, detail=str(exc))
        after = answers.one(Workload, answer, what)
        return ActionResult(ok=True, detail=f"{what} is at version {after.metadata.resource_version}")

    def _path(self, action: str, parameters: Mapping[str, str]) -> tuple[str, str]:
        """Where the object is. Raises NotPermitted outside of what is connected."""
        namespace, plural = parameters["namespace"], parameters["kind"]
        if namespace not in self._cluster.namespaces:
            raise NotPermitted(f"namespace {namespace[:63]!r} is not connected")
        if plural not in _KINDS.get(action, ()):
            raise BadArguments(f"{action[:40]} is not done to {plural[:40]}")
        return KINDS[plural].path(namespace, safe_name(parameters["name"])), plural

    def _wanted(self, parameters: Mapping[str, str]) -> int:
        wanted = parameters["instances"]
        if not wanted.isascii() or not wanted.isdigit() or not 1 <= int(wanted) <= self._most:
            raise BadArguments(f"from 1 to {self._most} pods are permitted by this connection, not {wanted[:10]}")
        return int(wanted)

    async def _patch(self, action: str, parameters: Mapping[str, str], one: Workload, raw: Any, key: str) -> _Patch:
        """What makes the object so, and whether it is."""
        version = one.metadata.resource_version
        noted = one.metadata.annotations.get(_KEY) == key
        if action == "scale_workload":
            wanted = self._wanted(parameters)
            scale = {"metadata": {"resourceVersion": version}, "spec": {"replicas": wanted}}
            return _Patch(content_type=MERGE, body=scale, part="/scale", done=one.spec.replicas == wanted)
        if action == "restart_workload":
            at = parameters["at"]
            return _Patch(
                content_type=STRATEGIC,
                body={
                    "metadata": {"resourceVersion": version, "annotations": {_KEY: key}},
                    "spec": {"template": {"metadata": {"annotations": {RESTARTED: at}}}},
                },
                done=noted or one.spec.template.metadata.annotations.get(RESTARTED) == at,
            )
        of = await self._rollouts.history(parameters["namespace"], one)
        revision = next((r for r in of if r.version == parameters["version"]), None)
        if revision is None:
            raise BadArguments(f"the cluster keeps no revision {parameters['version'][:63]} of {one.name} any more")
        body: list[dict[str, Any]] = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            {"op": "replace", "path": "/spec/template", "value": rollouts.as_template(revision)},
        ]
        if not raw["metadata"].get("annotations"):
            body.append({"op": "add", "path": "/metadata/annotations", "value": {}})
        body.append({"op": "add", "path": f"/metadata/annotations/{_KEY.replace('/', '~1')}", "value": key})
        return _Patch(content_type=JSON_PATCH, body=body, done=noted or of[-1].version == revision.version)


def _ready(one: Workload, *, daemons: bool) -> int:
    """Pods of the present template that are ready, as far as the two counts tell; none before the controller saw it."""
    status = one.status
    if status.observed_generation < one.metadata.generation:
        return 0
    if daemons:
        return min(status.number_ready, status.updated_number_scheduled)
    return min(status.ready_replicas, status.updated_replicas)


def _revision(of: Revision) -> WorkloadRevision:
    return WorkloadRevision(number=of.number, version=of.version, images=tuple(of.images.values()), at=of.at)
