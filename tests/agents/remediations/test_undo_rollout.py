"""A rollout put back in a cluster: previewed with its images, done once, verified by what runs, and taken back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.kubernetes.acting import REASON, Acting, acting
from fakes.kubernetes.objects import deploy, deployment

from agents.errors import NeedsReauthorisation, NotPermitted
from agents.remediation import Impossible, Plan, remedies_of
from agents.remediations.undo_rollout import REMEDIATION, UndoRolloutArguments
from agents.tool import Risk


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Acting]:
    async with acting(tmp_path) as made:
        yield made


async def planned(shop: Acting, **arguments: str) -> Plan:
    plan = await REMEDIATION.plan(UndoRolloutArguments(service="checkout", **arguments), REASON, shop.context)
    assert isinstance(plan, Plan), plan
    return plan


def image(shop: Acting) -> str:
    return str(shop.checkout["spec"]["template"]["spec"]["containers"][0]["image"])


async def test_it_is_previewed_done_once_and_taken_back(shop: Acting) -> None:
    plan = await planned(shop)
    assert (plan.title, plan.risk, plan.reversible) == ("Put checkout back to revision 1", Risk.MEDIUM, True)
    assert plan.preconditions[0].text == "checkout is shop/deployments/checkout, 2 of 2 ready, at generation 2"
    assert plan.preconditions[1].text == "The cluster keeps revision 1; images shop/checkout:1.3 -> shop/checkout:1.2"
    assert plan.argv[:2] == ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/checkout")
    assert plan.diff_paths == ("shop/deployments/checkout",)
    assert shop.writes == 0
    assert not REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, shop.context))
    for _ in range(2):
        assert (await REMEDIATION.apply(plan, shop.context, idempotency_key="k-1")).ok
    assert (shop.writes, image(shop)) == (1, "shop/checkout:1.2")
    assert shop.checkout["metadata"]["annotations"]["autoheal.ai/last-action"] == "k-1"
    target = await REMEDIATION.read_target(plan, shop.context)
    assert REMEDIATION.reached(plan, target)
    assert REMEDIATION.binding(target) != plan.target_version
    undo = await REMEDIATION.undo(plan, REASON, shop.context)
    assert isinstance(undo, Plan)
    assert (await REMEDIATION.apply(undo, shop.context, idempotency_key="k-2")).ok
    assert (shop.writes, image(shop)) == (2, "shop/checkout:1.3")


async def test_whoever_changed_it_in_between_makes_it_stale_and_nothing_is_done(shop: Acting) -> None:
    plan = await planned(shop)
    shop.change_by_hand()
    assert REMEDIATION.binding(await REMEDIATION.read_target(plan, shop.context)) != plan.target_version
    result = await REMEDIATION.apply(plan, shop.context, idempotency_key="k")
    assert not result.ok
    assert "somebody changed it, so nothing was done" in result.detail
    assert (shop.writes, image(shop)) == (0, "shop/checkout:1.3")


async def test_a_change_between_reading_and_writing_is_refused_by_the_server(shop: Acting) -> None:
    plan = await planned(shop)
    path = "/apis/apps/v1/namespaces/shop/deployments/checkout"
    stale = {**shop.checkout, "metadata": {**shop.checkout["metadata"], "resourceVersion": "1"}}
    shop.cluster.tell(path, (200, {}, stale))
    result = await REMEDIATION.apply(plan, shop.context, idempotency_key="k")
    assert (result.ok, shop.writes) == (False, 0)
    assert "changed meanwhile (409), so nothing was done" in result.detail


async def test_what_is_forbidden_is_told(shop: Acting) -> None:
    plan = await planned(shop)
    shop.cluster.rules = [rule for rule in shop.cluster.rules if rule.verbs != ("patch",)]
    with pytest.raises(NeedsReauthorisation, match=r"may not change shop/deployments/checkout \(403\)"):
        await REMEDIATION.apply(plan, shop.context, idempotency_key="k")
    assert shop.writes == 0


async def test_a_version_by_name_and_what_cannot_be_put_back(shop: Acting) -> None:
    first = (await planned(shop)).to_version or ""
    deploy(shop.cluster, deployment("checkout", "shop/checkout:1.4"), "2026-03-01T11:55:00Z")
    assert (await planned(shop, to_version=first)).title == "Put checkout back to revision 1"
    assert (await planned(shop)).title == "Put checkout back to revision 2"
    shop.checkout["spec"]["paused"] = True
    for arguments, told in (
        (UndoRolloutArguments(service="checkout"), "are paused"),
        (
            UndoRolloutArguments(service="checkout", to_version="zzzzz"),
            "keeps no revision zzzzz of checkout; kept are: ",
        ),
        (UndoRolloutArguments(service="payments"), "no workload in shop is payments"),
        (UndoRolloutArguments(service="nobody"), "is not a declared service"),
    ):
        shop.checkout["spec"]["paused"] = "paused" in told
        refused = await REMEDIATION.plan(arguments, REASON, shop.context)
        assert isinstance(refused, Impossible)
        assert told in refused.reason


async def test_it_is_offered_only_where_an_admin_permits_it(tmp_path: Path) -> None:
    async with acting(tmp_path, actions=("undo_rollout",)) as shop:
        assert remedies_of([shop.connector], shop.services)["checkout"] == ("undo_rollout",)
        plan = await planned(shop)
        foreign = plan.model_copy(update={"parameters": {**plan.parameters, "namespace": "kube-system"}})
        with pytest.raises(NotPermitted, match="is not connected"):
            await REMEDIATION.apply(foreign, shop.context, idempotency_key="k")
        gone = plan.model_copy(update={"parameters": {**plan.parameters, "connection": "other"}})
        with pytest.raises(NotPermitted, match="the connection other may not undo a rollout of checkout any more"):
            await REMEDIATION.apply(gone, shop.context, idempotency_key="k")
    async with acting(tmp_path, actions=()) as shop:
        assert remedies_of([shop.connector], shop.services)["checkout"] == ()
        refused = await REMEDIATION.plan(UndoRolloutArguments(service="checkout"), REASON, shop.context)
        assert isinstance(refused, Impossible)
        assert "No connected cluster may undo a rollout of checkout" in refused.reason
