"""A service of PagerDuty with one open incident, for the remediations of incidents."""

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.pagerduty import PagerDuty
from agents.connecting.connectors.pagerduty.settings import PagerDutyConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.remediation import Impossible, Plan, PlanReason, RemediationContext
from agents.remediation.tracked import TrackedArguments, TrackedRemediation
from store.secrets.redaction import Secret
from tests.fakes.pagerduty import NOW, TOKEN, USER, FakePagerDuty, a_service, an_alert_of, an_incident
from tests.fakes.vendor import serving

SERVICES = (Service(name="checkout"), Service(name="payments"))
REASON = PlanReason(
    cause="a slow bank", confidence="medium", evidence=("A1",), requested_by="U1", healing=None, incident="i-7"
)


@asynccontextmanager
async def an_open_incident() -> AsyncIterator[tuple[FakePagerDuty, RemediationContext]]:
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)))
    async with serving(FakePagerDuty()) as fake:
        fake.services = [a_service("PCHECKOUT", "Checkout"), a_service("PPAYMENTS", "Payments")]
        fake.incidents = [an_incident("Q1CHECKOUT", 71, "PCHECKOUT", "Checkout fails")]
        fake.alerts = [an_alert_of("Q1CHECKOUT", "A1", "HighErrors")]
        connected = ConnectorContext(
            services=SERVICES, outbound=outbound, now=lambda: NOW, credentials={"token": Secret(TOKEN)}
        )
        source = PagerDuty(PagerDutyConfig.model_validate({"api": fake.url, "acts_as": USER}), connected)
        yield fake, RemediationContext(actuators=[source], changes=(), services=SERVICES, now=lambda: NOW)
    await outbound.close()


async def planned(remediation: TrackedRemediation, context: RemediationContext, item: str | None = None) -> Plan:
    plan = await remediation.plan(TrackedArguments(service="checkout", item=item), REASON, context)
    assert isinstance(plan, Plan), plan
    return plan


async def refused(
    remediation: TrackedRemediation, context: RemediationContext, service: str = "checkout", item: str | None = None
) -> str:
    plan = await remediation.plan(TrackedArguments(service=service, item=item), REASON, context)
    assert isinstance(plan, Impossible), plan
    return plan.reason
