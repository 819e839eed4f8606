"""High risk takes two people, whichever way the plan came about."""

import sys
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.commands import Commands, CommandsConfig, DeclaredCommand
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.connecting.toolbox import Toolbox
from agents.incidents.requests import DoneNow
from agents.permission import Denied, Person
from agents.remediation import Plan
from agents.tool import Risk
from handlers.slack.inbound.arrival import SlackActor
from store.database.session import Database
from store.incidents.approvals import Approval, ApprovalState, advance, approvals_of_incident
from store.people.users import Role
from tests.handlers.inbound import Slack, a_plan, reread, run_slack, set_person, stored_card, workspace_of

RUNS, BEFORE = "9c01be0" + "0" * 33, "4f2a910" + "0" * 33
PROGRAM = f"""
import json
print(json.dumps({{"version": "{RUNS}", "previous_version": "{BEFORE}", "state": "running"}}))
"""


@pytest.fixture
async def with_risk(
    sqlite_database: Database, clock: Callable[[], datetime], tmp_path: Path
) -> AsyncIterator[Callable[[Risk], Toolbox]]:
    """Makes an estate whose `deploy` and rollback are rated as told."""
    program = tmp_path / "control.py"
    program.write_text(PROGRAM)
    outbound = Outbound(EgressPolicy())
    services = (Service(name="checkout"),)
    argv = (sys.executable, str(program))

    def make(risk: Risk) -> Toolbox:
        context = ConnectorContext(services=services, outbound=outbound, now=clock)
        commands = (
            DeclaredCommand(name="status", action="read_target", argv=argv, risk=Risk.READ),
            DeclaredCommand(name="back", action="rollback_deployment", argv=(*argv, "{version}"), risk=risk),
            DeclaredCommand(name="forth", action="deploy", argv=(*argv, "{version}"), risk=risk),
        )
        return Toolbox(connectors=(Commands(CommandsConfig(command=commands), context),), services=services)

    yield make
    await outbound.close()


async def person(slack: Slack, name: str) -> Person:
    found = await slack.caller.person(
        await workspace_of(slack), SlackActor(user_id=slack.workspace.users[name].id), "C0INCIDENTS"
    )
    assert isinstance(found, Person)
    return found


def a_rollback(slack: Slack, **changes: Any) -> Plan:
    """A stored medium plan to the version that runs now."""
    binding = {"from_version": BEFORE, "to_version": RUNS, "target_version": f"checkout@{RUNS}"}
    return a_plan(slack.context.clock(), **binding, **changes)


async def healed(slack: Slack, plan: Plan) -> Approval:
    approval, _ = await stored_card(slack, plan)
    async with slack.db.tenant(slack.tenant) as s:
        await advance(s, approval.id, to=ApprovalState.HEALED, expect={ApprovalState.PROPOSED})
    return await reread(slack, approval)


async def undo_of(slack: Slack, approval: Approval) -> Approval:
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        found = [one for one in await approvals_of_incident(s, approval.incident_id) if one.undo_of == approval.id]
    assert len(found) == 1
    return found[0]


async def test_an_undo_of_high_risk_is_not_decided_by_its_click(
    sqlite_database: Database, clock: Callable[[], datetime], with_risk: Callable[[Risk], Toolbox]
) -> None:
    async with run_slack(sqlite_database, clock, with_risk(Risk.HIGH)) as slack:
        approval = await healed(slack, a_rollback(slack))
        for name in ("mia", "olga"):
            await set_person(slack, name, Role.ADMIN)
        clicker, second = await person(slack, "mia"), await person(slack, "olga")
        answer = await slack.context.incident_service.undo(clicker, approval.id)
        assert isinstance(answer, Denied)
        undo = await undo_of(slack, approval)
        assert (undo.state, undo.risk) == (ApprovalState.PROPOSED, "high")
        own = await slack.context.incident_service.decide(
            clicker, undo.id, plan_hash=undo.plan_hash, decision="approved"
        )
        assert isinstance(own, Denied)
        other = await slack.context.incident_service.decide(
            second, undo.id, plan_hash=undo.plan_hash, decision="approved"
        )
        assert isinstance(other, DoneNow)


async def test_an_undo_of_medium_risk_is_decided_by_its_click(
    sqlite_database: Database, clock: Callable[[], datetime], with_risk: Callable[[Risk], Toolbox]
) -> None:
    async with run_slack(sqlite_database, clock, with_risk(Risk.MEDIUM)) as slack:
        approval = await healed(slack, a_rollback(slack))
        assert isinstance(await slack.context.incident_service.undo(await person(slack, "mia"), approval.id), DoneNow)
        assert (await undo_of(slack, approval)).state is ApprovalState.APPROVED


async def test_whoever_changed_the_scope_of_a_high_risk_plan_cannot_approve_it(
    sqlite_database: Database, clock: Callable[[], datetime], with_risk: Callable[[Risk], Toolbox]
) -> None:
    async with run_slack(sqlite_database, clock, with_risk(Risk.HIGH)) as slack:
        approval, _ = await stored_card(slack, a_rollback(slack, risk=Risk.HIGH))
        for name in ("mia", "olga"):
            await set_person(slack, name, Role.ADMIN)
        changer, second = await person(slack, "mia"), await person(slack, "olga")
        changed = await slack.context.incident_service.change_scope(
            changer, approval.id, arguments={"to_version": BEFORE}
        )
        assert isinstance(changed, DoneNow)
        new = await reread(slack, approval)
        assert Plan.model_validate(new.plan).requested_by == changer.slack_user_id
        own = await slack.context.incident_service.decide(changer, new.id, plan_hash=new.plan_hash, decision="approved")
        assert isinstance(own, Denied)
        assert "second person" in own.reason
        other = await slack.context.incident_service.decide(
            second, new.id, plan_hash=new.plan_hash, decision="approved"
        )
        # Its migrations cannot be read here, so nobody can; the point is that the second person is not refused as one.
        assert isinstance(other, Denied)
        assert "precondition" in other.reason


async def test_a_new_plan_that_is_riskier_is_approved_by_who_may_approve_that_risk(
    sqlite_database: Database,
    clock: Any,
    with_risk: Callable[[Risk], Toolbox],
) -> None:
    """The operator rated the action higher after the card was shown: the rating of the new plan counts."""
    async with run_slack(sqlite_database, clock, with_risk(Risk.HIGH)) as slack:
        plan = a_plan(slack.context.clock(), from_version=RUNS, to_version=BEFORE, target_version=f"checkout@{RUNS}")
        approval, _ = await stored_card(slack, plan)
        assert approval.risk == "medium"
        clock.advance(timedelta(minutes=16))
        await slack.context.incident_service.decide(
            await person(slack, "mia"), approval.id, plan_hash=approval.plan_hash, decision="approved"
        )
        new = await reread(slack, approval)
        assert (new.state, new.risk, new.plan["risk"]) == (ApprovalState.PROPOSED, "high", "high")
        again = await slack.context.incident_service.decide(
            await person(slack, "mia"), new.id, plan_hash=new.plan_hash, decision="approved"
        )
        assert isinstance(again, Denied)
        assert "admin" in again.reason
