"""Healthy pods that nobody reaches."""

import pytest
from fakes.cluster_text import POD, deployments, described, first, listed, pods, table, told

from agents.evidence.kubernetes.types import ClusterReading, What

WELL = (deployments(("oven", "1/1", "1"), ("till", "1/1", "1")), pods((POD, "1/1", "Running", "0", "2m")))
NO_ENDPOINT = listed(
    "endpoints", table(("NAME", "ENDPOINTS", "AGE"), [("oven", "<none>", "2m"), ("till", "10.2.0.7:80", "2m")])
)
DEAD = told(What.CONNECT, "oven", "Connection Failed\n", "8080")


def service(selector: str = "app=oven", target: str = "8080/TCP") -> ClusterReading:
    head = f"Name:        oven\nNamespace:   bakery\nSelector:    {selector}\n"
    text = f"{head}Port:        http  8080/TCP\nTargetPort:  {target}\n"
    return described("services", "oven", text)


def workload(port: str = "8080/TCP") -> ClusterReading:
    head = "Name:  oven\nPod Template:\n  Labels:  app=oven\n           tier=back\n"
    text = f"{head}  Containers:\n   main:\n    Port:   {port}\n"
    return described("deployments", "oven", text)


def test_a_selector_that_no_pod_carries() -> None:
    assert first(*WELL, NO_ENDPOINT, service("app=ovens"), workload()) == ("oven", "service_selector_mismatch")


def test_a_named_port_that_no_container_has() -> None:
    assert first(*WELL, NO_ENDPOINT, service(target="web/TCP"), workload()) == ("oven", "service_port_mapping_mismatch")


def test_a_target_port_where_nothing_listens() -> None:
    assert first(*WELL, DEAD, service(target="9090/TCP"), workload()) == ("oven", "service_port_mapping_mismatch")


def test_a_service_over_the_wrong_protocol() -> None:
    heading = ("NAME", "TYPE", "CLUSTER-IP", "PORT(S)", "AGE")
    rows = [("oven", "ClusterIP", "10.1.0.3", "8080/UDP", "2m"), ("dns", "ClusterIP", "10.1.0.2", "53/UDP", "2m")]
    assert first(*WELL, listed("services", table(heading, rows))) == ("oven", "service_protocol_mismatch")


def test_a_policy_that_isolates_what_does_not_answer() -> None:
    policy = listed("networkpolicies", table(("NAME", "POD-SELECTOR", "AGE"), [("isolate", "app=oven", "2m")]))
    assert first(*WELL, DEAD, service(), workload(), policy) == ("oven", "network_policy_blocks")


def test_a_policy_over_a_service_that_answers_is_noise() -> None:
    policy = listed("networkpolicies", table(("NAME", "POD-SELECTOR", "AGE"), [("isolate", "app=oven", "2m")]))
    assert (
        first(*WELL, told(What.CONNECT, "oven", "oven (10.1.0.3:8080) open\nConnection Succeeded\n", "8080"), policy)
        is None
    )


def test_endpoints_of_something_that_is_not_deployed_are_noise() -> None:
    assert (
        first(*WELL, listed("endpoints", table(("NAME", "ENDPOINTS", "AGE"), [("leftover", "<none>", "9d")]))) is None
    )


ROUTES = """routes:
  - id: till
    uri: lb://{till}
    predicates:
      - Path=/api/till/**
  - id: oven
    uri: lb://oven
    predicates:
      - Path={path}/**
"""
APPS = deployments(("oven", "1/1", "1"), ("till", "1/1", "1"), ("gateway", "1/1", "1"))


def test_a_path_that_goes_to_another_service_than_it_names() -> None:
    routes = told(What.MANIFEST, "gateway", ROUTES.format(till="oven", path="/api/oven"), "routes")
    assert first(APPS, pods(), routes) == ("till", "gateway_misroute")


def test_a_route_to_a_port_that_the_service_does_not_have() -> None:
    ports = listed("services", table(("NAME", "TYPE", "PORT(S)"), [("till", "ClusterIP", "80/TCP")]), "wide")
    wrong = told(What.MANIFEST, "gateway", ROUTES.format(till="till:8099", path="/api/oven"), "routes")
    right = told(What.MANIFEST, "gateway", ROUTES.format(till="till:80", path="/api/oven"), "routes")
    assert first(APPS, pods(), ports, wrong) == ("till", "gateway_misroute")
    assert first(APPS, pods(), ports, right) is None


def test_requests_that_fail_point_to_the_route_of_their_path() -> None:
    routes = told(What.MANIFEST, "gateway", ROUTES.format(till="till", path="/api/wrong"))
    alert = told(What.ALERTS, "", "Request oven: POST /api/oven/bake x13 404 Client Error\n")
    assert first(APPS, pods(), alert, routes) == ("oven", "gateway_misroute")


def test_routes_that_are_right_are_no_finding() -> None:
    routes = told(What.MANIFEST, "gateway", ROUTES.format(till="till", path="/api/oven"), "routes")
    assert first(APPS, pods(), routes) is None


@pytest.mark.parametrize("text", ["", "no idea", "Connection"])
def test_an_odd_connection_report_says_nothing(text: str) -> None:
    assert first(*WELL, told(What.CONNECT, "oven", text, "8080")) is None
