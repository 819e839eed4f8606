"""The Home tab: open incidents, what waits for a decision, and whether the integrations work, read anew at each
opening.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from agents.connector import Connector
from agents.errors import AgentError
from agents.permission import Denied, Permission, Person, check
from handlers.answer import Office
from handlers.blocks.home import Home, Integration, home
from handlers.blocks.message import sections
from store.approvals import open_approvals
from store.ids import TenantId
from store.incidents import visible_incidents

_CHECK_PATIENCE_S: Final = 5.0


async def show_home(person: Person, office: Office) -> None:
    """Publish the tab for one person."""
    if isinstance(denied := check(person.role, Permission.READ), Denied):
        await show_refusal(person.tenant_id, person.slack_user_id, denied, office)
        return
    integrations = await check_all(office.toolbox_for(person.tenant_id).connectors)
    sight = await office.visibility.of_open_incidents(person)
    async with office.db.tenant(person.tenant_id, readonly=True) as s:
        incidents = await visible_incidents(s, sight)
        approvals = await open_approvals(s, of=[one.id for one in incidents])
        # A failed check may quote what a program of the operator printed.
        told = [replace(one, detail=s.redactor.redact(one.detail)) for one in integrations]
    view = home(Home(incidents=incidents, approvals=approvals, integrations=told, asked_in_vain=sight.asked_in_vain))
    await _publish(person.tenant_id, person.slack_user_id, view, office)


async def show_refusal(tenant: TenantId, slack_user_id: str, denied: Denied, office: Office) -> None:
    await _publish(tenant, slack_user_id, {"type": "home", "blocks": sections(denied.reason)}, office)


async def _publish(tenant: TenantId, slack_user_id: str, view: Mapping[str, Any], office: Office) -> None:
    client = await office.clients.client_for(tenant)
    await client.views_publish(user_id=slack_user_id, view=dict(view))


async def check_all(connectors: tuple[Connector, ...]) -> list[Integration]:
    return list(await asyncio.gather(*(_check(one) for one in connectors)))


async def _check(connector: Connector) -> Integration:
    try:
        async with asyncio.timeout(_CHECK_PATIENCE_S):
            found = await connector.check()
    except TimeoutError:
        return Integration(title=connector.title, healthy=False, detail=f"no answer in {_CHECK_PATIENCE_S:.0f} s")
    except AgentError as exc:
        return Integration(title=connector.title, healthy=False, detail=str(exc))
    return Integration(title=connector.title, healthy=found.ok, detail=found.detail, next_action=found.next_action)
