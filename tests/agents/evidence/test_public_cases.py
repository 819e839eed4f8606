"""Floors on recorded incidents of real test systems, where the data lies beside the repository.

They are below what was measured, and on purpose: the engine's rules must not be tuned to these cases.
"""

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from agents.evidence.digest import RANKING_TOKENS, estimate_tokens, render_ranking
from agents.evidence.ranking.causes import rank_causes
from agents.evidence.types import as_utc

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data" / "rca"
FLOORS = {"rcd": (0.95, 0.9), "petshop": (0.8, 0.7), "nezha-ob": (0.8, 0.5), "nezha-tt": (0.75, 0.5)}
MOST = 6  # cases of a suite, evenly chosen: reading them takes longer than ranking


SLOW = {"nezha-ob", "nezha-tt"}  # megabytes of spans and lines to unpack


@pytest.mark.parametrize(
    "suite", [pytest.param(suite, marks=pytest.mark.slow) if suite in SLOW else suite for suite in sorted(FLOORS)]
)
def test_most_recorded_incidents_are_placed_even_when_the_time_told_is_wrong(suite: str, benchmark: ModuleType) -> None:
    folders = sorted((DATA / suite).glob(f"{suite}-*")) if DATA.is_dir() else []
    if not folders:
        pytest.skip("the public cases are not beside this checkout")
    truth = json.loads((DATA / suite / "truth.json").read_text())
    chosen = folders[:: max(1, len(folders) // MOST)]
    right, late, certain, wrong = 0, 0, 0, 0
    for folder in chosen:
        case = benchmark.read_case(folder)
        ranking = rank_causes(case.telemetry)
        moved = rank_causes(replace(case.telemetry, reported_at=as_utc(case.incident_s + 60)))
        service = truth[folder.name]["service"]
        found = bool(ranking.causes) and ranking.causes[0].service == service
        right += found
        late += bool(moved.causes) and moved.causes[0].service == service
        if ranking.causes and ranking.causes[0].confidence == "high":
            certain += 1
            wrong += not found
        assert estimate_tokens(render_ranking(ranking)) <= RANKING_TOKENS
    least, least_late = FLOORS[suite]
    assert right >= least * len(chosen)
    assert late >= least_late * len(chosen)
    assert wrong <= max(1, 0.05 * certain)
