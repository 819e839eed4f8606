"""Exactly one decision, on exactly the plan that was shown."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from store.audit import trail
from store.database.session import Database, TenantSession
from store.errors import NotFound
from store.ids import ApprovalId, new_id
from store.incidents.approvals import (
    Approval,
    ApprovalState,
    Decided,
    DecidedBefore,
    Expired,
    PlanDiffers,
    advance,
    approval,
    approvals_of_incident,
    decide,
    open_approvals,
    plan_hash,
    propose,
    replace_plan,
    set_message,
)

PLAN = {"service": "checkout", "to": "9c01be", "argv": ["shopctl", "rollback", "checkout"]}


async def _propose(s: TenantSession, case: Any, approval_id: str | None = None, **changes: Any) -> Approval:
    return await propose(
        s,
        id=ApprovalId(approval_id or new_id()),
        incident_id=case.incident_id,
        investigation_id=case.investigation_id,
        remediation="rollback_deployment",
        **{
            "plan": PLAN,
            "target": "checkout",
            "target_version": "4f2a91",
            "risk": "medium",
            "expires_at": s.now() + timedelta(hours=24),
            "preview_read_at": s.now(),
            **changes,
        },
    )


async def _decide(s: TenantSession, case: Any, found: Approval, decision: Any = "approved", **changes: Any) -> Any:
    return await decide(
        s,
        found.id,
        decision=decision,
        by=changes.get("by", case.member),
        plan_hash=changes.get("plan_hash", found.plan_hash),
        approved_until=s.now() + timedelta(minutes=15),
    )


async def test_of_fifty_parallel_clicks_exactly_one_decides(database: Database, case: Any) -> None:
    async with database.tenant(case.tenant_id) as s:
        proposed = await _propose(s, case)

    async def click(number: int) -> Any:
        async with database.tenant(case.tenant_id) as s:
            return await _decide(s, case, proposed, "approved" if number % 2 else "rejected")

    results = await asyncio.gather(*(click(number) for number in range(50)))
    decided = [result for result in results if isinstance(result, Decided)]
    assert len(decided) == 1
    assert sum(isinstance(result, DecidedBefore) for result in results) == 49
    assert {result.approval.decision for result in results} == {decided[0].approval.decision}


async def test_a_decision_names_who_when_and_until(database: Database, case: Any, clock: Any) -> None:
    async with database.tenant(case.tenant_id) as s:
        result = await _decide(s, case, await _propose(s, case))
    assert isinstance(result, Decided)
    assert result.approval.state is ApprovalState.APPROVED
    assert result.approval.decided_by == case.member
    assert result.approval.decided_at == clock()
    assert result.approval.approved_until == clock() + timedelta(minutes=15)


async def test_a_rejection_is_valid_for_nothing(sqlite_database: Database, case: Any) -> None:
    async with sqlite_database.tenant(case.tenant_id) as s:
        result = await _decide(s, case, await _propose(s, case), "rejected")
    assert result.approval.state is ApprovalState.REJECTED
    assert result.approval.approved_until is None


async def test_a_click_on_an_older_plan_decides_nothing(database: Database, case: Any, clock: Any) -> None:
    async with database.tenant(case.tenant_id) as s:
        shown = await _propose(s, case)
        changed = await replace_plan(
            s, shown.id, plan={**PLAN, "to": "aaaaaa"}, target_version="5b3c02", preview_read_at=clock()
        )
        assert changed is not None
        result = await _decide(s, case, shown)
        assert isinstance(result, PlanDiffers)
        assert result.approval.plan_hash == changed.plan_hash != shown.plan_hash
        assert isinstance(await _decide(s, case, changed), Decided)


async def test_nobody_answering_in_time_is_expiry_and_not_denial(database: Database, case: Any, clock: Any) -> None:
    async with database.tenant(case.tenant_id) as s:
        proposed = await _propose(s, case)
    clock.advance(timedelta(hours=24))
    async with database.tenant(case.tenant_id) as s:
        assert isinstance(await _decide(s, case, proposed), Expired)
        assert await advance(s, proposed.id, to=ApprovalState.EXPIRED, expect={ApprovalState.PROPOSED})
        assert isinstance(await _decide(s, case, proposed), Expired)


async def test_a_failed_recheck_clears_the_decision_and_keeps_it_in_the_audit(
    database: Database, case: Any, clock: Any
) -> None:
    async with database.tenant(case.tenant_id) as s:
        proposed = await _propose(s, case)
        await _decide(s, case, proposed)
        replaced = await replace_plan(
            s, proposed.id, plan={**PLAN, "to": "bbbbbb"}, target_version="6c", preview_read_at=clock()
        )
        assert replaced is not None
        assert (replaced.state, replaced.decided_by, replaced.decision, replaced.approved_until) == (
            ApprovalState.PROPOSED,
            None,
            None,
            None,
        )
        entry = (await trail(s, target=proposed.id))[-1]
        assert entry.action == "system.approval.replanned"
        assert entry.details["before"]["decided_by"] == case.member
        assert entry.details["before"]["plan_hash"] == proposed.plan_hash


async def test_a_started_effect_keeps_its_plan(sqlite_database: Database, case: Any, clock: Any) -> None:
    async with sqlite_database.tenant(case.tenant_id) as s:
        proposed = await _propose(s, case)
        await _decide(s, case, proposed)
        assert await advance(s, proposed.id, to=ApprovalState.APPLYING, expect={ApprovalState.APPROVED})
        assert await replace_plan(s, proposed.id, plan={}, target_version=None, preview_read_at=clock()) is None


async def test_only_the_expected_state_advances(database: Database, case: Any, clock: Any) -> None:
    async with database.tenant(case.tenant_id) as s:
        proposed = await _propose(s, case)
        assert not await advance(s, proposed.id, to=ApprovalState.APPLYING, expect={ApprovalState.APPROVED})
        await _decide(s, case, proposed)
        assert await advance(s, proposed.id, to=ApprovalState.APPLYING, expect={ApprovalState.APPROVED})
        assert not await advance(s, proposed.id, to=ApprovalState.APPLYING, expect={ApprovalState.APPROVED})
        outcome = {"exit_code": 0, "version": "9c01be"}
        assert await advance(
            s,
            proposed.id,
            to=ApprovalState.APPLIED,
            expect={ApprovalState.APPLYING},
            outcome=outcome,
            applied_at=clock(),
        )
        found = await approval(s, proposed.id)
        assert found is not None
        assert (found.state, found.outcome, found.applied_at) == (ApprovalState.APPLIED, outcome, clock())


async def test_proposing_again_changes_nothing(database: Database, case: Any) -> None:
    async with database.tenant(case.tenant_id) as s:
        first = await _propose(s, case)
        assert await _propose(s, case, first.id, plan={"other": True}, target="elsewhere") == first
        assert await open_approvals(s) == [first]
        assert await approvals_of_incident(s, case.incident_id) == [first]


async def test_the_hash_is_that_of_the_plan_as_it_is_stored(sqlite_database: Database, case: Any) -> None:
    async with sqlite_database.tenant(case.tenant_id) as s:
        plan = {"argv": ["deploy", "--token", "ghp_" + "a1B2" * 9]}
        proposed = await _propose(s, case, plan=plan)
        assert proposed.plan == {"argv": ["deploy", "--token", "[redacted:github_token]"]}
        assert proposed.plan_hash == plan_hash(proposed.plan)
    assert plan_hash({"a": 1, "b": 2}) == plan_hash({"b": 2, "a": 1})


async def test_another_tenants_approval_cannot_be_decided(database: Database, case: Any, two_tenants: Any) -> None:
    async with database.tenant(case.tenant_id) as s:
        proposed = await _propose(s, case)
    async with database.tenant(two_tenants[1]) as s:
        assert await approval(s, proposed.id) is None
        with pytest.raises(NotFound):
            await _decide(s, case, proposed)
    async with database.tenant(case.tenant_id) as s:
        await set_message(s, proposed.id, "C0INC", "1700000001.000200")
        found = await approval(s, proposed.id)
        assert found is not None
        assert (found.state, found.message_ts) == (ApprovalState.PROPOSED, "1700000001.000200")
