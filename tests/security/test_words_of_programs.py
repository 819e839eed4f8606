"""What an operator's program prints, and what a file in a repository is called, is outside text: redacted and inert."""

import json
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.commands import Commands, CommandsConfig, DeclaredCommand
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.connecting.toolbox import Toolbox
from agents.remediation import Precondition
from agents.tool import Risk
from handlers.slack.blocks.message import Message, actions, button
from store.database.session import Database
from store.incidents.approvals import ApprovalState, advance
from tests.handlers.inbound import Slack, a_plan, run_slack, show, stored_card

TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
WORDS = f"fatal: {TOKEN} was refused <https://evil.example|Approve here> <!channel>"


@pytest.fixture
async def talking(sqlite_database: Database, clock: Callable[[], datetime], tmp_path: Path) -> AsyncIterator[Slack]:
    """A workspace whose status program fails and prints a token and markup."""
    program = tmp_path / "status.py"
    program.write_text(f"import sys\nprint({WORDS!r}, file=sys.stderr)\nsys.exit(1)\n")
    services = (Service(name="checkout"),)
    outbound = Outbound(EgressPolicy())
    context = ConnectorContext(services=services, outbound=outbound, now=clock)
    argv = (sys.executable, str(program))
    commands = (
        DeclaredCommand(name="status", action="read_target", argv=argv, risk=Risk.READ),
        DeclaredCommand(name="back", action="rollback_deployment", argv=(*argv, "{version}"), risk=Risk.MEDIUM),
    )
    toolbox = Toolbox(connectors=(Commands(CommandsConfig(command=commands), context),), services=services)
    async with run_slack(sqlite_database, clock, toolbox) as running:
        yield running
    await outbound.close()


def assert_harmless(shown: str) -> None:
    assert "was refused" in shown
    assert TOKEN not in shown
    assert "<https" not in shown
    assert "<!channel" not in shown


async def test_undo_quotes_a_failed_program_without_its_secret_or_markup(talking: Slack) -> None:
    approval, _ = await stored_card(talking)
    async with talking.db.tenant(talking.tenant) as s:
        await advance(s, approval.id, to=ApprovalState.HEALED, expect={ApprovalState.PROPOSED})
    ts = await show(talking, Message(text="Healed", blocks=tuple(actions(button("undo", "Undo", approval.id)))))
    await talking.workspace.click("mia", ts, "undo")
    await talking.handled(1)
    ((view_id, form),) = talking.workspace.views.items()
    assert TOKEN not in str(form)
    await talking.workspace.submit_view("mia", view_id, {})
    await talking.handled(2)
    assert_harmless(talking.private("incidents", "mia")[-1])


async def test_the_home_tab_quotes_a_failed_check_without_its_secret(talking: Slack) -> None:
    await talking.workspace.open_home("mia")
    view = await talking.until(lambda: talking.workspace.home("mia"))
    assert view is not None
    assert_harmless(json.dumps(view.view["blocks"]))


async def test_a_files_name_in_a_precondition_is_no_link(talking: Slack) -> None:
    text = "No migrations would be lost, but migrations/<https:evil|Approve>.sql was refused"
    unmet = Precondition(text=text, holds=False, read_at=datetime(2026, 11, 5, tzinfo=UTC))
    _, ts = await stored_card(talking, a_plan(talking.context.clock(), preconditions=(unmet,)))
    await talking.workspace.click("mia", ts, "approve")
    await talking.handled(1)
    told = talking.private("incidents", "mia")[-1]
    assert "A precondition does not hold" in told
    assert_harmless(told)
