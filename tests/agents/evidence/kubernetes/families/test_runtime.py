"""Probes, memory, ports and databases."""

import pytest
from fakes.cluster_text import POD, deployments, described, first, listed, pod, pods, table, told

from agents.evidence.kubernetes.types import ClusterReading, What

LISTED = (
    deployments(("oven", "0/1", "1"), ("till", "1/1", "1")),
    pods((POD, "0/1", "CrashLoopBackOff", "4 (20s ago)", "2m")),
)
KILLED = (
    "State:          Waiting", "  Reason:       CrashLoopBackOff", "Last State:     Terminated", "  Exit Code:    137",
    "Ready:          False", "Restart Count:  4",
)  # fmt: skip
CRASHED = (
    "State:          Waiting", "  Reason:       CrashLoopBackOff", "Last State:     Terminated",
    "  Exit Code:    1", "Ready:          False", "Restart Count:  4",
)  # fmt: skip
KILLING = "Normal   Killing    5s (x3 over 60s)  kubelet  Container main failed liveness probe, will be restarted"


def liveness(probe: str, message: str = "dial tcp 10.0.0.9:8080: connect: connection refused") -> ClusterReading:
    event = f"Warning  Unhealthy  5s (x9 over 80s)  kubelet  Liveness probe failed: {message}"
    lines = (
        "Port:           8080/TCP",
        *KILLED,
        f"Liveness:   {probe}",
        "Readiness:  grpc <pod>:8080  delay=5s period=10s",
    )
    return pod(container=lines, events=[event, KILLING])


@pytest.mark.parametrize(
    ("probe", "message", "label"),
    [
        ("grpc <pod>:9999  delay=5s timeout=1s period=10s #failure=3", "refused", "liveness_probe_incorrect_port"),
        (
            "http-get http://:8080/ delay=5s timeout=1s period=10s #success=1 #failure=3",
            'Get "http://10.0.0.9:8080/": net/http: HTTP/1.x transport connection broken: malformed HTTP response',
            "liveness_probe_incorrect_protocol",
        ),
        ("grpc <pod>:8080  delay=1s timeout=1s period=1s #failure=1", "timeout", "liveness_probe_incorrect_timing"),
    ],
)
def test_a_liveness_probe_is_compared_with_its_container(probe: str, message: str, label: str) -> None:
    assert first(*LISTED, liveness(probe, message)) == ("oven", label)


def test_a_container_that_hangs_with_a_patient_probe_is_not_blamed_on_the_probe_for_sure() -> None:
    probe = "grpc <pod>:8080  delay=60s timeout=5s period=10s #failure=3"
    assert first(*LISTED, liveness(probe, "timeout")) == ("oven", "liveness_probe_incorrect_timing")


@pytest.mark.parametrize(
    ("probe", "label"),
    [
        ("grpc <pod>:9999  delay=5s timeout=1s period=10s #failure=3", "readiness_probe_incorrect_port"),
        ("http-get http://:8080/ delay=5s timeout=1s period=10s #failure=3", "readiness_probe_incorrect_protocol"),
    ],
)
def test_a_readiness_probe_is_compared_with_its_container(probe: str, label: str) -> None:
    running = ("Port:           8080/TCP", "State:          Running", "Ready:          False", "Restart Count:  0",
               "Liveness:   grpc <pod>:8080  delay=5s period=10s", f"Readiness:  {probe}")  # fmt: skip
    event = "Warning  Unhealthy  3s (x8 over 80s)  kubelet  Readiness probe failed: something"
    seen = (deployments(("oven", "0/1", "1")), pods((POD, "0/1", "Running", "0", "2m")))
    assert first(*seen, pod(container=running, events=[event])) == ("oven", label)


def test_a_probe_that_a_mesh_moved_is_judged_by_its_original() -> None:
    running = (
        "Port:           8080/TCP",
        *CRASHED,
        "Readiness:  http-get http://:15020/app-health/main/readyz delay=60s",
    )
    sidecar = (
        "  proxy:", "    State:          Running", "    Ready:          True", "    Restart Count:  0",
        "    Environment:",
        '      ISTIO_KUBE_APP_PROBERS:  {"/app-health/main/readyz":{"tcpSocket":{"port":8080}}}',
    )  # fmt: skip
    event = "Warning  Unhealthy  3s (x8 over 80s)  kubelet  Readiness probe failed: HTTP probe"
    assert first(*LISTED, pod(container=running, events=[event], more=sidecar)) == ("oven", "crash_loop")


def test_out_of_memory_counts_before_the_probe() -> None:
    lines = ("State:          Waiting", "Last State:     Terminated", "  Reason:       OOMKilled",
             "  Exit Code:    137",
             "Ready:          False", "Restart Count:  4", "Liveness:   grpc <pod>:9999  delay=5s")  # fmt: skip
    event = "Warning  Unhealthy  5s (x9 over 80s)  kubelet  Liveness probe failed: refused"
    assert first(*LISTED, pod(container=lines, events=[event, KILLING])) == ("oven", "oom_killed")


def test_a_container_that_is_killed_outright_ran_out_of_memory() -> None:
    assert first(*LISTED, pod(container=KILLED)) == ("oven", "oom_killed")


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("Web server failed to start. Port 8080 was already in use.", "service_sidecar_port_conflict"),
        ("com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure", "mysql_invalid_port"),
        ("FATAL: password authentication failed for user oven", "mysql_invalid_credentials"),
    ],
)
def test_a_crash_is_explained_by_its_log(line: str, label: str) -> None:
    assert first(*LISTED, pod(container=CRASHED), told(What.LOGS, "oven", f"starting\n{line}\n")) == ("oven", label)


def test_the_same_words_in_a_healthy_service_are_noise() -> None:
    seen = (deployments(("oven", "1/1", "1")), pods((POD, "1/1", "Running", "0", "2h")))
    log = told(What.LOGS, "oven", "java.sql.SQLException: Access denied for user 'oven'@'10.0.0.9'\n")
    assert first(*seen, log) is None


@pytest.mark.parametrize(
    ("line", "label"),
    [("Too many connections", "db_connection_exhaustion"), ("running with the --read-only option", "db_read_only")],
)
def test_what_clients_hear_from_a_database_is_the_databases_fault(line: str, label: str) -> None:
    sets = listed(
        "statefulsets", table(("NAME", "READY", "AGE"), [("ledger-mysql", "3/3", "9d"), ("queue", "1/1", "9d")])
    )
    logs = [told(What.ERRORS, app, f"error: {line}\n") for app in ("oven", "till")]
    configuration = told(What.MANIFEST, "oven", "kind: Secret\nstringData:\n  OVEN_MYSQL_HOST: ledger-mysql-leader\n")
    assert first(deployments(("oven", "1/1", "1"), ("till", "1/1", "1")), sets, *logs, configuration) == (
        "ledger-mysql",
        label,
    )


def test_a_deployment_without_replicas_is_named() -> None:
    assert first(deployments(("oven", "0/0", "0"), ("till", "1/1", "1")), pods()) == (
        "oven",
        "deployment_zero_replicas",
    )


def test_old_restarts_do_not_count() -> None:
    seen = pods((POD, "1/1", "Running", "3 (4m50s ago)", "5m10s"), ("queue-0", "1/1", "Running", "1 (3d ago)", "3d"))
    assert first(deployments(("oven", "1/1", "1")), seen) is None


def test_a_rollout_past_its_deadline_is_stuck_while_replicas_are_missing() -> None:
    event = (
        "Warning  ProgressDeadlineExceeded  60s  deployment-controller  ReplicaSet oven-7c has zero available replicas"
    )
    text = f"Name:   oven\nNamespace:  bakery\nEvents:\n  Type  Reason  Age  From  Message\n  {event}\n"
    assert first(deployments(("oven", "1/3", "2")), described("deployments", "oven", text)) == ("oven", "rollout_stuck")
    assert first(deployments(("oven", "3/3", "3")), described("deployments", "oven", text)) is None
    text = "Name:   oven\nConditions:\n  Type  Status  Reason\n  Progressing  False  ProgressDeadlineExceeded\n"
    assert first(deployments(("oven", "1/3", "2")), described("deployments", "oven", text)) == ("oven", "rollout_stuck")
