"""A cluster connected by an admin: tested, stored with its authority, told to the catalog, and kept to its address."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fakes.kubernetes import TOKEN, FakeKubernetes
from fakes.kubernetes.objects import deploy, deployment, pod
from fakes.operators import permitting_loopback

from agents.connecting.connecting import Connected, Connecting, Consenting, NotConnected, in_words
from agents.connecting.toolboxes import Toolboxes
from store.database.session import Database
from store.secrets.redaction import Secret


async def names(host: str, _port: int) -> list[str]:
    if host in ("localhost", "k8s.inside.example.com"):
        return ["127.0.0.1"] if host == "localhost" else ["10.1.2.3"]
    raise OSError(host)


@pytest.fixture
async def toolboxes(sqlite_database: Database, two_tenants: Any) -> AsyncIterator[Toolboxes]:
    db = sqlite_database
    bound, file = two_tenants[0], permitting_loopback()
    made = Toolboxes(db, file=file, bound=lambda tenant: tenant == bound, now=db.now, resolve=names)
    yield made
    await made.close()


async def connect(db: Database, tenant: Any, toolboxes: Toolboxes, source_id: str, **values: str) -> Any:
    return await Connecting(db, toolboxes, now=db.now).connect(
        Consenting(tenant=tenant),
        connector="kubernetes",
        values=values,
        secrets={"token": Secret(TOKEN)},
        label="prod",
        source="operator",
        source_id=source_id,
    )


async def test_it_is_stored_with_its_authority_and_its_workloads_are_services(
    cluster: FakeKubernetes, sqlite_database: Database, two_tenants: Any, toolboxes: Toolboxes
) -> None:
    of = deploy(cluster, deployment("checkout", "shop/checkout:1.2"), "2026-02-20T10:00:00Z")
    cluster.add("pods", pod(of))
    given = {"api": cluster.url, "namespaces": "shop", "actions": "undo_rollout", "most_instances": "5"}
    bare = await connect(sqlite_database, two_tenants[0], toolboxes, "1", **given)
    assert isinstance(bare, NotConnected)
    assert "give the CA certificate of this cluster" in bare.reason
    given["certificate_authority"] = cluster.authority
    result = await connect(sqlite_database, two_tenants[0], toolboxes, "2", **given)
    assert isinstance(result, Connected), result
    told = in_words(result)
    assert "Kubernetes is connected as *prod*" in told
    assert "deployments:patch in shop: undo_rollout fails" in told
    assert "It knows checkout" in told
    toolbox = await toolboxes.of(two_tenants[0])
    (service,) = toolbox.services
    assert (service.name, service.aliases) == ("checkout", ("pod:checkout-*",))
    assert {"prod__cluster_list", "prod__cluster_rollouts"} <= {one.name for one in toolbox.connector_tools()}
    assert [one.can("undo_rollout", "checkout") for one in toolbox.actuators] == [True]


async def test_another_tenant_cannot_reach_into_the_operators_network(
    cluster: FakeKubernetes, sqlite_database: Database, two_tenants: Any, toolboxes: Toolboxes
) -> None:
    given = {"namespaces": "shop", "certificate_authority": cluster.authority}
    for number, api in enumerate((cluster.url, "https://k8s.inside.example.com:6443", "https://10.0.0.1")):
        refused = await connect(sqlite_database, two_tenants[1], toolboxes, str(number), api=api, **given)
        assert isinstance(refused, NotConnected)
        assert "not public" in refused.reason or "not a public address" in refused.reason
    assert cluster.asked == []
