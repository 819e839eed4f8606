"""`benchmarks/worlds.py`: a world is the same for the same seed, its fault shows, and names come from a file, too."""

from pathlib import Path
from random import Random
from types import ModuleType

import numpy as np
import pytest

from tests.agents.evidence.conftest import loaded

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def worlds() -> ModuleType:
    return loaded(ROOT / "benchmarks" / "worlds.py")


def test_a_seed_makes_the_same_world_again(worlds: ModuleType) -> None:
    names = worlds.written_names("prometheus")
    first, again = (worlds.make_world(7, names, "prometheus", largest=12) for _ in range(2))
    assert first.culprits == again.culprits
    assert first.fault == again.fault
    for one, other in zip(first.telemetry.series, again.telemetry.series, strict=True):
        assert one.indicator == other.indicator
        assert np.array_equal(one.values, other.values, equal_nan=True)


def test_worlds_differ_in_size_fault_and_sampling(worlds: ModuleType) -> None:
    found = [worlds.make_world(seed, worlds.written_names("otel"), "otel", largest=12) for seed in range(12)]
    assert len({w.fault for w in found}) > 4
    assert len({len({s.service for s in w.telemetry.series}) for w in found}) > 3
    assert len({w.traits.split(", ")[1] for w in found}) > 2
    assert any(not w.culprits for w in found)


def test_names_from_a_file_are_measured_in_their_unit(worlds: ModuleType, tmp_path: Path) -> None:
    lines = [
        "parcel.handling.duration\tms\thistogram\tDuration of parcel requests",
        "ParcelFailures\t\tcounter\tNumber of failed requests",
        "depot_memory_usage\tBy\tgauge\tMemory usage of the depot",
        "odd_thing\t\tgauge\tSomething else",
    ]
    path = tmp_path / "names.tsv"
    path.write_text("\n".join(lines))
    names = worlds.read_names(path, Random(1))  # noqa: S311 -- no secret
    assert names["latency_mean"][0].factor == pytest.approx(1000.0)
    assert names["errors"][0].counted
    assert set(names) == {"latency_mean", "errors", "memory_bytes", "unrelated"}


def test_versions_are_compared_on_the_same_worlds(worlds: ModuleType) -> None:
    def answers(right: list[bool]) -> list[dict[str, object]]:
        return [{"seed": i, "traits": "x", "fault": "cpu", "right": r} for i, r in enumerate(right)]

    told = worlds.compare(answers([True] * 9), answers([False] * 8 + [True]))
    assert told.startswith("of 9 paired worlds 8 won and 0 lost, p 0.0078")
