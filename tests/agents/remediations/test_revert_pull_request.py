"""A draft that takes a merged pull request back: made by commits, once, never merged, and closed again by undo."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from agents.connecting.code_host import CodeHost
from agents.connecting.connectors.github import GitHub
from agents.errors import BadArguments, NeedsReauthorisation
from agents.remediation import Impossible, Plan, PlanReason
from agents.remediations.revert_pull_request import REMEDIATION, RevertMerged
from agents.tool import Risk
from tests.agents.connecting.connectors.github.conftest import R
from tests.fakes.github import FakeGitHub
from tests.fakes.github_history import (
    CONFIG,
    DRAFT,
    HEAD,
    MERGED,
    PULL,
    TREE,
    acting,
    at,
    git_commit,
    history,
    takes_drafts,
    written,
)

Connect = Callable[..., GitHub]
BRANCH = f"autoheal-revert-12-{HEAD[:10]}"
ASKED = RevertMerged(service="checkout", pull_request="#12")


async def planned(source: GitHub, reason: PlanReason) -> Plan | Impossible:
    return await REMEDIATION.plan(ASKED, reason, acting(source))


async def test_the_draft_is_previewed_made_once_and_undone(
    github: FakeGitHub, connect: Connect, reason: PlanReason
) -> None:
    history(github)
    source = connect(actions=("revert_pull_request",))
    assert isinstance(source, CodeHost)
    plan = await planned(source, reason)
    assert isinstance(plan, Plan)
    assert (plan.title, plan.risk, plan.reversible) == ("Draft a revert of #12 Cut the pool", Risk.LOW, True)
    assert plan.diff_paths == (CONFIG, "checkout/new.toml")
    assert plan.argv[2:] == (f"{BRANCH} into main, as a draft", "each file of #12 as it was before")
    assert plan.target_version == f"checkout: no draft; main is at {HEAD[:10]}"
    assert written(github) == []

    takes_drafts(github, BRANCH)
    context = acting(source)
    done = await REMEDIATION.apply(plan, context, idempotency_key="ap1")
    assert (done.ok, done.detail) == (True, f"#40 is a draft: {DRAFT['html_url']}")
    assert written(github) == [
        ("POST", "/git/trees"),
        ("POST", "/git/commits"),
        ("POST", "/git/refs"),
        ("POST", "/pulls"),
    ]
    bodies = [json.loads(one.body) for one in github.asked if one.method == "POST"]
    assert bodies[0] == {
        "base_tree": TREE,
        "tree": [
            {"path": CONFIG, "mode": "100644", "type": "blob", "sha": "a" * 40},
            {"path": "checkout/new.toml", "mode": "100644", "type": "blob", "sha": None},
        ],
    }
    assert (bodies[1]["parents"], bodies[2]["ref"], bodies[3]["draft"]) == ([HEAD], f"refs/heads/{BRANCH}", True)
    assert "ap1" in bodies[3]["body"]

    github.tell(f"{R}/pulls", [DRAFT])
    assert REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, context))
    again = await REMEDIATION.apply(plan, context, idempotency_key="ap1")
    assert again.detail == f"#40 is there already: {DRAFT['html_url']}"
    assert len(written(github)) == 4

    undo = await REMEDIATION.undo(plan, reason, context)
    assert isinstance(undo, Plan)
    takes_drafts(github, BRANCH, branched=True)
    assert (await REMEDIATION.apply(undo, context, idempotency_key="ap2")).ok
    assert written(github)[4:] == [("PATCH", "/pulls/40"), ("DELETE", f"/git/refs/heads/{BRANCH}")]


async def test_a_draft_whose_branch_was_made_before_a_crash_is_finished(
    github: FakeGitHub, connect: Connect, reason: PlanReason
) -> None:
    history(github)
    source = connect(actions=("revert_pull_request",))
    plan = await planned(source, reason)
    assert isinstance(plan, Plan)
    takes_drafts(github, BRANCH, branched=True)
    assert (await REMEDIATION.apply(plan, acting(source), idempotency_key="ap1")).ok
    assert written(github) == [("POST", "/git/trees"), ("POST", "/pulls")]


async def test_a_branch_of_that_name_with_other_contents_is_no_draft_of_ours(
    github: FakeGitHub, connect: Connect, reason: PlanReason
) -> None:
    history(github)
    source = connect(actions=("revert_pull_request",))
    plan = await planned(source, reason)
    assert isinstance(plan, Plan)
    takes_drafts(github, BRANCH, branched=True, holds="7" * 40)
    done = await REMEDIATION.apply(plan, acting(source), idempotency_key="ap1")
    assert (done.ok, "something else than was approved" in done.detail) == (False, True)
    assert ("POST", "/pulls") not in written(github)


async def test_what_moved_since_the_preview_stops_it(github: FakeGitHub, connect: Connect, reason: PlanReason) -> None:
    history(github)
    source = connect(actions=("revert_pull_request",))
    plan = await planned(source, reason)
    assert isinstance(plan, Plan)
    at(github, MERGED)
    takes_drafts(github, BRANCH)
    assert REMEDIATION.binding(await REMEDIATION.read_target(plan, acting(source))) != plan.target_version
    done = await REMEDIATION.apply(plan, acting(source), idempotency_key="ap1")
    assert (done.ok, written(github)) == (False, [])


def squashed(github: FakeGitHub) -> None:
    github.tell(f"{R}/pulls/12", {**PULL, "commits": 3})
    github.tell(
        f"{R}/compare/{'1' * 40}...{MERGED}",
        {"html_url": "https://x/y", "status": "ahead", "ahead_by": 1, "total_commits": 1, "commits": [], "files": []},
    )


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (lambda g: history(g, head={CONFIG: "e", "checkout/new.toml": "c"}), "changed since #12 was merged"),
        (lambda g: g.tell(f"{R}/pulls/12", {**PULL, "merged_at": None}), "#12 is not merged"),
        (squashed, "was merged as 3 commits"),
        (lambda g: g.tell(f"{R}/git/commits/{MERGED}", git_commit(MERGED)), "has nothing before it"),
        (lambda g: g.tell(f"{R}/pulls", [DRAFT]), "it was drafted already"),
        (lambda g: g.tell(f"{R}/pulls/12", (404, {}, {"message": "Not Found"})), "GitHub shows no pull request 12"),
        (lambda g: g.tell(f"{R}/pulls/12", {"malformed": 1}), "does not document"),
    ],
)
async def test_why_it_cannot_be_drafted_is_told(
    github: FakeGitHub, connect: Connect, reason: PlanReason, told: Callable[[FakeGitHub], Any], why: str
) -> None:
    history(github)
    told(github)
    found = await planned(connect(actions=("revert_pull_request",)), reason)
    assert isinstance(found, Impossible)
    assert why in found.reason


async def test_only_what_an_admin_permitted_is_done(github: FakeGitHub, connect: Connect, reason: PlanReason) -> None:
    history(github)
    found = await planned(connect(actions=("propose_fix",)), reason)
    assert isinstance(found, Impossible)
    assert "an admin may permit it" in found.reason
    permitted = await planned(connect(actions=("revert_pull_request",)), reason)
    assert isinstance(permitted, Plan)
    gone = await REMEDIATION.undo(permitted, reason, acting(connect()))
    assert isinstance(gone, Impossible)


async def test_a_refusal_of_github_names_the_right_that_is_missing(
    github: FakeGitHub, connect: Connect, reason: PlanReason
) -> None:
    history(github)
    source = connect(actions=("revert_pull_request",))
    plan = await planned(source, reason)
    assert isinstance(plan, Plan)
    takes_drafts(github, BRANCH)
    needs = {"x-accepted-github-permissions": "contents=write"}
    github.tell(f"POST {R}/git/trees", (403, needs, {"message": "Resource not accessible"}))
    with pytest.raises(NeedsReauthorisation, match=r"may not do a tree \(403\), it lacks contents:write"):
        await REMEDIATION.apply(plan, acting(source), idempotency_key="ap1")
    github.tell(f"POST {R}/git/trees", (422, {}, {"message": "tree.sha is not valid"}))
    with pytest.raises(BadArguments, match="GitHub refused a tree"):
        await REMEDIATION.apply(plan, acting(source), idempotency_key="ap1")
