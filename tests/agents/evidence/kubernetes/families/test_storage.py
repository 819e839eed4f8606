"""Claims and volumes, field by field."""

import pytest
from fakes.cluster_text import POD, deployments, described, first, listed, pod, pods, table, told

from agents.evidence.kubernetes.types import ClusterReading, What

EVENT = (
    "Warning  FailedScheduling  70s  default-scheduler  0/3 nodes are available: "
    "pod has unbound immediate PersistentVolumeClaims. preemption: 0/3 nodes"
)
SEEN = (
    deployments(("oven", "0/1", "1")),
    pods((POD, "0/1", "Pending", "0", "2m")),
    pod(events=[EVENT], more=["Volumes:", "  data:", "    ClaimName:  flour"]),
)


def claim(*, size: str = "1Gi", mode: str = "ReadWriteOnce", kind: str = '""', selector: str = "") -> ClusterReading:
    lines = ["kind: PersistentVolumeClaim", "metadata:", "  name: flour", "spec:", "  accessModes:", f"    - {mode}"]
    lines += ["  resources:", "    requests:", f"      storage: {size}", f"  storageClassName: {kind}"]
    lines += ["  selector:", "    matchLabels:", f"      {selector}"] if selector else []
    return told(What.MANIFEST, "oven", "\n".join(lines) + "\n")


def volume(*, status: str = "Available", holder: str = "", labels: str = "disk=slow") -> ClusterReading:
    heading = ("NAME", "CAPACITY", "ACCESS MODES", "STATUS", "CLAIM", "STORAGECLASS", "AGE", "LABELS")
    return listed(
        "persistentvolumes", table(heading, [("sack", "1Gi", "RWO", status, holder, "", "2m", labels)]), "labels"
    )


@pytest.mark.parametrize(
    ("wanted", "offered", "label"),
    [
        (claim(size="5Gi"), volume(), "pvc_capacity_mismatch"),
        (claim(mode="ReadWriteMany"), volume(), "pvc_access_mode_mismatch"),
        (claim(kind="fast"), volume(), "pvc_storage_class_mismatch"),
        (claim(selector="disk: fast"), volume(), "pvc_selector_mismatch"),
        (claim(), volume(status="Bound", holder="bakery/sugar"), "pv_binding_occupied"),
        (claim(), volume(status="Released", holder="bakery/sugar"), "pv_binding_occupied"),
    ],
)
def test_the_field_that_does_not_fit_is_named(wanted: ClusterReading, offered: ClusterReading, label: str) -> None:
    assert first(*SEEN, wanted, offered) == ("oven", label)


def test_a_claim_that_fits_is_not_blamed() -> None:
    assert first(*SEEN, claim(selector="disk: slow"), volume()) is None


def test_a_claim_says_itself_that_its_class_does_not_exist() -> None:
    event = (
        '  Warning  ProvisioningFailed  9s (x26 over 6m)  persistentvolume-controller  storageclass "quick" not found'
    )
    text = f"Name:  flour\nNamespace:  bakery\nEvents:\n  Type  Reason  Age  From  Message\n{event}\n"
    seen = described("persistentvolumeclaims", "flour", text)
    assert first(*SEEN, seen) == ("oven", "pvc_storage_class_mismatch")
