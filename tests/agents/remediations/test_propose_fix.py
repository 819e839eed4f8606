"""A draft with one small edit of a file that was read in the run; nothing else is written, and nothing is merged."""

import json
from collections.abc import Callable

import pytest

from agents.connecting.connectors.github import GitHub
from agents.remediation import Impossible, Plan, PlanReason
from agents.remediations.propose_fix import REMEDIATION, SmallFix
from agents.rows import Altered, Configured, Contents
from agents.tool import Risk
from tests.fakes.github import FakeGitHub
from tests.fakes.github_history import CONFIG, HEAD, MERGED, acting, history, takes_drafts, written

Connect = Callable[..., GitHub]


def fix(**changed: str) -> SmallFix:
    usual = {"path": CONFIG, "old": "pool_size = 5\n", "new": "pool_size = 50\n", "title": "Give the pool its room"}
    return SmallFix.model_validate({"service": "checkout", "version": MERGED, **usual, **changed})


async def test_the_edit_is_previewed_as_a_diff_and_drafted(
    github: FakeGitHub, connect: Connect, reason: PlanReason
) -> None:
    history(github)
    source = connect(actions=("propose_fix",))
    plan = await REMEDIATION.plan(fix(), reason, acting(source))
    assert isinstance(plan, Plan)
    assert (plan.risk, plan.healing, plan.diff_paths) == (Risk.LOW, None, (CONFIG,))
    assert plan.argv[3] == f"--- a/{CONFIG}\n+++ b/{CONFIG}\n@@ -1 +1 @@\n-pool_size = 5\n+pool_size = 50"
    assert written(github) == []
    branch = plan.parameters["branch"]
    takes_drafts(github, branch)
    assert (await REMEDIATION.apply(plan, acting(source), idempotency_key="ap1")).ok
    bodies = [json.loads(one.body) for one in github.asked if one.method == "POST"]
    assert bodies[0]["tree"] == [{"path": CONFIG, "mode": "100644", "type": "blob", "content": "pool_size = 50\n"}]
    assert (bodies[1]["message"], bodies[1]["parents"]) == ("Give the pool its room", [HEAD])
    assert (bodies[3]["head"], bodies[3]["base"], bodies[3]["draft"]) == (branch, "main", True)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"path": ".github/workflows/deploy.yml"}, "is not touched from here"),
        ({"path": "../x"}, "is not touched from here"),
        ({"path": "checkout/none.toml"}, "there is no text checkout/none.toml"),
        ({"path": "x.py"}, "is no file of checkout"),
        ({"old": "pool_size = 6"}, "stands 0 times"),
        ({"old": "\n" * 41}, "more than 40 lines"),
        ({"new": "pool_size = 5\n"}, "are the same"),
    ],
)
async def test_what_is_no_small_edit_of_a_file_of_the_service_is_refused(
    github: FakeGitHub, connect: Connect, reason: PlanReason, changed: dict[str, str], why: str
) -> None:
    history(github)
    source = connect(actions=("propose_fix",), paths={"checkout": ("checkout", ".github", "..")})
    asked = fix(**changed) if "\n" not in changed.get("old", "") else fix().model_copy(update=changed)
    found = await REMEDIATION.plan(asked, reason, acting(source))
    assert isinstance(found, Impossible)
    assert why in found.reason
    assert written(github) == []


async def test_a_file_that_changed_since_it_was_read_is_left(
    github: FakeGitHub, connect: Connect, reason: PlanReason
) -> None:
    history(github, head={CONFIG: "a"})
    found = await REMEDIATION.plan(fix(), reason, acting(connect(actions=("propose_fix",))))
    assert isinstance(found, Impossible)
    assert f"stands 0 times in {CONFIG} at main" in found.reason


def test_only_a_file_that_was_read_at_that_version_may_be_edited() -> None:
    asked = {"path": CONFIG, "version": MERGED[:10]}
    for row in (
        Contents(path=CONFIG, version=MERGED, text="pool_size = 5", number=1),
        Configured(path=CONFIG, key="pool_size", value="5", version=MERGED),
        Altered(change="x", diff="", to_version=MERGED, files=(CONFIG,)),
    ):
        assert REMEDIATION.unread(asked, [row]) is None
        assert REMEDIATION.unread({**asked, "version": HEAD}, [row]) is not None
        assert REMEDIATION.unread({**asked, "path": "x.py"}, [row]) is not None
    assert REMEDIATION.unread(asked, []) == f"{CONFIG} was not read at {MERGED[:10]} in this run"
    assert REMEDIATION.unread({}, []) == "the file was not read at any version in this run"
