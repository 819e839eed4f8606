"""Addresses and names."""

import pytest
from fakes.cluster_text import POD, deployments, first, listed, pod, pods, table, told

from agents.evidence.kubernetes.rank import rank
from agents.evidence.kubernetes.types import ClusterReading, What

WELL = (deployments(("oven", "1/1", "1"), ("till", "1/1", "1")), pods((POD, "1/1", "Running", "0", "2m")))
SERVICES = listed(
    "services",
    table(("NAME", "TYPE", "PORT(S)"), [("oven", "ClusterIP", "8080/TCP"), ("till", "ClusterIP", "80/TCP")]),
    "wide",
)


def configured(*values: str) -> ClusterReading:
    lines = [line for value in values for line in ("- name: ADDRESS", f'  value: "{value}"')]
    return told(
        What.MANIFEST, "till", "kind: Deployment\nspec:\n  env:\n" + "\n".join(f"  {line}" for line in lines) + "\n"
    )


@pytest.mark.parametrize("value", ["oven-invalid:8080", "ovn:8080", "oven:9090", "http://oven-old:8080/bake"])
def test_an_address_that_no_service_has(value: str) -> None:
    assert first(*WELL, SERVICES, configured(value)) == ("till", "service_env_var_address_mismatch")


@pytest.mark.parametrize("value", ["oven:8080", "oven.bakery.svc.cluster.local:8080", "localhost:9000", "8080", "1.5"])
def test_right_addresses_and_plain_values_are_no_finding(value: str) -> None:
    assert first(*WELL, SERVICES, configured(value)) is None


def test_an_unknown_address_counts_when_a_known_dependency_has_none() -> None:
    calls = told(What.DEPENDENCIES, "till", "[Service]: till\n[Downstream (Calls)]:\ntill\n└── oven\n")
    optional = rank([*WELL, SERVICES, configured("analytics:9000", "oven:8080"), calls])
    needed = rank([*WELL, SERVICES, configured("bakehouse:9000"), calls])
    assert optional[0].score < 0.5
    assert needed[0].score >= 0.9


def test_overridden_dns_explains_names_that_do_not_resolve() -> None:
    manifest = told(
        What.MANIFEST, "oven", 'kind: Deployment\nspec:\n  dnsPolicy: "None"\n  dnsConfig:\n    nameservers:\n'
    )
    log = told(What.LOGS, "oven", "java.net.UnknownHostException: till\n")
    crashed = pod(container=("State:  Waiting", "  Reason:  CrashLoopBackOff", "Ready:  False", "Restart Count:  3"))
    seen = (deployments(("oven", "0/1", "1")), pods((POD, "0/1", "CrashLoopBackOff", "3 (9s ago)", "2m")))
    assert first(*seen, crashed, log, manifest) == ("oven", "service_dns_resolution_failure")


def test_a_name_that_failed_once_is_noise() -> None:
    once = told(What.LOGS, "oven", "Error: getaddrinfo ENOTFOUND till\n")
    often = told(
        What.LOGS, "oven", "Error: getaddrinfo ENOTFOUND till\nfailed: getaddrinfo ENOTFOUND till at bake.js\n"
    )
    assert first(*WELL, once) is None
    assert first(*WELL, often) == ("oven", "service_dns_resolution_failure")
