"""What is carried out is what the card showed, letter by letter, at the risk that was approved."""

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from agents.approvals.rechecking import Recheck, recheck
from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.commands import Commands, CommandsConfig, DeclaredCommand
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.connecting.toolbox import Toolbox
from agents.tool import Risk
from store.database.session import Database
from store.incidents.approvals import ApprovalState
from tests.handlers.inbound import Slack, a_plan, reread, run_slack, stored_card

RUNS, BEFORE = "4f2a910" + "0" * 33, "9c01be0" + "0" * 33


def estate(
    folder: Path, clock: Callable[[], datetime], *, option: str = "--gently", risk: Risk = Risk.MEDIUM
) -> Toolbox:
    program = folder / "control.py"
    program.write_text(f"""print('{{"version": "{RUNS}", "state": "running"}}')""")
    services = (Service(name="checkout"),)
    context = ConnectorContext(services=services, outbound=Outbound(EgressPolicy()), now=clock)
    argv = (sys.executable, str(program))
    commands = (
        DeclaredCommand(name="status", action="read_target", argv=argv, risk=Risk.READ),
        DeclaredCommand(name="back", action="rollback_deployment", argv=(*argv, option, "{version}"), risk=risk),
    )
    return Toolbox(connectors=(Commands(CommandsConfig(command=commands), context),), services=services)


async def approved(slack: Slack, folder: Path) -> Any:
    argv = (sys.executable, str(folder / "control.py"), "--gently", BEFORE)
    plan = a_plan(
        slack.context.clock(),
        argv=argv,
        parameters={"service": "checkout", "version": BEFORE},
        from_version=RUNS,
        to_version=BEFORE,
        target_version=f"checkout@{RUNS}",
    )
    approval, ts = await stored_card(slack, plan)
    await slack.workspace.click("mia", ts, "approve")
    await slack.handled(1)
    found = await reread(slack, approval)
    assert found.state is ApprovalState.APPROVED
    return found


async def test_what_is_as_it_was_shown_goes(
    sqlite_database: Database, clock: Callable[[], datetime], tmp_path: Path
) -> None:
    async with run_slack(sqlite_database, clock, estate(tmp_path, clock)) as slack:
        found = await approved(slack, tmp_path)
        assert await recheck(slack.runtime, slack.tenant, found.id) is Recheck.GO


@pytest.mark.parametrize(
    "change", [{"option": "--force"}, {"risk": Risk.HIGH}], ids=["another command", "another risk"]
)
async def test_a_declaration_that_changed_after_the_approval_is_not_carried_out(
    sqlite_database: Database, clock: Callable[[], datetime], tmp_path: Path, change: dict[str, Any]
) -> None:
    """The operator edited the file and started anew between the click and the effect."""
    async with run_slack(sqlite_database, clock, estate(tmp_path, clock, **change)) as slack:
        found = await approved(slack, tmp_path)
        assert await recheck(slack.runtime, slack.tenant, found.id) is not Recheck.GO
        assert (await reread(slack, found)).state is not ApprovalState.APPROVED
