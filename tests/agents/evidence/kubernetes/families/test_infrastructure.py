"""Nodes and their components."""

import pytest
from fakes.cluster_text import ALL_NODES, POD, deployments, first, nodes, pod, pods, told

from agents.evidence.kubernetes.plan import next_reads
from agents.evidence.kubernetes.types import ClusterReading, What

DOWN = nodes(("control", "Ready,SchedulingDisabled"), ("node-a", "NotReady"), ("node-b", "Ready"))


def component(node: str, name: str, active: str) -> ClusterReading:
    return told(
        What.COMPONENT, node, f"Service: {name}\nNode: {node}\n     Active: {active} since Fri; 4min ago\n", name
    )


@pytest.mark.parametrize(
    ("name", "label"), [("kubelet", "kubelet_unavailable"), ("containerd", "containerd_unavailable")]
)
def test_a_node_is_down_by_the_component_that_is_dead(name: str, label: str) -> None:
    other = "kubelet" if name == "containerd" else "containerd"
    seen = (component("node-a", name, "inactive (dead)"), component("node-a", other, "active (running)"))
    assert first(deployments(("oven", "0/1", "1")), pods(), DOWN, *seen) == ("node-a", label)


def test_kube_proxy_is_told_by_a_connection_that_fails_from_one_node_only() -> None:
    report = (
        "=== report ===\nDebug Pod test results deployed on node-a: punt!\nConnection Failed\n"
        "Debug Pod test results deployed on node-b: oven (10.1.0.3:8080) open\nConnection Succeeded\n"
    )
    seen = (deployments(("oven", "1/1", "1")), pods(), ALL_NODES, told(What.CONNECT, "oven", report, "8080"))
    assert first(*seen) == ("node-a", "kube_proxy_unavailable")
    assert first(*seen, component("node-a", "kube-proxy", "inactive (dead)")) == ("node-a", "kube_proxy_unavailable")


def test_a_pending_pod_without_a_word_from_the_scheduler() -> None:
    seen = [deployments(("oven", "0/1", "1")), pods((POD, "0/1", "Pending", "0", "2m")), ALL_NODES, pod()]
    seen[-1] = type(seen[-1])(read=seen[-1].read, text=seen[-1].text.replace("node-a/10.0.0.4", "<none>"), source="x")
    asked = next_reads(seen)
    assert ("control", "kube-scheduler") in {(r.name, r.detail) for r in asked if r.what is What.COMPONENT}
    dead = component("control", "kube-scheduler", "failed (Result: exit-code)")
    assert first(*seen, dead) == ("control", "kube_scheduler_unavailable")


def test_the_control_plane_that_takes_no_pods_is_normal() -> None:
    assert first(deployments(("oven", "1/1", "1")), pods((POD, "1/1", "Running", "0", "2m")), ALL_NODES) is None
