"""The local API server is one to a real `kubectl`, too, and what the rules read of a description is the same, whether
kubectl or the connector printed it.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from fakes.kubernetes import FakeKubernetes, Rule
from fakes.kubernetes.objects import deploy, deployment, ended, event, pod, waiting

from agents.connecting.connectors.kubernetes import Kubernetes
from agents.evidence.kubernetes.parse import pod_detail
from agents.evidence.kubernetes.types import ClusterReading, Read, What
from tests.agents.connecting.connectors.kubernetes.test_kubernetes import kubeconfig

PROGRAM = shutil.which("kubectl")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="kubectl is not installed")
Kubectl = Callable[..., Awaitable[str]]


@pytest.fixture
def documented() -> None:
    """Its own requests are not held against the description: discovery is none of it."""


@pytest.fixture
def kubectl(cluster: FakeKubernetes, tmp_path: Path) -> Kubectl:
    file = kubeconfig(cluster, tmp_path)

    async def run(*arguments: str) -> str:
        started = await asyncio.create_subprocess_exec(
            PROGRAM or "",
            f"--kubeconfig={file}",
            f"--cache-dir={tmp_path / 'cache'}",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"HOME": str(tmp_path)},
        )
        out, err = await asyncio.wait_for(started.communicate(), timeout=60)
        assert started.returncode == 0, err.decode()
        return out.decode()

    return run


def crashing(cluster: FakeKubernetes) -> str:
    deploy(cluster, deployment("checkout", "shop/checkout:1.2"), "2026-02-20T10:00:00Z")
    probe = {"httpGet": {"path": "/healthz", "port": 9090}, "periodSeconds": 5}
    ports = [{"containerPort": 8080, "protocol": "TCP"}]
    document = deployment("checkout", "shop/checkout:1.3", livenessProbe=probe, ports=ports)
    new = deploy(cluster, document, "2026-03-01T11:50:00Z")
    limits = {"restartCount": 5, "lastState": ended(137, "OOMKilled")}
    sick = pod(new, **{**waiting("CrashLoopBackOff", "back-off 5m0s restarting"), **limits})
    sick["spec"]["containers"] = [{**sick["spec"]["containers"][0], "resources": {"limits": {"memory": "64Mi"}}}]
    cluster.add("pods", sick)
    name: str = sick["metadata"]["name"]
    cluster.add("events", event("Pod", name, "BackOff", "Back-off restarting failed container main", count=9))
    cluster.logs["shop", name, "main", True] = "2026-03-01T11:58:00Z fatal: out of memory\n"
    return name


async def test_kubectl_reads_it_as_a_cluster(cluster: FakeKubernetes, kubectl: Kubectl) -> None:
    name = crashing(cluster)
    assert name in await kubectl("get", "pods")
    assert "checkout" in await kubectl("get", "deployments", "-o", "name")
    assert "BackOff" in await kubectl("get", "events", "-o", "jsonpath={.items[*].reason}")
    assert "out of memory" in await kubectl("logs", name, "--previous")
    history = await kubectl("rollout", "history", "deployment/checkout")
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["1", "2"]


async def test_rules_read_the_same_from_both(
    cluster: FakeKubernetes, kubectl: Kubectl, connect: Callable[..., Kubernetes]
) -> None:
    name = crashing(cluster)
    read = Read(what=What.DESCRIBE, kind="pods", name=name)
    theirs = pod_detail(ClusterReading(read=read, text=await kubectl("describe", "pod", name)), ("checkout",))
    tool = next(one for one in connect().tools() if one.name == "cluster_describe")
    shown = await tool.run(tool.parse({"kind": "pods", "name": name}))
    ours = pod_detail(ClusterReading(read=read, text=shown.text), ("checkout",))
    assert theirs is not None
    assert ours is not None
    assert (ours.name, ours.app, ours.node) == (theirs.name, theirs.app, "node-a")
    (mine,), (other,) = ours.containers, theirs.containers
    assert (mine.waiting, mine.last_reason, mine.exit_code) == ("CrashLoopBackOff", "OOMKilled", 137)
    for field in ("image", "ports", "waiting", "last_reason", "exit_code", "ready", "restarts", "memory_limit"):
        assert getattr(mine, field) == getattr(other, field), field
    assert mine.liveness is not None
    assert other.liveness is not None
    assert (mine.liveness.port, mine.liveness.protocol) == (other.liveness.port, other.liveness.protocol)
    assert [(e.reason, e.count) for e in ours.events] == [(e.reason, e.count) for e in theirs.events]


async def test_kubectl_undoes_and_restarts_as_our_own_actions_do(cluster: FakeKubernetes, kubectl: Kubectl) -> None:
    """What it sends is taken by the local server, and ends in the same templates."""
    crashing(cluster)
    cluster.rules.append(Rule(groups=("apps",), resources=("deployments",), verbs=("patch",)))
    template = cluster.get("deployments", "shop", "checkout")["spec"]["template"]
    await kubectl("rollout", "undo", "deployment/checkout")
    spec = cluster.get("deployments", "shop", "checkout")["spec"]
    assert [one["image"] for one in spec["template"]["spec"]["containers"]] == ["shop/checkout:1.2"]
    assert spec["template"]["metadata"]["labels"] == template["metadata"]["labels"]
    await kubectl("rollout", "restart", "deployment/checkout")
    noted = cluster.get("deployments", "shop", "checkout")["spec"]["template"]["metadata"]["annotations"]
    assert list(noted) == ["kubectl.kubernetes.io/restartedAt"]
    assert len(cluster.effects) == 2
