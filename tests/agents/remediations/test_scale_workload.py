"""A workload of a cluster on more pods: within what the connection permits, once, and taken back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.kubernetes.acting import REASON, Acting, acting

from agents.errors import NeedsReauthorisation
from agents.models.offline.change_evidence import FaultKind
from agents.models.offline.remedy import fitting_remedies
from agents.remediation import Impossible, Plan
from agents.remediations.scale_workload import REMEDIATION, ScaleWorkloadArguments


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Acting]:
    async with acting(tmp_path, most_instances=4) as made:
        yield made


async def planned(shop: Acting, instances: int | None = None) -> Plan:
    arguments = ScaleWorkloadArguments(service="checkout", instances=instances)
    plan = await REMEDIATION.plan(arguments, REASON, shop.context)
    assert isinstance(plan, Plan), plan
    return plan


async def test_half_as_many_again_once_and_back(shop: Acting) -> None:
    plan = await planned(shop)
    assert plan.title == "Scale checkout from 2 to 3 pods"
    assert plan.argv == ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/checkout/scale", "spec.replicas=3")
    for _ in range(2):
        assert (await REMEDIATION.apply(plan, shop.context, idempotency_key="k")).ok
    assert (shop.writes, shop.checkout["spec"]["replicas"]) == (1, 3)
    assert REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, shop.context))
    undo = await REMEDIATION.undo(plan, REASON, shop.context)
    assert isinstance(undo, Plan)
    assert "1 pods may fail" in undo.interruption
    assert (await REMEDIATION.apply(undo, shop.context, idempotency_key="k2")).ok
    assert shop.checkout["spec"]["replicas"] == 2
    late = await REMEDIATION.undo(plan, REASON, shop.context)
    assert isinstance(late, Impossible)
    assert "somebody else scaled it since" in late.reason


async def test_what_is_not_permitted_or_not_needed_is_said(shop: Acting) -> None:
    for instances, told in ((9, "from 1 to 4 pods are permitted by this connection, not 9"), (2, "has 2 pods already")):
        refused = await REMEDIATION.plan(
            ScaleWorkloadArguments(service="checkout", instances=instances), REASON, shop.context
        )
        assert isinstance(refused, Impossible)
        assert told in refused.reason
    plan = await planned(shop)
    shop.change_by_hand()
    assert not (await REMEDIATION.apply(plan, shop.context, idempotency_key="k")).ok
    shop.allow(without="scale_workload")
    plan = await planned(shop)
    with pytest.raises(NeedsReauthorisation, match=r"may not change shop/deployments/checkout \(403\)"):
        await REMEDIATION.apply(plan, shop.context, idempotency_key="k")
    assert shop.writes == 0


def test_a_surge_is_met_by_what_can_be_done_here() -> None:
    assert [one.name for one in fitting_remedies(("scale_workload",), FaultKind.SURGE.value)] == ["scale_workload"]
    assert [one.name for one in fitting_remedies(("restart_workload",), FaultKind.LEAK.value)] == ["restart_workload"]
