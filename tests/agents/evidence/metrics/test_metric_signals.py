from typing import Any

import numpy as np

from agents.evidence.levels import group_series
from agents.evidence.metrics.metric_signals import fills_memory, follow_excess, metric_suspicions
from agents.evidence.ranking.awaited import accuse_awaited, measures_waiting
from agents.evidence.types import Edge, Onset, Window, as_utc


def onset(made: Any, at: float) -> Onset:
    return Onset(at=as_utc(made.T0 + at), guard_s=5.0, score=20.0, direction="up")


def window(made: Any) -> Window:
    return Window(start=as_utc(made.T0), end=as_utc(made.T0 + made.LENGTH))


def together(rows: Any) -> Any:
    return group_series([type(r)(**{**vars(r), "times": rows[0].times}) for r in rows])


def found(made: Any, rows: Any, **more: Any) -> Any:
    return metric_suspicions(together(rows), onset(made, made.ONSET), window(made), **more)


def test_the_indicator_that_left_its_level_comes_first_with_its_numbers(made: Any) -> None:
    rows = [made.row("calm", "cpu", made.wavering(1.0, 1)), made.row("busy", "cpu", made.stepped(1.0, 50.0, 2))]
    (first,) = found(made, rows)
    assert (first.service, first.family, first.direction, first.source) == ("busy", "cpu", "up", "metrics")
    assert first.baseline < 1.2
    assert first.current > 45


def test_better_is_no_suspicion_but_less_traffic_is(made: Any) -> None:
    rows = [made.row("a", "latency", made.stepped(5.0, 0.5, 1)), made.row("b", "traffic", made.stepped(5.0, 0.5, 2))]
    (first,) = found(made, rows)
    assert (first.service, first.direction) == ("b", "down")


def test_what_comes_and_goes_counts_less_than_what_stays(made: Any) -> None:
    fitful = made.wavering(1.0, 3)
    fitful[made.LENGTH // 2 :: 4] = 50.0
    rows = [made.row("stays", "cpu", made.stepped(1.0, 50.0, 2)), made.row("fitful", "cpu", fitful)]
    assert [s.service for s in found(made, rows)] == ["stays", "fitful"]


def test_the_same_samples_under_several_services_belong_to_none(made: Any) -> None:
    machine = made.stepped(1.0, 50.0, 2)
    rows = [
        made.row("a", "cpu", machine),
        made.row("b", "cpu", machine),
        made.row("c", "cpu", made.stepped(1.0, 9.0, 4)),
    ]
    assert found(made, rows)[0].service == "c"


def test_families_can_be_left_out(made: Any) -> None:
    rows = [made.row("a", "latency", made.stepped(1.0, 50.0, 2))]
    assert found(made, rows, skipped=("latency",)) == []


def test_a_constant_series_a_gap_and_one_point_raise_nothing(made: Any) -> None:
    rows = [
        made.row("constant", "cpu", np.ones(made.LENGTH)),
        made.row("silent", "cpu", np.full(made.LENGTH, np.nan)),
        made.row("hole", "cpu", np.where(np.arange(made.LENGTH) % 100 < 60, np.nan, made.wavering(2.0, 1))),
    ]
    assert found(made, rows) == []
    single = group_series([made.row("one", "cpu", [1.0])])
    assert metric_suspicions(single, onset(made, 10), window(made)) == []


def test_filling_memory_is_told_from_burning_processor_time(made: Any) -> None:
    rows = [
        made.row("fills", "memory", made.stepped(1e8, 6e8, 1, at=made.ONSET)),
        made.row("fills", "cpu", made.stepped(1.0, 90.0, 2)),
        made.row("burns", "memory", made.stepped(1e8, 1.2e8, 3)),
        made.row("burns", "cpu", made.stepped(1.0, 90.0, 4)),
        made.row("small", "memory", made.stepped(8e6, 1.8e7, 5)),
        made.row("small", "cpu", made.stepped(1.0, 90.0, 6)),
    ]
    matrices = together(rows)
    suspicions = metric_suspicions(matrices, onset(made, made.ONSET), window(made))
    assert {"fills", "burns"} <= {s.service for s in suspicions if s.family == "memory"}
    assert fills_memory(matrices, suspicions, onset(made, made.ONSET), window(made)) == {"fills"}


def test_the_alarm_is_followed_to_who_answers_for_it(made: Any) -> None:
    calls = np.full(made.LENGTH, 100.0)
    rows = [
        made.row("web", "latency", made.stepped(0.1, 0.5, 1), indicator="latency average"),
        made.row("web", "traffic", calls, indicator="requests"),
        made.row("stock", "latency", made.stepped(0.05, 0.44, 2), indicator="latency average"),
        made.row("stock", "traffic", calls, indicator="requests"),
    ]
    matrices = together(rows)
    edges = [Edge(caller="web", callee="stock")]
    followed = follow_excess(matrices, edges, onset(made, made.ONSET), window(made), symptom=("web", "latency"))
    assert followed is not None
    assert max(followed.suspicions, key=lambda s: s.score).service == "stock"
    assert followed.shares["stock"] > 0.8
    assert followed.plain > 3
    assert follow_excess(matrices, edges, onset(made, made.ONSET), window(made), symptom=("web", "cpu")) is None


def test_a_longer_wait_accuses_the_callees_that_nobody_else_finds_well(made: Any) -> None:
    rows = [
        made.row("checkout", "dependency_latency", made.stepped(0.05, 0.9, 1), indicator="client latency"),
        made.row("web", "dependency_latency", made.wavering(0.05, 2), indicator="client latency"),
    ]
    matrices = together(rows)
    suspicions = metric_suspicions(matrices, onset(made, made.ONSET), window(made))
    edges = [Edge(caller=a, callee=b) for a, b in (("checkout", "mail"), ("checkout", "stock"), ("web", "stock"))]
    accused = accuse_awaited(suspicions, measures_waiting(matrices), edges)
    assert [s.service for s in accused] == ["mail"]


def test_nobody_is_accused_beside_one_that_is_sick_anyway(made: Any) -> None:
    rows = [
        made.row("checkout", "dependency_latency", made.stepped(0.05, 0.9, 1), indicator="client latency"),
        made.row("mail", "cpu", made.stepped(1.0, 90.0, 2)),
    ]
    matrices = together(rows)
    suspicions = metric_suspicions(matrices, onset(made, made.ONSET), window(made))
    edges = [Edge(caller="checkout", callee="mail"), Edge(caller="checkout", callee="stock")]
    assert accuse_awaited(suspicions, measures_waiting(matrices), edges) == []
