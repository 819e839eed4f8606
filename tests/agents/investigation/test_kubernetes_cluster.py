"""With a Kubernetes connected, from the question to the verdict: cause, proofs, gaps, by the offline investigator and
the gate, against the strict local API server with the Role that is shipped.
"""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.inline_engine import SettableClock
from fakes.kubernetes import TOKEN, FakeKubernetes, Rule, fake_kubernetes
from fakes.kubernetes.objects import (
    deploy,
    deployment,
    ended,
    endpoints,
    event,
    node,
    pod,
    quota,
    service,
    waiting,
)
from fakes.rig import Rig

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.kubernetes import Kubernetes, KubernetesConfig
from agents.connecting.outbound import Outbound
from agents.connecting.toolbox import Toolbox
from agents.models.offline import OfflineModel
from agents.verdict import Verdict
from store.incidents.approvals import ApprovalState
from store.secrets.redaction import Secret
from tests.agents.connecting.connectors.kubernetes.conftest import LOOPBACK, NOW, rules

SERVICES = (Service(name="storefront", depends_on=("checkout",)), Service(name="checkout"), Service(name="payments"))


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[FakeKubernetes]:
    async with fake_kubernetes(tmp_path) as fake:
        fake.rules = rules(without=("persistentvolumes:list",))
        fake.add("nodes", node())
        payments = deploy(fake, deployment("payments", "shop/payments:2.0"), "2026-02-01T10:00:00Z")
        fake.add("pods", pod(payments, "aaaaa"), pod(payments, "bbbbb"))
        yield fake


@pytest.fixture
async def investigate(
    cluster: FakeKubernetes, rig_of: Callable[..., Rig], clock: SettableClock
) -> AsyncIterator[Callable[..., Any]]:
    clock.advance(NOW - clock())
    outbound = Outbound(LOOPBACK)
    made: list[Kubernetes] = []
    namespaces, rigs = ["shop"], list[Rig]()

    def toolbox(_folder: Path, now: SettableClock) -> Toolbox:
        context = ConnectorContext(
            services=SERVICES, outbound=outbound, now=now, credentials={"token": Secret(TOKEN)}, label="prod"
        )
        config = KubernetesConfig(
            api=cluster.url,
            namespaces=tuple(namespaces),
            certificate_authority=cluster.authority,
            actions=("undo_rollout",),
        )
        made.append(Kubernetes(config, context))
        return Toolbox(connectors=(made[0],), services=SERVICES)

    async def run(question: str, *also: str) -> Verdict:
        namespaces[:0] = also
        rig = rig_of(toolbox=toolbox, offline=OfflineModel())
        rigs.append(rig)
        return await rig.verdict(await rig.ask(question))

    run.rigs = rigs  # type: ignore[attr-defined] # for what follows a verdict
    yield run
    for one in made:
        await one.close()
    await outbound.close()


def quotes(verdict: Verdict) -> str:
    return "\n".join(claim.quote or "" for claim in verdict.claims)


def bad_rollout(cluster: FakeKubernetes) -> None:
    """Checkout went from 1.2 to 1.3 at 11:49:30, and 1.3 cannot be pulled."""
    deploy(cluster, deployment("checkout", "shop/checkout:1.2"), "2026-02-20T10:00:00Z")
    new = deploy(cluster, deployment("checkout", "shop/checkout:1.3", ready=0), "2026-03-01T11:49:30Z")
    sick = pod(new, **waiting("ImagePullBackOff", "Back-off pulling image"))
    cluster.add("pods", sick)
    pulled = 'Failed to pull image "shop/checkout:1.3": rpc error: code = NotFound desc = not found'
    cluster.add("events", event("Pod", sick["metadata"]["name"], "Failed", pulled))


async def test_an_image_that_is_not_there_after_a_rollout(
    cluster: FakeKubernetes, investigate: Callable[..., Any]
) -> None:
    bad_rollout(cluster)
    cluster.rules = rules(without=("nodes:list", "nodes:get"))
    verdict = await investigate("storefront fails since ten minutes")
    assert verdict.cause is not None
    assert (verdict.cause.service, verdict.cause.kind) == ("checkout", "incorrect image reference")
    assert (verdict.cause.change_verdict, verdict.confidence) == ("cause", "high")
    assert verdict.cause.statement.endswith("does not exist, since its rollout at 11:49:30.")
    assert verdict.dropped == ()
    assert "not found" in quotes(verdict)
    assert "shop/checkout:1.2 -> shop/checkout:1.3 (revision 2); its pods alone are not ready" in quotes(verdict)
    assert any("may not read nodes (403)" in gap for gap in verdict.not_known), verdict.not_known


async def test_the_rollout_is_put_back_once_after_a_click(
    cluster: FakeKubernetes, investigate: Callable[..., Any]
) -> None:
    bad_rollout(cluster)
    patch = Rule(groups=("apps",), resources=("deployments",), verbs=("patch",))
    cluster.rules, cluster.starts = [*rules(), patch], frozenset({"shop/checkout:1.2"})
    verdict = await investigate("storefront fails since ten minutes")
    assert verdict.proposal is not None, verdict.proposal_refused
    assert verdict.proposal.remediation == "undo_rollout"
    assert cluster.effects == []
    (rig,) = investigate.rigs  # type: ignore[attr-defined]
    found = await rig.approval(rig.approval_of(rig.runs()[0]))
    assert found.plan["title"] == "Put checkout back to revision 1"
    assert found.plan["healing"] | {"hold_s": 0, "window_s": 0, "settle_s": 0} == {
        "service": "checkout",
        "indicator": "pods not ready",
        "unit": "count",
        "before": 2.0,
        "threshold": 0.0,
        "worse_than": 3.0,
        "hold_s": 0,
        "window_s": 0,
        "settle_s": 0,
    }
    await rig.decide(found)
    assert await rig.state(found.id) is ApprovalState.HEALED, "all pods were ready for long enough"
    assert len(cluster.effects) == 1
    (container,) = cluster.get("deployments", "shop", "checkout")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "shop/checkout:1.2"
    actions = await rig.actions()
    assert [actions.count(one) for one in ("agent.effect.started", "agent.effect.finished")] == [1, 1]


async def test_an_undo_after_which_the_pods_do_not_become_ready_has_not_healed(
    cluster: FakeKubernetes, investigate: Callable[..., Any]
) -> None:
    bad_rollout(cluster)
    cluster.rules = [*rules(), Rule(groups=("apps",), resources=("deployments",), verbs=("patch",))]
    await investigate("storefront fails since ten minutes")
    (rig,) = investigate.rigs  # type: ignore[attr-defined]
    found = await rig.approval(rig.approval_of(rig.runs()[0]))
    await rig.decide(found)
    assert await rig.state(found.id) is ApprovalState.NOT_HEALED
    assert len(cluster.effects) == 1


async def test_a_click_on_what_the_account_may_not_change_is_told_and_changes_nothing(
    cluster: FakeKubernetes, investigate: Callable[..., Any]
) -> None:
    bad_rollout(cluster)
    await investigate("storefront fails since ten minutes")
    (rig,) = investigate.rigs  # type: ignore[attr-defined]
    found = await rig.approval(rig.approval_of(rig.runs()[0]))
    await rig.decide(found)
    ended_as = await rig.approval(found.id)
    assert ended_as.state is ApprovalState.FAILED
    assert "may not change shop/deployments/checkout (403)" in ended_as.outcome["detail"]
    assert cluster.effects == []


async def test_a_container_that_is_killed_for_its_memory(
    cluster: FakeKubernetes, investigate: Callable[..., Any]
) -> None:
    limits = {"limits": {"memory": "64Mi"}}
    of = deploy(cluster, deployment("checkout", "shop/checkout:1.2", ready=0, resources=limits), "2026-02-20T10:00:00Z")
    state = {**waiting("CrashLoopBackOff"), "restartCount": 6, "lastState": ended(137, "OOMKilled")}
    cluster.add("pods", pod(of, **state))
    verdict = await investigate("checkout is down")
    assert verdict.cause is not None
    assert (verdict.cause.service, verdict.cause.kind, verdict.cause.change) == ("checkout", "oom killed", None)
    assert verdict.confidence == "high"
    assert "OOMKilled" in quotes(verdict)


async def test_pods_that_a_quota_does_not_admit(cluster: FakeKubernetes, investigate: Callable[..., Any]) -> None:
    of = deploy(cluster, deployment("checkout", "shop/checkout:1.2", ready=0), "2026-02-20T10:00:00Z")
    of["status"] = {"replicas": 0, "readyReplicas": 0, "updatedReplicas": 0, "observedGeneration": 1}
    cluster.add("resourcequotas", quota("team", {"pods": "2"}, {"pods": "2"}))
    made = next(name for (_, name) in cluster.objects["replicasets"] if name.startswith("checkout"))
    refused = (
        f'Error creating: pods "{made}-abcde" is forbidden: exceeded quota: team, requested: pods=1, used: pods=2, '
        "limited: pods=2"
    )
    cluster.add("events", event("ReplicaSet", made, "FailedCreate", refused))
    verdict = await investigate("checkout fails")
    assert verdict.cause is not None
    assert (verdict.cause.service, verdict.cause.kind) == ("checkout", "namespace pod quota exceeded")
    assert "exceeded quota" in quotes(verdict)


async def test_a_service_that_no_ready_pod_stands_behind(
    cluster: FakeKubernetes, investigate: Callable[..., Any]
) -> None:
    of = deploy(cluster, deployment("checkout", "shop/checkout:1.2"), "2026-02-20T10:00:00Z")
    cluster.add("pods", pod(of, "ccccc"), pod(of, "ddddd"))
    cluster.add("services", service("checkout", selector={"app": "chekout"}), service("payments"))
    cluster.add("endpointslices", endpoints("payments", "10.0.0.9"))
    verdict = await investigate("storefront fails")
    assert verdict.cause is not None
    assert (verdict.cause.service, verdict.cause.kind) == ("checkout", "service selector mismatch")
    assert "app=chekout" in quotes(verdict)


async def test_what_may_not_be_read_is_a_gap_and_not_that_all_is_well(
    cluster: FakeKubernetes, investigate: Callable[..., Any]
) -> None:
    of = deploy(cluster, deployment("checkout", "shop/checkout:1.2"), "2026-02-20T10:00:00Z")
    cluster.add("pods", pod(of, **waiting("CrashLoopBackOff")))
    cluster.rules = rules(without=("pods:list", "pods:get", "events:list"))
    verdict = await investigate("checkout fails")
    assert verdict.cause is None
    assert not verdict.looked.nothing_wrong
    assert any("may not read pods in namespace shop (403)" in gap for gap in verdict.not_known), verdict.not_known


async def test_a_sick_workload_far_from_what_was_asked_is_no_cause(
    cluster: FakeKubernetes, investigate: Callable[..., Any]
) -> None:
    of = deploy(cluster, deployment("storefront", "shop/storefront:9", ready=0), "2026-02-20T10:00:00Z")
    state = {**waiting("CrashLoopBackOff"), "restartCount": 6, "lastState": ended(137, "OOMKilled")}
    cluster.add("pods", pod(of, **state))
    verdict = await investigate("payments fails")
    assert verdict.cause is None


async def test_each_connected_namespace_is_looked_at_by_itself(
    cluster: FakeKubernetes, investigate: Callable[..., Any]
) -> None:
    limits = {"limits": {"memory": "64Mi"}}
    of = deploy(cluster, deployment("checkout", "shop/checkout:1.2", ready=0, resources=limits), "2026-02-20T10:00:00Z")
    state = {**waiting("CrashLoopBackOff"), "restartCount": 6, "lastState": ended(137, "OOMKilled")}
    cluster.add("pods", pod(of, **state))
    cluster.rules = [*rules(), *rules(namespace="mail")]
    verdict = await investigate("checkout is down", "mail")
    assert verdict.cause is not None
    assert (verdict.cause.service, verdict.cause.kind) == ("checkout", "oom killed")
    asked = {path.split("/")[4] for path in cluster.paths() if path.endswith("/pods")}
    assert asked == {"mail", "shop"}
