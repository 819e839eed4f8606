from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from agents.remediation import Impossible, Plan, PlanReason
from agents.remediations.rollback_deployment import REMEDIATION, RollBack
from agents.tool import Risk

Shop = Any  # conftest.Shop: tests are not a package


def three_deployments(shop: Shop) -> tuple[str, str, str]:
    first = shop.commit("Start", "app.py")
    shop.deploy(first)
    shop.commit("Innocent", "readme.md")
    second = shop.commit("Tune", "app.py")
    shop.deploy(second)
    third = shop.commit("Cut the pool", "config.toml")
    shop.deploy(third)
    return first, second, third


async def planned(shop: Shop, reason: PlanReason, to: str | None = None, **options: Any) -> Plan:
    plan = await REMEDIATION.plan(RollBack(service="checkout", to_version=to), reason, shop.context(**options))
    assert isinstance(plan, Plan)
    return plan


async def refused(shop: Shop, reason: PlanReason, arguments: RollBack, **options: Any) -> str:
    answer = await REMEDIATION.plan(arguments, reason, shop.context(**options))
    assert isinstance(answer, Impossible)
    return answer.reason


async def test_the_plan_says_all_that_the_card_shows(shop: Shop, reason: PlanReason) -> None:
    _, second, third = three_deployments(shop)
    plan = await planned(shop, reason)
    assert plan.title == plan.button == f"Roll back checkout to {second[:7]}"
    assert plan.parameters == {"service": "checkout", "version": second}
    assert plan.argv[-3:] == ("rollback", "checkout", second)
    assert (plan.from_version, plan.to_version) == (third, second)
    assert plan.target_version == f"checkout@{third}"
    assert plan.diff_link == f"https://git.example/compare/{second}...{third}"
    assert plan.diff_paths == ("config.toml",)
    assert (plan.commits_lost, plan.migrations) == ((), ())
    assert (plan.risk, plan.reversible, plan.instances) == (Risk.MEDIUM, True, 1)
    assert plan.undo == f"Deploy checkout {third[:7]} again"
    assert plan.undo_parameters == {"service": "checkout", "version": third}
    assert plan.fresh_until - shop.now == timedelta(minutes=15)
    assert plan.undo_until is not None
    assert plan.undo_until - shop.now == timedelta(hours=24)
    assert all(condition.holds for condition in plan.preconditions)
    assert (plan.cause, plan.evidence, plan.requested_by) == ("pool cut 50->5", ("a1",), "U1")
    assert "does not answer" in plan.interruption


async def test_a_chosen_version_names_the_other_commits_that_are_lost(shop: Shop, reason: PlanReason) -> None:
    first, second, _ = three_deployments(shop)
    plan = await planned(shop, reason, to=first[:8])
    assert plan.to_version == first
    assert [lost.split(" ", 1)[1] for lost in plan.commits_lost] == ["Tune", "Innocent"]
    assert plan.commits_lost[0].startswith(second[:7])


async def test_migrations_in_between_fail_a_precondition(shop: Shop, reason: PlanReason) -> None:
    shop.deploy(shop.commit("Start", "app.py"))
    shop.commit("Add a column", "migrations/0002_add.sql")
    shop.deploy(shop.commit("Use it", "app.py"))
    plan = await planned(shop, reason)
    assert plan.migrations == ("migrations/0002_add.sql",)
    (failed,) = [condition for condition in plan.preconditions if not condition.holds]
    assert "migrations/0002_add.sql" in failed.text


async def test_without_a_source_of_changes_migrations_are_unknown_and_fail(shop: Shop, reason: PlanReason) -> None:
    _, second, _ = three_deployments(shop)
    plan = await planned(shop, reason, git=False)
    assert plan.to_version == second
    (failed,) = [condition for condition in plan.preconditions if not condition.holds]
    assert "could not be read" in failed.text


async def test_the_operators_higher_rating_wins(shop: Shop, reason: PlanReason) -> None:
    three_deployments(shop)
    assert (await planned(shop, reason, risk="high")).risk is Risk.HIGH
    assert (await planned(shop, reason, risk="low")).risk is Risk.MEDIUM


async def test_after_a_rollback_the_default_is_older_and_not_the_version_rolled_back_from(
    shop: Shop, reason: PlanReason
) -> None:
    first, second, _ = three_deployments(shop)
    shop.deploy(second)
    assert (await planned(shop, reason)).to_version == first


async def test_applying_reaches_the_planned_version_and_undo_takes_it_back(shop: Shop, reason: PlanReason) -> None:
    _, second, third = three_deployments(shop)
    context = shop.context()
    plan = await planned(shop, reason)
    before = await REMEDIATION.read_target(plan, context)
    assert REMEDIATION.binding(before) == plan.target_version
    assert not REMEDIATION.reached(plan, before)
    assert (await REMEDIATION.apply(plan, context, idempotency_key="k1")).ok
    after = await REMEDIATION.read_target(plan, context)
    assert after.version == second
    assert REMEDIATION.reached(plan, after)
    assert REMEDIATION.binding(after) != plan.target_version

    undo = await REMEDIATION.undo(plan, reason, context)
    assert isinstance(undo, Plan)
    assert undo.title == f"Deploy checkout {third[:7]} again"
    assert (undo.action, undo.from_version, undo.to_version) == ("rollback_deployment", second, third)
    assert (undo.commits_lost, undo.migrations) == ((), ())
    assert all(condition.holds for condition in undo.preconditions)
    await REMEDIATION.apply(undo, context, idempotency_key="k2")
    assert REMEDIATION.reached(undo, await REMEDIATION.read_target(undo, context))


async def test_undo_uses_a_deploy_command_where_one_is_declared(shop: Shop, reason: PlanReason) -> None:
    three_deployments(shop)
    context = shop.context(forward=True)
    plan = await planned(shop, reason, forward=True)
    await REMEDIATION.apply(plan, context, idempotency_key="k1")
    undo = await REMEDIATION.undo(plan, reason, context)
    assert isinstance(undo, Plan)
    assert undo.action == "deploy"


async def test_undo_is_impossible_after_another_deployment_or_after_a_day(shop: Shop, reason: PlanReason) -> None:
    _, second, _ = three_deployments(shop)
    plan = await planned(shop, reason)
    changed = await REMEDIATION.undo(plan, reason, shop.context())
    assert isinstance(changed, Impossible)
    assert "something else was deployed" in changed.reason
    shop.write("checkout", version=second)
    shop.now += timedelta(hours=25)
    late = await REMEDIATION.undo(plan, reason, shop.context())
    assert isinstance(late, Impossible)
    assert "until" in late.reason


async def test_what_cannot_be_planned_says_why(shop: Shop, reason: PlanReason) -> None:
    first, _, third = three_deployments(shop)
    never = shop.commit("Not deployed", "app.py")
    assert "not a declared service" in await refused(shop, reason, RollBack(service="rm -rf /; billing"))
    assert "No connected source can roll back payments" in await refused(shop, reason, RollBack(service="payments"))
    assert "runs" in await refused(shop, reason, RollBack(service="checkout", to_version=third))
    assert "never deployed" in await refused(shop, reason, RollBack(service="checkout", to_version=never))
    shop.write("checkout", version=first, previous_version=None)
    assert "No version of checkout before" in await refused(shop, reason, RollBack(service="checkout"))
    shop.state_file.write_text("{}")
    assert "cannot be prepared" in await refused(shop, reason, RollBack(service="checkout"))


@pytest.mark.parametrize("version", ["--force", "main", "HEAD~1", "abc", "4f2a91b; id"])
def test_a_version_is_a_commit_id(version: str) -> None:
    with pytest.raises(ValidationError):
        RollBack(service="checkout", to_version=version)
