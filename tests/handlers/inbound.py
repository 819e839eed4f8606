"""The whole inbound side on real parts: a local workspace, Socket Mode, the store, the service; only the engine is
small.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import yaml
from sqlalchemy import select

from agents.connecting.connecting import Connecting
from agents.connecting.disconnecting import Disconnecting
from agents.connecting.toolbox import Toolbox, always
from agents.connecting.toolboxes import Toolboxes
from agents.incidents.requests import Ask, Investigating
from agents.incidents.service import IncidentService
from agents.permission import Person
from agents.processes.evidence_pool import EvidencePool
from agents.remediation import Plan
from agents.runtime import Runtime
from agents.tool import Risk
from agents.workflow import Life
from bot.demo.workspace import Workspace
from bot.slack_app import SocketMode, build_app
from bot.slack_clients import TenantClients, guarded_session, make_client, tenant_of_token
from handlers.slack.blocks.card import Card, card
from handlers.slack.blocks.message import Message
from handlers.slack.context import HandlerContext
from handlers.slack.delivery import Delivery
from handlers.slack.inbound.arrival import SlackActor
from handlers.slack.inbound.caller import Caller, KnownWorkspace
from handlers.slack.inbound.in_view import InView
from handlers.slack.inbound.intake import Intake
from handlers.slack.receiver import SlackReceiver
from handlers.slack.sessions import AgentSessions
from handlers.slack.uninstall import Uninstall
from handlers.slack.visibility import Visibility
from store.audit import trail
from store.database.schema import InboxRow
from store.database.session import Database
from store.ids import ApprovalId, InboxId, IncidentId, InvestigationId, TenantId, stable_id
from store.incidents.approvals import Approval, propose, set_message
from store.incidents.approvals import approval as approval_by_id
from store.incidents.conversations import conversation_by_id
from store.incidents.investigations import investigation, running_investigations, set_status
from store.people.users import Role, ensure_user, set_role
from store.secrets.redaction import Redacted, Secret
from store.tenancy.tenants import update_settings
from tests.fakes.operators import permitting_loopback
from tests.fakes.scripted_model import ScriptedModel

T = TypeVar("T")
MANIFEST = yaml.safe_load((Path(__file__).resolve().parents[2] / "manifest.yml").read_text())


class Heard:
    """A reporter that only remembers what it was told."""

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
        self.told.append(("approval_changed", approval))

    async def outcome(self, tenant: TenantId, approval: ApprovalId) -> None:
        self.told.append(("outcome", approval))

    async def looked_again(self, tenant: TenantId, approval: ApprovalId) -> None:
        self.told.append(("looked_again", approval))

    async def ended(self, tenant: TenantId, incident: IncidentId) -> None:
        self.told.append(("ended", incident))


@dataclass(kw_only=True)
class SmallEngine:
    """Runs `receive` at once, each id once; remembers the rest."""

    receive: Callable[[TenantId, InboxId], Awaitable[None]] | None = None
    started: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sent: list[tuple[str, str, str]] = field(default_factory=list)
    failing: bool = False
    dies_before: str = ""  # this workflow is queued
    handled: int = 0
    cancelled: list[str] = field(default_factory=list)
    _keys: set[str] = field(default_factory=set)

    async def enqueue(self, workflow: str, *, workflow_id: str, arguments: tuple[str, ...]) -> None:
        if self.failing or workflow == self.dies_before:
            raise ConnectionError("the engine is away")
        if workflow_id in self.started:
            return
        self.started[workflow_id] = arguments
        if workflow == "receive" and self.receive is not None:
            await self.receive(TenantId(arguments[0]), InboxId(arguments[1]))
            self.handled += 1

    async def send(self, workflow_id: str, topic: str, word: str, *, key: str) -> None:
        if key not in self._keys:
            self._keys.add(key)
            self.sent.append((workflow_id, topic, word))

    async def life(self, workflow_id: str) -> Life:
        return "live" if workflow_id in self.started else "absent"

    async def revive(self, workflow: str, *, workflow_id: str, arguments: tuple[str, ...]) -> Life:
        life = await self.life(workflow_id)
        await self.enqueue(workflow, workflow_id=workflow_id, arguments=arguments)
        return life

    def interrupt(self, workflow_id: str) -> bool:
        return workflow_id in self.started

    def quiet_for(self, workflow_id: str) -> timedelta | None:
        return None

    async def cancel(self, workflow_id: str) -> None:
        raise AssertionError("nothing is cancelled here")

    async def cancel_all(self, prefix: str, *, keep: str) -> int:
        self.cancelled = sorted(one for one in self.started if one.startswith(prefix) and one != keep)
        return len(self.cancelled)

    def of(self, kind: str) -> list[tuple[str, ...]]:
        return [arguments for workflow_id, arguments in self.started.items() if f":{kind}:" in workflow_id]


@dataclass(kw_only=True)
class Slack:
    """A started workspace and everything behind it."""

    workspace: Workspace
    db: Database
    tenant: TenantId
    session: aiohttp.ClientSession
    intake: Intake
    receiver: SlackReceiver
    caller: Caller
    context: HandlerContext
    engine: SmallEngine
    heard: Heard
    runtime: Runtime

    @property
    def office(self) -> HandlerContext:
        """The context, as the kept inputs call it."""
        return self.context

    async def until(self, look: Callable[[], T]) -> T:
        """The first true result of `look`."""
        async with asyncio.timeout(60):
            while not (found := look()):  # noqa: ASYNC110 - what is looked at raises no event
                await asyncio.sleep(0.005)
        return found

    async def handled(self, count: int) -> None:
        """Until so many arrivals are handled or refused since the start."""
        await self.until(lambda: self.engine.handled >= count)

    def private(self, channel: str, user: str) -> list[str]:
        """All that one person was told privately in a channel, oldest first: everything their eyes can read of it."""
        who = self.workspace.users[user].id
        return [words(one.blocks) for one in self.workspace.messages(channel) if one.ephemeral_for == who]

    def said(self, channel: str) -> list[str]:
        """All that the app said aloud in a channel."""
        own = self.workspace.bot_user_id
        return [words(m.blocks) for m in self.workspace.messages(channel) if m.user == own and not m.ephemeral_for]

    async def settings(self, **changes: Any) -> None:
        async with self.db.tenant(self.tenant) as s:
            await update_settings(s, **changes)
        self.caller.forget()


def words(blocks: list[dict[str, Any]]) -> str:
    """The text of blocks, in order."""
    return "\n".join(block["text"]["text"] for block in blocks if isinstance(block.get("text"), dict))


@asynccontextmanager
async def run_slack(db: Database, clock: Callable[[], datetime], toolbox: Toolbox) -> AsyncIterator[Slack]:
    workspace = Workspace(MANIFEST)
    await workspace.start()
    session = guarded_session(workspace.api_url)
    token = Secret(workspace.bot_token)
    served = await tenant_of_token(db, make_client(session, workspace.api_url, token), token)
    clients = TenantClients(db=db, session=session, api_url=workspace.api_url, clock=clock)
    engine, heard = SmallEngine(), Heard()
    delivery = Delivery(clients.client_for, db, clock=time.monotonic, session=lambda: session)
    caller = Caller(db=db, clients=clients, clock=clock)
    runtime = Runtime(
        db=db,
        queue=engine,
        reporter=heard,
        receiver=_Nobody(),
        claude=None,
        offline=ScriptedModel(script=lambda _request, _turn: []),
        toolbox_for=always(toolbox),
        evidence=EvidencePool(),
        clock=clock,
    )
    toolboxes = Toolboxes(db, file=permitting_loopback(), bound=lambda _: True, now=clock)
    context = HandlerContext(
        db=db,
        connecting=Connecting(db, toolboxes, now=clock),
        disconnecting=Disconnecting(db=db, egress_of=toolboxes.egress_of, now=clock),
        incident_service=IncidentService(runtime, sees=Visibility(db, clients)),
        delivery=delivery,
        clients=clients,
        toolbox_for=always(toolbox),
        clock=clock,
        sessions=AgentSessions(db, delivery),
        in_view=(in_view := InView(clock)),
    )
    receiver = SlackReceiver(
        context=context, caller=caller, uninstall=Uninstall(db=db, queue=engine, forget=lambda _: caller.forget())
    )
    engine.receive = receiver.receive
    intake = Intake(db=db, workspaces=caller, queue=engine, in_view=in_view)
    app = build_app(intake=intake, session=session, api_url=workspace.api_url, signing_secret=None, clock=time.time)
    socket = SocketMode(app, app_token=Secret(workspace.app_token), session=session, api_url=workspace.api_url)
    await socket.start()
    slack = Slack(
        workspace=workspace,
        db=db,
        tenant=served.tenant_id,
        session=session,
        intake=intake,
        receiver=receiver,
        caller=caller,
        context=context,
        engine=engine,
        heard=heard,
        runtime=runtime,
    )
    try:
        yield slack
    finally:
        await socket.stop()
        await intake.settle()
        await session.close()
        await workspace.stop()


class _Nobody:
    """The incident service never asks the runtime for its receiver."""

    async def receive(self, tenant: TenantId, inbox_id: InboxId) -> None:
        raise AssertionError((tenant, inbox_id))


async def finish(slack: Slack) -> None:
    """End every running investigation as concluded."""
    async with slack.db.tenant(slack.tenant) as s:
        for run in await running_investigations(s):
            await set_status(s, run.id, "concluded")


async def kept(slack: Slack) -> list[str]:
    """The kinds of everything in the inbox."""
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        return [row.kind for row in await s.all(select(InboxRow).order_by(InboxRow.id))]


async def audited(slack: Slack) -> list[str]:
    """The actions in the audit log, oldest first."""
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        return [entry.action for entry in await trail(s)]


async def set_person(slack: Slack, user: str, role: Role) -> None:
    """Give a person of the workspace a role."""
    async with slack.db.tenant(slack.tenant) as s:
        known = await ensure_user(s, slack_user_id=slack.workspace.users[user].id, role=role)
        await set_role(s, known.id, role)


VERSIONS = ("9c01be0", "4f2a910")


async def stored_run(slack: Slack, *, asked_by: str = "raj") -> InvestigationId:
    """An investigation of an incident in #incidents, queued, with a thread that exists."""
    ts = await slack.workspace.post(asked_by, "incidents", "checkout is failing")
    person = await slack.caller.person(
        await workspace_of(slack), SlackActor(user_id=slack.workspace.users[asked_by].id), "C0INCIDENTS"
    )
    assert isinstance(person, Person)
    ask = Ask(question=Redacted.ours("checkout is failing"), channel_id="C0INCIDENTS", thread_ts=ts, source_ts=ts)
    started = await slack.context.incident_service.investigate(person, ask)
    assert isinstance(started, Investigating)
    return started.investigation_id


async def workspace_of(slack: Slack) -> KnownWorkspace:
    found = await slack.caller.workspace_of(slack.tenant)
    assert found is not None
    return found


def a_plan(now: datetime, **changes: Any) -> Plan:
    plan = Plan(
        remediation="rollback_deployment",
        title="Roll back checkout to 9c01be0",
        button="Roll back checkout to 9c01be0",
        action="rollback_deployment",
        parameters={"service": "checkout", "version": VERSIONS[0]},
        argv=("shopctl", "rollback", "checkout"),
        target="checkout",
        environment="production",
        from_version=VERSIONS[1],
        to_version=VERSIONS[0],
        target_version=VERSIONS[1],
        instances=1,
        interruption="2 s",
        risk=Risk.MEDIUM,
        reversible=True,
        undo="deploy 4f2a910 again",
        preconditions=(),
        healing=None,
        cause="pool cut",
        confidence="high",
        evidence=("A1",),
        requested_by="U0RAJ",
        read_at=now,
        fresh_until=now + timedelta(minutes=15),
    )
    return plan.model_copy(update=changes)


async def stored_card(slack: Slack, plan: Plan | None = None) -> tuple[Approval, str]:
    """A proposal and its card, shown in the thread of its investigation; the card's ts."""
    run_id = await stored_run(slack)
    plan = plan or a_plan(slack.context.clock())
    async with slack.db.tenant(slack.tenant) as s:
        run = await investigation(s, run_id)
        assert run is not None
        approval = await propose(
            s,
            id=ApprovalId(stable_id("test-approval", run_id)),
            incident_id=run.incident_id,
            investigation_id=run_id,
            remediation=plan.remediation,
            plan=plan.model_dump(mode="json"),
            target=plan.target,
            target_version=plan.target_version,
            risk=plan.risk.value,
            expires_at=s.now() + timedelta(hours=24),
            preview_read_at=s.now(),
        )
        thread = await conversation_by_id(s, run.conversation_id)
        assert thread is not None
    ts = await show(slack, card(Card(approval=approval, plan=plan)), thread.thread_ts)
    async with slack.db.tenant(slack.tenant) as s:
        await set_message(s, approval.id, "C0INCIDENTS", ts)
    return approval, ts


async def show(slack: Slack, message: Message, thread_ts: str | None = None) -> str:
    """Post a message as the app in #incidents."""
    ts = await slack.context.delivery.post(
        slack.tenant,
        key=f"test:{message.body_hash}:{thread_ts}",
        channel="C0INCIDENTS",
        thread_ts=thread_ts,
        message=message,
    )
    assert ts is not None
    return ts


async def reread(slack: Slack, approval: Approval) -> Approval:
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        found = await approval_by_id(s, approval.id)
    assert found is not None
    return found
