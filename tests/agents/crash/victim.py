"""The process that gets killed: one tenant, one investigation, one approved restart, on SQLite in a folder.

`python victim.py FOLDER [--kill WORKFLOW/STEP/MOMENT]` writes one JSON line at the end. The kill is a SIGKILL of
itself when the engine reports that boundary; started again without it, the process must finish what was begun.
"""

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from fakes.bench import bench_toolbox, effects, make_bench
from fakes.scripted_model import ScriptedModel, call, results

from agents.connecting.toolbox import always
from agents.durable.engine import Engine, EngineSettings
from agents.incidents.requests import Ask, Investigating
from agents.incidents.service import IncidentService
from agents.models.budget import Budget
from agents.models.model import Block, TurnRequest
from agents.permission import Person
from agents.processes.evidence_pool import EvidencePool
from agents.runtime import Pace, Runtime
from store import audit
from store.database.migrations import migrate, migrate_keyring
from store.database.session import Database
from store.ids import ApprovalId, InboxId, IncidentId, InvestigationId, TenantId, stable_id
from store.incidents import approvals, investigations
from store.keys.local_keys import LocalFileKeys
from store.people import users
from store.people.users import Role
from store.secrets.redaction import Redacted
from store.tenancy import tenants

ENDED = {"healed", "not_healed", "unknown", "failed", "rejected", "expired"}


def script(request: TurnRequest, turn: int) -> list[Block]:
    """Rank, then conclude with a restart."""
    if turn == 0:
        return [call(0, 0, "rank_causes", {"minutes": 5})]
    ranking = next(str(r["content"]) for r in results(request))
    quote = next(line for line in ranking.splitlines() if line.startswith("symptom"))
    claim = {"text": "checkout answers with errors", "status": "observed", "artifact": "A1", "quote": quote}
    cause = {"service": "checkout", "kind": "stuck", "statement": "checkout is stuck"}
    draft = {
        "headline": "checkout: stuck. Restart ready.",
        "confidence": "medium",
        "cause": cause,
        "claims": [claim],
        "proposal": {"remediation": "restart_service", "arguments": {"service": "checkout"}},
    }
    return [call(turn, 0, "conclude", draft)]


class Log:
    """A reporter that writes what it was told; saying something twice is allowed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "told.log"

    async def _tell(self, word: str) -> None:
        with self._path.open("a") as log:
            log.write(f"{word}\n")

    async def opened(self, tenant: TenantId, investigation: InvestigationId) -> None:
        await self._tell("opened")

    async def progressed(self, tenant: TenantId, investigation: InvestigationId) -> None:
        await self._tell("progressed")

    async def concluded(self, tenant: TenantId, investigation: InvestigationId) -> None:
        await self._tell("concluded")

    async def proposed(self, tenant: TenantId, approval: ApprovalId) -> None:
        await self._tell("proposed")

    async def approval_changed(self, tenant: TenantId, approval: ApprovalId) -> None:
        await self._tell("changed")

    async def outcome(self, tenant: TenantId, approval: ApprovalId) -> None:
        await self._tell("outcome")

    async def looked_again(self, tenant: TenantId, approval: ApprovalId) -> None:
        await self._tell("looked_again")

    async def ended(self, tenant: TenantId, incident: IncidentId) -> None:
        await self._tell("ended")


class NoReceiver:
    async def receive(self, tenant: TenantId, inbox_id: InboxId) -> None:
        raise AssertionError("nothing arrives here")


def now() -> datetime:
    return datetime.now(UTC)


async def main(folder: Path, kill: str | None) -> None:
    urls = {name: f"sqlite+aiosqlite:///{folder}/{name}.db" for name in ("autoheal", "keyring")}
    if not (folder / "state.json").exists():
        make_bench(folder)
    await migrate(urls["autoheal"])
    await migrate_keyring(urls["keyring"])
    db = await Database.open(urls["autoheal"], keyring_url=urls["keyring"], keys=LocalFileKeys(folder / "key"))

    def observe(workflow: str, step: str, moment: str) -> None:
        boundary = f"{workflow.split(':')[2]}/{step}/{moment}"
        with (folder / "boundaries.log").open("a") as log:
            log.write(boundary + "\n")
        if boundary == kill:
            os.kill(os.getpid(), signal.SIGKILL)

    engine = Engine(
        EngineSettings(url=f"sqlite:///{folder}/engine.db", key=b"k" * 32, lock_folder=str(folder)), observe=observe
    )
    toolbox = bench_toolbox(folder)
    runtime = Runtime(
        db=db,
        queue=engine,
        reporter=Log(folder),
        receiver=NoReceiver(),
        claude=None,
        offline=ScriptedModel(script=script),
        toolbox_for=always(toolbox),
        evidence=EvidencePool(),
        clock=now,
        budget=Budget(),
        pace=Pace(
            healing_check=timedelta(seconds=0.2),
            healing_hold=timedelta(seconds=0.5),
            healing_window=timedelta(seconds=3),
            second_look=timedelta(seconds=1),
        ),
    )
    existing = await tenants.list_tenants(db)
    tenant = existing[0].id if existing else await tenants.create_tenant(db, name="crash")
    async with db.tenant(tenant) as s:
        user = await users.ensure_user(s, slack_user_id="U1", role=Role.MEMBER)
    await engine.start(runtime)
    incident_service = IncidentService(runtime)
    person = Person(tenant_id=tenant, user_id=user.id, slack_user_id="U1", role=Role.MEMBER)
    asked = await incident_service.investigate(
        person, Ask(question=Redacted.ours("checkout fails"), channel_id="C1", thread_ts="1.0", source_ts="1.0")
    )
    if not isinstance(asked, Investigating):
        raise TypeError(asked)
    approval_id = ApprovalId(stable_id("approval", tenant, asked.investigation_id))
    state, clicked = "", False
    for _ in range(1600):
        await asyncio.sleep(0.05)
        async with db.tenant(tenant, readonly=True) as s:
            found = await approvals.approval(s, approval_id)
            run = await investigations.investigation(s, asked.investigation_id)
        state = found.state.value if found else f"investigation {run.status if run else 'missing'}"
        # A click is durable work: one that died between its decision and its wake-up is handled again after a crash.
        if found and (state == "proposed" or (state == "approved" and not clicked)):
            await incident_service.decide(person, approval_id, plan_hash=found.plan_hash, decision="approved")
            clicked = True
        told = (folder / "told.log").read_text() if (folder / "told.log").exists() else ""
        last = "looked_again" if (folder / "wait-for-look").exists() else "outcome"
        if state in ENDED and last in told:
            break
    await asyncio.sleep(0.3)
    async with db.tenant(tenant, readonly=True) as s:
        chain = await audit.verify(s)
        actions = [entry.action for entry in await audit.trail(s)]
        found = await approvals.approval(s, approval_id)
    await engine.stop()
    runtime.evidence.close()
    await db.close()
    look = (found.outcome or {}).get("second_look") if found else None
    report = {
        "second_look": (look or {}).get("word"),
        "state": state,
        "effects": effects(folder),
        "chain": chain.ok,
        "actions": actions,
    }
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[3] if len(sys.argv) > 3 else None))
