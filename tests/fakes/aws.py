"""AWS as its API descriptions say, as far as it is asked: every request and every answer is held against botocore's own
shapes, and only the signed requests of the assumed role are answered.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from aiohttp import web
from botocore.loaders import Loader  # type: ignore[import-untyped] # publishes no types
from botocore.model import ServiceModel  # type: ignore[import-untyped] # publishes no types
from botocore.validate import ParamValidator  # type: ignore[import-untyped] # publishes no types

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ROLE, EXTERNAL_ID = "arn:aws:iam::123456789012:role/autoheal", "kD93hs82LmQ0xZv7"
SESSION_KEY = "ASIAEXAMPLEEXAMPLE12"
_TARGETS = {
    "GraniteServiceVersion20100801": "cloudwatch",
    "Logs_20140328": "logs",
    "AmazonEC2ContainerServiceV20141113": "ecs",
    "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101": "cloudtrail",
    "CloudTrail_20131101": "cloudtrail",
}
Refusal = tuple[int, str]


@cache
def _model(service: str) -> Any:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def _epoch(value: Any) -> Any:
    """Moments as numbers, as the JSON protocols write them."""
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, dict):
        return {key: _epoch(one) for key, one in value.items()}
    return [_epoch(one) for one in value] if isinstance(value, list) else value


@dataclass(kw_only=True)
class FakeAws:
    """`answers` by operation: a document, or a function of the question. `refused` by operation, or "*": status and
    code.
    """

    answers: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, Refusal] = field(default_factory=dict)
    raw: tuple[int, bytes] | None = None
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    assumed: list[dict[str, str]] = field(default_factory=list)
    lasts: timedelta = timedelta(hours=1)
    now: Callable[[], datetime] = lambda: NOW
    url: str = ""
    problems: list[str] = field(default_factory=list)

    def of(self, operation: str) -> list[dict[str, Any]]:
        return [told for name, told in self.asked if name == operation]

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        if "x-amz-target" not in request.headers:
            return self._assume(dict(await request.post()))
        signed = request.headers.get("authorization", "")
        if not signed.startswith("AWS4-HMAC-SHA256 Credential=" + SESSION_KEY) or not request.headers.get(
            "x-amz-security-token"
        ):
            return self._refusal(403, "UnrecognizedClientException")
        target, _, operation = request.headers["x-amz-target"].rpartition(".")
        service, asked = _TARGETS[target], json.loads(body)
        self._hold(service, operation, "input_shape", asked)
        self.asked.append((operation, asked))
        if self.raw is not None:
            return web.Response(status=self.raw[0], body=self.raw[1])
        if refusal := self.refused.get(operation, self.refused.get("*")):
            return self._refusal(*refusal)
        told = self.answers.get(operation, {})
        document = told(asked) if callable(told) else told
        if isinstance(document, tuple):
            return self._refusal(*document)
        self._hold(service, operation, "output_shape", document)
        return web.json_response(_epoch(document), content_type="application/x-amz-json-1.1")

    def _hold(self, service: str, operation: str, side: str, document: Mapping[str, Any]) -> None:
        shape = getattr(_model(service).operation_model(operation), side)
        report = ParamValidator().validate(document, shape)
        if report.has_errors():
            self.problems.append(f"{operation}: {report.generate_report()}")

    def _assume(self, form: Mapping[str, Any]) -> web.Response:
        asked = {key: str(value) for key, value in form.items()}
        self.assumed.append(asked)
        if (asked.get("RoleArn"), asked.get("ExternalId")) != (ROLE, EXTERNAL_ID):
            body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
            return web.Response(status=403, text=body, content_type="text/xml")
        ends = f"{self.now() + self.lasts:%Y-%m-%dT%H:%M:%SZ}"
        keys = f"<AccessKeyId>{SESSION_KEY}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
        keys += f"<SessionToken>t{len(self.assumed)}</SessionToken><Expiration>{ends}</Expiration>"
        body = f"<AssumeRoleResult><Credentials>{keys}</Credentials></AssumeRoleResult>"
        return web.Response(text=f"<AssumeRoleResponse>{body}</AssumeRoleResponse>", content_type="text/xml")

    def _refusal(self, status: int, code: str) -> web.Response:
        body = {"__type": code, "message": f"{code} of a test"}
        return web.json_response(body, status=status, content_type="application/x-amz-json-1.1")


def a_service(name: str, version: int, *, before: int | None = None, minutes_ago: float = 20, **more: Any) -> Any:
    """As DescribeServices has it: with its deployments, the newest first."""
    at = NOW - timedelta(minutes=minutes_ago)

    def deployment(number: int, status: str, created: datetime) -> dict[str, Any]:
        arn = f"arn:aws:ecs:eu-west-1:123456789012:task-definition/{name}:{number}"
        counts = {"desiredCount": 3, "runningCount": 3, "failedTasks": 0, "rolloutState": "IN_PROGRESS"}
        return {"id": f"ecs-svc/{number}", "status": status, "taskDefinition": arn, "createdAt": created, **counts}

    deployments = [deployment(version, "PRIMARY", at)]
    if before is not None:
        deployments.append(deployment(before, "ACTIVE", at - timedelta(days=3)))
    return {
        "serviceName": name,
        "status": "ACTIVE",
        "desiredCount": 3,
        "runningCount": 3,
        "pendingCount": 0,
        "taskDefinition": deployments[0]["taskDefinition"],
        "deployments": deployments,
        "events": [{"id": "e", "createdAt": at, "message": f"(service {name}) has started 3 tasks"}],
        **more,
    }


def a_definition(name: str, **more: Any) -> dict[str, Any]:
    family, _, number = name.partition(":")
    options = {"awslogs-group": f"/ecs/{family}"}
    container = {
        "name": family,
        "image": f"shop/{family}:{number}",
        "logConfiguration": {"logDriver": "awslogs", "options": options},
        **more,
    }
    return {
        "taskDefinition": {
            "taskDefinitionArn": f"arn:aws:ecs:eu-west-1:123456789012:task-definition/{name}",
            "family": family,
            "revision": int(number),
            "status": "ACTIVE",
            "containerDefinitions": [container],
        }
    }


def with_ecs(fake: FakeAws, *services: dict[str, Any]) -> None:
    """One cluster with these services, whose task definitions are all kept."""
    known = {one["serviceName"]: one for one in services}
    fake.answers |= {
        "ListClusters": {"clusterArns": ["arn:aws:ecs:eu-west-1:123456789012:cluster/prod"]},
        "ListServices": {"serviceArns": [f"arn:aws:ecs:eu-west-1:123456789012:service/prod/{name}" for name in known]},
        "DescribeServices": lambda asked: {"services": [known[n] for n in asked["services"] if n in known]},
        "DescribeTaskDefinition": lambda asked: (
            a_definition(asked["taskDefinition"]) if ":" in asked["taskDefinition"] else (400, "ClientException")
        ),
    }


@asynccontextmanager
async def fake_aws() -> AsyncIterator[FakeAws]:
    fake = FakeAws()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", fake.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        await runner.cleanup()
