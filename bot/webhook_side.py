"""What serves webhooks, joined: the door, the worker behind it, and what is done about both in passing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from agents.alerting.absorber import Absorber, Surroundings
from agents.alerting.change_log import WebhookChanges
from agents.alerting.topology import Topology
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.connecting.toolbox import Toolbox, ToolboxFor
from agents.incidents.service import IncidentService
from bot.timetable import Timetable
from handlers.slack.alert_groups import AlertGroups, Callers
from handlers.slack.delivery import Delivery
from handlers.slack.inbound.intake import Intake
from handlers.slack.notices import Notices
from handlers.webhooks.door import Door
from handlers.webhooks.refusals import Refusals, tell_refusals
from handlers.webhooks.silence import Silences
from handlers.webhooks.work import AlertWork
from store.database.session import Database
from store.ids import TenantId
from store.inbox import RecordedArrival
from store.incidents import alerts

SWEEP_EVERY: Final = timedelta(seconds=3)
COUNT_EVERY: Final = timedelta(seconds=30)
TELL_EVERY: Final = timedelta(minutes=1)
_MOST_FETCHED: Final = 100_000


@dataclass(frozen=True, kw_only=True)
class WebhookSide:
    """Joined; `plan` puts it on the timetable."""

    alerting: Alerting
    door: Door
    work: AlertWork
    refusals: Refusals
    silences: Silences
    notices: Notices

    def plan(self, timetable: Timetable) -> None:
        timetable.every(SWEEP_EVERY, self.work.sweep, name="take up alerts")
        timetable.every(COUNT_EVERY, self.refusals.flush, name="count refused webhooks", everywhere=True)
        timetable.every(TELL_EVERY, self.tell, name="tell of refused webhooks")
        timetable.every(
            COUNT_EVERY, self.alerting.find_change_logs, name="find change logs", at_start=True, everywhere=True
        )

    async def tell(self) -> None:
        await tell_refusals(self.alerting.db, self.notices)
        await self.silences.tell(self.notices)


def surroundings(toolbox: Toolbox) -> Surroundings:
    """A tenant's services and who calls whom."""
    edges = ((edge.caller, edge.callee) for edge in toolbox.edges)
    return Surroundings(services=toolbox.service_names(), spellings=toolbox.spellings(), topology=Topology(edges))


class Alerting:
    """What takes alerts and changes in, before there is anybody to tell of them."""

    def __init__(self, db: Database, outbound: Outbound, toolbox_for: ToolboxFor) -> None:
        self.db, self._outbound, self._toolbox_for = db, outbound, toolbox_for
        self._tell_changes: set[TenantId] = set()
        self.absorber = Absorber(db, self._around, fetch=self.fetch)

    async def _around(self, tenant: TenantId) -> Surroundings:
        return surroundings(await self._toolbox_for(tenant))

    async def fetch(self, url: str) -> bytes:
        """A certificate or a confirmation, from a public address."""
        return (await self._outbound.get(url, timeout_s=3.0, max_bytes=_MOST_FETCHED, retries=1)).body

    async def toolbox_of(self, tenant: TenantId) -> Toolbox:
        """The tenant's sources and, where webhooks told of changes, their log."""
        toolbox = await self._toolbox_for(tenant)
        if tenant not in self._tell_changes:
            return toolbox
        log = WebhookChanges(self.db, tenant, toolbox.service_names)
        return replace(toolbox, connectors=(*toolbox.connectors, log))

    async def find_change_logs(self) -> None:
        self._tell_changes = set(await alerts.tenants_with_changes(self.db))


@asynccontextmanager
async def open_alerting(db: Database, toolbox_for: ToolboxFor) -> AsyncIterator[Alerting]:
    """Reaches public addresses only, whatever the operator allows elsewhere."""
    outbound = Outbound(EgressPolicy())
    try:
        yield Alerting(db, outbound, toolbox_for)
    finally:
        await outbound.close()


@asynccontextmanager
async def open_webhooks(
    alerting: Alerting,
    intake: Intake,
    *,
    delivery: Delivery,
    callers: Callers,
    incident_service: IncidentService,
    notices: Notices,
) -> AsyncIterator[WebhookSide]:
    """Closed, it takes nothing more; what was accepted is taken up at the next start."""
    refusals = Refusals(alerting.db)
    groups = AlertGroups(alerting.db, delivery, callers, incident_service, notices=notices, clock=alerting.db.now)
    work = AlertWork(alerting.db, intake, alerting.absorber, groups)

    def arrived(tenant: TenantId, recorded: RecordedArrival) -> None:
        work.wake(tenant, recorded.inbox_id)

    door = Door(alerting.db, intake, refusals, arrived=arrived, fetch=alerting.fetch)
    try:
        yield WebhookSide(
            alerting=alerting, door=door, work=work, refusals=refusals, silences=Silences(alerting.db), notices=notices
        )
    finally:
        await work.close()
        await refusals.flush()
