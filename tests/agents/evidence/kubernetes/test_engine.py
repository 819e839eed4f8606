"""Planning, ranking, and what comes of garbage."""

import random

import pytest
from fakes.cluster_text import ALL_NODES, POD, deployments, listed, nodes, pod, pod_text, pods, told

from agents.evidence.kubernetes.condense import condense
from agents.evidence.kubernetes.labels import MEANING, Label
from agents.evidence.kubernetes.objects import ListedPod
from agents.evidence.kubernetes.plan import FIRST, next_reads
from agents.evidence.kubernetes.quantities import amount, seconds
from agents.evidence.kubernetes.rank import rank
from agents.evidence.kubernetes.types import ClusterReading, Quote, Read, What


def test_listings_come_first_and_a_sure_cause_ends_the_reading() -> None:
    assert next_reads([]) == list(FIRST)
    seen = [deployments(("oven", "0/1", "1")), pods((POD, "0/1", "ErrImagePull", "0", "2m")), ALL_NODES]
    assert Read(what=What.DESCRIBE, kind="pods", name=POD) in next_reads(seen)
    event = "Warning  Failed  9s  kubelet  Failed to pull image: no such host"
    assert next_reads([*seen, pod(events=[event])]) == []


def test_pods_of_a_node_that_is_down_are_not_asked_before_the_node() -> None:
    down = nodes(("node-a", "NotReady"))
    asked = next_reads([deployments(("oven", "0/1", "1")), pods((POD, "0/1", "Init:0/1", "0", "2m")), down])
    assert {r.what for r in asked} == {What.COMPONENT}


def test_nothing_is_asked_twice_even_when_it_answered_nothing() -> None:
    seen = [deployments(("oven", "0/1", "1")), pods((POD, "0/1", "CrashLoopBackOff", "4 (9s ago)", "2m"))]
    for _ in range(12):
        asked = next_reads(seen)
        assert len(set(asked)) == len(asked)
        assert not {r.read for r in seen} & set(asked)
        seen += [ClusterReading(read=read, text="no data") for read in asked]
    assert next_reads(seen) == []


def test_each_label_has_a_meaning() -> None:
    assert set(MEANING) == set(Label)


GARBAGE = (
    "",
    "\x00\xff\ufffd" * 40,
    "NAME   READY\n" + "x" * 5_000,
    "NAME                     READY   STATUS\n\n   /   \nweb 1/x Running",
    "Events:\n  Warning\n  Type Reason\n  Warning  A  B  C  D",
    '{"alerts": [1, null, {"evidence": 3}, {"url": []}]}',
    "Containers:\n  :\n    Last State: Terminated\n      Exit Code: many\n    Liveness: grpc",
    "0/4 nodes are available: , , 3, (x over )",
    "--- --- ---\nkind\n: :\n  - - -\nvalue: :99999999",
    "└── └── a\n[Downstream (Calls)]:\n\n└──\n│",
)


@pytest.mark.parametrize("text", GARBAGE)
def test_garbage_raises_nothing_and_proves_nothing(text: str) -> None:
    kinds = (
        "pods",
        "deployments",
        "nodes",
        "services",
        "endpoints",
        "resourcequota",
        "persistentvolumes",
        "events",
        "",
    )
    readings = [
        ClusterReading(
            read=Read(what=what, kind=kind, name="x", detail="8"), text=condense(Read(what=what, kind=kind), text)
        )
        for what in What
        for kind in kinds
    ]
    assert all(h.score < 0.7 for h in rank(readings))
    next_reads(readings)


def test_any_piece_of_a_real_output_can_be_missing() -> None:
    event = "Warning  Unhealthy  5s (x9 over 80s)  kubelet  Liveness probe failed: refused"
    text = pod_text(
        container=("Port:  8080/TCP", "State:  Waiting", "Liveness:  grpc <pod>:99  delay=5s"), events=[event]
    )
    dice = random.Random(7)  # noqa: S311 -- a test's
    for _ in range(150):
        start, end = sorted(dice.sample(range(len(text)), 2))
        broken = text[:start] + text[end:]
        next_reads([deployments(("oven", "0/1", "1")), listed("pods", broken), told(What.LOGS, "oven", broken), pod()])
        rank([ClusterReading(read=Read(what=What.DESCRIBE, kind="pods", name=POD), text=broken)])


def test_a_long_line_is_quoted_around_what_decides() -> None:
    line = "x" * 2_000 + " no such host " + "y" * 2_000
    quote = Quote(line=line, source="A1").around("no such host")
    assert "no such host" in quote.line
    assert len(quote.line) <= 300
    assert quote.line in line


@pytest.mark.parametrize(
    ("restarts", "restarted_s", "age_s", "recurs"),
    [(0, None, 90, False), (2, 25, 91, True), (4, 60, 300, True), (3, 290, 310, False), (1, 250_000, 250_060, False)],
)
def test_restarts_that_stopped_long_ago_are_over(
    restarts: int, restarted_s: float | None, age_s: float, *, recurs: bool
) -> None:
    one = ListedPod(
        name="a",
        app="a",
        ready=1,
        wanted=1,
        status="Running",
        restarts=restarts,
        restarted_s=restarted_s,
        age_s=age_s,
        node="",
        quote=Quote(line="", source=""),
    )
    assert one.restarts_recur is recurs


def test_ages_and_amounts() -> None:
    assert [seconds(text) for text in ("107s", "5m10s", "3d23h", "", "soon")] == [107, 310, 342_000, None, None]
    assert [amount(text) for text in ("100m", "1Gi", "8", "3000Mi", "lots")] == [0.1, 2**30, 8, 3000 * 2**20, None]
