"""A runtime whose one tenant has nothing but a recorded source: the real loop, gate and store, driven by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from agents.connecting.toolbox import Toolbox, always
from agents.incidents.requests import Ask, Investigating
from agents.incidents.service import IncidentService
from agents.investigation import loop
from agents.investigation.case import InvestigationCase, load_case
from agents.investigation.loop import TurnOutcome
from agents.models.offline import OfflineModel
from agents.permission import Person
from agents.processes.evidence_pool import EvidencePool
from agents.runtime import Runtime
from benchmarks.recorded import Recorded, RecordedSource, source_of
from store.database.migrations import migrate, migrate_keyring
from store.database.session import Database
from store.ids import ApprovalId, InboxId, InvestigationId, TenantId
from store.keys.local_keys import LocalFileKeys
from store.people import users
from store.people.users import Role
from store.secrets.redaction import Redacted
from store.tenancy import tenants

_MOST_TURNS: Final = 20


async def _no_wait(_seconds: float) -> None:
    """What was recorded does not come in later."""


class _Nobody:
    """Queue, reporter and receiver of a run that is driven by hand."""

    async def enqueue(self, workflow: str, *, workflow_id: str, arguments: tuple[str, ...]) -> None: ...
    async def send(self, workflow_id: str, topic: str, word: str, *, key: str) -> None: ...
    async def cancel(self, workflow_id: str) -> None: ...
    async def cancel_all(self, prefix: str, *, keep: str) -> int:
        del prefix, keep  # nothing was ever queued
        return 0

    async def opened(self, tenant: TenantId, investigation: InvestigationId) -> None: ...
    async def progressed(self, tenant: TenantId, investigation: InvestigationId) -> None: ...
    async def concluded(self, tenant: TenantId, investigation: InvestigationId) -> None: ...
    async def proposed(self, tenant: TenantId, approval: ApprovalId) -> None: ...
    async def approval_changed(self, tenant: TenantId, approval: ApprovalId) -> None: ...
    async def outcome(self, tenant: TenantId, approval: ApprovalId) -> None: ...
    async def receive(self, tenant: TenantId, inbox_id: InboxId) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One store and one person; each case is an investigation of its own."""

    runtime: Runtime
    person: Person

    async def investigate(self, case: Recorded) -> tuple[InvestigationCase, RecordedSource]:
        """The whole run of one case: the agent loop with the offline model, over what was recorded."""
        source = source_of(case)
        toolbox = Toolbox(connectors=(source,), services=source.declared())
        rt = replace(self.runtime, toolbox_for=always(toolbox))
        name = str(case.info["case"])
        title = (case.info.get("alert") or {}).get("title")
        question = Redacted.ours(f"{case.info.get('question') or title or 'Something is wrong.'} ({name})")
        asked = await IncidentService(rt).investigate(
            self.person, Ask(question=question, channel_id=name, thread_ts=name, source_ts=name)
        )
        if not isinstance(asked, Investigating):
            raise SystemExit(f"{name} was refused")
        run, tenant = asked.investigation_id, self.person.tenant_id
        await loop.begin(rt, tenant, run)
        for turn in range(_MOST_TURNS):
            outcome = await loop.take_turn(rt, tenant, run, turn)
            if outcome is TurnOutcome.TOOLS:
                outcome = await loop.answer_calls(rt, tenant, run, turn)
            if outcome is not TurnOutcome.AGAIN:
                break
        return await load_case(rt.db, tenant, run), source


@asynccontextmanager
async def open_bench(folder: Path) -> AsyncIterator[Bench]:
    """A fresh SQLite store in `folder`."""
    url, keys = f"sqlite+aiosqlite:///{folder}/content.db", f"sqlite+aiosqlite:///{folder}/keys.db"
    await migrate(url)
    await migrate_keyring(keys)
    db = await Database.open(url, keyring_url=keys, keys=LocalFileKeys(folder / "master.key"))
    pool, nobody = EvidencePool(), _Nobody()
    try:
        tenant = await tenants.create_tenant(db, name="benchmark")
        async with db.tenant(tenant) as s:
            user = await users.ensure_user(s, slack_user_id="U0BENCH", role=Role.ADMIN)
        person = Person(tenant_id=tenant, user_id=user.id, slack_user_id="U0BENCH", role=Role.ADMIN)
        runtime = Runtime(
            db=db, queue=nobody, reporter=nobody, receiver=nobody, claude=None, offline=OfflineModel(),
            toolbox_for=always(Toolbox()), evidence=pool, clock=lambda: datetime.now(UTC), sleep=_no_wait,
        )  # fmt: skip
        yield Bench(runtime=runtime, person=person)
    finally:
        pool.close()
        await db.close()
