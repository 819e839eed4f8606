"""Two incidents within minutes: the earlier one is neither the present one, nor what is normal, nor its cause."""

from typing import Any

import pytest

from agents.evidence.metrics.onset import find_onset
from agents.evidence.ranking.causes import rank_causes
from agents.evidence.types import CauseCandidate

EARLIER = ("slow", "exception", "pool", "provider", "surge", "quota")
LATER = ("slow", "exception", "quota", "provider", "surge", "timeout_cut")
CALM_S = 25


def best(incident: Any) -> CauseCandidate:
    return rank_causes(incident.telemetry()).causes[0]


@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("earlier", EARLIER)
def test_the_present_incident_is_named_and_dated(simulate: Any, earlier: str, later: str) -> None:
    incident = simulate(later, 11, seconds=240, onset=220, place=2, earlier=(earlier, 1, 160, 220 - CALM_S))
    ranking = rank_causes(incident.telemetry())
    found = ranking.causes[0]
    assert (found.service, found.external) == (incident.culprit, incident.external)
    assert ranking.onset is not None
    assert -6 <= ranking.onset.at.timestamp() - incident.onset_s <= 8


@pytest.mark.parametrize("earlier", EARLIER)
@pytest.mark.parametrize("seed", range(3))
def test_all_is_well_after_an_incident_that_has_healed(simulate: Any, earlier: str, seed: int) -> None:
    incident = simulate("quiet", seed, seconds=230, onset=220, earlier=(earlier, seed, 160, 230 - CALM_S))
    assert rank_causes(incident.telemetry()).quiet


@pytest.mark.parametrize("place", [1, 2])
def test_a_change_that_was_rolled_back_is_no_candidate(simulate: Any, place: int) -> None:
    incident = simulate("quota", 5, seconds=240, onset=220, place=place, earlier=("slow", place, 160, 195))
    ranking = rank_causes(incident.telemetry())
    assert ranking.causes[0].service == incident.culprit
    verdicts = {f.change.id: f.verdict for f in ranking.changes}
    assert verdicts["c-old"] == "undone"
    assert verdicts["c-back"] != "cause_candidate"


def test_the_same_service_twice_by_two_changes(simulate: Any) -> None:
    incident = simulate("exception", 3, seconds=240, onset=220, place=1, earlier=("slow", 1, 160, 195))
    found = best(incident)
    assert found.change is not None
    assert found.change.change.id == "c-bad"


def test_an_error_of_the_earlier_incident_is_not_called_new(simulate: Any) -> None:
    incident = simulate("slow", 7, seconds=240, onset=220, place=1, earlier=("exception", 2, 160, 195))
    ranking = rank_causes(incident.telemetry())
    assert not [t for cause in ranking.causes for t in cause.templates if "KeyError" in t.exemplar]


def test_refusals_are_not_taken_for_fast_answers(series: Any) -> None:
    """While calls fail at once they take no time; that they take time again afterwards is no incident."""
    latency = [0.1] * 120 + [0.001] * 80 + [0.1] * 40
    row = series([v * (1 + 0.05 * (i % 7)) for i, v in enumerate(latency)])
    start = float(row.times[0])
    assert find_onset(row, [(start + 117, start + 203)]) is None
