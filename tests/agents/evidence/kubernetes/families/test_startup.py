"""Images, references and volumes that keep a container from starting."""

import pytest
from fakes.cluster_text import POD, deployments, first, pod, pods, told

from agents.evidence.kubernetes.types import What

LISTED = (deployments(("oven", "0/1", "1"), ("till", "1/1", "1")), pods((POD, "0/1", "ImagePullBackOff", "0", "2m")))
PULL = 'Warning  Failed  14s (x2 over 28s)  kubelet  Failed to pull image "images.example/oven:v9": '


@pytest.mark.parametrize(
    ("message", "label"),
    [
        ("dial tcp: lookup images.example on 10.0.0.10:53: no such host", "image_registry_dns_failure"),
        ('rpc error: code = NotFound desc = "images.example/oven:v9": not found', "incorrect_image_reference"),
        ("manifest unknown", "incorrect_image_reference"),
        ("failed to authorize: 403 Forbidden", "missing_image_pull_secret"),
        ("pull access denied, repository does not exist or may require authorization", "missing_image_pull_secret"),
    ],
)
def test_a_failed_pull_is_told_by_its_error(message: str, label: str) -> None:
    waiting = ("State:          Waiting", "  Reason:       ErrImagePull", "Ready:          False", "Restart Count:  0")
    assert first(*LISTED, pod(container=waiting, events=[PULL + message])) == ("oven", label)


@pytest.mark.parametrize("kind", ["secret", "configmap"])
def test_a_reference_to_something_absent_is_a_missing_binding(kind: str) -> None:
    event = f'Warning  Failed  20s (x9 over 2m)  kubelet  Error: {kind} "oven-settings" not found'
    assert first(*LISTED, pod(events=[event])) == ("oven", "missing_secret_binding")


def test_permission_denied_on_a_path_counts_while_the_container_crashes() -> None:
    crashed = (
        "State:          Waiting",
        "  Reason:       CrashLoopBackOff",
        "Ready:          False",
        "Restart Count:  4",
    )
    log = told(What.LOGS, "oven", "starting\nCan't open the log file /data/oven.log: Permission denied\n")
    assert first(*LISTED, pod(container=crashed), log) == ("oven", "volume_mount_permission_denied")


def test_a_database_that_denies_a_user_is_no_volume() -> None:
    crashed = (
        "State:          Waiting",
        "  Reason:       CrashLoopBackOff",
        "Ready:          False",
        "Restart Count:  4",
    )
    log = told(What.LOGS, "oven", "java.sql.SQLException: Access denied for user 'oven'@'10.0.0.9'\n")
    assert first(*LISTED, pod(container=crashed), log) == ("oven", "mysql_invalid_credentials")
