"""A failed job of a pipeline run again once, and its new attempt cancelled; drafts beside it."""

import ipaddress
from collections.abc import AsyncIterator, Callable

import pytest

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.gitlab import GitLab
from agents.connecting.connectors.gitlab.settings import GitLabConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.remediation import Impossible, Plan, PlanReason, RemediationContext, remedies_of
from agents.remediations.retry_job import REMEDIATION, RetryFailedJob
from store.secrets.redaction import Secret
from tests.fakes.gitlab import NOW, PROJECT, TOKEN, FakeGitLab, a_job, a_pipeline, fake_gitlab

SERVICES = (Service(name="checkout", repository=PROJECT), Service(name="payments"))
Context = Callable[..., RemediationContext]


@pytest.fixture
async def server() -> AsyncIterator[FakeGitLab]:
    async with fake_gitlab() as fake:
        fake.pipelines = [a_pipeline(9)]
        fake.jobs = [a_job(41), a_job(42, "success", name="test")]
        yield fake


@pytest.fixture
async def context_of(server: FakeGitLab) -> AsyncIterator[Context]:
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)))

    def make(*actions: str) -> RemediationContext:
        connected = ConnectorContext(
            services=SERVICES, outbound=outbound, now=lambda: NOW, credentials={"token": Secret(TOKEN)}
        )
        gitlab = GitLab(GitLabConfig.model_validate({"url": server.url, "actions": actions}), connected)
        return RemediationContext(actuators=[gitlab], changes=(), services=SERVICES, now=lambda: NOW)

    yield make
    await outbound.close()


async def test_retried_once_and_the_new_attempt_cancelled(
    server: FakeGitLab, context_of: Context, reason: PlanReason
) -> None:
    context = context_of("retry_job")
    assert remedies_of(context.actuators, SERVICES) == {"checkout": ("retry_job",), "payments": ()}
    plan = await REMEDIATION.plan(RetryFailedJob(service="checkout"), reason, context)
    assert isinstance(plan, Plan), plan
    assert plan.title == "Retry deploy (job 41)"
    assert plan.argv == ("POST", "/api/v4/projects/acme%2Fcheckout/jobs/41/retry")
    assert (plan.from_version, plan.to_version) == (
        "deploy of pipeline 9, 1 attempt",
        "deploy of pipeline 9, 2 attempts",
    )
    assert server.changed() == []
    assert not REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, context))
    for _ in range(2):
        assert (await REMEDIATION.apply(plan, context, idempotency_key="k")).ok
    assert len(server.changed()) == 1
    target = await REMEDIATION.read_target(plan, context)
    assert REMEDIATION.reached(plan, target)
    assert REMEDIATION.binding(target) != plan.target_version
    undo = await REMEDIATION.undo(plan, reason, context)
    assert isinstance(undo, Plan), undo
    assert undo.argv[1].endswith("/jobs/43/cancel")
    assert (await REMEDIATION.apply(undo, context, idempotency_key="u")).ok
    assert REMEDIATION.reached(undo, await REMEDIATION.read_target(undo, context))
    gone = await REMEDIATION.undo(plan, reason, context)
    assert isinstance(gone, Impossible)
    assert "nothing can be cancelled" in gone.reason


async def test_what_cannot_be_retried_says_why(server: FakeGitLab, context_of: Context, reason: PlanReason) -> None:
    async def refused(context: RemediationContext, job: str = "") -> str:
        plan = await REMEDIATION.plan(RetryFailedJob(service="checkout", job=job), reason, context)
        assert isinstance(plan, Impossible), plan
        return plan.reason

    assert "an admin may permit it" in await refused(context_of())
    assert "test is success, not failed" in await refused(context_of("retry_job"), "42")
    server.pipelines = []
    assert "no job of acme/checkout failed" in await refused(context_of("retry_job"))
    server.refuse = (503, {}, b"")
    assert "cannot be prepared" in await refused(context_of("retry_job"))
