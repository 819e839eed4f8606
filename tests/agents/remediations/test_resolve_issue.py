"""An issue is resolved as it was read, named where several are open, and opened again by undo."""

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.sentry import Sentry
from agents.connecting.connectors.sentry.settings import SentryConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.remediation import Impossible, Plan, RemediationContext
from agents.remediations.resolve_issue import REMEDIATION
from agents.tool import Risk
from store.secrets.redaction import Secret
from tests.agents.remediations.tracked import REASON, planned, refused
from tests.fakes.sentry import NOW, TOKEN, FakeSentry, a_project, an_issue
from tests.fakes.vendor import serving

CHECKOUT = a_project(1, "checkout")


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[FakeSentry, RemediationContext]]:
    outbound, services = (
        Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),))),
        (Service(name="checkout"),),
    )
    async with serving(FakeSentry()) as fake:
        fake.projects, fake.issues = [CHECKOUT], [an_issue(7, "KeyError: 'SEK'", CHECKOUT)]
        context = ConnectorContext(
            services=services, outbound=outbound, now=lambda: NOW, credentials={"token": Secret(TOKEN)}
        )
        settings = {"url": fake.url, "organization": "acme", "actions": ["resolve_issue"]}
        source = Sentry(SentryConfig.model_validate(settings), context)
        yield fake, RemediationContext(actuators=[source], changes=(), services=services, now=lambda: NOW)
    await outbound.close()


async def test_previewed_resolved_once_and_opened_again() -> None:
    async with connected() as (server, context):
        plan = await planned(REMEDIATION, context)
        assert (plan.title, plan.risk, plan.reversible) == ("Resolve issue SHOP-7 of checkout", Risk.LOW, True)
        assert "is unresolved since 2026-03-01 11:55:00 UTC, 58 events of 12 users" in plan.preconditions[0].text
        for _ in range(2):
            assert (await REMEDIATION.apply(plan, context, idempotency_key="k")).ok
        assert len(server.written()) == 1
        assert REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, context))
        undo = await REMEDIATION.undo(plan, REASON, context)
        assert isinstance(undo, Plan)
        assert undo.title == "Reopen issue SHOP-7 of checkout"
        assert (await REMEDIATION.apply(undo, context, idempotency_key="u")).ok
        assert REMEDIATION.reached(undo, await REMEDIATION.read_target(undo, context))
        server.issues = []
        assert isinstance(await REMEDIATION.undo(plan, REASON, context), Impossible)


async def test_one_beyond_what_is_read_is_found_by_its_id_alone() -> None:
    async with connected() as (server, context):
        server.issues = [an_issue(n, "again", CHECKOUT, last=n / 10) for n in range(1, 151)]
        assert "issues of checkout may be meant; name one by its id" in await refused(REMEDIATION, context)
        assert (await planned(REMEDIATION, context, "SHOP-3")).parameters["item"] == "3"
        assert (await planned(REMEDIATION, context, "140")).parameters["item"] == "140"
        assert "No issue '999' of checkout is open now. Not all was read" in await refused(
            REMEDIATION, context, item="999"
        )
