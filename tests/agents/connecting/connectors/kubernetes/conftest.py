"""A strict local API server with a Role as it is shipped, and connectors to it."""

import ipaddress
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fakes.kubernetes import TOKEN, FakeKubernetes, Rule, fake_kubernetes
from fakes.openapi import Description

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.kubernetes import Kubernetes, KubernetesConfig
from agents.connecting.connectors.kubernetes.kinds import RIGHTS
from agents.connecting.outbound import EgressPolicy, Outbound
from store.secrets.redaction import Secret

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SERVICES = (Service(name="checkout", aliases=("workload:shop-checkout",)), Service(name="payments"))
LOOPBACK = EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")))


def rules(*, without: tuple[str, ...] = (), namespace: str = "shop") -> list[Rule]:
    """What the shipped Role permits, but for some rights by their names, as in `pods:list`."""
    return [
        Rule(
            groups=(right.group,),
            resources=(f"{right.resource}/{right.subresource}" if right.subresource else right.resource,),
            verbs=(right.verb,),
            namespace="" if right.cluster else namespace,
        )
        for right in RIGHTS
        if right.name not in without and not right.action
    ]


@cache
def _description(file: Path) -> Description:
    return Description(file)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[FakeKubernetes]:
    async with fake_kubernetes(tmp_path) as fake:
        fake.rules = rules()
        yield fake


@pytest.fixture(autouse=True)
def documented(cluster: FakeKubernetes) -> Iterator[None]:
    """After each test: nothing was asked or answered that Kubernetes does not document."""
    yield
    file = Path(__file__).resolve().parents[6] / "shared" / "specs" / "kubernetes-swagger.json.gz"
    if not file.exists():
        return
    description = _description(file)
    for asked in cluster.asked:
        assert description.problems(asked) == [], asked.path
    for asked, code, document in cluster.given:
        if code in (200, 201) and isinstance(document, dict) and "malformed" not in str(document):
            assert description.answer_problems(asked, code, document) == []


async def _no_pause(_seconds: float) -> None:
    return


@pytest.fixture
async def connect(cluster: FakeKubernetes) -> AsyncIterator[Callable[..., Kubernetes]]:
    outbound = Outbound(LOOPBACK, sleep=_no_pause)
    made: list[Kubernetes] = []

    def make(
        *, token: str = TOKEN, services: tuple[Service, ...] = SERVICES, label: str = "", **config: Any
    ) -> Kubernetes:
        context = ConnectorContext(
            services=services,
            outbound=outbound,
            now=lambda: NOW,
            credentials={"token": Secret(token)},
            label=label,
        )
        given = {"api": cluster.url, "namespaces": ("shop",), "certificate_authority": cluster.authority, **config}
        connector = Kubernetes(KubernetesConfig(**given), context)
        made.append(connector)
        return connector

    yield make
    for connector in made:
        await connector.close()
    await outbound.close()
