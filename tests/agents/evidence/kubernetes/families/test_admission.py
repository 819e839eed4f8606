"""What was refused before it existed."""

import pytest
from fakes.cluster_text import POD, deployments, described, first, listed, pod, pods, table, told

from agents.evidence.kubernetes.rank import rank
from agents.evidence.kubernetes.types import ClusterReading, What

LISTED = (
    deployments(("oven", "0/1", "0"), ("till", "1/1", "1")),
    pods(("till-7d9c5b6f8-q8w7e", "1/1", "Running", "0", "2m")),
)
SETS = listed(
    "replicasets", table(("NAME", "DESIRED", "CURRENT", "READY", "AGE"), [("oven-6f5d8c9b7d", "1", "0", "0", "2m")])
)


def refused(message: str, age: str = "19s (x15 over 102s)") -> ClusterReading:
    event = f"  Warning  FailedCreate  {age}  replicaset-controller  Error creating: {message}"
    text = f"Name:  oven-6f5d8c9b7d\nNamespace:  bakery\nEvents:\n  Type  Reason  Age  From  Message\n{event}\n"
    return described("replicasets", "oven-6f5d8c9b7d", text)


def quota(row: str) -> ClusterReading:
    return listed("resourcequota", table(("NAME", "AGE", "REQUEST", "LIMIT"), [("limits", "2m", row, "")]))


@pytest.mark.parametrize(
    ("resource", "label"),
    [
        ("pods", "namespace_pod_quota_exceeded"),
        ("requests.cpu", "namespace_cpu_quota_exceeded"),
        ("limits.memory", "namespace_memory_quota_exceeded"),
    ],
)
def test_a_refused_pod_names_the_quota(resource: str, label: str) -> None:
    parts = (f"requested: {resource}=1", f"used: {resource}=10", f"limited: {resource}=10")
    message = f"pods is forbidden: exceeded quota: limits, {', '.join(parts)}"
    assert first(*LISTED, SETS, refused(message)) == ("bakery", label)


def test_a_service_account_that_does_not_exist() -> None:
    message = 'error looking up service account bakery/ovens: serviceaccount "ovens" not found'
    assert first(*LISTED, SETS, refused(message)) == ("oven", "missing_service_account")


def test_a_refusal_that_was_overcome_is_noise() -> None:
    message = 'error looking up service account bakery/oven: serviceaccount "oven" not found'
    seen = (deployments(("oven", "1/1", "1")), pods((POD, "1/1", "Running", "0", "2m")))
    assert first(*seen, refused(message, "98s (x5 over 100s)")) is None


def test_a_full_service_quota_counts_when_a_service_is_missing() -> None:
    well = (deployments(("oven", "1/1", "1"), ("till", "1/1", "1")), pods((POD, "1/1", "Running", "0", "2m")))
    services = listed(
        "services", table(("NAME", "TYPE", "CLUSTER-IP", "PORT(S)"), [("till", "ClusterIP", "10.1.0.9", "80/TCP")])
    )
    namespace = told(What.LOGS, "till", "Namespace:  bakery\n")
    seen = first(
        *well, quota("services: 1/1"), services, namespace, listed("events", "No resources found in bakery namespace.")
    )
    assert seen == ("bakery", "namespace_service_quota_exceeded")


def test_a_claim_larger_than_the_storage_quota_was_never_made() -> None:
    message = '0/3 nodes are available: persistentvolumeclaim "flour" not found'
    event = f"Warning  FailedScheduling  70s  default-scheduler  {message}"
    claim = (
        "kind: PersistentVolumeClaim\nmetadata:\n  name: flour\n  namespace: bakery\n"
        "spec:\n  resources:\n    requests:\n      storage: 10Gi\n"
    )
    seen = (
        deployments(("oven", "0/1", "1")),
        pods((POD, "0/1", "Pending", "0", "2m")),
        quota("requests.storage: 0/1Gi"),
    )
    assert first(*seen, pod(events=[event]), told(What.MANIFEST, "oven", claim)) == (
        "bakery",
        "namespace_storage_quota_exceeded",
    )


def test_a_full_quota_alone_is_a_weak_suspicion() -> None:
    well = (deployments(("oven", "1/1", "1")), pods((POD, "1/1", "Running", "0", "2m")))
    assert all(h.score < 0.5 for h in rank([*well, quota("pods: 10/10")]))
