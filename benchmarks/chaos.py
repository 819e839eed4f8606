"""Incidents one after the other while everything around them breaks: is one lost, doubled, wedged or wrongly told?

    python benchmarks/chaos.py [--seed 1] [--incidents 12] [--store sqlite|postgresql] [--replicas 1]
                               [--outage-scale 0.1]

Each incident is a mention in a local workspace, an investigation by a scripted model, a card, a person's click, a
restart by a real program that takes a second, and the measuring afterwards, all in the real `autoheal serve`.
Meanwhile one to three of these happen, by `--seed`: SIGKILL at random moments (half of them during the restart),
SIGTERM, SIGSTOP, a full disk (no file may grow; on SQLite only), a database that is locked or restarts, a Slack that
answers nothing. Outages last 5 s to 10 min times `--outage-scale`, and so do the deadlines.

Printed is one line of JSON. `lost`: no verdict, no card, or no end. `doubled`: an effect, a verdict or a card twice.
`wedged`: a process that does not start or stop, or a row that is not at its end when all is quiet again: a run, an
approval, an arrival, a workflow of the engine. `wrongly_told`: the thread, verdict, card or outcome, says something
else than the store, the store something else than the restarts that really happened and the
state that the target is really in, or a read that failed is told as "no fault". Exit code 1 unless all are 0.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy.exc import SQLAlchemyError

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # not this folder, whose store.py is no package
sys.path.append(str(ROOT / "tests"))

from agents.verdict import Verdict
from bot.demo.workspace import StoredMessage, Workspace
from bot.demo.workspace.interactions import ImpossibleInSlack
from bot.manifest import load_manifest
from handlers.slack.blocks.verdict import headline
from store import inbox
from store.database.session import Database
from store.errors import StoreBusy
from store.ids import IncidentId
from store.incidents import incident_for_thread
from store.incidents.approvals import Approval, ApprovalState, approvals_of_incident, open_approvals
from store.incidents.investigations import latest_investigation, running_investigations
from store.keys.local_keys import LocalFileKeys
from store.tenancy.tenants import list_tenants
from tests.bot.served import settings_for
from tests.bot.test_outage import Server
from tests.bot.upgrade.estate import effects, fall_ill, make_target

PROGRAM: Final = ROOT / "tests" / "bot" / "chaos_serve.py"
CHANNEL: Final = "#incidents"
METHODS: Final = ("chat.postMessage", "chat.update", "chat.startStream", "chat.appendStream", "chat.stopStream")
SLOW_RESTART: Final = """
echo "$AUTOHEAL_IDEMPOTENCY_KEY" >> effects.log || exit 3
sleep 1
echo '{"healthy": true}' > state.json || exit 3
printf '{"version": "aaaaaaaaaaaa", "state": "running", "instances": 1, "started_at": "%s"}' \
    "2026-01-01T00:00:$(printf %02d $(($(wc -l < effects.log) % 60)))Z" > status.json || exit 3
echo restarted
"""
STARTED_S: Final = 90.0
END_S: Final = 240.0
STOP_S: Final = 10.0
SECOND_LOOK_S: Final = 2100.0  # half an hour, and what it takes
DUE_S: Final = 120.0
"""What Slack did not take is said again later; an incident can be over before."""
_SLACK: Final = 3.0  # of a machine that does other things as well
_LOOK_S: Final = 0.2
_TOLD: Final = {
    ApprovalState.HEALED: " recovered at ",
    ApprovalState.NOT_HEALED: "Not healed",
    ApprovalState.UNKNOWN: "Unknown",
}
_FINAL: Final = frozenset(ApprovalState) - {
    ApprovalState.PROPOSED,
    ApprovalState.APPROVED,
    ApprovalState.APPLYING,
    ApprovalState.APPLIED,
    ApprovalState.VERIFYING,
}


@dataclass(kw_only=True)
class Outcome:
    """What came of it; the four lists name incidents or processes and say what is wrong with them."""

    store: str
    replicas: int
    seed: int
    incidents: int = 0
    seconds: float = 0.0
    disturbances: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wedged: list[str] = field(default_factory=list)
    wrongly_told: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.wedged or self.wrongly_told)


class Replicas:
    """The serving processes. One that ends is started again, as an operator's supervisor does."""

    def __init__(self, settings: dict[str, str], folder: Path, outcome: Outcome) -> None:
        self._settings, self._folder, self._outcome = settings, folder, outcome
        self.running: list[asyncio.subprocess.Process] = []

    async def start(self) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AUTOHEAL_", "SLACK_", "ANTHROPIC_"))}
        with (self._folder / "serve.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(PROGRAM), str(self._folder / "target")),
                cwd=ROOT,
                env={**kept, **self._settings},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        line = b""
        with suppress(TimeoutError):
            line = await asyncio.wait_for(process.stdout.readline(), STARTED_S) if process.stdout else b""
        if line:
            self.running.append(process)
            return
        self._outcome.wedged.append(f"a process did not start (exit code {process.returncode})")
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def end(self, process: asyncio.subprocess.Process, number: signal.Signals) -> None:
        """By this signal, and another one in its place."""
        began = time.monotonic()
        process.send_signal(number)
        await process.wait()
        took = time.monotonic() - began
        if took > STOP_S + _SLACK:
            self._outcome.wedged.append(f"{number.name} took {took:.1f} s")
        self.running.remove(process)
        await self.start()

    async def stop(self) -> None:
        for process in self.running:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in self.running:
            try:
                await asyncio.wait_for(process.wait(), STOP_S + _SLACK)
            except TimeoutError:
                self._outcome.wedged.append("the last SIGTERM")
                process.kill()
                await process.wait()


class Disturber:
    """One disturbance at a time, of a kind and at a moment that the seed decides."""

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self._stage, self._chance = stage, chance
        kinds: list[Callable[[], Awaitable[None]]] = [self.sigkill, self.sigkill, self.sigterm, self.sigstop]
        kinds += [self.slack_outage, self.stall]
        kinds += [self.full_disk] if stage.server is None else [self.database_restart]
        self._kinds = kinds

    async def run(self) -> None:
        """One to three, one after the other."""
        for _ in range(self._chance.choice((1, 1, 2, 3))):
            kind = self._chance.choice(self._kinds)
            self._stage.outcome.disturbances[getattr(kind, "__name__", "?")] += 1
            await kind()

    async def sigkill(self) -> None:
        await self._in_the_middle(signal.SIGKILL)

    async def sigterm(self) -> None:
        await self._in_the_middle(signal.SIGTERM)

    async def _in_the_middle(self, number: signal.Signals) -> None:
        """At any moment, or while a restart is under way."""
        if self._chance.random() < 0.5:
            before = len(effects(self._stage.target))
            with suppress(TimeoutError):
                async with asyncio.timeout(20):
                    while len(effects(self._stage.target)) == before:  # noqa: ASYNC110 -- another program writes it
                        await asyncio.sleep(0.05)
            await asyncio.sleep(self._chance.uniform(0, 0.8))
        else:
            await asyncio.sleep(self._chance.uniform(0, 6))
        await self._stage.replicas.end(await self._some(), number)

    async def sigstop(self) -> None:
        await asyncio.sleep(self._chance.uniform(0, 6))
        process = await self._some()
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(self._stage.scaled(self._chance.uniform(5, 60)))
        process.send_signal(signal.SIGCONT)

    async def full_disk(self) -> None:
        """No file of the process may grow; what it starts meanwhile is not spared either."""
        await asyncio.sleep(self._chance.uniform(0, 6))
        process = await self._some()
        before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, before[1]))
        await asyncio.sleep(self._stage.scaled(self._chance.uniform(5, 60)))
        with suppress(ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, before)

    async def stall(self) -> None:
        """Somebody holds the database."""
        await asyncio.sleep(self._chance.uniform(0, 6))
        seconds = self._chance.uniform(5, 60) * min(1.0, 10 * self._stage.scale)
        await asyncio.to_thread(self._stage.hold, seconds)

    async def database_restart(self) -> None:
        await asyncio.sleep(self._chance.uniform(0, 6))
        if (server := self._stage.server) is not None:
            await asyncio.to_thread(server.stop)
            await asyncio.sleep(self._stage.scaled(self._chance.uniform(5, 60)))
            await asyncio.to_thread(server.start)

    async def slack_outage(self) -> None:
        await asyncio.sleep(self._chance.uniform(0, 6))
        faults = self._stage.workspace.faults
        for method in METHODS:
            faults.fail(method, "service_unavailable", times=10**6)
        faults.drop_connection()
        await asyncio.sleep(self._stage.scaled(self._chance.uniform(5, 600)))
        for method in METHODS:
            faults.take_all(method)

    async def _some(self) -> asyncio.subprocess.Process:
        """Where none runs, because none could start in time, another start is tried first."""
        while not self._stage.replicas.running:
            await self._stage.replicas.start()
        return self._chance.choice(self._stage.replicas.running)


@dataclass(kw_only=True)
class Stage:
    """Everything that stands while incidents come and go."""

    folder: Path
    workspace: Workspace
    replicas: Replicas
    server: Server | None
    scale: float
    outcome: Outcome

    @property
    def target(self) -> Path:
        return self.folder / "target"

    def scaled(self, seconds: float) -> float:
        return seconds * self.scale

    def hold(self, seconds: float) -> None:
        """Blocks; nobody else writes meanwhile."""
        if self.server is not None:
            with psycopg.connect(self.server.url) as connection:
                connection.execute("LOCK TABLE investigations, approvals, inbox IN ACCESS EXCLUSIVE MODE")
                time.sleep(seconds)
            return
        with closing(sqlite3.connect(self.folder / "data" / "autoheal.db", timeout=60)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            connection.rollback()

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Database]:
        data = self.folder / "data"
        content, keyring = f"sqlite:///{data}/autoheal.db", f"sqlite:///{data}/keyring.db"
        if self.server is not None:
            content = keyring = self.server.url.replace("postgresql://", "postgresql+psycopg://")
        database = await Database.open(
            content,
            keyring_url=keyring,
            keys=LocalFileKeys(data / "master.key"),
            ledger=data / "shred-ledger.jsonl",  # beside a keyring on PostgreSQL nobody would find it
            pool_size=1,
        )
        try:
            yield database
        finally:
            await database.close()


class Incident:
    """One, from the mention to its end, beside a disturbance; then it is looked at."""

    def __init__(self, stage: Stage, number: int) -> None:
        self._stage, self._name = stage, f"incident {number}"
        self._thread = ""
        self._clicked = 0.0
        self._incident: IncidentId | None = None

    async def live(self, disturber: Disturber) -> None:
        fall_ill(self._stage.target)
        self._stage.outcome.incidents += 1
        self._thread = await self._stage.workspace.post("mia", CHANNEL, f"@autoheal it is broken again: {self._name}")
        disturbing = asyncio.create_task(disturber.run())
        ended = await self._until_it_ended(disturbing)
        await disturbing
        if ended is None:
            self._stage.outcome.lost.append(f"{self._name}: {self._last()}")
            return
        self._stage.outcome.ends[ended.state.value] += 1
        await self._judge(ended)

    async def _until_it_ended(self, disturbing: asyncio.Task[None]) -> Approval | None:
        """Clicks as often as a person does whose click is not taken. The deadline begins when nothing disturbs."""
        until = float("inf")
        while time.monotonic() < until:
            if disturbing.done() and until == float("inf"):
                until = time.monotonic() + max(END_S, self._stage.scaled(600))
            await asyncio.sleep(_LOOK_S)
            self._stage.workspace.retry_now()
            await self._click()
            found = await self._approvals()
            if found and all(one.state in _FINAL for one in found) and self._is_told(found[-1]):
                return found[-1]
        return None

    async def _click(self) -> None:
        card = self._card()
        if card is None or time.monotonic() - self._clicked < 5:
            return
        self._clicked = time.monotonic()
        with suppress(ImpossibleInSlack):
            await self._stage.workspace.click("mia", card.ts, "approve")

    def _said(self) -> list[StoredMessage]:
        own = self._stage.workspace.bot_user_id
        return [m for m in self._stage.workspace.messages(CHANNEL, self._thread) if m.user == own]

    def _card(self) -> StoredMessage | None:
        found = [m for m in self._said() if '"approve"' in json.dumps(m.all_blocks) and not m.ephemeral_for]
        return found[-1] if found else None

    def _last(self) -> str:
        said = self._said()
        return said[-1].text if said else "nothing was said"

    def _is_told(self, approval: Approval) -> bool:
        word = _TOLD.get(approval.state)
        return word is None or any(word in m.text for m in self._said())

    async def _approvals(self) -> list[Approval]:
        with suppress(SQLAlchemyError, OSError, StoreBusy, TimeoutError):  # locked, full or away at this moment
            async with self._stage.store() as db:
                (tenant,) = await list_tenants(db)
                async with db.tenant(tenant.id, readonly=True) as s:
                    incident = await incident_for_thread(
                        s, self._stage.workspace.channels[CHANNEL.removeprefix("#")].id, self._thread
                    )
                    self._incident = incident.id if incident else None
                    return await approvals_of_incident(s, incident.id) if incident else []
        return []

    async def _judge(self, last: Approval) -> None:
        outcome = self._stage.outcome
        done = Counter(effects(self._stage.target))
        for approval in await self._approvals():
            if done[approval.id] > 1:
                outcome.doubled.append(f"{self._name}: restarted {done[approval.id]} times")
            if approval.state in (ApprovalState.HEALED, ApprovalState.NOT_HEALED) and not done[approval.id]:
                outcome.wrongly_told.append(f"{self._name}: {approval.state} without a restart")
            if approval.state in (ApprovalState.EXPIRED, ApprovalState.REJECTED) and done[approval.id]:
                outcome.wrongly_told.append(f"{self._name}: {approval.state} after a restart")
        told = Counter(m.text for m in self._said() if not m.ephemeral_for)
        for text, times in told.items():
            if times > 1 and not text.startswith("Checking"):
                outcome.doubled.append(f"{self._name}: said {times} times: {text[:60]}")
        outcome.wrongly_told += [f"{self._name}: {wrong}" for wrong in await self._untrue(last, list(told))]

    async def _untrue(self, last: Approval, told: list[str]) -> list[str]:
        """Sentences that do not fit the store, and states of the store that do not fit the target."""
        ends = {state: [text for text in told if word in text] for state, word in _TOLD.items()}
        wrong = [f"{last.state} and yet {texts}" for state, texts in ends.items() if state is not last.state and texts]
        if last.state in _TOLD and not ends[last.state]:
            wrong.append(f"{last.state}, which nobody was told")
        wrong += [f"said {text!r}" for text in told if "No fault found" in text or "could not look" in text.lower()]
        healthy = json.loads((self._stage.target / "state.json").read_text())["healthy"]
        if last.state is ApprovalState.HEALED and not healthy:
            wrong.append("healed, and the target is still broken")
        if last.state is ApprovalState.NOT_HEALED and healthy:
            wrong.append("not healed, and the target is well")
        if self._incident is not None:
            wrong += await self._unlike_the_verdicts(self._incident)
        card = self._card()
        if card is not None and last.state in _FINAL:
            wrong.append(f"{last.state}, and the card can still be approved")
        return wrong

    async def _unlike_the_verdicts(self, incident: IncidentId) -> list[str]:
        """The newest run of the incident is at its end, and its verdict stands in the thread as it is stored."""
        async with self._stage.store() as db:
            (tenant,) = await list_tenants(db)
            async with db.tenant(tenant.id, readonly=True) as s:
                run = await latest_investigation(s, incident)
        if run is None or run.verdict is None:
            return [f"the run is {run.status if run else 'missing'} and has no verdict"]
        shown = headline(Verdict.model_validate(run.verdict))
        until = time.monotonic() + DUE_S
        while not any(shown[:60] in one.text for one in self._said()):
            if time.monotonic() > until:
                return [f"the verdict {shown!r} was not told"]
            await asyncio.sleep(_LOOK_S)
        return []


@asynccontextmanager
async def open_stage(folder: Path, outcome: Outcome, scale: float) -> AsyncIterator[Stage]:
    """Workspace, database and serving processes; all gone afterwards."""
    make_target(folder / "target")
    (folder / "target" / "restart.sh").write_text(SLOW_RESTART)
    workspace = Workspace(load_manifest())
    await workspace.start()
    more = {"AUTOHEAL_BACKUPS": "operator", "AUTOHEAL_VERIFY": "off"}
    more |= {"AUTOHEAL_HEALING_CHECK_S": "0.5", "AUTOHEAL_HEALING_HOLD_S": "1", "AUTOHEAL_HEALING_WINDOW_S": "20"}
    server = None
    if outcome.store == "postgresql":
        (folder / "postgres").mkdir()
        (folder / "postgres").chmod(0o777)
        server = Server(folder / "postgres")
        server.create()
        server.start()
        with psycopg.connect(server.url.replace("/autoheal?", "/postgres?"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE autoheal")
        more |= {"AUTOHEAL_DATABASE_URL": server.url, "AUTOHEAL_KEYRING_URL": server.url}
    settings = settings_for(workspace, folder / "data", **more)
    if server is not None:
        migrating = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "migrate"), cwd=ROOT, env={**os.environ, **settings}
        )
        if await migrating.wait() != 0:
            raise SystemExit("the database cannot be migrated")
    replicas = Replicas(settings, folder, outcome)
    try:
        for _ in range(outcome.replicas):
            await replicas.start()
        yield Stage(folder=folder, workspace=workspace, replicas=replicas, server=server, scale=scale, outcome=outcome)
    finally:
        await replicas.stop()
        await workspace.stop()
        if server is not None:
            with suppress(Exception):
                server.stop()


async def run(outcome: Outcome, *, incidents: int, scale: float, folder: Path) -> None:
    """Fills the outcome."""
    chance = random.Random(outcome.seed)  # noqa: S311 -- repeatable, not secret
    began = time.monotonic()
    async with open_stage(folder, outcome, scale) as stage:
        disturber = Disturber(stage, chance)
        for number in range(incidents):
            await Incident(stage, number).live(disturber)
            print(f"{number + 1}: {dict(outcome.disturbances)} {dict(outcome.ends)}", file=sys.stderr, flush=True)
        outcome.wedged += await _left(stage, patience_s=max(90.0, stage.scaled(600)))
    outcome.seconds = round(time.monotonic() - began, 1)


async def _left(stage: Stage, *, patience_s: float) -> list[str]:
    """What is not at its end when all has been quiet for so long; empty as soon as nothing is."""
    until, left = time.monotonic() + patience_s, ["the store cannot be read"]
    while left and time.monotonic() < until:
        stage.workspace.retry_now()
        await asyncio.sleep(1)
        with suppress(SQLAlchemyError, OSError, StoreBusy, TimeoutError):
            left = [*await _rows_left(stage), *await asyncio.to_thread(_workflows_left, stage)]
    return left


async def _rows_left(stage: Stage) -> list[str]:
    left: list[str] = []
    async with stage.store() as db:
        for tenant in await list_tenants(db):
            async with db.tenant(tenant.id, readonly=True) as s:
                left += [f"investigation {one.id} is {one.status}" for one in await running_investigations(s)]
                left += [f"approval {one.id} is {one.state}" for one in await open_approvals(s)]
        left += [f"arrival {arrival} was not handled" for _, arrival in await inbox.pending(db, timedelta(0))]
    return left


def _workflows_left(stage: Stage) -> list[str]:
    """Of the engine's own table: what is queued or under way, but for second looks whose time has not come."""
    asked = "SELECT workflow_uuid, status, created_at FROM {} WHERE status NOT IN ('SUCCESS', 'ERROR', 'CANCELLED')"
    if stage.server is not None:
        with psycopg.connect(stage.server.url) as connection:
            found = connection.execute(asked.format("dbos.workflow_status")).fetchall()
    else:
        with closing(sqlite3.connect(stage.folder / "data" / "engine.db", timeout=60)) as engine:
            found = engine.execute(asked.format("workflow_status")).fetchall()
    not_yet = (time.time() - SECOND_LOOK_S) * 1000
    return [f"workflow {name} is {status}" for name, status, at in found if ":second_look:" not in name or at < not_yet]


def main() -> int:
    parser = argparse.ArgumentParser(description="Incidents while everything around them breaks.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--incidents", type=int, default=12)
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--outage-scale", type=float, default=0.1)
    chosen = parser.parse_args()
    if chosen.store == "sqlite" and chosen.replicas > 1:
        parser.error("SQLite has one replica")
    outcome = Outcome(store=chosen.store, replicas=chosen.replicas, seed=chosen.seed)
    with tempfile.TemporaryDirectory(prefix="autoheal-chaos-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        asyncio.run(run(outcome, incidents=chosen.incidents, scale=chosen.outage_scale, folder=Path(name)))
        if not outcome.is_good:
            log = Path(name) / "serve.log"
            print("\n".join(log.read_text().splitlines()[-60:]) if log.exists() else "", file=sys.stderr)
    print(json.dumps({**vars(outcome), "disturbances": dict(outcome.disturbances), "ends": dict(outcome.ends)}))
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
