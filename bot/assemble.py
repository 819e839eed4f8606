"""The one place where objects are constructed and joined. Read it from top to bottom to see the whole process."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import aiohttp
from starlette.routing import BaseRoute

from agents.connecting.connecting import Connecting
from agents.connecting.connector import Compute
from agents.connecting.disconnecting import Disconnecting
from agents.connecting.looking_after import LOOK_AFTER_EVERY, LooksAfter
from agents.connecting.operator_file import OperatorFile, OperatorFileError, secrets_of
from agents.connecting.operator_file import load as load_operator_file
from agents.connecting.toolbox import ToolboxFor
from agents.connecting.toolboxes import Toolboxes
from agents.durable.engine import Engine, EngineSettings
from agents.durable.process_lock import ProcessLockLost
from agents.incidents.reconciler import LOOK_EVERY, Reconciler
from agents.incidents.service import IncidentService
from agents.meter import Unmetered
from agents.models.budget import Budget
from agents.models.offline import OfflineModel
from agents.processes.evidence_pool import EvidencePool
from agents.runtime import Pace, Runtime
from agents.workflow import workflow_id
from bot.first_admin import name_first_admin
from bot.housekeeping import HOUSEKEEPING_EVERY, keep_house
from bot.kept_records import keeping
from bot.manifest import bot_scopes, load_manifest
from bot.master_keys import keep_engine_key, read_engine_key, warn_if_unfit
from bot.opening import egress_to, now, open_database, tenant_of_file
from bot.safekeeping import DailyBackup, backups_of
from bot.settings import Settings
from bot.slack_app import SocketMode, build_app, routes
from bot.slack_clients import ServedTenant, TenantClients, guarded_session, make_client, tenant_of_token
from bot.timetable import Timetable
from bot.upkeep import Upkeep, open_upkeep
from bot.verify.daily import DailyVerification
from bot.webhook_side import open_alerting, open_webhooks
from handlers.slack.context import HandlerContext
from handlers.slack.delivery import Delivery
from handlers.slack.inbound.caller import Caller
from handlers.slack.inbound.in_view import InView
from handlers.slack.inbound.intake import Intake
from handlers.slack.notices import Notices
from handlers.slack.receiver import SlackReceiver
from handlers.slack.thread import SlackThread
from handlers.slack.uninstall import Uninstall
from handlers.slack.visibility import Visibility
from store import inbox
from store.audit.event_days import EventDays
from store.database.session import Database
from store.errors import NotFound
from store.ids import InboxId, TenantId
from store.keys.key_provider import MasterKeys
from store.secrets.redaction import Secret
from store.tenancy.tenants import list_tenants
from store.upkeep.account_upkeep import forget_ended

if TYPE_CHECKING:
    from agents.models.claude_model import ClaudeModel
    from bot.mailing import Mailing
    from bot.metrics import Metrics

log = logging.getLogger("autoheal.assemble")

SWEEP_EVERY: Final = timedelta(seconds=3)
ADMIN_EVERY: Final = timedelta(minutes=5)
ADMIN_PATIENCE_S: Final = 120.0
DUE_EVERY: Final = timedelta(minutes=5)
FORGET_EVERY: Final = timedelta(hours=1)
TIDY_EVERY: Final = timedelta(hours=6)
ENGINE_KEEPS: Final = timedelta(days=7)
SWEEP_OLDER: Final = timedelta(seconds=5)
SHARE_OF_ONE: Final = 0.5


class ToolboxSources:
    """`handlers.slack.thread.Sources` over the toolboxes."""

    def __init__(self, toolbox_for: ToolboxFor) -> None:
        self._toolbox_for = toolbox_for

    async def sources(self, tenant: TenantId) -> list[str]:
        return (await self._toolbox_for(tenant)).sources()

    async def missing(self, tenant: TenantId) -> list[str]:
        return (await self._toolbox_for(tenant)).missing()


class LateReceiver:
    """Breaks the one circle: the runtime needs a receiver, whose context needs a service that needs the runtime."""

    def __init__(self) -> None:
        self.receiver: SlackReceiver | None = None

    async def receive(self, tenant: TenantId, inbox_id: InboxId) -> None:
        if self.receiver is None:
            raise RuntimeError("the receiver is not joined yet")
        await self.receiver.receive(tenant, inbox_id)


@asynccontextmanager
async def open_toolboxes(
    settings: Settings, db: Database, served: ServedTenant | None, *, compute: Compute = asyncio.to_thread
) -> AsyncIterator[Toolboxes]:
    """What each tenant connected, and what the operator's file connects for one of them: the workspace that it names,
    or the only one. Raises OperatorFileError.
    """
    file = None if settings.operator_file is None else load_operator_file(settings.operator_file)
    host = None if file is None else await _host(db, file, served)
    async with AsyncExitStack() as stack:
        keeper = host or (served.tenant_id if served else None)
        kept = None if keeper is None else await stack.enter_async_context(keeping(db, keeper, settings.data))
        toolboxes = Toolboxes(db, file=file, bound=lambda one: one == host, now=now, compute=compute, kept=kept)
        stack.push_async_callback(toolboxes.close)
        if file is not None and host is not None:
            db.keep_out(secrets_of(file), tenant_id=host)
            await toolboxes.of(host)  # a file that cannot be used stops the start, and its sources begin now
        yield toolboxes


async def _host(db: Database, file: OperatorFile, served: ServedTenant | None) -> TenantId | None:
    """Whom the file is for. Where workspaces install the app themselves it may not be here yet."""
    if served is not None:
        return served.tenant_id if file.tenant in ("default", served.team_id) else None
    if file.tenant == "default":
        raise OperatorFileError(f'{file.path}: with several workspaces, name one: tenant = "T0123456789"')
    tenant = await tenant_of_file(db, file)
    if tenant is None:
        said = "%s has not installed the app: what the operator's file connects for it waits for that, and a start"
        log.warning(said, file.tenant, extra={"action": "serve.no_host"})
    return tenant


def claude(settings: Settings) -> ClaudeModel | None:
    """None without a key: the offline investigator works alone then."""
    if settings.anthropic_api_key is None:
        return None
    from agents.models.claude_model import BASE_URL, ClaudeModel  # noqa: PLC0415 -- a second and 45 MB, only here
    from agents.models.claude_model import make_client as make_claude_client  # noqa: PLC0415 -- as above

    base_url = settings.anthropic_base_url or BASE_URL
    client = make_claude_client(
        api_key=settings.anthropic_api_key.get_secret_value(), check_egress=egress_to(base_url), base_url=base_url
    )
    return ClaudeModel(client, model=settings.model)


async def warm(evidence: EvidencePool, *, claude: bool) -> None:
    """What the first investigation would otherwise wait for."""
    await evidence.warm()
    if claude:
        from agents.models.claude_warmup import warm as warm_client  # noqa: PLC0415 -- only with the client itself

        await asyncio.to_thread(warm_client)
    # A full collection walks everything that the libraries built at start, for a quarter of a second in which nothing
    # else runs. None of it ever goes away, so the collector need not look at it again.
    gc.freeze()


def pace(settings: Settings) -> Pace:
    check, hold, window = settings.healing
    return Pace(
        healing_check=check,
        healing_hold=hold,
        healing_window=window,
        concurrent_investigations=max(1, round(settings.concurrent_investigations * tenant_share(settings))),
    )


def tenant_share(settings: Settings) -> float:
    """Of the places for work one tenant may hold: half where there are several, so that a storm leaves room."""
    return SHARE_OF_ONE if settings.many_workspaces else 1.0


async def engine_settings(settings: Settings, keys: MasterKeys) -> EngineSettings:
    """The engine's own key is made at the first start and kept wrapped beside its database."""
    path = settings.data / "engine.key"
    if not path.exists():
        await keep_engine_key(keys, path, os.urandom(32))
    return EngineSettings(
        url=settings.engine_url,
        key=await read_engine_key(keys, path),
        lock_folder=str(settings.data),
        concurrent_investigations=settings.concurrent_investigations,
        tenant_share=tenant_share(settings),
        patience=timedelta(minutes=settings.run_minutes),
    )


@asynccontextmanager
async def serving(settings: Settings, *, lost: Callable[[ProcessLockLost], None] | None = None) -> AsyncIterator[str]:
    """Everything up: store, connectors, engine, Slack. Gives the workspace's name, or where to install the app. Raises
    SettingsError, SlackNotReady, OperatorFileError, ProcessLockTaken. `lost` is called when this process has to end,
    because another one may do its work.

    What is taken from Slack is written down first; the engine recovers what an earlier process left.
    """
    settings.require_slack()
    metrics = measure(settings)
    if metrics is not None:
        settings.require_web()
    async with AsyncExitStack() as stack:
        db, keys = await stack.enter_async_context(open_database(settings))
        warn_if_unfit(keys)
        session = await stack.enter_async_context(guarded_session(settings.slack_api_url))
        served = await _served(settings, db, session)
        db.keep_out(settings.secrets)
        evidence = EvidencePool()
        stack.callback(evidence.close)
        toolboxes = await stack.enter_async_context(open_toolboxes(settings, db, served, compute=evidence.run))
        alerting = await stack.enter_async_context(open_alerting(db, toolboxes.of))
        clients = TenantClients(db=db, session=session, api_url=settings.slack_api_url, clock=now)
        delivery = Delivery(clients.client_for, db, clock=time.monotonic, session=lambda: session)
        thread = SlackThread(db, delivery, ToolboxSources(alerting.toolbox_of), visibility=Visibility(db, clients))
        mailing = await open_mail(settings, db, keys, metrics)
        engine = Engine(await engine_settings(settings, keys))
        receiver = LateReceiver()
        runtime = Runtime(
            db=db,
            queue=engine,
            reporter=thread if mailing is None else mailing.reporter(thread, clients),
            receiver=receiver,
            claude=claude(settings),
            looks_first=True,
            offline=OfflineModel(),
            toolbox_for=alerting.toolbox_of,
            evidence=evidence,
            clock=now,
            sees=Visibility(db, clients),
            budget=Budget(
                max_usd=settings.run_usd,
                max_wall=timedelta(minutes=settings.run_minutes),
                review_usd=settings.review_usd,
            ),
            pace=pace(settings),
            meter=metrics or Unmetered(),
        )
        caller = Caller(db=db, clients=clients, clock=now)
        context = HandlerContext(
            db=db,
            incident_service=IncidentService(runtime, sees=Visibility(db, clients)),
            delivery=delivery,
            clients=clients,
            toolbox_for=alerting.toolbox_of,
            connecting=Connecting(db, toolboxes, now=now),
            disconnecting=Disconnecting(db=db, egress_of=toolboxes.egress_of, now=now),
            clock=now,
            public_url=settings.public_url,
            absorber=alerting.absorber,
            sessions=thread.sessions,
            in_view=(in_view := InView(now)),
            wanted_scopes=bot_scopes(load_manifest()),
            install_url=settings.install_url if settings.many_workspaces else None,
        )
        forget = forgetting(clients, caller)
        uninstall = Uninstall(db=db, queue=engine, forget=forget)
        receiver.receiver = SlackReceiver(context=context, caller=caller, uninstall=uninstall)
        intake = Intake(db=db, workspaces=caller, queue=engine, in_view=in_view)
        notices = Notices(db, delivery) if mailing is None else mailing.notices(delivery)
        upkeep = await stack.enter_async_context(
            open_upkeep(settings, db, keys, notices, refused=lambda: intake.counts)
        )
        webhooks = await stack.enter_async_context(
            open_webhooks(
                alerting,
                intake,
                delivery=delivery,
                callers=caller,
                incident_service=context.incident_service,
                notices=notices,
            )
        )
        await engine.start(runtime, lost=lost)
        stack.push_async_callback(engine.stop)
        stack.push_async_callback(thread.close)
        backup = DailyBackup(settings=settings, backups=await backups_of(settings, keys))
        timetable = plan_work(runtime, engine, upkeep, backup, mailing)
        plan_slack_work(timetable, db, clients, thread, served)
        looks_after = LooksAfter(db, context.connecting, notices)
        timetable.every(LOOK_AFTER_EVERY, looks_after.look, name="look after connections", at_start=True)
        webhooks.plan(timetable)
        DailyVerification(settings=settings, db=db, clock=now).plan(timetable)
        timetable.start()
        stack.callback(timetable.stop)
        await sweep(db, engine)
        await stack.enter_async_context(
            listening(
                settings,
                intake,
                session,
                db=db,
                keys=keys,
                days=upkeep.days,
                metrics=metrics,
                toolboxes=toolboxes,
                more=[
                    *webhooks.door.routes(),
                    *(await stack.enter_async_context(_open_mcp(settings, context, listens=metrics is not None))),
                    *_install_routes(settings, db, session, forget),
                ],
            )
        )
        stack.push_async_callback(intake.settle)
        warming = asyncio.create_task(warm(evidence, claude=runtime.claude is not None))
        stack.callback(leave, receiver.receiver, warming)
        log.info("ready", extra={"action": "serve.ready", "team": served.team if served else ""})
        yield served.team if served else f"{await _count(db)}; others install it at {settings.install_url}"


async def _served(settings: Settings, db: Database, session: aiohttp.ClientSession) -> ServedTenant | None:
    """The one workspace, whose token is set; None where workspaces install the app themselves."""
    if settings.slack_bot_token is None:
        return None
    token = Secret(settings.slack_bot_token.get_secret_value())
    return await tenant_of_token(db, make_client(session, settings.slack_api_url, token), token)


def _install_routes(
    settings: Settings, db: Database, session: aiohttp.ClientSession, forget: Callable[[TenantId], None]
) -> Sequence[BaseRoute]:
    if not settings.many_workspaces:
        return ()
    from bot.slack_oauth import install_routes  # noqa: PLC0415 -- only where it is used

    client = partial(make_client, session, settings.slack_api_url)
    return install_routes(settings, db, client, installed=forget, now=time.time)


@asynccontextmanager
async def _open_mcp(
    settings: Settings, context: HandlerContext, *, listens: bool
) -> AsyncIterator[Sequence[BaseRoute]]:
    """The door for other agents, where something listens."""
    if not listens:
        yield ()
        return
    from handlers.mcp.door import McpDoor  # noqa: PLC0415 -- half a second of imports, only where it listens
    from handlers.mcp.tool import McpContext  # noqa: PLC0415 -- as above

    door = McpDoor(
        McpContext(
            db=context.db,
            incident_service=context.incident_service,
            posts=context.delivery,
            sees=context.visibility,
        ),
        public_url=settings.public_url,
        clock=context.clock,
    )
    async with door.running():
        yield door.routes()


async def _count(db: Database) -> str:
    known = len(await list_tenants(db, "active"))
    return "1 workspace" if known == 1 else f"{known} workspaces"


def forgetting(clients: TenantClients, caller: Caller) -> Callable[[TenantId], None]:
    """What is known of a workspace from memory goes when it uninstalls."""

    def forget(tenant: TenantId) -> None:
        clients.forget(tenant)
        caller.forget()

    return forget


def plan_work(
    runtime: Runtime, engine: Engine, upkeep: Upkeep, backup: DailyBackup, mailing: Mailing | None
) -> Timetable:
    """What is done in passing while the process serves."""
    db, timetable = runtime.db, Timetable(engine.leads)
    timetable.every(LOOK_EVERY, Reconciler(runtime, engine).look, name="reconcile", at_start=True, everywhere=True)
    timetable.every(SWEEP_EVERY, lambda: sweep(db, engine), name="sweep")
    timetable.every(FORGET_EVERY, lambda: forget_finished(engine), name="forget finished workflows")
    timetable.every(TIDY_EVERY, lambda: forget_ended(db), name="forget ended sessions")
    timetable.every(HOUSEKEEPING_EVERY, lambda: keep_house(db, upkeep.days), name="housekeeping")
    upkeep.plan(timetable)
    backup.plan(timetable)
    if mailing is not None:
        mailing.plan(timetable)
    return timetable


@asynccontextmanager
async def listening(
    settings: Settings,
    intake: Intake,
    session: aiohttp.ClientSession,
    *,
    db: Database,
    keys: MasterKeys,
    days: EventDays,
    metrics: Metrics | None,
    toolboxes: Toolboxes,
    more: Sequence[BaseRoute] = (),
) -> AsyncIterator[None]:
    """Slack's side: Socket Mode, or signed HTTP. With `metrics` the web side on `http_host:http_port` too."""
    secret = settings.slack_signing_secret
    app = build_app(
        intake=intake,
        session=session,
        api_url=settings.slack_api_url,
        signing_secret=Secret(secret.get_secret_value()) if secret else None,
        clock=time.time,
        **({} if metrics is None else {"acknowledged": metrics.acknowledged}),
    )
    async with AsyncExitStack() as stack:
        if metrics is not None:
            from bot.web_app import serving_web  # noqa: PLC0415 -- half a second of imports, only where it listens
            from bot.web_side import build_web_side  # noqa: PLC0415 -- as above

            slack = routes(app) if settings.mode == "http" else ()
            clients = TenantClients(db=db, session=session, api_url=settings.slack_api_url, clock=db.now)
            web = await build_web_side(
                settings,
                db=db,
                keys=keys,
                days=days,
                metrics=metrics,
                toolboxes=toolboxes,
                sees=Visibility(db, clients),
                slack=slack,
                webhooks=more,
            )
            await stack.enter_async_context(serving_web(web, settings))
        if settings.mode == "socket":
            token = settings.slack_app_token.get_secret_value() if settings.slack_app_token else ""
            socket = SocketMode(app, app_token=Secret(token), session=session, api_url=settings.slack_api_url)
            await socket.start()
            stack.push_async_callback(socket.stop)
        yield


def measure(settings: Settings) -> Metrics | None:
    """None where nothing listens, so that nobody could read them."""
    if settings.mode == "socket" and not settings.web:
        return None
    from bot.metrics import Metrics  # noqa: PLC0415 -- only where they are read

    return Metrics()


async def open_mail(settings: Settings, db: Database, keys: MasterKeys, metrics: Metrics | None) -> Mailing | None:
    """None where no mail server is set."""
    if settings.smtp_host is None:
        return None
    from bot.mailing import open_mailing  # noqa: PLC0415 -- imported only where mail is sent

    return await open_mailing(settings, db, keys, metrics)


def leave(receiver: SlackReceiver, warming: asyncio.Task[None]) -> None:
    """First of all that happens at a stop."""
    receiver.leave()
    warming.cancel()


def plan_slack_work(
    timetable: Timetable, db: Database, clients: TenantClients, thread: SlackThread, served: ServedTenant | None
) -> None:
    """What Slack could not do when it was asked first. Who installs the app by OAuth is its first admin."""
    if served is not None:
        tenant = served.tenant_id
        timetable.every(ADMIN_EVERY, lambda: find_admin(db, clients, tenant), name="find the first admin")
    timetable.every(DUE_EVERY, thread.resume, name="tell what is still due", at_start=True)


async def find_admin(db: Database, clients: TenantClients, tenant: TenantId) -> None:
    """Slack may have been too busy for it at the start."""
    with contextlib.suppress(NotFound):  # uninstalled meanwhile
        await name_first_admin(db, tenant, await clients.client_for(tenant), patience_s=ADMIN_PATIENCE_S)


async def forget_finished(engine: Engine) -> None:
    """The store keeps what happened; the engine's rows are only of use while work can still go on."""
    await engine.forget_finished(now() - ENGINE_KEEPS)


async def sweep(db: Database, engine: Engine) -> None:
    """Queue what was written down but not handled, because a process died in between. The same id runs once."""
    await inbox.collect(db)
    for tenant, inbox_id in await inbox.pending(db, SWEEP_OLDER):
        await engine.revive(
            "receive", workflow_id=workflow_id(tenant, "receive", inbox_id), arguments=(tenant, inbox_id)
        )
