"""A floor on recorded faults of real test clusters, where the data lies beside the repository.

It is below what was measured, and on purpose: the rules must not be tuned to these cases.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.evidence.kubernetes.condense import condense
from agents.evidence.kubernetes.plan import next_reads
from agents.evidence.kubernetes.rank import rank
from agents.evidence.kubernetes.types import ClusterHypothesis, ClusterReading

ROOT = Path(__file__).parents[4]
FLOOR_BOTH = 0.8
FLOOR_OBJECT = 0.92
MOST_TOKENS = 1_000
MOST_ROUNDS = 8


def investigated(folder: Path, recorded: Any, load: Any) -> tuple[list[ClusterHypothesis], int]:
    """Hypotheses and evidence tokens of one case, without the loop around."""
    source = recorded.RecordedCluster(load(str(folder)))
    readings: list[ClusterReading] = []
    for _ in range(MOST_ROUNDS):
        for read in next_reads(readings):
            text = source.case.call(*source.translated(read))
            readings.append(ClusterReading(read=read, text=condense(read, text), source=f"A{len(readings) + 1}"))
    return rank(readings), sum(len(r.text) for r in readings) // 4


@pytest.fixture(scope="module")
def cases(shared_dir: Path) -> Iterator[tuple[Path, Any, Any]]:
    data = shared_dir / "data" / "replay"
    if not (data / "cloudops" / "truth.json").exists():
        pytest.skip("the recorded cases are not beside the repository")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        from benchmarks import recorded

        yield data, recorded, recorded.loader(data)


@pytest.mark.slow
def test_most_recorded_faults_are_named_with_their_cause(cases: tuple[Path, Any, Any]) -> None:
    data, recorded, load = cases
    truth = json.loads((data / "cloudops" / "truth.json").read_text(encoding="utf-8"))
    both = near = 0
    tokens: list[int] = []
    for name, answer in truth.items():
        found, size = investigated(data / "cloudops" / name, recorded, load)
        wanted = answer["fault_object"]["name"]
        both += bool(found) and (found[0].name, found[0].label) == (wanted, answer["root_cause_label"])
        near += wanted in list(dict.fromkeys(h.name for h in found))[:3]
        tokens.append(size)
    assert both / len(truth) >= FLOOR_BOTH
    assert near / len(truth) >= FLOOR_OBJECT
    assert sorted(tokens)[len(tokens) // 2] <= MOST_TOKENS
