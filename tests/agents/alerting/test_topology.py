"""Who calls whom, near and far."""

from agents.alerting.topology import MOST_HOPS, Topology


def test_hops_are_counted_along_calls_and_not_against_them() -> None:
    chain = [(f"s{number}", f"s{number + 1}") for number in range(MOST_HOPS + 2)]
    topology = Topology([*chain, ("s0", "s0"), ("s2", "s0")])
    assert topology.hops("s0", "s0") == 0
    assert topology.hops("s0", "s2") == 2
    assert topology.hops("s3", "s0") is None
    assert topology.hops("s0", f"s{MOST_HOPS + 1}") is None
    assert topology.callees("s2") == {"s3", "s0"}
    assert topology.hops("unknown", "s1") is None
