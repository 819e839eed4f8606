"""A replica that gets killed: one of several on one PostgreSQL, with the bench's estate for each tenant.

`python replica.py URL FOLDER` works until it is killed or asked to stop. What it has to do comes through the inbox, as
in the product: a question opens an investigation, a click decides. Its model follows the script of victim.py.
"""

import asyncio
import signal
import sys
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from fakes.bench import bench_toolbox
from fakes.scripted_model import ScriptedModel
from victim import Log, now, script

from agents.connecting.toolbox import Toolbox
from agents.durable.engine import Engine, EngineSettings
from agents.incidents.requests import Ask
from agents.incidents.service import IncidentService
from agents.models.budget import Budget
from agents.permission import Person
from agents.processes.evidence_pool import EvidencePool
from agents.runtime import Pace, Runtime
from agents.workflow import workflow_id
from bot.timetable import Timetable
from store import inbox
from store.database.session import Database
from store.ids import ApprovalId, InboxId, TenantId
from store.keys.local_keys import LocalFileKeys
from store.people import users
from store.people.users import Role
from store.secrets.redaction import Redacted

SWEEP = timedelta(seconds=1)


class Arrivals:
    """Stands where the handlers stand: an arrival is a call to the incident service."""

    def __init__(self) -> None:
        self.incidents: IncidentService | None = None
        self.db: Database | None = None

    async def receive(self, tenant: TenantId, inbox_id: InboxId) -> None:
        if self.incidents is None or self.db is None:
            raise RuntimeError("not joined yet")
        async with self.db.tenant(tenant) as s:
            arrival = await inbox.arrival(s, inbox_id)
            user = await users.ensure_user(s, slack_user_id="U1", role=Role.MEMBER)
        if arrival is None:
            raise RuntimeError("no such arrival")
        person = Person(tenant_id=tenant, user_id=user.id, slack_user_id="U1", role=Role.MEMBER)
        said = arrival.payload
        if arrival.kind == "ask":
            ts = str(said["ts"])
            question = Redacted.ours("checkout fails")
            await self.incidents.investigate(
                person, Ask(question=question, channel_id=f"C{ts}", thread_ts=ts, source_ts=ts)
            )
        else:
            approval = ApprovalId(str(said["approval"]))
            await self.incidents.decide(person, approval, plan_hash=str(said["plan_hash"]), decision="approved")
        async with self.db.tenant(tenant) as s:
            await inbox.mark(s, inbox_id, "done")


async def main(url: str, folder: Path) -> None:
    db = await Database.open(url, keyring_url=url, keys=LocalFileKeys(folder / "key"))
    engine = Engine(EngineSettings(url=url, key=b"k" * 32, lock_folder=str(folder)))
    arrivals, toolboxes = Arrivals(), dict[TenantId, Toolbox]()

    async def toolbox_for(tenant: TenantId) -> Toolbox:
        if tenant not in toolboxes:
            toolboxes[tenant] = bench_toolbox(folder / tenant)
        return toolboxes[tenant]

    runtime = Runtime(
        db=db,
        queue=engine,
        reporter=Log(folder),
        receiver=arrivals,
        claude=None,
        offline=ScriptedModel(script=script),
        toolbox_for=toolbox_for,
        evidence=EvidencePool(),
        clock=now,
        budget=Budget(),
        pace=Pace(
            healing_check=timedelta(seconds=0.2),
            healing_hold=timedelta(seconds=0.5),
            healing_window=timedelta(seconds=3),
        ),
    )
    arrivals.db, arrivals.incidents = db, IncidentService(runtime)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await engine.start(runtime, lost=lambda _lost: ended.set())

    async def sweep() -> None:
        for tenant, inbox_id in await inbox.pending(db, timedelta(0)):
            known = workflow_id(tenant, "receive", inbox_id)
            await engine.enqueue("receive", workflow_id=known, arguments=(tenant, inbox_id))

    timetable = Timetable(engine.leads)
    timetable.every(SWEEP, sweep, name="sweep", at_start=True)
    timetable.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await ended.wait()
    timetable.stop()
    await engine.stop()
    runtime.evidence.close()
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
