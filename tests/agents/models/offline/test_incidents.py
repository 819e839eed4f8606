"""Each kind of incident, through the real engine and the real gate: what is concluded, proposed and claimed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest

from agents.models.offline import OfflineModel

StageOf = Callable[..., tuple[Any, Any]]
SEEDS = (1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3, 4)))

QUERY = (
    ["        SELECT id, name FROM items WHERE kind = ?"],
    ["        SELECT id, name, (SELECT COUNT(*) FROM items other WHERE other.kind = items.kind) FROM items"],
)


def hunk(*arguments: Any, **more: Any) -> str:
    text: str = importlib.import_module("offline_stage").hunk(*arguments, **more)
    return text


@pytest.mark.parametrize("seed", SEEDS)
async def test_slow_query_that_came_with_a_deployment_is_rolled_back(stage_of: StageOf, seed: int) -> None:
    diffs = {"c-bad": hunk("app.py", *QUERY, heading="def list_a(request):", around=('@get("/a")',))}
    stage, incident = stage_of("slow", seed, diffs=diffs)
    verdict = await stage.play(OfflineModel())
    assert verdict.cause.service == incident.culprit
    assert (verdict.cause.change, verdict.cause.change_verdict) == ("c-bad", "cause")
    assert verdict.proposal.remediation == "rollback_deployment"
    assert stage.reviewed.doubts == ()
    assert verdict.proposal.arguments["service"] == incident.culprit
    assert not verdict.dropped
    assert len(stage.turns) <= 4


@pytest.mark.parametrize("seed", SEEDS)
async def test_pool_that_a_deployment_cut_is_named_with_both_values(stage_of: StageOf, seed: int) -> None:
    diffs = {"c-bad": hunk("config.toml", ["pool_size = 16"], ["pool_size = 2"], around=("[database]",))}
    stage, incident = stage_of("pool", seed, diffs=diffs)
    verdict = await stage.play(OfflineModel())
    assert verdict.cause.service == incident.culprit
    assert stage.reviewed.doubts == ()
    assert "4f2a91c cut pool_size from 16 to 2" in verdict.headline
    assert verdict.headline.endswith("Rollback ready.")
    assert any(claim.quote == "+pool_size = 2" for claim in verdict.claims)


@pytest.mark.parametrize("seed", SEEDS)
async def test_exception_of_a_deployed_path_is_rolled_back(stage_of: StageOf, seed: int) -> None:
    change = (["    discount = product.get('discount', 0)"], ["    discount = product['discount']"])
    stage, incident = stage_of(
        "exception", seed, diffs={"c-bad": hunk("app.py", *change, heading="def price(product):")}
    )
    verdict = await stage.play(OfflineModel())
    assert verdict.cause.service == incident.culprit
    assert verdict.cause.change_verdict == "cause"
    assert verdict.cause.kind == "exception KeyError"
    assert "KeyError" in next(
        c.quote for c in verdict.claims if c.text.startswith(incident.culprit) and "logs" in c.text
    )


@pytest.mark.parametrize("seed", SEEDS)
async def test_leak_that_came_with_a_deployment_is_rolled_back_rather_than_restarted(
    stage_of: StageOf, seed: int
) -> None:
    diffs = {"c-bad": hunk("app.py", ["    return make(key)"], ["    kept[key] = make(key)", "    return kept[key]"])}
    stage, incident = stage_of("leak", seed, diffs=diffs)
    verdict = await stage.play(OfflineModel())
    assert verdict.cause.service == incident.culprit
    assert verdict.cause.kind == "memory leak"
    assert verdict.proposal.remediation == "rollback_deployment"
    assert stage.reviewed.doubts == ()


@pytest.mark.parametrize("seed", SEEDS)
async def test_leak_without_a_change_is_restarted(stage_of: StageOf, seed: int) -> None:
    stage, incident = stage_of("leak", seed, with_change=False)
    verdict = await stage.play(OfflineModel())
    assert verdict.cause.service == incident.culprit
    assert verdict.cause.change is None
    assert verdict.proposal.remediation == "restart_service"
    assert "grow again" in verdict.advice


@pytest.mark.parametrize("seed", SEEDS)
async def test_file_limit_is_cleared_by_a_restart_although_a_neighbour_was_deployed(
    stage_of: StageOf, seed: int
) -> None:
    stage, incident = stage_of("quota", seed, diffs={"c-ok": hunk("config.toml", ["rows = 20"], ["rows = 30"])})
    verdict = await stage.play(OfflineModel())
    assert verdict.cause.service == incident.culprit
    assert verdict.cause.change is None
    assert verdict.proposal.remediation == "restart_service"
    assert verdict.proposal.arguments == {"service": incident.culprit}
    assert any("File too large" in (claim.quote or "") for claim in verdict.claims)


@pytest.mark.parametrize("seed", SEEDS)
async def test_outside_provider_that_hangs_gets_no_proposal_but_says_whom_to_call(stage_of: StageOf, seed: int) -> None:
    stage, incident = stage_of("provider", seed)
    verdict = await stage.play(OfflineModel())
    assert (verdict.cause.service, verdict.cause.external) == (incident.culprit, incident.external)
    assert verdict.proposal is None
    assert incident.external in verdict.advice
    assert "all the operator" in verdict.advice


@pytest.mark.parametrize("seed", SEEDS)
async def test_surge_gets_no_proposal_but_says_what_would_scale(stage_of: StageOf, seed: int) -> None:
    stage, incident = stage_of("surge", seed)
    verdict = await stage.play(OfflineModel())
    assert verdict.cause.service == incident.culprit
    assert verdict.cause.change is None
    assert verdict.proposal is None
    assert "scale" in verdict.advice


async def test_surge_seen_further_in_came_in_at_the_entry(stage_of: StageOf) -> None:
    stage, incident = stage_of("quiet", 1)
    fleet = incident.fleet
    ranking = (
        f"onset 20:30:00 UTC (+-5s), score 30.0\nsymptom: {fleet.entry},latency mean,40ms->700ms,x17,z=30.0,20:30:00\n"
        f"1. {fleet.leaf} [traffic] score=0.82 confidence=medium explains={fleet.entry}\n"
        f"  metric: {fleet.leaf},requests rate,9.7/s->37.1/s,x3.83,z=20.3,-"
    )
    stage.tools = {**stage.tools, "rank_causes": lambda _: (ranking, {}, False)}
    verdict = await stage.play(OfflineModel())
    assert verdict.cause.service == fleet.entry
    assert verdict.confidence != "high"


async def test_memory_that_ran_out_without_growing_is_no_leak(stage_of: StageOf) -> None:
    stage, incident = stage_of("quiet", 1)
    entry = incident.fleet.entry
    ranking = (
        f"onset 20:30:00 UTC (+-5s), score 30.0\nsymptom: {entry},latency mean,40ms->700ms,x17,z=30.0,20:30:00\n"
        f"1. {entry} [errors] score=1.84 confidence=high\n"
        f"  metric: {entry},error ratio,0%->33.3%,new,z=30.0,20:30:05\n"
        f"  log: {entry},new,error,0->429,0.0%->19.6%,20:30:01,POST /a: no free worker within 0.8 s (8 busy)\n"
        f"  log: {entry},new,critical,0->5,0.0%->0.3%,20:30:03,server: MemoryError: out of memory, exiting"
    )
    stage.tools = {**stage.tools, "rank_causes": lambda _: (ranking, {}, False)}
    verdict = await stage.play(OfflineModel())
    assert verdict.cause.kind == "pool or queue exhausted"
    assert verdict.confidence == "low"


@pytest.mark.parametrize("seed", SEEDS)
async def test_false_alarm_abstains_and_says_that_all_is_well(stage_of: StageOf, seed: int) -> None:
    stage, _ = stage_of("quiet", seed)
    verdict = await stage.play(OfflineModel())
    assert (verdict.cause, verdict.confidence, verdict.proposal) == (None, "none", None)
    assert stage.drafts[-1]["nothing_wrong"]


@pytest.mark.parametrize("seed", SEEDS)
async def test_time_out_that_a_deployment_cut_is_its_fault_and_not_the_callee_s(stage_of: StageOf, seed: int) -> None:
    diffs = {"c-bad": hunk("config.toml", ["timeout_s = 2.0"], ["timeout_s = 0.1"], around=("[client]",))}
    stage, incident = stage_of("timeout_cut", seed, diffs=diffs)
    verdict = await stage.play(OfflineModel())
    assert verdict.cause.service == incident.culprit
    assert verdict.cause.change == "c-bad"
    assert "timeout_s from 2.0 to 0.1" in verdict.cause.statement


@pytest.mark.parametrize("fault", ["slow", "exception", "pool", "leak"])
async def test_change_whose_diff_could_not_be_read_is_no_cause_and_never_high(stage_of: StageOf, fault: str) -> None:
    stage, _ = stage_of(fault, 1)
    verdict = await stage.play(OfflineModel())
    assert verdict.cause is None or verdict.cause.change is None
    assert verdict.confidence != "high"
    assert any("read_diff" in gap for gap in verdict.not_known)


async def test_diff_that_touches_nothing_of_the_kind_is_no_cause(stage_of: StageOf) -> None:
    diffs = {"c-bad": hunk("config.toml", ["receipt_days = 30"], ["receipt_days = 60"])}
    stage, _ = stage_of("exception", 1, diffs=diffs)
    verdict = await stage.play(OfflineModel())
    assert verdict.cause.change is None
    assert verdict.confidence in ("low", "medium")
    assert verdict.proposal is None


async def test_all_claims_pass_the_gate_and_what_cannot_have_done_it_speaks_against_nothing(stage_of: StageOf) -> None:
    diffs = {
        "c-bad": hunk("config.toml", ["pool_size = 16"], ["pool_size = 2"]),
        "c-ok": hunk("config.toml", ["rows = 20"], ["rows = 30"]),
    }
    stage, _ = stage_of("pool", 3, diffs=diffs)
    verdict = await stage.play(OfflineModel())
    assert not verdict.problems
    assert {claim.side for claim in verdict.claims} == {"for", "context"}
    assert {h.state for h in verdict.hypotheses} == {"supported", "refuted"}
    assert len(stage.drafts) == 1


def broken_down(service: str, part: str) -> str:
    """A breakdown as the tool prints it."""
    return (
        f"{service}: 27ms -> 807ms a request (mean); 60 requests before 11:55:00 UTC, 60 since\n"
        f"most of the added time: {part}, 22ms -> 802ms, +780ms of +780ms\n"
        "part,per request before->now,added,calls per request"
    )


@pytest.mark.parametrize(
    ("part", "side"), [("own work", "for"), ("calls to somewhere else", "for"), ("calls to {rival}", "against")]
)
async def test_a_slow_suspects_requests_are_broken_down_where_traces_are_connected(
    stage_of: StageOf, part: str, side: str
) -> None:
    diffs = {"c-bad": hunk("app.py", *QUERY, heading="def list_a(request):", around=('@get("/a")',))}
    stage, incident = stage_of("slow", 1, diffs=diffs)
    rival = next(s for s in stage.services if s != incident.culprit)
    text = broken_down(incident.culprit, part.format(rival=rival))
    stage.tools = {**stage.tools, "trace_breakdown": lambda _: (text, {}, False)}
    verdict = await stage.play(OfflineModel())
    assert stage.asked("trace_breakdown") == [{"service": incident.culprit}]
    assert len(stage.turns) <= 4
    assert not verdict.dropped
    claim = next(c for c in verdict.claims if c.quote in text)
    assert (claim.text, claim.side) == (
        f"Most of the time that was added to {incident.culprit}'s requests: {part.format(rival=rival)}.",
        side,
    )


async def test_requests_are_not_broken_down_where_nothing_is_slow(stage_of: StageOf) -> None:
    stage, incident = stage_of("exception", 1)
    stage.tools = {**stage.tools, "trace_breakdown": lambda _: (broken_down(incident.culprit, "own work"), {}, False)}
    await stage.play(OfflineModel())
    assert not stage.asked("trace_breakdown")
