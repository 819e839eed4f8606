"""A whole agent core for tests: two tenants in a real store, a bench estate, an inline engine, a noting reporter."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from fakes.bench import bench_toolbox, effects, make_bench
from fakes.inline_engine import InlineEngine, SettableClock
from fakes.scripted_model import Script, ScriptedModel, call, results

from agents.connecting.toolbox import Toolbox, always
from agents.incidents.requests import Ask, Investigating
from agents.incidents.service import IncidentService
from agents.investigation.case import InvestigationCase, load_case
from agents.models.budget import Budget
from agents.models.model import Block, ChatModel, TurnRequest
from agents.permission import Person, Sees
from agents.processes.evidence_pool import EvidencePool
from agents.runtime import Pace, Runtime
from agents.verdict import Verdict
from store import audit
from store.database.session import Database
from store.ids import ApprovalId, InboxId, IncidentId, InvestigationId, TenantId, stable_id
from store.incidents import approvals
from store.incidents.approvals import Approval, ApprovalState
from store.people import users
from store.secrets.redaction import Redacted

PACE = Pace(
    healing_check=timedelta(seconds=5), healing_hold=timedelta(seconds=20), healing_window=timedelta(seconds=60)
)


class Notes:
    """A reporter that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    async def opened(self, tenant: TenantId, investigation: InvestigationId) -> None:
        self.told.append(("opened", investigation))

    async def progressed(self, tenant: TenantId, investigation: InvestigationId) -> None:
        self.told.append(("progressed", investigation))

    async def concluded(self, tenant: TenantId, investigation: InvestigationId) -> None:
        self.told.append(("concluded", investigation))

    async def proposed(self, tenant: TenantId, approval: ApprovalId) -> None:
        self.told.append(("proposed", approval))

    async def approval_changed(self, tenant: TenantId, approval: ApprovalId) -> None:
        self.told.append(("changed", approval))

    async def outcome(self, tenant: TenantId, approval: ApprovalId) -> None:
        self.told.append(("outcome", approval))

    async def looked_again(self, tenant: TenantId, approval: ApprovalId) -> None:
        self.told.append(("looked_again", approval))

    async def ended(self, tenant: TenantId, incident: IncidentId) -> None:
        self.told.append(("ended", incident))

    def count(self, word: str) -> int:
        return sum(1 for told, _ in self.told if told == word)


class NoReceiver:
    async def receive(self, tenant: TenantId, inbox_id: InboxId) -> None:
        raise AssertionError("nothing arrives here")


def restart_draft(ranking: str, **changes: Any) -> dict[str, Any]:
    """A conclusion that the gate passes on the bench, proposing a restart. `ranking` is as the model saw it."""
    shown = ranking[1 : ranking.index("]")]  # reads that run together are numbered as they end
    quote = next(line for line in ranking.splitlines() if line.startswith("symptom"))
    claim = {"text": "checkout answers with errors", "status": "observed", "artifact": shown, "quote": quote}
    draft = {
        "headline": "checkout: stuck. Restart ready.",
        "confidence": "medium",
        "cause": {"service": "checkout", "kind": "stuck", "statement": "checkout is stuck"},
        "claims": [claim],
        "proposal": {"remediation": "restart_service", "arguments": {"service": "checkout"}},
    }
    return {**draft, **changes}


def rank_then_restart(request: TurnRequest, turn: int) -> list[Block]:
    """Rank, then conclude with a restart."""
    if turn == 0:
        return [call(0, 0, "rank_causes", {"minutes": 5})]
    return [call(turn, 0, "conclude", restart_draft(str(results(request)[0]["content"])))]


@dataclass(kw_only=True)
class Rig:
    db: Database
    clock: SettableClock
    tenant: TenantId
    other: TenantId
    folder: Path
    engine: InlineEngine
    notes: Notes
    runtime: Runtime
    incident_service: IncidentService

    @property
    def effects(self) -> int:
        """How often the control program really acted."""
        return effects(self.folder)

    async def person(self, slack_user_id: str = "U0MEMBER", tenant: TenantId | None = None) -> Person:
        """One of the people that every tenant has: U0ADMIN, U0MEMBER, U0VIEWER."""
        tenant = tenant or self.tenant
        async with self.db.tenant(tenant, readonly=True) as s:
            user = await users.user_by_slack(s, slack_user_id)
        if user is None:
            raise LookupError(slack_user_id)
        return Person(tenant_id=tenant, user_id=user.id, slack_user_id=slack_user_id, role=user.role)

    async def ask(self, question: str = "checkout fails", *, ts: str = "1.0", who: str = "U0MEMBER") -> InvestigationId:
        """Starts a run and waits until nothing moves any more."""
        asked = await self.begin(question, ts=ts, who=who)
        await self.engine.settle()
        return asked

    async def begin(
        self, question: str = "checkout fails", *, ts: str = "1.0", who: str = "U0MEMBER"
    ) -> InvestigationId:
        """Starts a run and goes on at once."""
        ask = Ask(question=Redacted.ours(question), channel_id="C1", thread_ts=ts, source_ts=ts)
        asked = await self.incident_service.investigate(await self.person(who), ask)
        if not isinstance(asked, Investigating):
            raise TypeError(asked)
        return asked.investigation_id

    async def case(self, run: InvestigationId) -> InvestigationCase:
        return await load_case(self.db, self.tenant, run)

    async def verdict(self, run: InvestigationId) -> Verdict:
        return Verdict.model_validate((await self.case(run)).investigation.verdict)

    async def approval(self, approval_id: ApprovalId) -> Approval:
        async with self.db.tenant(self.tenant, readonly=True) as s:
            found = await approvals.approval(s, approval_id)
        if found is None:
            raise LookupError(approval_id)
        return found

    async def state(self, approval_id: ApprovalId) -> ApprovalState:
        return (await self.approval(approval_id)).state

    async def proposed(self, question: str = "checkout fails", *, who: str = "U0MEMBER") -> Approval:
        """A run up to its open proposal."""
        run = await self.ask(question, who=who)
        return await self.approval(self.approval_of(run))

    def runs(self) -> list[InvestigationId]:
        """All investigations that were started, oldest first."""
        return [InvestigationId(name.rsplit(":", 1)[-1]) for name in self.engine.ids("investigate")]

    def approval_of(self, run: InvestigationId) -> ApprovalId:
        return ApprovalId(stable_id("approval", self.tenant, run))

    async def decide(
        self, found: Approval, decision: Any = "approved", who: str = "U0MEMBER", *, reason: str = ""
    ) -> Any:
        """One click, and everything that follows from it."""
        answer = await self.incident_service.decide(
            await self.person(who), found.id, plan_hash=found.plan_hash[:16], decision=decision, reason=reason
        )
        await self.engine.settle()
        return answer

    async def actions(self, tenant: TenantId | None = None) -> list[str]:
        """The audit trail's actions; its chain must hold."""
        async with self.db.tenant(tenant or self.tenant, readonly=True) as s:
            assert (await audit.verify(s)).ok
            return [entry.action for entry in await audit.trail(s)]


def make_rig(
    db: Database,
    tenants: tuple[TenantId, TenantId],
    clock: SettableClock,
    folder: Path,
    pool: EvidencePool,
    *,
    script: Script = rank_then_restart,
    claude: ChatModel | None = None,
    offline: ChatModel | None = None,
    budget: Budget | None = None,
    pace: Pace = PACE,
    toolbox: Callable[[Path, SettableClock], Toolbox] = bench_toolbox,
    looks_first: bool = False,
    sees: Sees | None = None,
) -> Rig:
    """Without the first look unless asked for, as scripts count turns. `engine.stop()` ends what is under way."""
    make_bench(folder)
    box = toolbox(folder, clock)
    engine, notes = InlineEngine(clock), Notes()

    async def sleep(seconds: float) -> None:
        clock.advance(timedelta(seconds=seconds))

    runtime = Runtime(
        db=db,
        queue=engine,
        reporter=notes,
        receiver=NoReceiver(),
        claude=claude,
        offline=offline or ScriptedModel(script=script),
        toolbox_for=always(box),
        evidence=pool,
        clock=clock,
        sleep=sleep,
        budget=budget or Budget(),
        looks_first=looks_first,
        sees=sees,
        pace=replace(pace),
    )
    engine.start(runtime)
    return Rig(
        db=db,
        clock=clock,
        tenant=tenants[0],
        other=tenants[1],
        folder=folder,
        engine=engine,
        notes=notes,
        runtime=runtime,
        incident_service=IncidentService(runtime),
    )
