"""A Kubernetes API server on loopback, over TLS, that refuses what the real one refuses: unknown paths, tokens,
selectors, fields, content types and stale versions, and whatever no Role permits.

Lists come in pages under a token that a test can let expire. Deployments are rolled out as the controller does it: a
changed pod template makes, or takes up again, a ReplicaSet under the next revision. Kept apart from the product: it
shares no code with what it tests.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from fakes.certificate import make_certificate
from fakes.kubernetes.controller import roll_out
from fakes.kubernetes.resources import GROUPS, RESOURCES, Resource, discovery
from fakes.kubernetes.rules import Refused, Rule, applied, matches, permitted, status
from fakes.openapi import Asked

TOKEN = "eyJhbGciOiJSUzI1NiJ9.YXV0b2hlYWw.c2lnbmF0dXJl"
USER = "system:serviceaccount:autoheal:autoheal"
_LIST_PARAMETERS = {"limit", "continue", "labelSelector", "fieldSelector", "resourceVersion", "timeoutSeconds"}
_LOG_PARAMETERS = {
    "container", "previous", "tailLines", "limitBytes", "sinceSeconds", "timestamps", "follow",
}  # fmt: skip


@dataclass(kw_only=True)
class FakeKubernetes:
    """`objects` by plural, then by namespace and name. `rules` are what the one account may do."""

    objects: dict[str, dict[tuple[str, str], dict[str, Any]]] = field(default_factory=dict)
    logs: dict[tuple[str, str, str, bool], str] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    given: list[tuple[Asked, int, Any]] = field(default_factory=list)
    effects: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)
    waiting: dict[str, list[Any]] = field(default_factory=dict)
    token: str = TOKEN
    url: str = ""
    authority: str = ""
    version: int = 1000
    forget_pages: int = 0
    now: str = "2026-03-01T12:00:00Z"
    starts: frozenset[str] = frozenset()
    """Images whose pods become ready, once they are rolled out by a patch; those of others do not."""

    def add(self, plural: str, *documents: dict[str, Any]) -> None:
        for document in documents:
            self.version += 1
            meta = document["metadata"]
            meta.setdefault("uid", f"uid-{plural}-{meta['name']}")
            meta["resourceVersion"] = str(self.version)
            self.objects.setdefault(plural, {})[meta.get("namespace", ""), meta["name"]] = document

    def get(self, plural: str, namespace: str, name: str) -> dict[str, Any]:
        return self.objects[plural][namespace, name]

    def tell(self, path: str, *answers: Any) -> None:
        """Instead of what the server would answer: (status, headers, document) each, or "hang"; then as usual."""
        self.waiting[path] = list(answers)

    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    async def answer(self, request: web.Request) -> web.Response:
        asked = Asked(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )
        self.asked.append(asked)
        if found := self.waiting.get(asked.path):
            told = found.pop(0)
            if told == "hang":
                await asyncio.Event().wait()
            return self._given(asked, *told)
        try:
            code, document = self._answer(asked)
        except Refused as exc:
            code, document = exc.code, exc.document()
        return self._given(asked, code, {}, document)

    def _given(self, asked: Asked, code: int, headers: Mapping[str, str], document: Any) -> web.Response:
        self.given.append((asked, code, document))
        if isinstance(document, str):
            return web.Response(status=code, headers=headers, text=document, content_type="text/plain")
        return web.json_response(document, status=code, headers=headers)

    def _answer(self, asked: Asked) -> tuple[int, Any]:
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            raise Refused(401, "Unauthorized", "Unauthorized")
        if asked.path in ("/api", "/apis", "/version") or asked.path in GROUPS:
            return 200, discovery(asked.path)
        self._acceptable(asked)
        if asked.path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
            return 201, self._review(asked)
        resource, namespace, name, sub = self._located(asked.path)
        self._allowed(asked, resource, namespace, name, sub)
        if asked.method == "PATCH" and name:
            return 200, self._patched(asked, resource, namespace, name, sub)
        if asked.method != "GET":
            raise Refused(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        return 200, self._read(asked, resource, namespace, name, sub)

    def _read(self, asked: Asked, resource: Resource, namespace: str, name: str, sub: str) -> Any:
        if sub == "log":
            return self._log(asked, namespace, name)
        if sub == "scale":
            return _scale(self._one(resource, namespace, name))
        if name:
            _known_parameters(asked, set())
            return {**resource.type_meta(), **self._one(resource, namespace, name)}
        return self._page(asked, resource, namespace)

    def _acceptable(self, asked: Asked) -> None:
        accept = asked.headers.get("accept", "*/*")
        if not any(word in accept for word in ("application/json", "*/*")):
            raise Refused(406, "NotAcceptable", "only the following media types are accepted: application/json")

    def _located(self, path: str) -> tuple[Resource, str, str, str]:
        for group, root in ((r.group, r.root) for r in RESOURCES.values()):
            if not path.startswith(f"{root}/"):
                continue
            parts = path.removeprefix(f"{root}/").split("/")
            namespace = ""
            if parts[0] == "namespaces" and len(parts) > 2:
                namespace, parts = parts[1], parts[2:]
            resource = RESOURCES.get(parts[0])
            if resource is None or resource.group != group or len(parts) > 3 or (namespace and not resource.namespaced):
                continue
            name, sub = (*parts[1:], "", "")[:2]
            if not sub or sub in resource.subresources:
                return resource, namespace, name, sub
        raise Refused(404, "NotFound", "the server could not find the requested resource")

    def _allowed(self, asked: Asked, resource: Resource, namespace: str, name: str, sub: str) -> None:
        verb = {"PATCH": "patch"}.get(asked.method, "get" if name else "list")
        what = f"{resource.plural}/{sub}" if sub else resource.plural
        if permitted(self.rules, verb, resource.group, what, namespace):
            return
        where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
        told = f' "{name}"' if name else ""
        raise Refused(
            403,
            "Forbidden",
            f'{what}{told} is forbidden: User "{USER}" cannot {verb} resource "{what}" in API group '
            f'"{resource.group}"{where}',
        )

    def _one(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
        found = self.objects.get(resource.plural, {}).get((namespace, name))
        if found is None:
            raise Refused(404, "NotFound", f'{resource.plural} "{name}" not found')
        return found

    def _page(self, asked: Asked, resource: Resource, namespace: str) -> dict[str, Any]:
        _known_parameters(asked, _LIST_PARAMETERS)
        start = 0
        if token := asked.query.get("continue"):
            if self.forget_pages > 0:
                self.forget_pages -= 1
                raise Refused(410, "Expired", "The provided continue parameter is too old")
            try:
                start = int(json.loads(base64.b64decode(token, validate=True))["start"])
            except (ValueError, KeyError, TypeError) as exc:
                raise Refused(400, "BadRequest", "continue key is not valid") from exc
        limit = asked.query.get("limit", "0")
        if not limit.isdigit():
            raise Refused(400, "BadRequest", f'invalid value for limit: "{limit}"')
        found = [
            document
            for (where, _), document in sorted(self.objects.get(resource.plural, {}).items())
            if namespace in ("", where) and matches(resource, document, asked.query)
        ]
        end = start + int(limit) if int(limit) else len(found)
        meta: dict[str, Any] = {"resourceVersion": str(self.version)}
        if end < len(found):
            meta["continue"] = base64.b64encode(json.dumps({"start": end}).encode()).decode()
            if not asked.query.get("labelSelector") and not asked.query.get("fieldSelector"):
                meta["remainingItemCount"] = len(found) - end
        listed = {**resource.type_meta(), "metadata": meta, "items": found[start:end]}
        return {**listed, "kind": f"{resource.kind}List"}

    def _review(self, asked: Asked) -> dict[str, Any]:
        if asked.method != "POST":
            raise Refused(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        if asked.headers.get("content-type") != "application/json":
            raise Refused(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
        document = json.loads(asked.body)
        spec = document.get("spec", {})
        attributes = spec.get("resourceAttributes")
        known = {"namespace", "verb", "group", "version", "resource", "subresource", "name"}
        if document.get("kind") != "SelfSubjectAccessReview" or set(spec) != {"resourceAttributes"}:
            raise Refused(
                422, "Invalid", "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            )
        if unknown := set(attributes) - known:
            raise Refused(400, "BadRequest", f'strict decoding error: unknown field "{min(unknown)}"')
        what = "/".join(filter(None, (attributes["resource"], attributes.get("subresource", ""))))
        allowed = permitted(
            self.rules, attributes["verb"], attributes.get("group", ""), what, attributes.get("namespace", "")
        )
        return {**document, "metadata": {}, "status": {"allowed": allowed}}

    def _log(self, asked: Asked, namespace: str, name: str) -> str:
        _known_parameters(asked, _LOG_PARAMETERS)
        pod = self._one(RESOURCES["pods"], namespace, name)
        containers = [one["name"] for one in pod["spec"]["containers"]]
        chosen = asked.query.get("container", containers[0] if len(containers) == 1 else "")
        if not chosen:
            raise Refused(400, "BadRequest", f"a container name must be specified for pod {name}, choose one of: ...")
        if chosen not in containers:
            raise Refused(400, "BadRequest", f"container {chosen} is not valid for pod {name}")
        previous = asked.query.get("previous") == "true"
        text = self.logs.get((namespace, name, chosen, previous))
        if text is None and previous:
            raise Refused(400, "BadRequest", f'previous terminated container "{chosen}" in pod "{name}" not found')
        if text is None:
            waiting = f'container "{chosen}" in pod "{name}" is waiting to start: trying and failing to pull image'
            raise Refused(400, "BadRequest", waiting)
        lines = text.splitlines()
        if asked.query.get("timestamps") != "true":
            lines = [line.partition(" ")[2] for line in lines]
        tail = asked.query.get("tailLines")
        return "\n".join(lines[-int(tail) :] if tail else lines) + "\n"

    def _patched(self, asked: Asked, resource: Resource, namespace: str, name: str, sub: str) -> dict[str, Any]:
        _known_parameters(asked, {"fieldManager", "fieldValidation", "dryRun"})
        before = self._one(resource, namespace, name)
        target = _scale(before) if sub == "scale" else before
        after = applied(target, asked)
        if after["metadata"].get("resourceVersion") != before["metadata"]["resourceVersion"]:
            raise Refused(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on {resource.plural} "{name}": the object has been modified; please '
                "apply your changes to the latest version and try again",
            )
        if sub == "scale":
            after = {**before, "spec": {**before["spec"], "replicas": after["spec"]["replicas"]}}
        if asked.query.get("dryRun") != "All":
            if after["spec"] != before["spec"]:
                after["metadata"]["generation"] = before["metadata"].get("generation", 1) + 1
            self.add(resource.plural, after)
            self.effects.append((resource.plural, name, json.loads(asked.body)))
            if resource.plural == "deployments":
                roll_out(self, after, before)
                images = {one["image"] for one in after["spec"]["template"]["spec"]["containers"]}
                if images <= self.starts:
                    after["status"] |= dict.fromkeys(("readyReplicas", "updatedReplicas"), after["spec"]["replicas"])
        return _scale(after) if sub == "scale" else {**resource.type_meta(), **after}


def _known_parameters(asked: Asked, known: set[str]) -> None:
    """Stricter than the real server, which ignores what it does not know: a misspelt parameter is a bug."""
    if unknown := set(asked.query) - known:
        raise Refused(400, "BadRequest", f"unknown parameter {min(unknown)}")


def _scale(document: Mapping[str, Any]) -> dict[str, Any]:
    meta = {k: v for k, v in document["metadata"].items() if k in ("name", "namespace", "uid", "resourceVersion")}
    replicas = document["spec"].get("replicas", 1)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": meta,
        "spec": {"replicas": replicas},
        "status": {"replicas": document.get("status", {}).get("replicas", 0)},
    }


@asynccontextmanager
async def fake_kubernetes(folder: Path) -> AsyncIterator[FakeKubernetes]:
    """At https://localhost:PORT, with a certificate of its own whose authority stands in `authority`."""
    fake = FakeKubernetes()
    chain, key = make_certificate(folder)
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(chain, key)
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", fake.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=secure)
    await site.start()
    fake.url, fake.authority = f"https://localhost:{runner.addresses[0][1]}", chain.read_text()
    try:
        yield fake
    finally:
        await runner.cleanup()


__all__ = ("TOKEN", "FakeKubernetes", "Rule", "fake_kubernetes", "status")
