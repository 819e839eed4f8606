"""Slow services, hot services, slow nodes."""

from fakes.cluster_text import deployments, first, listed, pods, table, told

from agents.evidence.kubernetes.types import ClusterReading, What

APPS = deployments(("shop", "1/1", "1"), ("oven", "1/1", "1"), ("till", "1/1", "1"))
CALLS = told(What.DEPENDENCIES, "shop", "[Service]: shop\n[Downstream (Calls)]:\nshop\n├── oven\n└── till\n")


def alerts(*lines: str) -> ClusterReading:
    return told(What.ALERTS, "", "\n".join(lines) + "\n")


def slow(name: str, before: str, now: str, quantile: str = "p50") -> str:
    change = f"{quantile}latency: Normal={before}ms -> Current={now}ms (+9%)"
    return f"Service {name}: LATENCY_DEGRADATION [Slow Response] | {change}"


def placed(**node_of: str) -> ClusterReading:
    rows = [(f"{app}-6f5d8c9b7d-x2k4p", "1/1", "Running", "0", "9m", node) for app, node in node_of.items()]
    return listed("pods", table(("NAME", "READY", "STATUS", "RESTARTS", "AGE", "NODE"), rows), "wide")


def deepest_of(*readings: ClusterReading) -> tuple[str, str] | None:
    done = [
        told(What.DEPENDENCIES, name, f"[Service]: {name}\n[Downstream (Calls)]:\n(None)\n")
        for name in ("oven", "till")
    ]
    return first(APPS, pods(), CALLS, *done, *readings)


def test_the_deepest_slow_service_is_where_the_delay_arises() -> None:
    assert deepest_of(alerts(slow("shop", "20", "3000"), slow("oven", "2", "1500"))) == ("oven", "pod_network_delay")


def test_cpu_of_the_same_size_as_the_slowness_explains_it() -> None:
    hot = "Service oven: RESOURCE_SATURATION [cpu core] | Normal=0.10 cores -> Current=0.40 cores (+300%)"
    assert deepest_of(alerts(slow("oven", "20", "90"), hot)) == ("oven", "pod_cpu_overload")


def test_a_little_cpu_beside_a_thousandfold_latency_is_noise() -> None:
    hot = "Service oven: RESOURCE_SATURATION [cpu core] | Normal=0.02 cores -> Current=0.04 cores (+100%)"
    assert deepest_of(alerts(slow("oven", "2", "4000"), hot)) == ("oven", "pod_network_delay")


def test_several_deepest_slow_services_on_one_node_point_to_the_node() -> None:
    seen = alerts(slow("oven", "2", "900"), slow("till", "3", "800"))
    assert deepest_of(seen, placed(oven="node-a", till="node-a", shop="node-b")) == ("node-a", "node_network_delay")
    assert deepest_of(seen, placed(oven="node-a", till="node-b", shop="node-b")) == ("oven", "pod_network_delay")


def test_services_that_no_single_one_of_them_explains_point_to_their_node() -> None:
    tail = slow("cellar", "2", "9000", "p90")
    seen = alerts(slow("oven", "2", "900"), slow("till", "3", "800"), tail)
    calls = told(What.DEPENDENCIES, "oven", "[Service]: oven\n[Downstream (Calls)]:\noven\n└── cellar\n")
    places = placed(oven="node-a", till="node-a", shop="node-b", cellar="node-b")
    assert first(APPS, pods(), CALLS, calls, seen, places) == ("node-a", "node_network_delay")


def test_retransmissions_tell_packet_loss_and_the_worst_node() -> None:
    lost = (
        "Node node-a: NETWORK_QUALITY_DEGRADED [TCP Retransmission] | Normal=0.07retrans -> Current=0.60retrans (+8%)",
        "Node node-b: NETWORK_QUALITY_DEGRADED [TCP Retransmission] | Normal=0.00retrans -> Current=6.60retrans (New)",
    )
    assert deepest_of(alerts(slow("oven", "2", "90"), *lost)) == ("node-b", "node_network_packet_loss")


def test_alerts_may_be_json() -> None:
    text = (
        '{"alerts": [{"type": "Service", "name": "oven", "evidence": ["LATENCY [x] | Normal=2ms -> Current=900ms"]}]}'
    )
    assert deepest_of(told(What.ALERTS, "", text)) == ("oven", "pod_network_delay")
