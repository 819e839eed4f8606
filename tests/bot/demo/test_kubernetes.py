"""The demo's API server, asked by our connector: rollouts, pods, logs of both runs, an undo, and what it refuses."""

import asyncio
import ipaddress
import json
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from agents.connecting.cluster import ListArguments
from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.kubernetes import Kubernetes
from agents.connecting.connectors.kubernetes.settings import KubernetesConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.errors import NeedsReauthorisation
from agents.evidence.types import Window
from bot.demo.kubernetes import NAMESPACE, LocalCluster
from store.secrets.redaction import Secret

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = Window(start=NOW - timedelta(days=1), end=NOW + timedelta(hours=1))


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat()


class Shop:
    """Answers as the supervisor does. `done` is what it was told to do."""

    def __init__(self, versions: list[str]) -> None:
        self.versions = versions
        self.done: list[dict[str, object]] = []
        self.processes = [self.process(1, versions[0], ago(600))]
        self.held = asyncio.Event()
        self.held.set()

    def process(self, run: int, version: str, started_at: str, **more: Any) -> dict[str, Any]:
        return {
            "run": run,
            "version": version,
            "started_at": started_at,
            "ended_at": None,
            "exit_code": None,
            **more,
        }

    async def __call__(self, order: dict[str, object]) -> dict[str, Any]:
        if order["command"] == "instances":
            return {"checkout": self.processes}
        await self.held.wait()
        self.done.append(order)
        version = str(order.get("ref", self.processes[-1]["version"]))
        self.processes.append(self.process(self.processes[-1]["run"] + 1, version, datetime.now(UTC).isoformat()))
        return {}


def git(folder: Path, *arguments: str) -> str:
    who = {f"GIT_{w}_{k}": v for w in ("AUTHOR", "COMMITTER") for k, v in (("NAME", "a"), ("EMAIL", "a@b.example"))}
    environment = {"PATH": "/usr/bin:/bin", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_COMMITTER_DATE": ago(3_600), **who}
    argv = ["git", "-C", str(folder), *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=environment).stdout.strip()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    git(tmp_path, "init", "-q")
    versions = []
    for number in (1, 2):
        git(tmp_path, "commit", "-q", "--allow-empty", "-m", f"release {number}")
        versions.append(git(tmp_path, "rev-parse", "HEAD"))
    git(tmp_path, "tag", "-a", "deploy/checkout/1", "-m", "deploy", versions[0])
    return Shop(versions)


@pytest.fixture
async def cluster(shop: Shop, tmp_path: Path) -> AsyncIterator[LocalCluster]:
    lines = [{"time": ago(at), "level": "INFO", "message": said} for at, said in ((500, "early"), (90, "late"))]
    (tmp_path / "checkout.log").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    made = LocalCluster(tmp_path, {"checkout": 8080}, {"checkout": tmp_path / "checkout.log"}, shop)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    made = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)))
    yield made
    await made.close()


def connected(cluster: LocalCluster, outbound: Outbound, token: str = "") -> Kubernetes:
    context = ConnectorContext(
        services=(Service(name="checkout"),),
        outbound=outbound,
        now=lambda: datetime.now(UTC),
        credentials={"token": Secret(token or cluster.token)},
    )
    config = {"api": cluster.url, "namespaces": [NAMESPACE], "actions": ["restart_workload", "undo_rollout"]}
    return Kubernetes(KubernetesConfig.model_validate(config), context)


async def test_a_deployment_of_the_shop_is_a_rollout_that_is_undone_through_the_api(
    cluster: LocalCluster, shop: Shop, outbound: Outbound
) -> None:
    kubernetes = connected(cluster, outbound)
    assert (await kubernetes.check()).ok
    shop.processes.append(shop.process(2, shop.versions[1], ago(100)))
    (_, change) = (await kubernetes.read_changes(DAY)).changes
    assert (change.previous_commit, change.commit) == tuple(shop.versions)
    before = await kubernetes.read_workload("checkout")
    assert [one.number for one in before.revisions] == [1, 2]
    shop.held.clear()
    namespace, kind, name = before.place
    asked = {
        "service": "checkout",
        "namespace": namespace,
        "kind": kind,
        "name": name,
        "generation": str(before.generation),
        "version": before.revisions[0].version,
    }
    for _ in range(2):
        assert (await kubernetes.act("undo_rollout", asked, idempotency_key="K1")).ok
    assert (await kubernetes.read_workload("checkout")).ready == 0
    shop.held.set()
    async with asyncio.timeout(30):
        while not (after := await kubernetes.read_workload("checkout")).ready:  # noqa: ASYNC110 -- nothing tells
            await asyncio.sleep(0.01)
    assert shop.done == [{"command": "rollback", "service": "checkout", "ref": shop.versions[0]}]
    assert [one.number for one in after.revisions] == [2, 3]
    assert after.version == before.revisions[0].version
    assert cluster.refused == []


async def test_a_restart_is_a_rollout_of_the_same_image(cluster: LocalCluster, shop: Shop, outbound: Outbound) -> None:
    kubernetes = connected(cluster, outbound)
    before = await kubernetes.read_workload("checkout")
    namespace, kind, name = before.place
    at = f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    asked = {"service": "checkout", "namespace": namespace, "kind": kind, "name": name, "generation": "1", "at": at}
    assert (await kubernetes.act("restart_workload", asked, idempotency_key="K1")).ok
    async with asyncio.timeout(30):
        while not (after := await kubernetes.read_workload("checkout")).ready:  # noqa: ASYNC110 -- nothing tells
            await asyncio.sleep(0.01)
    assert shop.done == [{"command": "restart", "service": "checkout"}]
    assert after.restarted_at == at
    assert (await kubernetes.read_changes(DAY)).changes[-1].summary.startswith("restarted")


async def test_a_container_that_died_says_so_and_its_earlier_run_has_its_own_log(
    cluster: LocalCluster, shop: Shop, outbound: Outbound
) -> None:
    shop.processes[0] |= {"ended_at": ago(100), "exit_code": 1}
    tools = {one.name: one for one in connected(cluster, outbound).tools()}
    listed = await tools["cluster_list"].run(ListArguments(kind="pods"))
    assert "CrashLoopBackOff" in listed.text
    shop.processes.append(shop.process(1, shop.versions[0], ago(95)))
    kubernetes = connected(cluster, outbound)
    assert [one.text for one in (await kubernetes.read_logs(DAY)).lines] == ["early", "late"]
    described = await tools["cluster_list"].run(ListArguments(kind="events"))
    assert "Back-off restarting failed container" in described.text


async def test_what_is_not_documented_or_not_permitted_is_refused(
    cluster: LocalCluster, shop: Shop, outbound: Outbound
) -> None:
    with pytest.raises(NeedsReauthorisation):
        await connected(cluster, outbound, token="another-token").read_changes(DAY)
    apps = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
    pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
    asked: list[tuple[str, str, int]] = [
        ("GET", "/api/v1/namespaces/shop/secrets", 404),
        ("GET", "/api/v1/namespaces/other/pods", 403),
        ("GET", "/api/v1/pods", 403),
        ("GET", f"{pods}?watch=true", 400),
        ("GET", f"{pods}?fieldSelector=spec.image=x", 400),
        ("GET", f"{pods}/nobody/log", 404),
        ("DELETE", f"{pods}/nobody", 405),
        ("PATCH", f"{apps}/checkout/scale", 404),
        ("PATCH", f"{apps}/checkout", 415),
    ]
    strategic = {"content-type": "application/strategic-merge-patch+json"}
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {cluster.token}"}) as client:
        for method, path, status in asked:
            answer = await client.request(method, f"{cluster.url}{path}")
            assert (answer.status_code, answer.json()["kind"]) == (status, "Status"), path
        image = {"spec": {"template": {"spec": {"nodeName": "another"}}}}
        for patch, status in (
            (image, 422),
            ({"spec": {"replicas": 3}}, 422),
            ({"metadata": {"resourceVersion": "1"}}, 409),
        ):
            answer = await client.patch(f"{cluster.url}{apps}/checkout", content=json.dumps(patch), headers=strategic)
            assert answer.status_code == status, patch
    assert shop.done == []
    assert len(cluster.refused) == len(asked) + 4
