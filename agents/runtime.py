"""Everything a workflow needs, joined once in `bot/assemble.py` and handed down whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from agents.connecting.toolbox import ToolboxFor
from agents.meter import Meter, Unmetered
from agents.models.budget import Budget
from agents.models.model import ChatModel
from agents.permission import Sees
from agents.processes.evidence_pool import EvidencePool
from agents.reporter import Reporter
from agents.workflow import Queue
from store.database.session import Database
from store.ids import InboxId, TenantId


class Receiver(Protocol):
    """Handles what waits in the inbox; filled by the handlers. Idempotent."""

    async def receive(self, tenant: TenantId, inbox_id: InboxId) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long things take. The demo shortens the healing windows; production keeps the defaults.

    `second_look` stands in for the tenant's own setting, which counts whole minutes.
    """

    tool_concurrency: int = 8
    concurrent_investigations: int = 20
    healing_check: timedelta = timedelta(seconds=5)
    healing_hold: timedelta = timedelta(seconds=60)
    healing_window: timedelta = timedelta(minutes=5)
    second_look: timedelta | None = None
    lookback: timedelta = timedelta(minutes=60)
    proposal_open: timedelta = timedelta(hours=24)
    approval_valid: timedelta = timedelta(minutes=15)
    model_timeout: timedelta = timedelta(minutes=5)
    attempts: int = 3


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """`claude` is None when no key is set. `toolbox_for` answers per tenant; nothing is shared across tenants.

    `looks_first`: code ranks causes and lists changes before the first turn, so that evidence stands in the thread
    while the model still thinks.
    """

    db: Database
    queue: Queue
    reporter: Reporter
    receiver: Receiver
    claude: ChatModel | None
    offline: ChatModel
    toolbox_for: ToolboxFor
    evidence: EvidencePool
    clock: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep  # seconds; only for short waits inside a step
    looks_first: bool = False
    sees: Sees | None = None  # without it nobody sees anything
    budget: Budget = field(default_factory=Budget)
    pace: Pace = field(default_factory=Pace)
    meter: Meter = field(default_factory=Unmetered)
