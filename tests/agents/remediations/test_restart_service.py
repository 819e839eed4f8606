from typing import Any

from agents.remediation import Impossible, Plan, PlanReason
from agents.remediations.restart_service import REMEDIATION, Restart
from agents.tool import Risk

Shop = Any  # conftest.Shop: tests are not a package
SHA = "4f2a91b0" * 5


async def test_the_plan_binds_to_the_running_process(shop: Shop, reason: PlanReason) -> None:
    shop.write("checkout", version=SHA, instances=3)
    plan = await REMEDIATION.plan(Restart(service="checkout"), reason, shop.context())
    assert isinstance(plan, Plan)
    assert plan.title == plan.button == "Restart checkout"
    assert plan.target_version == f"checkout@{SHA} started 2026-03-01T09:00:00+00:00"
    assert (plan.risk, plan.reversible, plan.undo_parameters) == (Risk.MEDIUM, False, None)
    assert "3 instances" in plan.interruption
    assert plan.argv[-2:] == ("restart", "checkout")


async def test_applying_is_seen_by_a_later_start_and_makes_the_plan_stale(shop: Shop, reason: PlanReason) -> None:
    shop.write("checkout", version=SHA)
    context = shop.context()
    plan = await REMEDIATION.plan(Restart(service="checkout"), reason, context)
    assert isinstance(plan, Plan)
    assert not REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, context))
    assert (await REMEDIATION.apply(plan, context, idempotency_key="k")).ok
    after = await REMEDIATION.read_target(plan, context)
    assert REMEDIATION.reached(plan, after)
    assert REMEDIATION.binding(after) != plan.target_version
    undo = await REMEDIATION.undo(plan, reason, context)
    assert isinstance(undo, Impossible)


async def test_what_cannot_be_planned_says_why(shop: Shop, reason: PlanReason) -> None:
    async def refused(service: str) -> str:
        answer = await REMEDIATION.plan(Restart(service=service), reason, shop.context())
        assert isinstance(answer, Impossible)
        return answer.reason

    assert "not a declared service" in await refused("billing")
    assert "No connected source can restart payments" in await refused("payments")
    shop.state_file.write_text("{}")
    assert "cannot be prepared" in await refused("checkout")
    shop.write("checkout", version=SHA, started_at=None)
    assert "start time of checkout is not known" in await refused("checkout")
