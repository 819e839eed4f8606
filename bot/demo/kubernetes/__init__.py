"""A local Kubernetes API server before the shop, for `autoheal demo --as kubernetes`: each service is a Deployment of
one pod, each deployment a rollout, each process that took over from a dead one a restart of the pod's container.

Strict, so that what works here is asked as Kubernetes documents it: the token, what the account's Role permits, known
paths, parameters and selectors, the version of what is changed; anything else is refused with its status. A pod
template that is declared again is carried out by the shop's supervisor. A service of the shop is one process, so
nothing is scaled here. https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from bot.demo.journal import ShopJournal
from bot.demo.kubernetes import objects
from bot.demo.kubernetes.objects import (
    CONTAINER,
    NAMESPACE,
    RESTARTED,
    Json,
    PodRun,
    PodTemplateState,
    Rollout,
    ShopWorkload,
)
from bot.demo.kubernetes.rules import (
    OF_LISTS,
    OF_LOGS,
    RESOURCES,
    USER,
    ClusterRefusal,
    ClusterResource,
    only,
    patched,
    permits,
    review,
    selected,
    whole,
)
from bot.demo.shop.control import ControlError

_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_EVENTS_KEPT: Final = timedelta(hours=1)
_FORMAT: Final = "%(refname:strip=2)%00%(*objectname)%00%(taggerdate:unix)"

Supervisor = Callable[[dict[str, object]], Awaitable[dict[str, Any]]]


class LocalCluster:
    """Start it before it is asked. `ports` and `logs` are by service, `supervisor` is asked what runs and told what to
    run. `token` is the one that it knows.
    """

    def __init__(
        self, repository: Path, ports: Mapping[str, int], logs: Mapping[str, Path], supervisor: Supervisor
    ) -> None:
        self._repository, self._supervisor = repository, supervisor
        self._shop = {name: ShopWorkload(name=name, port=port) for name, port in ports.items()}
        self._journals = {name: ShopJournal(path) for name, path in logs.items()}
        self._carrying_out: set[asyncio.Task[None]] = set()
        self._since = datetime.now(UTC)
        self._runner: web.AppRunner | None = None
        self.token = secrets.token_urlsafe(40)
        self.url = ""
        self.refused: list[str] = []
        """What was asked that Kubernetes does not document, or that no Role permits."""

    async def start(self) -> None:
        await self._read_history()
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        for task in self._carrying_out:
            task.cancel()
        await asyncio.gather(*self._carrying_out, return_exceptions=True)

    async def _read_history(self) -> None:
        """What was deployed before the shop was started here, from the tags of its repository."""
        for name, one in self._shop.items():
            listing = await self._git(
                "for-each-ref", "--sort=v:refname", f"--format={_FORMAT}", f"refs/tags/deploy/{name}/"
            )
            for line in listing.splitlines():
                _, commit, at = line.split("\0")
                if not one.rollouts or one.template.commit != commit:
                    template = PodTemplateState(commit=commit)
                    one.rollouts.append(Rollout(template=template, at=datetime.fromtimestamp(int(at), UTC)))

    async def _observe(self) -> None:
        """What the supervisor runs now."""
        try:
            told = await self._supervisor({"command": "instances"})
        except ControlError as exc:
            raise ClusterRefusal(503, "ServiceUnavailable", str(exc)) from exc
        for name, one in self._shop.items():
            one.observe([_run(entry) for entry in told[name]])

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            self._authenticate(request)
            if request.path == _REVIEWS:
                return web.json_response(await self._review(request), status=201)
            resource, namespace, name, part = _located(request.path)
            _permitted(request.method, resource, namespace, name, part)
            await self._observe()
            if request.method == "PATCH":
                return web.json_response(await self._patch(request, resource, name))
            if part:
                return web.Response(text=self._log(request.query, name))
            if name:
                only(request.query, frozenset())
                return web.json_response({**resource.type_meta, **self._one(resource, name)})
            return web.json_response(self._list(resource, request.query))
        except ClusterRefusal as exc:
            self.refused.append(f"{request.method} {request.path}: {exc.message}")
            return web.json_response(exc.document, status=exc.code)

    def _authenticate(self, request: web.Request) -> None:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            raise ClusterRefusal(401, "Unauthorized", "Unauthorized")

    async def _review(self, request: web.Request) -> Json:
        only(request.query, frozenset())
        if request.method != "POST" or request.content_type != "application/json":
            raise ClusterRefusal(
                405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
            )
        return review(await request.json(), NAMESPACE)

    def _objects(self, plural: str) -> list[Json]:
        shop = list(self._shop.values())
        single = {
            "deployments": objects.deployment,
            "services": objects.service,
            "endpointslices": objects.endpoint_slice,
            "pods": objects.pod,
        }
        if plural in single:
            return [single[plural](one) for one in shop]
        if plural == "replicasets":
            return [document for one in shop for document in objects.replica_sets(one)]
        if plural == "events":
            since = datetime.now(UTC) - _EVENTS_KEPT
            return [document for one in shop for document in objects.events(one, since)]
        return [objects.node(self._since)] if plural == "nodes" else []

    def _one(self, resource: ClusterResource, name: str) -> Json:
        for document in self._objects(resource.plural):
            if document["metadata"]["name"] == name:
                return document
        raise ClusterRefusal(404, "NotFound", f'{resource.plural} "{name}" not found')

    def _list(self, resource: ClusterResource, query: Mapping[str, str]) -> Json:
        only(query, OF_LISTS)
        found = [document for document in self._objects(resource.plural) if selected(resource, document, query)]
        start, limit = whole(query, "continue"), whole(query, "limit")
        end = start + (limit or len(found))
        meta = {"resourceVersion": "1", **({"continue": str(end)} if end < len(found) else {})}
        kind = f"{resource.kind}List"
        return {**resource.type_meta, "kind": kind, "metadata": meta, "items": found[start:end]}

    def _log(self, query: Mapping[str, str], name: str) -> str:
        """Of the container's present run, or of the one before it died last."""
        only(query, OF_LOGS)
        one = next((one for one in self._shop.values() if objects.pod_name(one) == name), None)
        if one is None:
            raise ClusterRefusal(404, "NotFound", f'pods "{name}" not found')
        if query.get("container", CONTAINER) != CONTAINER:
            raise ClusterRefusal(400, "BadRequest", f"container {query['container']} is not valid for pod {name}")
        runs = one.pod_runs
        if query.get("previous") == "true":
            runs = [run for run in runs if run.ended_at is not None]
            if not runs:
                raise ClusterRefusal(
                    400, "BadRequest", f'previous terminated container "{CONTAINER}" in pod "{name}" not found'
                )
        start, end = runs[-1].started_at, runs[-1].ended_at or datetime.now(UTC)
        if seconds := whole(query, "sinceSeconds"):
            start = max(start, datetime.now(UTC) - timedelta(seconds=seconds))
        lines = self._journals[one.name].between(_nanoseconds(start), _nanoseconds(end))
        tail = whole(query, "tailLines")
        stamped = query.get("timestamps") == "true"
        text = "".join(f"{_stamp(at)} {line}\n" if stamped else f"{line}\n" for at, line in lines[-tail:])
        limit = whole(query, "limitBytes")
        return text.encode()[:limit].decode(errors="ignore") if limit else text

    async def _patch(self, request: web.Request, resource: ClusterResource, name: str) -> Json:
        """A pod template that ran before, or the present one with the moment of a restart; and annotations."""
        only(request.query, frozenset())
        before = self._one(resource, name)
        after = patched(before, request.headers.get("content-type", ""), await request.read())
        one, wanted = self._shop[name], after["spec"]["template"]
        state = self._state(one, wanted)
        noted = after["metadata"].pop("annotations")
        kept = {**before, "spec": {**before["spec"], "template": wanted}}
        kept["metadata"] = {k: v for k, v in before["metadata"].items() if k != "annotations"}
        if after != kept:
            raise ClusterRefusal(
                422, "Invalid", f'Deployment.apps "{name}" is invalid: only its template may be changed here'
            )
        one.annotations = {
            k: v for k, v in noted.items() if before["metadata"]["annotations"].get(k) != v or k in one.annotations
        }
        if state != one.template:
            task = asyncio.create_task(self._carry_out(one, state, one.runs_template.commit))
            self._carrying_out.add(task)
            task.add_done_callback(self._carrying_out.discard)
            one.rollouts.append(Rollout(template=state, at=datetime.now(UTC)))
            one.busy, one.failure = True, ""
        return {**resource.type_meta, **self._one(resource, name)}

    def _state(self, one: ShopWorkload, template: Any) -> PodTemplateState:
        """What the template declares. Raises ClusterRefusal where it is none that this shop can run."""
        known = {rollout.template.commit for rollout in one.rollouts}
        at = ""
        if isinstance(template, dict):
            at = str((template.get("metadata") or {}).get("annotations", {}).get(RESTARTED, ""))
        for commit in known:
            state = PodTemplateState(commit=commit, restarted=at)
            if objects.pod_template(one, state) == template:
                return state
        raise ClusterRefusal(
            422, "Invalid", f'Deployment.apps "{one.name}" is invalid: spec.template: of no image that ran here'
        )

    async def _carry_out(self, one: ShopWorkload, state: PodTemplateState, running: str) -> None:
        order: dict[str, object] = {"command": "restart", "service": one.name}
        if state.commit != running:
            order = {"command": "rollback", "service": one.name, "ref": state.commit}
        try:
            await self._supervisor(order)
        except ControlError as exc:
            one.failure = str(exc)
        finally:
            one.busy = False

    async def _git(self, *arguments: str) -> str:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "GIT_CONFIG_GLOBAL": os.devnull}
        program = await asyncio.create_subprocess_exec(
            "git",
            "-C",
            str(self._repository),
            *arguments,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await program.communicate()
        if program.returncode:
            raise RuntimeError(f"git {arguments[0]} ended with {program.returncode}")
        return output.decode()


def _located(path: str) -> tuple[ClusterResource, str, str, str]:
    """The resource, namespace, name and part that a path means. Raises ClusterRefusal for an unknown one."""
    for resource in RESOURCES.values():
        if not path.startswith(f"{resource.root}/"):
            continue
        parts = path.removeprefix(f"{resource.root}/").split("/")
        namespace = ""
        if resource.namespaced and parts[0] == "namespaces" and len(parts) > 2:
            namespace, parts = parts[1], parts[2:]
        if parts[0] != resource.plural or not all(parts):
            continue
        if len(parts) <= 2 or (len(parts) == 3 and (resource.plural, parts[2]) == ("pods", "log")):
            name, part = (*parts[1:], "", "")[:2]
            return resource, namespace, name, part
    raise ClusterRefusal(404, "NotFound", "the server could not find the requested resource")


def _permitted(method: str, resource: ClusterResource, namespace: str, name: str, part: str) -> None:
    verb = {"GET": "get" if name else "list", "PATCH": "patch"}.get(method)
    if verb is None or (verb == "patch" and (part or not name)):
        raise ClusterRefusal(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    what = f"{resource.plural}/{part}" if part else resource.plural
    if not permits(verb, resource.group, what, namespace, NAMESPACE):
        where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
        told = f'User "{USER}" cannot {verb} resource "{what}" in API group "{resource.group}"{where}'
        raise ClusterRefusal(403, "Forbidden", f"{what} is forbidden: {told}")


def _run(entry: Mapping[str, Any]) -> PodRun:
    ended = entry["ended_at"]
    return PodRun(
        run=entry["run"],
        version=entry["version"],
        started_at=datetime.fromisoformat(entry["started_at"]),
        ended_at=datetime.fromisoformat(ended) if ended else None,
        exit_code=entry["exit_code"],
    )


def _nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000) * 1_000_000


def _stamp(at: int) -> str:
    return f"{datetime.fromtimestamp(at // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{at % 10**9:09}Z"


__all__ = ["NAMESPACE", "LocalCluster"]
