"""Webhooks on real parts: the door, the worker behind it, the local workspace in front."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from starlette.applications import Starlette

from agents.alerting.absorber import Absorber, Surroundings
from agents.alerting.administering import MadeWebhook, make_webhook
from agents.alerting.topology import Topology
from handlers.slack.alert_groups import AlertGroups
from handlers.slack.delivery import Delivery
from handlers.webhooks.door import Door
from handlers.webhooks.refusals import Refusals
from handlers.webhooks.work import AlertWork
from store import audit
from store.inbox import RecordedArrival
from tests.handlers.inbound import Slack


@dataclass(kw_only=True)
class Told:
    """Notices to admins, remembered."""

    said: list[tuple[str, str]] = field(default_factory=list)

    async def tell_admins(self, _tenant: str, *, key: str, text: str) -> bool:
        self.said.append((key, text))
        return True


@dataclass(kw_only=True)
class Hooks:
    slack: Slack
    door: Door
    work: AlertWork
    refusals: Refusals
    told: Told
    fetched: list[str]
    now: float = 1_796_000_000.0

    async def make(self, provider: str = "alertmanager", secret: str | None = None, **config: str) -> MadeWebhook:
        async with self.slack.db.tenant(self.slack.tenant) as s:
            made = await make_webhook(
                s,
                provider=provider,
                label="",
                config=config,
                secret=secret,
                actor=audit.SYSTEM,
                source="operator",
                by=None,
            )
        self.door.forget()
        return made

    async def send(self, made: MadeWebhook, body: Any, **headers: str) -> int:
        """The status of the answer. With the secret as a bearer where no header is given."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        secret = "" if made.secret is None else made.secret.reveal()
        given = headers or {"authorization": f"Bearer {secret}"}
        transport = httpx2.ASGITransport(app=Starlette(routes=self.door.routes()), client=("203.0.113.7", 4711))
        async with httpx2.AsyncClient(transport=transport, base_url="https://autoheal.example") as client:
            answer = await client.post(made.webhook.path, content=raw, headers={**given, "user-agent": "hook/1"})
        return answer.status_code

    async def done(self) -> None:
        await self.work.settle()


@asynccontextmanager
async def open_hooks(
    slack: Slack, *, services: tuple[str, ...] = (), spellings: Mapping[str, str] | None = None, edges: Any = ()
) -> AsyncIterator[Hooks]:
    fetched: list[str] = []

    async def fetch(url: str) -> bytes:
        fetched.append(url)
        return b""

    async def around(_tenant: str) -> Surroundings:
        return Surroundings(services=services, spellings=spellings or {}, topology=Topology(edges))

    told, refusals = Told(), Refusals(slack.db)
    absorber = Absorber(slack.db, around, fetch=fetch)
    assert isinstance(slack.context.delivery, Delivery)
    groups = AlertGroups(
        slack.db,
        slack.context.delivery,
        slack.caller,
        slack.context.incident_service,
        notices=told,
        clock=slack.context.clock,
    )
    work = AlertWork(slack.db, slack.intake, absorber, groups)

    def arrived(tenant: Any, recorded: RecordedArrival) -> None:
        work.wake(tenant, recorded.inbox_id)

    door = Door(slack.db, slack.intake, refusals, arrived=arrived, fetch=fetch, clock=lambda: hooks.now)
    hooks = Hooks(slack=slack, door=door, work=work, refusals=refusals, told=told, fetched=fetched)
    try:
        yield hooks
    finally:
        await work.close()


def an_alert(name: str = "HighErrors", service: str = "checkout", **more: Any) -> dict[str, Any]:
    labels = {"alertname": name, "service": service, "severity": "critical", **more.pop("labels", {})}
    return {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "58 % of requests fail", "runbook_url": "https://runbooks.example/errors"},
        "startsAt": "2026-11-05T02:40:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "https://prometheus.example/graph",
        "fingerprint": f"{name}-{service}",
        **more,
    }


def a_body(*alerts: dict[str, Any], status: str = "firing") -> dict[str, Any]:
    return {"version": "4", "status": status, "groupKey": "{}:{}", "alerts": list(alerts)}
