"""Who left the workspace sees nothing any more, whatever door they come by."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import Workspace
from handlers.slack.visibility import Visibility
from store.database.session import Database
from store.ids import TenantId
from tests.bot.demo.workspace.support import MANIFEST

OPEN = "C0INCIDENTS"


@dataclass
class OneClient:
    client: AsyncWebClient

    async def client_for(self, tenant: TenantId) -> AsyncWebClient:
        return self.client


@pytest.fixture
async def slack() -> AsyncIterator[Workspace]:
    workspace = Workspace(MANIFEST)
    await workspace.start()
    yield workspace
    await workspace.stop()


async def test_a_deactivated_person_sees_no_public_channel_either(
    slack: Workspace, sqlite_database: Database, two_tenants: tuple[TenantId, TenantId]
) -> None:
    tenant = two_tenants[0]
    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, session=session)
        visibility = Visibility(sqlite_database, OneClient(client))
        assert (await visibility.readable_by(tenant, "U0MIA", [OPEN])).covers(OPEN)
        assert (await visibility.readable_by(tenant, "web:1", [OPEN])).covers(OPEN)
        slack.deactivate("mia")
        sight = await visibility.readable_by(tenant, "U0MIA", [OPEN])
        assert (sight.covers(OPEN), sight.asked_in_vain) == (False, False)
        assert not (await visibility.readable_by(tenant, "U0NOBODY", [OPEN])).covers(OPEN)
