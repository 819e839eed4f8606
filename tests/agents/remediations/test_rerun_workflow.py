"""The failed jobs of a workflow run, run again: bound to the attempt that failed, and cancelled by undo."""

from collections.abc import Callable
from typing import Any

import pytest

from agents.connecting.connectors.github import GitHub
from agents.errors import BadArguments, Unavailable
from agents.remediation import Impossible, Plan, PlanReason
from agents.remediations.rerun_workflow import REMEDIATION, RerunFailed
from agents.tool import Risk
from tests.agents.connecting.connectors.github.conftest import NEW, R
from tests.fakes.github import FakeGitHub
from tests.fakes.github_history import acting, written

Connect = Callable[..., GitHub]


def run(**changed: Any) -> dict[str, Any]:
    usual = {"id": 77, "run_attempt": 1, "name": "Deploy", "head_sha": NEW, "event": "push", "status": "completed"}
    times = dict.fromkeys(("created_at", "updated_at", "run_started_at"), "2026-03-01T11:40:00Z")
    page = "https://github.com/acme/shop/actions/runs/77"
    return {**usual, **times, "conclusion": "failure", "html_url": page, **changed}


async def test_the_newest_failed_run_runs_again_once_and_is_cancelled_by_undo(
    github: FakeGitHub, connect: Connect, reason: PlanReason
) -> None:
    github.tell(f"{R}/actions/runs", {"total_count": 1, "workflow_runs": [run()]})
    github.tell(f"{R}/actions/runs/77", run())
    source = connect(actions=("rerun_workflow",))
    context = acting(source)
    plan = await REMEDIATION.plan(RerunFailed(service="checkout"), reason, context)
    assert isinstance(plan, Plan)
    assert github.asked[0].query == {"per_page": "1", "status": "failure"}
    assert (plan.title, plan.risk) == ("Run the failed jobs of Deploy (run 77) again", Risk.MEDIUM)
    assert plan.target_version == f"checkout: run 77, attempt 1; failure for {NEW[:7]}"
    assert plan.argv == ("POST", f"{R}/actions/runs/77/rerun-failed-jobs")
    assert written(github) == []

    github.tell(f"POST {R}/actions/runs/77/rerun-failed-jobs", (201, {}, {}))
    assert (await REMEDIATION.apply(plan, context, idempotency_key="ap1")).ok
    github.tell(f"{R}/actions/runs/77", run(run_attempt=2, status="in_progress", conclusion=None))
    assert REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, context))
    again = await REMEDIATION.apply(plan, context, idempotency_key="ap1")
    assert again.detail == "run 77 was started again already, attempt 2"
    assert written(github) == [("POST", "/actions/runs/77/rerun-failed-jobs")]

    undo = await REMEDIATION.undo(plan, reason, context)
    assert isinstance(undo, Plan)
    github.tell(f"POST {R}/actions/runs/77/cancel", (202, {}, {}))
    assert (await REMEDIATION.apply(undo, context, idempotency_key="ap2")).ok
    assert written(github)[1:] == [("POST", "/actions/runs/77/cancel")]
    github.tell(f"{R}/actions/runs/77", run(run_attempt=2, conclusion="success"))
    ended = await REMEDIATION.undo(plan, reason, context)
    assert isinstance(ended, Impossible)
    assert "does not run any more" in ended.reason


@pytest.mark.parametrize(
    ("runs", "why"),
    [
        ([], "no run of acme/shop failed"),
        ([run(conclusion="success")], "run 77 did not fail: it is success"),
        ([run(status="in_progress", conclusion=None)], "it is in_progress"),
        ([{"malformed": 1}], "does not document"),
    ],
)
async def test_what_did_not_fail_is_not_run_again(
    github: FakeGitHub, connect: Connect, reason: PlanReason, runs: list[dict[str, Any]], why: str
) -> None:
    github.tell(f"{R}/actions/runs", {"total_count": len(runs), "workflow_runs": runs})
    source = connect(actions=("rerun_workflow",))
    found = await REMEDIATION.plan(RerunFailed(service="checkout"), reason, acting(source))
    assert isinstance(found, Impossible)
    assert why in found.reason


async def test_a_rate_limit_refuses_and_a_server_that_fails_leaves_it_open(
    github: FakeGitHub, connect: Connect, reason: PlanReason
) -> None:
    github.tell(f"{R}/actions/runs/77", run())
    source = connect(actions=("rerun_workflow",))
    plan = await REMEDIATION.plan(RerunFailed(service="checkout", run="77"), reason, acting(source))
    assert isinstance(plan, Plan)
    again = f"POST {R}/actions/runs/77/rerun-failed-jobs"
    github.tell(again, (429, {"retry-after": "30"}, {"message": "rate limit"}))
    with pytest.raises(BadArguments, match="used up for 30 s: a rerun of run 77 was not done"):
        await REMEDIATION.apply(plan, acting(source), idempotency_key="ap1")
    github.tell(again, (502, {}, b"<html>"))
    with pytest.raises(Unavailable):
        await REMEDIATION.apply(plan, acting(source), idempotency_key="ap1")
    assert len(written(github)) == 2  # each was sent once


async def test_another_attempt_makes_the_plan_stale(github: FakeGitHub, connect: Connect, reason: PlanReason) -> None:
    github.tell(f"{R}/actions/runs/77", run())
    source = connect(actions=("rerun_workflow",))
    plan = await REMEDIATION.plan(RerunFailed(service="checkout", run="77"), reason, acting(source))
    assert isinstance(plan, Plan)
    github.tell(f"{R}/actions/runs/77", run(run_attempt=2))
    assert REMEDIATION.binding(await REMEDIATION.read_target(plan, acting(source))) != plan.target_version
