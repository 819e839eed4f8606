"""The scheduler's message, reason by reason."""

import pytest
from fakes.cluster_text import ALL_NODES, POD, deployments, first, nodes, pod, pods

from agents.evidence.kubernetes.families.scheduling import reasons
from agents.evidence.kubernetes.types import ClusterReading

LISTED = (deployments(("oven", "0/1", "1")), pods((POD, "0/1", "Pending", "0", "2m")))
FENCED = "1 node(s) were unschedulable, "


def pending(message: str, *more: str) -> ClusterReading:
    told = (
        f"Warning  FailedScheduling  70s  default-scheduler  0/3 nodes are available: {message}. preemption: 0/3 nodes"
    )
    return pod(events=[told], more=more)


@pytest.mark.parametrize(
    ("message", "label"),
    [
        (FENCED + "2 Insufficient cpu", "cpu_capacity_mismatch"),
        (FENCED + "2 Insufficient memory", "memory_capacity_mismatch"),
        (FENCED + "2 Insufficient example.com/gpu", "resource_capacity_mismatch"),
        (FENCED + "2 node(s) didn't match Pod's node affinity/selector", "node_affinity_mismatch"),
        (FENCED + "2 node(s) had untolerated taint {dedicated: baking}", "taint_toleration_mismatch"),
        (FENCED + "2 node(s) didn't match pod anti-affinity rules", "pod_anti_affinity_conflict"),
        ("3 node(s) were unschedulable", "node_cordon_mismatch"),
        ("2 node(s) were unschedulable, 1 node(s) didn't match Pod's node affinity/selector", "node_cordon_mismatch"),
    ],
)
def test_the_reason_that_keeps_most_nodes_away_decides(message: str, label: str) -> None:
    assert first(*LISTED, ALL_NODES, pending(message)) == ("oven", label)


def test_a_selector_of_the_pod_tells_it_from_affinity() -> None:
    seen = pending(FENCED + "2 node(s) didn't match Pod's node affinity/selector", "Node-Selectors:  disk=fast")
    assert first(*LISTED, ALL_NODES, seen) == ("oven", "node_selector_mismatch")


def test_a_selector_that_a_tainted_node_meets_is_not_the_cause() -> None:
    message = (
        FENCED + "1 node(s) had untolerated taint {broken: true}, 1 node(s) didn't match Pod's node affinity/selector"
    )
    seen = pending(message, "Node-Selectors:  kubernetes.io/hostname=node-a")
    assert first(*LISTED, ALL_NODES, seen) == ("oven", "taint_toleration_mismatch")


def test_a_taint_of_kubernetes_itself_is_none_of_the_pods_fault() -> None:
    seen = pending("1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 Insufficient cpu")
    assert first(*LISTED, nodes(("control", "Ready"), ("node-a", "Ready")), seen) == ("oven", "cpu_capacity_mismatch")


def test_an_odd_message_has_no_reasons() -> None:
    assert reasons("nothing to see") == {}
    assert reasons("0/2 nodes are available: many") == {}
