"""Recorded tool outputs as the sources of a real investigation: for `replay.py`.

A case folder answers the calls that were recorded; how a call is matched is the data's own affair, so its loader
(`replay.py` beside the data) is used. Here stand only the translation of the product's reads into the recorded tools'
names, and a runtime whose one tenant has nothing but this cluster.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol, cast

from agents import loop
from agents.case import Case, load_case
from agents.cluster import ClusterTools
from agents.connector import Check, Connector, ConnectorConfig, ConnectorContext, Service
from agents.desk import Ask, Investigating
from agents.evidence.kubernetes.tables import rows
from agents.evidence.kubernetes.types import Read, What
from agents.evidence_pool import EvidencePool
from agents.front_desk import FrontDesk
from agents.loop import Outcome
from agents.offline_model import OfflineModel
from agents.outbound import EgressPolicy, Outbound
from agents.permission import Person
from agents.runtime import Runtime
from agents.tool import Tool, tools_of
from agents.toolbox import Toolbox
from store import tenants, users
from store.ids import ApprovalId, InboxId, InvestigationId, TenantId
from store.local_keys import LocalFileKeys
from store.migrations import migrate, migrate_keyring
from store.redaction import Redacted
from store.session import Database
from store.users import Role

Arguments = dict[str, Any]
_MOST_TURNS: Final = 20


class Recorded(Protocol):
    """One case of the data, as its loader makes it."""

    info: Mapping[str, Any]

    def call(self, tool: str, arguments: Arguments) -> str: ...


def loader(data: Path) -> Callable[[str], Recorded]:
    """The class that reads a case folder, from the program beside the data."""
    spec = importlib.util.spec_from_file_location("replay_data", data / "replay.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{data} has no replay.py: is this the folder of the replay data?")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("Callable[[str], Recorded]", module.Case)


def recorded_call(read: Read, namespace: str) -> tuple[str, Arguments]:
    """The recorded tool and arguments that a read stands for."""
    place: Arguments = {"namespace": namespace}
    if read.what is What.LIST:
        more = {"wide": {"output_wide": True}, "labels": {"show_labels": True}}.get(read.detail, {})
        return "GetResources", {"resource_type": read.kind, **place, **more}
    if read.what is What.DESCRIBE:
        return "DescribeResource", {"resource_type": read.kind, "name": read.name, **place}
    if read.what is What.CONNECT:
        return "CheckServiceConnectivity", {"service_name": read.name, "port": int(read.detail or 0), **place}
    if read.what is What.COMPONENT:
        return "CheckNodeServiceStatus", {"node_name": read.name, "service_name": read.detail}
    named: Mapping[What, tuple[str, Arguments]] = {
        What.MANIFEST: ("GetAppYAML", {"app_name": read.name}),
        What.LOGS: ("GetRecentLogs", {"service_name": read.name, **place}),
        What.ERRORS: ("GetErrorLogs", {"service_name": read.name, **place}),
        What.DEPENDENCIES: ("GetServiceDependencies", {"service_name": read.name}),
    }
    return named.get(read.what, ("GetAlerts", {}))


class RecordedCluster(Connector):
    """A recorded cluster behind the same tools as a real one. `made` lists the calls in their order."""

    name = "recorded"
    title = "Recorded cluster"
    config_model = ConnectorConfig

    def __init__(self, case: Recorded, context: ConnectorContext) -> None:
        super().__init__(None, context)
        self._case = case
        self._namespace = str(case.info["system"].get("namespace") or "default")
        self.made: list[tuple[str, Arguments]] = []

    async def check(self) -> Check:
        return Check(ok=True, detail="recorded")

    def tools(self) -> list[Tool]:
        return tools_of(ClusterTools(self), source=self.name)

    async def read(self, read: Read) -> str:
        call = recorded_call(read, self._namespace)
        self.made.append(call)
        return self._case.call(*call)

    def declared(self) -> tuple[Service, ...]:
        """What an operator would declare: the workloads, the nodes and the namespace itself."""
        kinds = ("deployments", "statefulsets", "nodes")
        listed = [
            self._case.call("GetResources", {"resource_type": kind, "namespace": self._namespace}) for kind in kinds
        ]
        names = [row.name for text in listed for row in rows(text)]
        return tuple(Service(name=name) for name in (*names, self._namespace))


class _Nobody:
    """Queue, reporter and receiver of a run that is driven by hand."""

    async def enqueue(self, workflow: str, *, workflow_id: str, arguments: tuple[str, ...]) -> None: ...
    async def send(self, workflow_id: str, topic: str, word: str, *, key: str) -> None: ...
    async def cancel(self, workflow_id: str) -> None: ...
    async def cancel_all(self, prefix: str, *, keep: str) -> int:
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

    async def investigate(self, case: Recorded) -> tuple[Case, RecordedCluster]:
        """The whole run of one case: the agent loop with the offline model, over what was recorded."""
        context = ConnectorContext(services=(), outbound=self._outbound(), now=lambda: datetime.now(UTC))
        cluster = RecordedCluster(case, context)
        toolbox = Toolbox(connectors=(cluster,), services=cluster.declared())
        rt = replace(self.runtime, toolbox_for=lambda _tenant: toolbox)
        name = str(case.info["case"])
        question = Redacted.ours(f"{case.info.get('question') or 'Something is wrong.'} ({name})")
        asked = await FrontDesk(rt).investigate(
            self.person, Ask(question=question, channel_id=name, thread_ts=name, source_ts=name)
        )
        if not isinstance(asked, Investigating):
            raise SystemExit(f"{name} was refused")
        run, tenant = asked.investigation_id, self.person.tenant_id
        await loop.begin(rt, tenant, run)
        for turn in range(_MOST_TURNS):
            outcome = await loop.take_turn(rt, tenant, run, turn)
            if outcome is Outcome.TOOLS:
                outcome = await loop.answer_calls(rt, tenant, run, turn)
            if outcome is not Outcome.AGAIN:
                break
        return await load_case(rt.db, tenant, run), cluster

    def _outbound(self) -> Outbound:
        return Outbound(EgressPolicy())


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
            toolbox_for=lambda _tenant: Toolbox(), evidence=pool, clock=lambda: datetime.now(UTC), sleep=asyncio.sleep,
        )  # fmt: skip
        yield Bench(runtime=runtime, person=person)
    finally:
        pool.close()
        await db.close()
