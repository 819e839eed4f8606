"""A rollback by GitHub: a deployment of the earlier commit that is followed to its end, or the run that made it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from agents.connecting.connector import Actuator
from agents.connecting.connectors.github import GitHub
from agents.errors import BadArguments
from agents.remediation import Plan, PlanReason
from agents.remediations.rollback_deployment import REMEDIATION, RollBack
from tests.agents.connecting.connectors.github.conftest import NEW, OLD, R
from tests.agents.connecting.connectors.github.test_github import app
from tests.fakes.github import FakeGitHub, changed_file, comparison, deployment, status
from tests.fakes.github_history import acting, written

Connect = Callable[..., GitHub]
REASON = PlanReason(cause="pool cut", confidence="high", evidence=("A1",), requested_by="U1", healing=None)
OF = {"payload": {"service": "checkout", "size": 2}}
LISTED = [deployment(2, NEW, "2026-03-01T11:29:00Z", **OF), deployment(1, OLD, "2026-02-20T10:00:00Z", **OF)]


def tell(github: FakeGitHub, *, log_url: str = "") -> None:
    github.tell(f"{R}/deployments", LISTED)
    github.tell(f"{R}/deployments/2/statuses", [status("success", "2026-03-01T11:30:00Z")])
    github.tell(f"{R}/deployments/1/statuses", [{**status("success", "2026-02-20T10:01:00Z"), "log_url": log_url}])
    for old, new in ((OLD, NEW), (NEW, OLD)):
        github.tell(f"{R}/compare/{old}...{new}", comparison(new, changed_file("app.py")))


async def planned(source: GitHub) -> Plan:
    plan = await REMEDIATION.plan(RollBack(service="checkout"), REASON, acting(source))
    assert isinstance(plan, Plan), plan
    return plan


async def test_the_earlier_commit_is_deployed_as_it_was_and_followed_to_its_end(
    github: FakeGitHub, connect: Connect
) -> None:
    tell(github)
    source = connect(actions=("rollback_deployment",))
    assert isinstance(source, Actuator)
    plan = await planned(source)
    assert (plan.from_version, plan.to_version, plan.target_version) == (NEW, OLD, f"checkout@{NEW}")
    assert plan.argv[:3] == ("POST", f"{R}/deployments", f"ref={OLD}")
    assert "how many there are is not known" in plan.interruption
    assert written(github) == []

    made = deployment(3, OLD, "2026-03-01T12:00:00Z", **OF)
    github.tell(f"POST {R}/deployments", (201, {}, made))
    github.tell(f"{R}/deployments/3/statuses", [], [status("success", "2026-03-01T12:01:00Z")])
    source._actions.deployments._sleep = _no_pause
    done = await REMEDIATION.apply(plan, acting(source), idempotency_key="ap1")
    assert (done.ok, done.detail) == (True, "deployment 3 ended: success")
    (body,) = [json.loads(one.body) for one in github.asked if one.method == "POST"]
    assert (body["ref"], body["task"], body["environment"], body["auto_merge"]) == (OLD, "deploy", "production", False)
    assert body["payload"] == {"service": "checkout", "size": 2, "autoheal": "ap1"}

    github.tell(f"{R}/deployments", [{**made, "payload": body["payload"]}, *LISTED])
    github.tell(f"{R}/deployments/3/statuses", [status("success", "2026-03-01T12:01:00Z")])
    assert REMEDIATION.reached(plan, await source.read_target("checkout"))
    assert (await REMEDIATION.apply(plan, acting(source), idempotency_key="ap1")).ok
    assert len(written(github)) == 1
    undo = await REMEDIATION.undo(plan, REASON, acting(source))
    assert isinstance(undo, Plan)
    assert (undo.action, undo.to_version) == ("deploy", NEW)


async def _no_pause(_seconds: float) -> None:
    return


@pytest.mark.parametrize(
    ("statuses", "detail"),
    [
        ([status("failure", "2026-03-01T12:01:00Z")], "deployment 3 ended: failure"),
        ([], "deployment 3 is recorded, and nobody reported its end within 3 minutes"),
    ],
)
async def test_a_deployment_that_nobody_carries_out_is_no_success(
    github: FakeGitHub, connect: Connect, statuses: list[dict[str, Any]], detail: str
) -> None:
    tell(github)
    source = connect(actions=("rollback_deployment",))
    source._actions.deployments._sleep = _no_pause
    github.tell(f"POST {R}/deployments", (201, {}, deployment(3, OLD, "2026-03-01T12:00:00Z")))
    github.tell(f"{R}/deployments/3/statuses", statuses)
    done = await REMEDIATION.apply(await planned(source), acting(source), idempotency_key="ap1")
    assert (done.ok, done.detail) == (False, detail)


async def test_where_workflows_deploy_the_run_that_deployed_it_runs_again(github: FakeGitHub, connect: Connect) -> None:
    tell(github, log_url="https://github.com/acme/shop/actions/runs/55/job/9")
    source = connect(actions=("rollback_deployment",), rollback="workflow")
    plan = await planned(source)
    github.tell(f"POST {R}/actions/runs/55/rerun", (201, {}, {}))
    assert (await REMEDIATION.apply(plan, acting(source), idempotency_key="ap1")).ok
    assert written(github) == [("POST", "/actions/runs/55/rerun")]
    tell(github)
    with pytest.raises(BadArguments, match="no status of it names one"):
        await REMEDIATION.apply(plan, acting(source), idempotency_key="ap1")


async def test_without_permission_or_a_named_repository_nothing_can_be_done(connect: Connect) -> None:
    assert not connect().can("rollback_deployment", "checkout")
    assert connect(actions=("rollback_deployment",)).can("deploy", "checkout")
    assert not connect(actions=("rollback_deployment",)).can("rerun_workflow", "checkout")
    assert not connect(actions=("rollback_deployment",)).can("rollback_deployment", "unknown")


@pytest.mark.parametrize(
    ("rights", "lacks"),
    [
        ({"actions": "write", "contents": "write", "pull_requests": "write"}, []),
        ({"actions": "read", "contents": "write"}, ["actions:write", "pull_requests:write"]),
    ],
)
async def test_the_check_names_the_rights_that_permitted_remedies_lack(
    github: FakeGitHub, connect: Connect, rights: dict[str, str], lacks: list[str]
) -> None:
    for path in ("", "/deployments", "/commits", "/pulls"):
        github.tell(f"{R}{path}", {"full_name": "acme/shop", "name": "shop"} if not path else [])
    github.tell(f"{R}/actions/runs", {"total_count": 0, "workflow_runs": []})
    issued = {"token": github.token, "expires_at": "2026-03-01T13:00:00Z", "permissions": rights}
    github.tell("/app/installations/34/access_tokens", (201, {}, issued))
    source = connect(**app(), actions=("rerun_workflow", "propose_fix"))
    source._client._live.clear()
    found = await source.check()
    assert [lack.partition(": ")[0] for lack in found.lacks] == lacks
    assert found.ok is not bool(lacks)
    told = await connect(actions=("rerun_workflow",)).check()
    assert told.ok
    assert "GitHub tells only when one is used" in told.detail
