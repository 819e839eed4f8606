"""A workload of a cluster restarted as `kubectl rollout restart` does it: once, in the same version."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from fakes.kubernetes.acting import REASON, Acting, acting

from agents.errors import NeedsReauthorisation
from agents.evidence.types import Window
from agents.remediation import Impossible, Plan
from agents.remediations.restart_workload import REMEDIATION, RestartWorkloadArguments

RESTARTED = "kubectl.kubernetes.io/restartedAt"


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Acting]:
    async with acting(tmp_path) as made:
        yield made


async def planned(shop: Acting) -> Plan:
    plan = await REMEDIATION.plan(RestartWorkloadArguments(service="checkout"), REASON, shop.context)
    assert isinstance(plan, Plan), plan
    return plan


async def test_the_moment_of_the_plan_is_written_once_and_known_again(shop: Acting) -> None:
    plan = await planned(shop)
    assert plan.argv[2] == f"spec.template.metadata.annotations[{RESTARTED}]=2026-03-01T12:00:00Z"
    assert "replaced one after another" in plan.interruption
    assert not REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, shop.context))
    for _ in range(2):
        assert (await REMEDIATION.apply(plan, shop.context, idempotency_key="k")).ok
    assert shop.writes == 1
    template = shop.checkout["spec"]["template"]
    assert template["metadata"]["annotations"] == {RESTARTED: "2026-03-01T12:00:00Z"}
    assert template["spec"]["containers"][0]["image"] == "shop/checkout:1.3"
    assert REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, shop.context))
    undo = await REMEDIATION.undo(plan, REASON, shop.context)
    assert isinstance(undo, Impossible)
    day = Window(start=shop.now - timedelta(days=1), end=shop.now)
    assert (await shop.connector.read_changes(day)).changes[-1].summary == "restarted (revision 3)"


async def test_what_changed_or_may_not_be_changed_is_told(shop: Acting) -> None:
    plan = await planned(shop)
    shop.change_by_hand()
    assert not (await REMEDIATION.apply(plan, shop.context, idempotency_key="k")).ok
    plan = await planned(shop)
    shop.cluster.rules = [rule for rule in shop.cluster.rules if rule.verbs != ("patch",)]
    with pytest.raises(NeedsReauthorisation, match="may not change"):
        await REMEDIATION.apply(plan, shop.context, idempotency_key="k")
    assert shop.writes == 0


async def test_nothing_is_restarted_that_does_not_run(shop: Acting) -> None:
    for field, value, told in (("replicas", 0, "scaled to zero"), ("paused", True, "are paused")):
        shop.checkout["spec"][field] = value
        refused = await REMEDIATION.plan(RestartWorkloadArguments(service="checkout"), REASON, shop.context)
        assert isinstance(refused, Impossible)
        assert told in refused.reason
