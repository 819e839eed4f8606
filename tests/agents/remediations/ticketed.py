"""A project of Jira with one open ticket, for the remediations that write tickets."""

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.jira import Jira
from agents.connecting.connectors.jira.settings import JiraConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.remediation import PlanReason, RemediationContext
from store.secrets.redaction import Secret
from tests.fakes.jira import NOW, TOKEN, USER, FakeJira, a_ticket
from tests.fakes.vendor import serving

SERVICES = (Service(name="checkout"), Service(name="payments"))
REASON = PlanReason(
    cause="a slow bank", confidence="medium", evidence=("A1", "A2"), requested_by="U1", healing=None, incident="i-7"
)


@asynccontextmanager
async def an_open_ticket() -> AsyncIterator[tuple[FakeJira, RemediationContext]]:
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)))
    credentials = {"username": Secret(USER), "password": Secret(TOKEN)}
    async with serving(FakeJira(is_late=True)) as fake:
        fake.tickets = [a_ticket(12, "Checkout fails", components=fake.components)]
        connected = ConnectorContext(services=SERVICES, outbound=outbound, now=lambda: NOW, credentials=credentials)
        given = {"url": fake.url, "projects": ["OPS"], "actions": ["create_ticket", "comment_ticket"]}
        source = Jira(JiraConfig.model_validate(given), connected)
        yield fake, RemediationContext(actuators=[source], changes=(), services=SERVICES, now=lambda: NOW)
    await outbound.close()
