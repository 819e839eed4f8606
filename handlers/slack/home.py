"""The Home tab: open incidents, what waits for a decision, and whether the integrations work, read anew at each
opening.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from agents.approvals.policy import described
from agents.connecting.connecting import connectable, silence
from agents.connecting.connector import Connector
from agents.errors import AgentError
from agents.failure import log_failure
from agents.permission import Denied, Permission, Person, check
from agents.processes.evidence_pool import Overloaded
from agents.processes.evidence_worker import Overran, WorkerDied
from handlers.slack.blocks import text as t
from handlers.slack.blocks.home import Home, Integration, home
from handlers.slack.blocks.message import sections
from handlers.slack.context import HandlerContext
from handlers.slack.installation import install_link, lacking_words, reinstall_words
from store.database.session import TenantSession
from store.ids import ApprovalId, IncidentId, InvestigationId, TenantId
from store.inbox.deliveries import refused
from store.incidents import Incident, catalog, visible_incidents
from store.incidents.approvals import approval, open_approvals
from store.incidents.investigations import investigation
from store.tenancy.lacking import read_lacking
from store.tenancy.tenants import load_install

log = logging.getLogger("autoheal.home")

_CHECK_PATIENCE_S: Final = 5.0
_KEPT: Final = timedelta(days=7)


async def show_home(person: Person, context: HandlerContext) -> None:
    """Publish the tab for one person."""
    if isinstance(denied := check(person.role, Permission.READ), Denied):
        await show_refusal(person.tenant_id, person.slack_user_id, denied, context)
        return
    may_connect = not isinstance(check(person.role, Permission.CONNECT), Denied)
    integrations = await check_all((await context.toolbox_for(person.tenant_id)).connectors)
    sight = await context.visibility.of_open_incidents(person)
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        incidents = await visible_incidents(s, sight)
        approvals = await open_approvals(s, of=[one.id for one in incidents])
        undelivered = await read_undelivered(s, {one.id: one for one in incidents})
        questions = await catalog.count(s, "proposed")
        lacking = await _read_lacking(s, context) if may_connect else ""
        policy = await described(s, context.clock())
        # A failed check may quote what a program of the operator printed.
        told = [replace(one, detail=s.redactor.redact(one.detail)) for one in integrations]
    view = home(
        Home(
            incidents=incidents,
            approvals=approvals,
            integrations=told,
            connectable=[(name, kind.title) for name, kind in sorted(connectable().items())] if may_connect else (),
            questions=questions if may_connect else 0,
            undelivered=undelivered,
            lacking=lacking,
            policy=policy,
            asked_in_vain=sight.asked_in_vain,
            now=context.clock(),
        )
    )
    await _publish(person.tenant_id, person.slack_user_id, view, context)


async def read_undelivered(s: TenantSession, seen: Mapping[IncidentId, Incident]) -> list[str]:
    """What Slack did not take in the threads of these incidents, newest first, with its first line."""
    lines: list[str] = []
    for one in await refused(s, since=s.now() - _KEPT):
        kind, _, subject = one.key.partition("#")[0].partition(":")
        said, about = "", None
        if kind == "verdict":
            run = await investigation(s, InvestigationId(subject))
            about = seen.get(run.incident_id) if run else None
            said = str(run.verdict["headline"]) if run and run.verdict else "the investigation ended without a verdict"
        elif kind in ("card", "outcome", "came_back"):
            proposal = await approval(s, ApprovalId(subject))
            about = seen.get(proposal.incident_id) if proposal else None
            said = f"{proposal.plan['title']}: {proposal.state.value.replace('_', ' ')}" if proposal else ""
        if about is not None:
            lines.append(f"*#{about.number}* {t.prose(said, 160)}")
    return lines


async def _read_lacking(s: TenantSession, context: HandlerContext) -> str:
    """What the installation of the app lacks, and the link by which it is installed again. Mrkdwn."""
    install = await load_install(s)
    if install is None:
        return ""
    lacking = lacking_words(await read_lacking(s), scopes=install.scopes, wanted=context.wanted_scopes)
    link = f"<{install_link(install.app_id, context.install_url)}|install the app again>"
    return f"{lacking}. {reinstall_words(link)}" if lacking else ""


async def show_refusal(tenant: TenantId, slack_user_id: str, denied: Denied, context: HandlerContext) -> None:
    await _publish(tenant, slack_user_id, {"type": "home", "blocks": sections(denied.reason)}, context)


async def _publish(tenant: TenantId, slack_user_id: str, view: Mapping[str, Any], context: HandlerContext) -> None:
    client = await context.clients.client_for(tenant)
    await client.views_publish(user_id=slack_user_id, view=dict(view))


async def check_all(connectors: tuple[Connector, ...]) -> list[Integration]:
    return list(await asyncio.gather(*(_check(one) for one in connectors)))


async def _check(connector: Connector) -> Integration:
    try:
        async with asyncio.timeout(_CHECK_PATIENCE_S):
            found = await connector.check()
    except TimeoutError:
        return Integration(title=connector.title, healthy=None, detail=f"no answer in {_CHECK_PATIENCE_S:.0f} s")
    except (Overloaded, Overran, WorkerDied) as exc:
        return Integration(title=connector.title, healthy=None, detail=str(exc))
    except AgentError as exc:
        return Integration(title=connector.title, healthy=False, detail=str(exc))
    except Exception as exc:  # noqa: BLE001 -- the outer guard of a check: one connector's bug costs only its own line
        reference = log_failure(log, "connector.check_failed", exc, connector=connector.name)
        return Integration(
            title=connector.title, healthy=None, detail=f"failed inside Autoheal (reference {reference})"
        )
    return Integration(
        title=connector.title,
        healthy=found.ok or (found.answers and bool(connector.context.label)),
        detail=found.detail,
        next_action=found.next_action,
        silent=silence(None, found.has_data),
    )
