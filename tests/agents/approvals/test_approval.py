"""The life of a proposal, by real clicks on a real store, with a control program that notes each effect."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from fakes.bench import bench_toolbox, restarted_by_hand
from fakes.rig import Rig
from fakes.rollback import applied_rollback

from agents.approvals import planning
from agents.incidents.requests import AlreadyDecided, DoneNow, NothingToDo, PlanChanged
from agents.permission import Denied
from agents.remediation import Plan, discover_remediations
from agents.workflow import workflow_id
from store.database.session import Database
from store.ids import ApprovalId, stable_id
from store.incidents import approvals
from store.people import users
from store.people.users import Role
from store.tenancy import tenants

RigOf = Callable[..., Rig]


async def test_an_approved_plan_is_applied_once_and_heals(database: Database, rig: Rig) -> None:
    found = await rig.proposed()
    assert isinstance(await rig.decide(found), DoneNow)
    assert await rig.state(found.id) == "healed"
    assert rig.effects == 1
    assert rig.notes.count("outcome") == 1
    actions = Counter(await rig.actions())
    assert (
        actions["agent.effect.started"] == actions["agent.effect.finished"] == actions["slack.approval.approved"] == 1
    )


async def test_fifty_parallel_clicks_decide_once_and_act_once(database: Database, rig: Rig) -> None:
    found = await rig.proposed()
    people = [await rig.person(who) for who in ("U0ADMIN", "U0MEMBER")]
    clicks = [
        rig.incident_service.decide(people[n % 2], found.id, plan_hash=found.plan_hash, decision="approved")
        for n in range(50)
    ]
    answers = await asyncio.gather(*clicks)
    await rig.engine.settle()
    assert Counter(type(answer) for answer in answers) == {DoneNow: 1, AlreadyDecided: 49}
    assert rig.effects == 1
    assert await rig.state(found.id) == "healed"


async def test_approving_and_rejecting_at_once_ends_in_exactly_one_of_them(database: Database, rig: Rig) -> None:
    found = await rig.proposed()
    person = await rig.person()
    answers = await asyncio.gather(
        *(
            rig.incident_service.decide(person, found.id, plan_hash=found.plan_hash, decision=word)
            for word in ("approved", "rejected") * 10
        )
    )
    await rig.engine.settle()
    assert sum(isinstance(answer, DoneNow) for answer in answers) == 1
    assert rig.effects == (0 if await rig.state(found.id) == "rejected" else 1)


async def test_the_second_clicker_is_told_who_decided(rig: Rig) -> None:
    found = await rig.proposed()
    await rig.decide(found, who="U0ADMIN")
    answer = await rig.decide(found)
    assert isinstance(answer, AlreadyDecided)
    assert "<@U0ADMIN> approved this at 02:4" in answer.sentence
    late_reject = await rig.decide(found, "rejected")
    assert isinstance(late_reject, AlreadyDecided)
    assert rig.effects == 1


async def test_a_click_on_an_old_card_of_a_decided_proposal_is_told_who_decided(rig: Rig) -> None:
    found = await rig.proposed()
    await rig.decide(found, "rejected", who="U0ADMIN")
    answer = await rig.incident_service.decide(await rig.person(), found.id, plan_hash="0" * 64, decision="approved")
    assert isinstance(answer, AlreadyDecided)
    assert "<@U0ADMIN> rejected this" in answer.sentence


async def test_a_click_on_a_stale_preview_applies_nothing_and_shows_a_new_plan(database: Database, rig: Rig) -> None:
    found = await rig.proposed()
    rig.clock.advance(timedelta(minutes=15, seconds=1))
    answer = await rig.decide(found)
    assert isinstance(answer, PlanChanged)
    assert answer.approval.plan_hash != found.plan_hash
    assert Plan.model_validate(answer.approval.plan).read_at == rig.clock()
    assert (rig.effects, await rig.state(found.id)) == (0, "proposed")
    assert isinstance(await rig.decide(found), PlanChanged)  # the old button stays dead
    assert isinstance(await rig.decide(answer.approval), DoneNow)
    assert (rig.effects, await rig.state(found.id)) == (1, "healed")


async def test_a_stale_preview_can_still_be_rejected(rig: Rig) -> None:
    found = await rig.proposed()
    rig.clock.advance(timedelta(hours=1))
    assert isinstance(await rig.decide(found, "rejected"), DoneNow)
    assert await rig.state(found.id) == "rejected"


async def test_a_target_that_changed_before_the_click_is_shown_anew(rig: Rig) -> None:
    found = await rig.proposed()
    restarted_by_hand(rig.folder)
    assert isinstance(await rig.decide(found), DoneNow)  # the click is stored; the re-check reads the target
    changed = await rig.approval(found.id)
    assert (rig.effects, changed.state) == (0, "proposed")
    assert changed.plan_hash != found.plan_hash
    assert changed.decided_by is None
    assert isinstance(await rig.decide(changed), DoneNow)
    assert (rig.effects, await rig.state(found.id)) == (1, "healed")


async def test_a_target_that_changed_between_click_and_effect_is_not_touched(database: Database, rig: Rig) -> None:
    found = await rig.proposed()

    async def somebody_restarts() -> None:
        restarted_by_hand(rig.folder)

    rig.engine.before["re-check"] = somebody_restarts
    await rig.decide(found)
    assert (rig.effects, await rig.state(found.id)) == (0, "proposed")
    assert "system.approval.replanned" in await rig.actions()


async def test_an_approval_older_than_15_minutes_is_not_carried_out(rig: Rig) -> None:
    found = await rig.proposed()

    async def a_long_outage() -> None:
        rig.clock.advance(timedelta(minutes=16))

    rig.engine.before["re-check"] = a_long_outage
    await rig.decide(found)
    assert (rig.effects, await rig.state(found.id)) == (0, "proposed")


async def test_a_role_revoked_between_click_and_effect_stops_the_effect(database: Database, rig: Rig) -> None:
    found = await rig.proposed()
    member = await rig.person()

    async def revoke() -> None:
        async with rig.db.tenant(rig.tenant) as s:
            await users.set_role(s, member.user_id, Role.VIEWER)

    rig.engine.before["re-check"] = revoke
    await rig.decide(found)
    assert (rig.effects, await rig.state(found.id)) == (0, "proposed")
    assert "agent.effect.refused" in await rig.actions()


async def test_a_viewer_is_refused_and_told_who_may(rig: Rig) -> None:
    found = await rig.proposed()
    answer = await rig.decide(found, who="U0VIEWER")
    assert answer == Denied("Your role is viewer. This needs a member or admin. Who may: Members and admins.")
    assert (rig.effects, await rig.state(found.id)) == (0, "proposed")
    assert "slack.approval.refused" in await rig.actions()


async def test_high_risk_needs_an_admin_who_did_not_ask(database: Database, rig_of: RigOf) -> None:
    rig = rig_of(toolbox=partial(bench_toolbox, risk="high"))
    found = await rig.proposed(who="U0ADMIN")
    assert found.risk == "high"
    for who, word in (("U0MEMBER", "an admin"), ("U0VIEWER", "an admin"), ("U0ADMIN", "second person")):
        answer = await rig.decide(found, who=who)
        assert isinstance(answer, Denied)
        assert word in answer.reason
    assert rig.effects == 0
    async with rig.db.tenant(rig.tenant) as s:
        await users.ensure_user(s, slack_user_id="U0SECOND", role=Role.ADMIN)
    assert isinstance(await rig.decide(found, who="U0SECOND"), DoneNow)
    assert rig.effects == 1


async def test_after_24_hours_it_has_expired_and_was_not_denied(database: Database, rig: Rig) -> None:
    found = await rig.proposed()
    await rig.engine.pass_time(timedelta(hours=23, minutes=59))
    assert await rig.state(found.id) == "proposed"
    await rig.engine.pass_time(timedelta(minutes=1))
    assert await rig.state(found.id) == "expired"
    answer = await rig.decide(found)
    assert isinstance(answer, AlreadyDecided)
    assert answer.sentence == "Nobody answered in time; this proposal has expired."
    assert "system.approval.expired" in await rig.actions()
    assert rig.effects == 0


async def test_a_click_just_after_the_expiry_says_expired_and_makes_no_new_plan(rig: Rig) -> None:
    found = await rig.proposed()
    rig.clock.advance(timedelta(hours=24))  # the workflow has not woken up yet
    answer = await rig.decide(found)
    assert isinstance(answer, AlreadyDecided)
    assert "expired" in answer.sentence
    assert (await rig.approval(found.id)).plan_hash == found.plan_hash


async def test_a_new_plan_does_not_lengthen_the_24_hours(rig: Rig) -> None:
    found = await rig.proposed()
    rig.clock.advance(timedelta(hours=20))
    restarted_by_hand(rig.folder)
    changed = await rig.decide(found)
    assert isinstance(changed, PlanChanged)
    restarted_by_hand(rig.folder)
    await rig.engine.pass_time(timedelta(hours=4))
    assert await rig.state(found.id) == "expired"


async def test_a_rejected_plan_is_never_applied(rig: Rig) -> None:
    found = await rig.proposed()
    assert isinstance(await rig.decide(found, "rejected"), DoneNow)
    assert (rig.effects, await rig.state(found.id)) == (0, "rejected")
    assert "slack.approval.rejected" in await rig.actions()


async def test_another_scope_is_another_plan_to_decide_anew(rig: Rig) -> None:
    found = await rig.proposed()
    rig.clock.advance(timedelta(seconds=30))
    assert isinstance(await rig.incident_service.change_scope(await rig.person(), found.id, arguments={}), DoneNow)
    changed = await rig.approval(found.id)
    assert changed.plan_hash != found.plan_hash
    assert isinstance(await rig.decide(found), PlanChanged)
    viewer = await rig.person("U0VIEWER")
    assert isinstance(await rig.incident_service.change_scope(viewer, found.id, arguments={}), Denied)
    bad = await rig.incident_service.change_scope(await rig.person(), found.id, arguments={"flags": "--force"})
    assert isinstance(bad, NothingToDo)
    await rig.decide(changed)
    late = await rig.incident_service.change_scope(await rig.person(), found.id, arguments={})
    assert isinstance(late, AlreadyDecided)
    assert rig.effects == 1


async def test_the_scope_cannot_move_the_plan_to_another_service(rig: Rig) -> None:
    found = await rig.proposed()
    rig.clock.advance(timedelta(seconds=30))
    await rig.incident_service.change_scope(await rig.person(), found.id, arguments={"service": "payments"})
    assert (await rig.approval(found.id)).target == "checkout"
    assert Plan.model_validate((await rig.approval(found.id)).plan).target == "checkout"


async def test_a_failing_command_has_failed_and_is_not_tried_again(rig: Rig) -> None:
    found = await rig.proposed()
    (rig.folder / "fails").touch()
    await rig.decide(found)
    ended = await rig.approval(found.id)
    assert (ended.state, rig.effects) == ("failed", 1)
    assert ended.outcome is not None
    assert "no such process" in ended.outcome["detail"]
    assert isinstance(await rig.decide(found), AlreadyDecided)
    assert rig.effects == 1


async def test_a_time_out_in_the_effect_is_unknown_after_a_read(rig_of: RigOf) -> None:
    rig = rig_of(toolbox=partial(bench_toolbox, timeout_s=0.5))
    found = await rig.proposed()
    (rig.folder / "hangs").touch()
    await rig.decide(found)
    ended = await rig.approval(found.id)
    assert (ended.state, rig.effects) == ("unknown", 1)
    assert ended.outcome is not None
    assert "the target reads aaaaaaa, running; I will not retry" in ended.outcome["detail"]
    assert "agent.effect.unknown" in await rig.actions()


async def test_our_own_bug_in_the_effect_is_unknown_with_a_reference_and_never_hangs(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await rig.proposed()
    remediation = discover_remediations()["restart_service"]

    async def broken(*_: object, **__: object) -> None:
        raise KeyError("a canary that nobody may see")

    with monkeypatch.context() as patched:
        patched.setattr(type(remediation), "apply", broken)  # a bug cannot be had from the outside
        await rig.decide(found)
    ended = await rig.approval(found.id)
    assert ended.state == "unknown"
    assert ended.outcome is not None
    assert "failed inside Autoheal (reference " in ended.outcome["detail"]
    assert "canary" not in str(ended.outcome)
    assert rig.notes.count("outcome") == 1


async def test_a_crash_between_effect_and_checkpoint_does_nothing_twice(database: Database, rig: Rig) -> None:
    found = await rig.proposed()
    rig.engine.crash_after = {"propose", "re-check", "apply", "finish", "tell", "show applied"}
    await rig.decide(found)
    assert (rig.effects, await rig.state(found.id)) == (1, "healed")
    actions = Counter(await rig.actions())
    assert actions["agent.effect.started"] == actions["agent.effect.finished"] == 1


async def test_a_crash_after_the_proposal_was_stored_proposes_once(rig: Rig) -> None:
    rig.engine.crash_after = {"propose", "report", "tools 1", "turn 1", "open", "start remediate"}
    found = await rig.proposed()
    assert found.state == "proposed"
    actions = Counter(await rig.actions())
    assert actions["agent.approval.proposed"] == actions["agent.investigation.concluded"] == 1


async def test_a_decision_whose_wake_up_was_lost_is_carried_out_when_the_click_is_handled_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await rig.proposed()

    async def dies(*_: object, **__: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(rig.engine, "send", dies)
        with pytest.raises(ConnectionError):
            await rig.decide(found)
    assert (await rig.state(found.id), rig.effects) == ("approved", 0)
    assert isinstance(await rig.decide(found), AlreadyDecided)
    assert (await rig.state(found.id), rig.effects) == ("healed", 1)


async def test_a_plan_replaced_between_re_check_and_effect_is_decided_anew(rig: Rig) -> None:
    found = await rig.proposed()

    async def replace() -> None:
        rig.clock.advance(timedelta(seconds=1))
        await planning.replan(rig.runtime, rig.tenant, await rig.approval(found.id))

    rig.engine.before["apply"] = replace
    await rig.decide(found)
    assert (await rig.state(found.id), rig.effects) == ("proposed", 0)
    rig.engine.before.clear()
    await rig.decide(await rig.approval(found.id))
    assert (await rig.state(found.id), rig.effects) == ("healed", 1)


async def test_a_precondition_that_does_not_hold_blocks_the_approval(rig: Rig) -> None:
    found = await rig.proposed()
    plan = {**found.plan, "preconditions": [{**found.plan["preconditions"][0], "holds": False}]}
    async with rig.db.tenant(rig.tenant) as s:
        changed = await approvals.replace_plan(
            s, found.id, plan=plan, target_version=found.target_version, preview_read_at=found.preview_read_at
        )
    assert changed is not None
    answer = await rig.decide(changed)
    assert isinstance(answer, Denied)
    assert "precondition" in answer.reason
    assert (rig.effects, await rig.state(found.id)) == (0, "proposed")
    assert isinstance(await rig.decide(changed, "rejected"), DoneNow)


async def test_another_tenants_proposal_is_refused_and_nothing_of_it_is_told(database: Database, rig: Rig) -> None:
    found = await rig.proposed()
    stranger = await rig.person("U0ADMIN", rig.other)
    incident_service, unknown = rig.incident_service, ApprovalId(stable_id("approval", "nowhere"))
    answers = [
        await incident_service.decide(stranger, found.id, plan_hash=found.plan_hash, decision="approved"),
        await incident_service.change_scope(stranger, found.id, arguments={}),
        await incident_service.undo(stranger, found.id),
        await incident_service.keep(stranger, found.id),
        await incident_service.decide(stranger, unknown, plan_hash=found.plan_hash, decision="approved"),
    ]
    assert answers == [Denied("This proposal does not exist in your workspace.")] * 5
    await rig.engine.settle()
    assert (rig.effects, await rig.state(found.id)) == (0, "proposed")
    assert not [action for action in await rig.actions(rig.other) if "approval" in action]


@pytest.mark.parametrize("shown", ["", "0", "first 11", "one digit off", "longer"])
async def test_an_edited_or_short_hash_is_refused(rig: Rig, shown: str) -> None:
    found = await rig.proposed()
    digits = found.plan_hash
    flipped = digits[:-1] + ("0" if digits[-1] != "0" else "1")
    hashes = {"": "", "0": "0", "first 11": digits[:11], "one digit off": flipped, "longer": digits + "0"}
    answer = await rig.incident_service.decide(
        await rig.person(), found.id, plan_hash=hashes[shown], decision="approved"
    )
    assert isinstance(answer, PlanChanged)
    assert answer.approval.plan_hash == digits
    assert (rig.effects, await rig.state(found.id)) == (0, "proposed")


async def test_a_fix_that_does_not_heal_leads_to_the_next_attempt_with_what_was_tried(rig: Rig) -> None:
    (rig.folder / "stays-ill").touch()
    found = await rig.proposed()
    await rig.decide(found)
    assert await rig.state(found.id) == "not_healed"
    first, second = rig.runs()
    run = await rig.case(second)
    assert run.investigation.attempt == 2
    assert "Already tried: Restart checkout. It did not heal." in run.investigation.question
    assert "Already tried" in str(run.messages[0].content)
    assert first != second


async def test_there_are_at_most_three_attempts(rig: Rig) -> None:
    (rig.folder / "stays-ill").touch()
    await rig.ask()
    for attempt in range(1, 5):
        runs = rig.runs()
        assert len(runs) == min(attempt, 3)
        found = await rig.approval(rig.approval_of(runs[-1]))
        await rig.decide(found)
    assert rig.effects == 3
    last = await rig.case(runs[-1])
    assert str(last.investigation.question).count("Already tried") == 2


async def test_a_plan_that_cannot_be_made_goes_into_the_verdict(rig: Rig) -> None:
    (rig.folder / "state.json").write_text('{"started_at": null, "healthy": false}')
    run = await rig.ask()
    verdict = await rig.verdict(run)
    assert verdict.proposal is None
    assert "start time of checkout is not known" in (verdict.proposal_refused or "")
    assert rig.engine.ids("remediate") == []
    assert rig.notes.count("concluded") == 1


async def test_our_own_bug_in_a_plan_does_not_cost_the_verdict(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ValueError("a canary")

    monkeypatch.setattr(type(discover_remediations()["restart_service"]), "plan", broken)
    run = await rig.ask()
    verdict = await rig.verdict(run)
    assert "its plan failed inside Autoheal (reference " in (verdict.proposal_refused or "")
    assert "canary" not in str(verdict)
    assert rig.notes.count("concluded") == 1


async def test_without_a_measurable_symptom_the_end_is_unknown_and_said(rig: Rig) -> None:
    found = await rig.proposed()
    plan = {**found.plan, "healing": None}
    async with rig.db.tenant(rig.tenant) as s:
        changed = await approvals.replace_plan(
            s, found.id, plan=plan, target_version=found.target_version, preview_read_at=found.preview_read_at
        )
    assert changed is not None
    await rig.decide(changed)
    assert (rig.effects, await rig.state(found.id)) == (1, "unknown")
    assert rig.notes.count("outcome") == 1


async def test_undo_of_what_cannot_be_undone_says_so(rig: Rig) -> None:
    found = await rig.proposed()
    person = await rig.person()
    assert await rig.incident_service.undo(person, found.id) == NothingToDo(reason="There is nothing to undo here.")
    await rig.decide(found)
    assert await rig.incident_service.undo(person, found.id) == NothingToDo(reason="There is nothing to undo here.")
    assert rig.effects == 1


async def test_an_undo_is_a_stored_decision_and_clicking_it_often_does_one(database: Database, rig: Rig) -> None:
    applied = await applied_rollback(rig)
    person = await rig.person()
    answers = await asyncio.gather(*(rig.incident_service.undo(person, applied) for _ in range(10)))
    await rig.engine.settle()
    assert Counter(type(answer) for answer in answers) == {DoneNow: 1, NothingToDo: 9}
    assert (rig.folder / "effects.log").read_text() == f"deploy {'b' * 40}\n"
    undo = await rig.approval(ApprovalId(stable_id("undo", rig.tenant, applied)))
    assert (undo.undo_of, undo.decided_by) == (applied, person.user_id)
    actions = Counter(await rig.actions())
    assert actions["slack.undo.requested"] == actions["agent.effect.started"] == 1
    assert isinstance(await rig.incident_service.undo(person, applied), NothingToDo)


async def test_an_undo_whose_start_was_lost_is_carried_out_when_the_click_is_handled_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied = await applied_rollback(rig)

    async def dies(*_: object, **__: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(rig.engine, "enqueue", dies)
        with pytest.raises(ConnectionError):
            await rig.incident_service.undo(await rig.person(), applied)
    assert rig.effects == 0
    await rig.incident_service.undo(await rig.person(), applied)
    await rig.engine.settle()
    assert rig.effects == 1


async def test_a_viewer_cannot_undo(rig: Rig) -> None:
    applied = await applied_rollback(rig)
    assert isinstance(await rig.incident_service.undo(await rig.person("U0VIEWER"), applied), Denied)
    assert rig.effects == 0


def test_a_workflow_id_names_its_tenant_first() -> None:
    assert workflow_id("T", "remediate", "a") == "t:T:remediate:a"


async def test_a_workspace_that_lets_it_suggest_only_gets_words_and_no_button(rig: Rig) -> None:
    async with rig.db.tenant(rig.tenant) as s:
        await tenants.update_settings(s, autonomy="suggest")
    run = await rig.ask()
    verdict = await rig.verdict(run)
    assert verdict.proposal is None
    assert "suggest only" in (verdict.proposal_refused or "")
    async with rig.db.tenant(rig.tenant, readonly=True) as s:
        assert await approvals.open_approvals(s) == []
    assert rig.effects == 0
