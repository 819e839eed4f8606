"""A data folder of the first version: every later one opens it, and what was under way in it comes to its end.

How it was made stands in `make.py`. The clock is the one of the moment at which its process was killed.
"""

import json
import tarfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from bot.demo.workspace import StoredMessage, Workspace
from bot.opening import open_database
from bot.portability import export
from bot.settings import Settings
from store import audit
from store.database.session import Database, TenantSession
from store.incidents import Incident, incident_for_thread
from store.incidents.approvals import ApprovalState, approvals_of_incident, open_approvals
from store.incidents.investigations import latest_investigation, running_investigations
from store.people.accounts import accounts
from store.tenancy.connections import connections, credentials
from store.tenancy.tenants import list_tenants
from tests.bot.served import store_of
from tests.bot.upgrade.estate import RUNNING, WAITING, Investigator, effects, load, served
from tests.fakes.incidents import open_incidents

KEPT = Path(__file__).with_name("first.tar.xz")
CHANNEL = "#incidents"
PAST = 50
END_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The unpacked folder, and the moment to which the clock is set."""

    folder: Path
    killed_at: datetime

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def target(self) -> Path:
        return self.folder / "target"

    def workspace(self) -> Workspace:
        return load((self.folder / "workspace.json").read_text())


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    with tarfile.open(KEPT) as packed:
        packed.extractall(tmp_path, filter="data")
    killed_at = datetime.fromisoformat((tmp_path / "killed-at").read_text())
    with time_machine.travel(killed_at + timedelta(minutes=1), tick=True):
        yield Kept(folder=tmp_path, killed_at=killed_at)


@pytest.fixture
def settings(kept: Kept) -> Settings:
    return Settings(data=kept.data)


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """Opened as the product opens it: it migrates itself."""
    async with open_database(settings) as (db, _):
        yield db


async def test_the_past_is_listed_and_its_audit_chain_holds(database: Database) -> None:
    (tenant,) = await list_tenants(database)
    async with database.tenant(tenant.id, readonly=True) as s:
        found = await open_incidents(s)
        assert [one.number for one in found] == list(range(PAST + 2, 0, -1))
        runs = [await latest_investigation(s, one.id) for one in found]
        states = {a.state for one in found for a in await approvals_of_incident(s, one.id)}
        assert (await audit.verify(s)).ok
    assert {run.status for run in runs if run} == {"concluded", "stopped", "failed", "running"}
    assert all(run.verdict for run in runs if run and run.status == "concluded")
    assert states >= {ApprovalState.HEALED, ApprovalState.NOT_HEALED, ApprovalState.REJECTED, ApprovalState.EXPIRED}


async def test_a_stored_connection_and_an_account_open(database: Database) -> None:
    (tenant,) = await list_tenants(database)
    async with database.tenant(tenant.id, readonly=True) as s:
        (connection,) = await connections(s)
        opened = await credentials(s, connection.id)
        people = await accounts(s)
    assert connection.config == {"url": "https://prometheus.example.com"}
    assert opened["token"].reveal() == "planted-connection-token-3f1c"
    assert [one.email for one in people.values()] == ["olga@example.com"]


async def test_the_past_is_exported(kept: Kept, settings: Settings, tmp_path: Path) -> None:
    async with open_database(settings) as (db, _):
        (tenant,) = await list_tenants(db)
    await export(settings, tenant.id, form="json", out=tmp_path / "all.json")
    exported = json.loads((tmp_path / "all.json").read_text())
    assert len(exported["tables"]["incidents"]) == PAST + 2


def card_of(workspace: Workspace, question: str) -> StoredMessage:
    """The message with an Approve button in the thread of this question."""
    asked = next(m for m in workspace.messages(CHANNEL) if m.text.endswith(f"> {question}"))
    found = [m for m in workspace.messages(CHANNEL, asked.ts) if '"approve"' in json.dumps(m.all_blocks)]
    return found[-1]


def thread_of(workspace: Workspace, question: str) -> str:
    return next(m.ts for m in workspace.messages(CHANNEL) if m.text.endswith(f"> {question}"))


async def incident_of(s: TenantSession, workspace: Workspace, thread: str) -> Incident:
    found = await incident_for_thread(s, workspace.channels["incidents"].id, thread)
    assert found is not None
    return found


@pytest.mark.slow
async def test_the_waiting_card_still_works_and_the_running_incident_ends(kept: Kept) -> None:
    workspace, model = kept.workspace(), Investigator()
    model.let_go.set()
    waiting, running = thread_of(workspace, WAITING), thread_of(workspace, RUNNING)
    before = effects(kept.target)
    said_before = len(workspace.messages(CHANNEL, running))
    await workspace.start()
    try:
        async with served(kept.data, kept.target, workspace, model), store_of(kept.data) as db:
            await workspace.wait_for(lambda w: w.connections > 0, timeout=END_S)
            await workspace.click("mia", card_of(workspace, WAITING).ts, "approve")
            await workspace.wait_for(lambda w: "recovered at" in w.messages(CHANNEL, waiting)[-1].text, timeout=END_S)
            await workspace.wait_for(lambda w: len(w.messages(CHANNEL, running)) > said_before, timeout=END_S)
            (tenant,) = await list_tenants(db)
            async with db.tenant(tenant.id, readonly=True) as s:
                mended = await incident_of(s, workspace, waiting)
                (approval,) = await approvals_of_incident(s, mended.id)
                still_running = await running_investigations(s)
                still_open = [a.id for a in await open_approvals(s)]
    finally:
        await workspace.stop()
    assert still_running == []
    assert approval.state is ApprovalState.HEALED
    assert effects(kept.target) == [*before, approval.id]
    assert approval.id not in still_open
    assert workspace.violations == []
