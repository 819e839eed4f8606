"""A workflow that an admin permitted, started with inputs that its file declares; every other one is refused."""

import base64
import json
from collections.abc import Callable

import pytest

from agents.connecting.connectors.github import GitHub, GitHubConfig
from agents.errors import NotPermitted
from agents.remediation import Impossible, Plan, PlanReason
from agents.remediations.dispatch_workflow import REMEDIATION, StartWorkflow
from agents.tool import Risk
from tests.agents.connecting.connectors.github.conftest import R
from tests.agents.remediations.test_rerun_workflow import run
from tests.fakes.github import REPOSITORY, FakeGitHub, commit
from tests.fakes.github_history import HEAD, TREE, acting, written

Connect = Callable[..., GitHub]
FILE = ".github/workflows/scale.yml"
SCALE = """
on:
  workflow_dispatch:
    inputs:
      replicas: {required: true}
      region: {type: choice, options: [eu, us]}
jobs: {}
"""
RUNS = f"{R}/actions/workflows/scale.yml/runs"


def tell(github: FakeGitHub, *, text: str = SCALE, state: str = "active") -> None:
    workflow = {"id": 5, "name": "Scale", "path": FILE, "state": state}
    github.tell(f"{R}/actions/workflows/scale.yml", workflow)
    github.tell(R, {"full_name": REPOSITORY, "name": "shop", "default_branch": "main"})
    github.tell(f"{R}/commits/main", commit(HEAD, "x", "2026-03-01T11:00:00Z"))
    entry = {"path": FILE, "mode": "100644", "type": "blob", "sha": "a" * 40, "size": 9, "url": "https://x/y"}
    github.tell(f"{R}/git/trees/{HEAD}", {"sha": TREE, "url": "https://x/y", "tree": [entry], "truncated": False})
    content = base64.b64encode(text.encode()).decode()
    github.tell(f"{R}/git/blobs/{'a' * 40}", {"content": content, "encoding": "base64", "sha": "a" * 40, "size": 9})
    github.tell(RUNS, {"total_count": 0, "workflow_runs": []})


def start(inputs: str = '{"replicas": "4"}', workflow: str = "scale.yml") -> StartWorkflow:
    return StartWorkflow(service="checkout", workflow=workflow, inputs=inputs)


async def test_it_is_started_once_permitted_and_its_run_is_cancelled_by_undo(
    github: FakeGitHub, connect: Connect, reason: PlanReason
) -> None:
    tell(github)
    source = connect(actions=("dispatch_workflow",), workflows=("scale.yml",))
    context = acting(source)
    plan = await REMEDIATION.plan(start(), reason, context)
    assert isinstance(plan, Plan)
    assert (plan.title, plan.risk) == ("Start Scale (scale.yml) on main", Risk.HIGH)
    assert plan.argv[2:] == ("ref=main", 'inputs={"replicas": "4"}')
    assert plan.target_version == "checkout: no run yet; started by hand"
    github.tell(f"POST {R}/actions/workflows/scale.yml/dispatches", (204, {}, None))
    assert (await REMEDIATION.apply(plan, context, idempotency_key="ap1")).ok
    assert json.loads(github.asked[-1].body) == {"ref": "main", "inputs": {"replicas": "4"}}
    github.tell(RUNS, {"total_count": 1, "workflow_runs": [run(status="in_progress", conclusion=None)]})
    assert REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, context))
    undo = await REMEDIATION.undo(plan, reason, context)
    assert isinstance(undo, Plan)
    assert undo.argv == ("POST", f"{R}/actions/runs/77/cancel")
    assert len(written(github)) == 1


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (start(workflow="deploy.yml"), "an admin did not permit deploy.yml; permitted are: scale.yml"),
        (start("{}"), "replicas is required"),
        (start('{"replicas": "4", "x": "1"}'), "x is none; there are: replicas, region"),
        (start('{"replicas": "4", "region": "mars"}'), "region is one of eu, us"),
        (start('{"replicas": 4}'), "a JSON object of texts"),
        (start("nonsense"), "a JSON object of texts"),
    ],
)
async def test_what_is_not_permitted_or_not_declared_is_refused(
    github: FakeGitHub, connect: Connect, reason: PlanReason, asked: StartWorkflow, why: str
) -> None:
    tell(github)
    source = connect(actions=("dispatch_workflow",), workflows=("scale.yml",))
    found = await REMEDIATION.plan(asked, reason, acting(source))
    assert isinstance(found, Impossible)
    assert why in found.reason


@pytest.mark.parametrize(
    "told",
    [
        (SCALE, "disabled_manually", "is disabled_manually"),
        ("on: push", "active", "has no workflow_dispatch"),
        ("- 1", "active", "cannot be read as a workflow"),
    ],
)
async def test_a_workflow_that_cannot_be_started_says_why(
    github: FakeGitHub, connect: Connect, reason: PlanReason, told: tuple[str, str, str]
) -> None:
    text, state, why = told
    tell(github, text=text, state=state)
    source = connect(actions=("dispatch_workflow",), workflows=("scale.yml",))
    found = await REMEDIATION.plan(start(), reason, acting(source))
    assert isinstance(found, Impossible)
    assert why in found.reason


async def test_a_permission_that_was_withdrawn_holds_at_the_last_moment(
    github: FakeGitHub, connect: Connect, reason: PlanReason
) -> None:
    tell(github)
    plan = await REMEDIATION.plan(
        start(), reason, acting(connect(actions=("dispatch_workflow",), workflows=("scale.yml",)))
    )
    assert isinstance(plan, Plan)
    withdrawn = connect(actions=("dispatch_workflow",))
    with pytest.raises(NotPermitted, match="an admin did not permit"):
        await REMEDIATION.apply(plan, acting(withdrawn), idempotency_key="ap1")
    assert written(github) == []
    with pytest.raises(ValueError, match="is no file of a workflow"):
        GitHubConfig(workflows=("../deploy.sh",))
