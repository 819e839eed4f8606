"""A connected cluster whose admin permits changes: the local API server, the connector, what remediations are given."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fakes.kubernetes import TOKEN, FakeKubernetes, Rule, fake_kubernetes
from fakes.kubernetes.objects import deploy, deployment

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.kubernetes import Kubernetes, KubernetesConfig
from agents.connecting.connectors.kubernetes.kinds import RIGHTS
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.remediation import PlanReason, RemediationContext
from store.secrets.redaction import Secret

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REASON = PlanReason(cause="a rollout", confidence="high", evidence=("A1",), requested_by="U1", healing=None)
ACTIONS = ("restart_workload", "scale_workload", "undo_rollout")
LOOPBACK = EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")))


@dataclass(kw_only=True)
class Acting:
    """`writes` are the effects that the server carried out."""

    cluster: FakeKubernetes
    connector: Kubernetes
    outbound: Outbound
    services: tuple[Service, ...]
    now: datetime = NOW

    @property
    def context(self) -> RemediationContext:
        return RemediationContext(
            actuators=(self.connector,), changes=(self.connector,), services=self.services, now=lambda: self.now
        )

    @property
    def checkout(self) -> dict[str, Any]:
        return self.cluster.get("deployments", "shop", "checkout")

    @property
    def writes(self) -> int:
        return len(self.cluster.effects)

    def change_by_hand(self) -> None:
        """Somebody else declares something of it."""
        self.cluster.add("deployments", self.checkout)
        self.checkout["metadata"]["generation"] += 1

    def allow(self, *, without: str = "") -> None:
        """The shipped rights, but for those of one action."""
        self.cluster.rules = [
            Rule(
                groups=(right.group,),
                resources=(f"{right.resource}/{right.subresource}" if right.subresource else right.resource,),
                verbs=(right.verb,),
            )
            for right in RIGHTS
            if not (without and right.verb == "patch" and right.action == without)
        ]


@asynccontextmanager
async def acting(folder: Path, **config: Any) -> AsyncIterator[Acting]:
    """Checkout went from 1.2 to 1.3 at 11:50, on two pods; both revisions are kept."""
    services = (Service(name="checkout"), Service(name="payments"))
    async with fake_kubernetes(folder) as cluster:
        outbound = Outbound(LOOPBACK)
        context = ConnectorContext(
            services=services,
            outbound=outbound,
            now=lambda: made.now,
            credentials={"token": Secret(TOKEN)},
            label="prod",
        )
        given = {
            "api": cluster.url,
            "namespaces": ("shop",),
            "certificate_authority": cluster.authority,
            "actions": ACTIONS,
            **config,
        }
        connector = Kubernetes(KubernetesConfig(**given), context)
        made = Acting(cluster=cluster, connector=connector, outbound=outbound, services=services)
        made.allow()
        deploy(cluster, deployment("checkout", "shop/checkout:1.2"), "2026-02-20T10:00:00Z")
        deploy(cluster, deployment("checkout", "shop/checkout:1.3"), "2026-03-01T11:50:00Z")
        yield made
        await connector.close()
        await outbound.close()
