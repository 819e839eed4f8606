"""One bad replica, one bad node, or all of them alike: by level among siblings, in any unit, without a time before."""

from collections.abc import Mapping

import numpy as np
import pytest

from agents.evidence.sibling_rows import sibling_rows
from agents.evidence.siblings import Siblings, compare_siblings
from agents.evidence.types import Onset, RawKind, RawSeries, as_utc
from agents.rows import Sampled, State

T0, STEP, SIZE = 1.79e9, 15.0, 24
RNG = np.random.default_rng(11)


def gauge(
    pod: str, level: float, *, name: str = "oven_heap_used_bytes", kind: RawKind = "gauge", **labels: str
) -> RawSeries:
    values = level * RNG.normal(1.0, 0.03, SIZE)
    return RawSeries(
        name=name,
        labels={"service": "bakery", "pod": pod, **labels},
        kind=kind,
        times=T0 + STEP * np.arange(SIZE),
        values=np.cumsum(values) if kind == "counter" else values,
    )


def found_of(levels: Mapping[str, float], **labels: str) -> Siblings | None:
    return compare_siblings([gauge(p, v, **labels) for p, v in levels.items()], "bakery", T0, T0 + STEP * SIZE)


@pytest.mark.parametrize("unit", [4e6, 3e8, 9e9])
def test_the_one_that_is_unlike_the_others_is_found(unit: float) -> None:
    found = found_of({"rye": unit, "oat": 1.1 * unit, "bun": 5 * unit, "pie": 0.95 * unit})
    assert found is not None
    assert [one.name for one in found.apart] == ["bun"]
    first, second, *rest = sibling_rows(found, None)
    assert first.line == "bakery: 4 pods, 1 of 4 unlike the rest"
    assert second.line.startswith("pod bun: oven_heap_used_bytes ")
    assert {row.labels["pod"] for row in rest if isinstance(row, Sampled)} == {"rye", "oat", "bun", "pie"}


def test_siblings_that_are_alike_are_told_as_that() -> None:
    found = found_of({"rye": 1e8, "oat": 1.1e8, "bun": 0.9e8})
    assert found is not None
    assert found.apart == ()
    told = sibling_rows(found, Onset(at=as_utc(T0), guard_s=0.0, score=0.0, direction="up"))
    assert [type(row) for row in told[:1]] == [State]
    assert told[0].line.startswith("bakery: 3 pods, alike in ")


def test_siblings_that_all_differ_accuse_nobody() -> None:
    found = found_of({"rye": 1e8, "oat": 4e8, "bun": 2e9, "pie": 9e9})
    assert found is not None
    assert found.apart == ()


def test_where_nothing_tells_them_apart_there_is_no_answer() -> None:
    assert found_of({"rye": 1e8}) is None
    assert compare_siblings([gauge("rye", 1e8)], "mill", T0, T0 + STEP * SIZE) is None


def test_who_gets_hardly_any_requests_is_unlike_the_others_but_not_who_gets_more() -> None:
    def asked(last: float) -> Siblings | None:
        rates = {"rye": 400.0, "oat": 380.0, "bun": 420.0, "pie": last}
        rows = [gauge(p, v, name="loaves_requests_total", kind="counter") for p, v in rates.items()]
        return compare_siblings(rows, "bakery", T0 + 5 * STEP, T0 + STEP * SIZE)

    none, more = asked(1.0), asked(1200.0)
    assert none is not None
    assert [one.name for one in none.apart] == ["pie"]
    assert more is not None
    assert more.apart == ()


def test_a_bad_node_is_told_by_what_lies_on_it() -> None:
    rows = [gauge(f"p{i}", 9e8 if i < 2 else 1e8, node="n7" if i < 2 else "n1") for i in range(6)]
    one = compare_siblings(rows, "bakery", T0, T0 + STEP * SIZE)
    assert one is not None
    assert one.label == "pod"
    assert one.node == "n7"
    assert sibling_rows(one, None)[0].line == "bakery: 6 pods, 2 of 6 unlike the rest, all on node n7"
