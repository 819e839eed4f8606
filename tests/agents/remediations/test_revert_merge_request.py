"""Drafts at GitLab: a merged request taken back, a small fix; both closed again, and nothing merged."""

import ipaddress
from collections.abc import AsyncIterator

import pytest

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.gitlab import GitLab
from agents.connecting.connectors.gitlab.settings import GitLabConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.errors import BadArguments
from agents.remediation import Impossible, Plan, PlanReason, RemediationContext, remedies_of
from agents.remediations import propose_fix
from agents.remediations.revert_merge_request import REMEDIATION, RevertMergedRequest
from store.secrets.redaction import Secret
from tests.fakes.gitlab import HEAD, NEW, NOW, PROJECT, TOKEN, FakeGitLab, a_request, fake_gitlab

SERVICES = (Service(name="checkout", repository=PROJECT),)


@pytest.fixture
async def server() -> AsyncIterator[FakeGitLab]:
    async with fake_gitlab() as fake:
        fake.requests = [a_request(7, "Cut the pool"), a_request(8, "Open one", state="opened", source_branch="x")]
        fake.files = {"pool.py": b"size = 5\nwait = 1\n"}
        yield fake


@pytest.fixture
async def context(server: FakeGitLab) -> AsyncIterator[RemediationContext]:
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)))
    connected = ConnectorContext(
        services=SERVICES, outbound=outbound, now=lambda: NOW, credentials={"token": Secret(TOKEN)}
    )
    config = {"url": server.url, "actions": ["revert_merge_request", "propose_fix"]}
    gitlab = GitLab(GitLabConfig.model_validate(config), connected)
    yield RemediationContext(actuators=[gitlab], changes=(), services=SERVICES, now=lambda: NOW)
    await outbound.close()


async def test_a_revert_is_drafted_once_and_closed(
    server: FakeGitLab, context: RemediationContext, reason: PlanReason
) -> None:
    assert remedies_of(context.actuators, SERVICES) == {"checkout": ("propose_fix", "revert_merge_request")}
    plan = await REMEDIATION.plan(RevertMergedRequest(service="checkout", merge_request="!7"), reason, context)
    assert isinstance(plan, Plan), plan
    assert (plan.from_version, plan.to_version) == ("no draft", "draft is open")
    assert server.changed() == []
    for _ in range(2):
        assert (await REMEDIATION.apply(plan, context, idempotency_key="k")).ok
    branch = f"autoheal-revert-7-{HEAD[:10]}"
    assert [path.rpartition("/")[2] for _, path, _ in server.changed()] == ["branches", "revert", "merge_requests"]
    assert server.requests[-1]["title"] == "Draft: Revert !7 Cut the pool"
    assert server.branches[branch] == NEW
    assert REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, context))
    undo = await REMEDIATION.undo(plan, reason, context)
    assert isinstance(undo, Plan), undo
    assert (await REMEDIATION.apply(undo, context, idempotency_key="u")).ok
    assert branch not in server.branches
    assert server.requests[-1]["state"] == "closed"
    assert REMEDIATION.reached(undo, await REMEDIATION.read_target(undo, context))


async def test_what_cannot_be_taken_back_leaves_no_branch(
    server: FakeGitLab, context: RemediationContext, reason: PlanReason
) -> None:
    opened = await REMEDIATION.plan(RevertMergedRequest(service="checkout", merge_request="8"), reason, context)
    assert isinstance(opened, Impossible)
    assert "!8 is opened" in opened.reason
    plan = await REMEDIATION.plan(RevertMergedRequest(service="checkout", merge_request="7"), reason, context)
    assert isinstance(plan, Plan), plan
    server.cannot_revert = True
    with pytest.raises(BadArguments, match="cannot revert this commit"):
        await REMEDIATION.apply(plan, context, idempotency_key="k")
    assert list(server.branches) == ["main"]
    server.branches["main"] = NEW
    assert REMEDIATION.binding(await REMEDIATION.read_target(plan, context)) != plan.target_version
    assert not (await REMEDIATION.apply(plan, context, idempotency_key="k")).ok


async def test_a_small_fix_is_drafted_where_it_stands_once(
    server: FakeGitLab, context: RemediationContext, reason: PlanReason
) -> None:
    remedy = propose_fix.REMEDIATION

    def fix(old: str, path: str = "pool.py") -> propose_fix.SmallFix:
        return propose_fix.SmallFix(
            service="checkout", version=NEW, path=path, old=old, new="size = 50", title="Widen the pool"
        )

    plan = await remedy.plan(fix("size = 5"), reason, context)
    assert isinstance(plan, Plan), plan
    assert "+size = 50" in plan.argv[-1]
    assert (await remedy.apply(plan, context, idempotency_key="k")).ok
    _, _, commit = server.changed()[0]
    assert commit["actions"] == [{"action": "update", "file_path": "pool.py", "content": "size = 50\nwait = 1\n"}]
    assert commit["start_sha"] == HEAD
    again = await remedy.plan(fix("size = 5"), reason, context)
    assert isinstance(again, Impossible)
    assert "was drafted before" in again.reason
    for old, path, told in (("none", "pool.py", "stands 0 times"), ("size", ".gitlab-ci.yml", "may be changed")):
        refused = await remedy.plan(fix(old, path), reason, context)
        assert isinstance(refused, Impossible)
        assert told in refused.reason
