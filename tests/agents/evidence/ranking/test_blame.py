"""Which service a client-side metric means by the name of its peer."""

import pytest

from agents.evidence.ranking.blame import observed_peer

SERVICES = ("gateway", "orders")


@pytest.mark.parametrize(
    ("peer", "service"),
    [
        ("orders", "orders"),
        ("http://Orders:8080/charge", "orders"),
        ("orders.shop.svc.cluster.local:80", "orders"),
        ("orders.internal", "orders"),
        ("gateway.paynorth.example", None),
        ("orders.com", None),
        ("database", None),
    ],
)
def test_a_host_under_a_public_domain_is_no_service_of_ours(peer: str, service: str | None) -> None:
    assert observed_peer(peer, SERVICES) == service
